//! What little of make's own arguments matters here: where it works, and whether it only answers a question. Knows which of
//! GNU make's options take values, and nothing of what they mean.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Short options whose value follows, joined or as the next argument.
const WITH_VALUE: &[u8] = b"CEIWfo";
/// Short options with a value that is joined, or a number that may be the next argument.
const WITH_OPTIONAL_VALUE: &[u8] = b"Ojl";
/// Long options whose value may be the next argument.
const LONG_WITH_VALUE: [&str; 11] = [
    "assume-new",
    "assume-old",
    "directory",
    "eval",
    "file",
    "include-dir",
    "jobserver-auth",
    "makefile",
    "new-file",
    "old-file",
    "what-if",
];
/// Options by which make runs no recipe, but for recursive ones.
const ASKING: &[u8] = b"hnqv";
const LONG_ASKING: [&str; 6] = ["dry-run", "help", "just-print", "question", "recon", "version"];

/// What make's arguments say.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct MakeArgs {
    /// Where make works, seen from where it is started.
    pub(crate) directory: PathBuf,
    /// Whether it only answers a question.
    pub(crate) asks: bool,
}

impl MakeArgs {
    pub(crate) fn read(args: &[OsString]) -> MakeArgs {
        let mut read = MakeArgs { directory: PathBuf::new(), asks: false };
        let mut args = args.iter().map(|arg| arg.as_bytes());
        while let Some(arg) = args.next() {
            match arg {
                b"--" => break,
                [b'-', b'-', long @ ..] => read.long(long, &mut args),
                [b'-', short @ ..] => read.short(short, &mut args),
                _ => {}
            }
        }
        read
    }

    fn long<'a>(&mut self, option: &'a [u8], rest: &mut impl Iterator<Item = &'a [u8]>) {
        let (name, value) = match option.iter().position(|byte| *byte == b'=') {
            Some(at) => (&option[..at], Some(&option[at + 1..])),
            None => (option, None),
        };
        // an option may be cut short while it is clear which is meant; two letters make these clear
        let means = |full: &&str| name.len() >= 2 && full.as_bytes().starts_with(name);
        if LONG_WITH_VALUE.iter().any(means) {
            if let Some(value) = value.or_else(|| rest.next())
                && means(&"directory")
            {
                self.enter(value);
            }
        } else if LONG_ASKING.iter().any(means) {
            self.asks = true;
        }
    }

    fn short<'a>(&mut self, options: &'a [u8], rest: &mut impl Iterator<Item = &'a [u8]>) {
        for (at, option) in options.iter().enumerate() {
            if WITH_VALUE.contains(option) {
                let joined = &options[at + 1..];
                let value = if joined.is_empty() { rest.next() } else { Some(joined) };
                if let (b'C', Some(value)) = (option, value) {
                    self.enter(value);
                }
                return;
            }
            if WITH_OPTIONAL_VALUE.contains(option) {
                // a number that follows is no option either way
                return;
            }
            self.asks |= ASKING.contains(option);
        }
    }

    fn enter(&mut self, directory: &[u8]) {
        self.directory.push(Path::new(OsStr::from_bytes(directory)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> (String, bool) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let MakeArgs { directory, asks } = MakeArgs::read(&args);
        (directory.into_os_string().into_string().unwrap(), asks)
    }

    #[test]
    fn directories_add_up() {
        for (args, directory) in [
            (&["all"][..], ""),
            (&["-C", "a", "-kCb", "--directory=c", "--directory", "d", "--dir", "e"], "a/b/c/d/e"),
            (&["-C/a", "-f", "-Cb", "-j", "4", "-C", "c"], "/a/c"),
            (&["-C", "a", "--", "-C", "b"], "a"),
            (&["-C"], ""),
        ] {
            assert_eq!(read(args).0, directory, "{args:?}");
        }
    }

    #[test]
    fn questions_are_known_from_values() {
        for asking in [&["-n"][..], &["-kn"], &["-j4", "-q"], &["--version"], &["--just"], &["-h"], &["--dry-run"]] {
            assert!(read(asking).1, "{asking:?}");
        }
        for building in [
            &["-fn"][..],
            &["-f", "-n"],
            &["-j", "4"],
            &["-On"],
            &["--file", "--help"],
            &["--no-silent"],
            &["--", "-n"],
        ] {
            assert!(!read(building).1, "{building:?}");
        }
    }
}
