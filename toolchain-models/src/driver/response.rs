//! `@file` arguments, expanded by the rules of libiberty's `expandargv`.
//!
//! Knows nothing of options: an argument that names no readable file stays as it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::plan::TEMPORARY;
use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, World};

/// libiberty's own limit is 2,000 expansions.
const LIMIT: usize = 2000;

/// Arguments in which nothing is left to be read from files.
pub(crate) struct Expanded {
    pub(crate) args: Vec<OsString>,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
}

/// The arguments with each `@file` replaced by the file's words; none may look like a temporary file of the private root.
pub(crate) fn expand(args: &[OsString], cwd: &Path, world: &dyn World) -> Result<Expanded, Reason> {
    let mut pending: Vec<OsString> = args.iter().rev().cloned().collect();
    let mut expanded = Vec::with_capacity(args.len());
    let mut files = Vec::new();
    while let Some(arg) = pending.pop() {
        let Some(name) = arg.as_bytes().strip_prefix(b"@").filter(|name| !name.is_empty()) else {
            expanded.push(arg);
            continue;
        };
        let path = cwd.join(OsStr::from_bytes(name));
        let failed = |error: std::io::Error| Reason::io(&path, &error);
        match world.stat(&path).map_err(failed)? {
            None => expanded.push(arg),
            Some(stat) if stat.kind == FileKind::File => {
                if files.len() == LIMIT {
                    return Err(Reason::new(ReasonKind::Usage, "too many @-files"));
                }
                pending.extend(words(&world.read(&path).map_err(failed)?).into_iter().rev());
                files.push(path);
            }
            Some(_) => return Err(Reason::new(ReasonKind::Input, format!("{}: not a regular file", path.display()))),
        }
    }
    match expanded.iter().find(|arg| arg.as_bytes().windows(TEMPORARY.len() + 1).any(looks_temporary)) {
        None => Ok(Expanded { args: expanded, files }),
        Some(arg) => Err(Reason::new(
            ReasonKind::Plan,
            format!("{}: cannot be told from a temporary file of the private root", arg.to_string_lossy()),
        )),
    }
}

fn looks_temporary(window: &[u8]) -> bool {
    window.strip_prefix(TEMPORARY.as_bytes()).is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
}

/// Splits at white space; quotes of both kinds and backslashes protect.
fn words(text: &[u8]) -> Vec<OsString> {
    let blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r');
    let mut words = Vec::new();
    let mut bytes = text.iter().copied().take_while(|byte| *byte != 0).peekable();
    loop {
        while bytes.next_if(|byte| blank(*byte)).is_some() {}
        if bytes.peek().is_none() {
            return words;
        }
        let mut word = Vec::new();
        let mut quote = None;
        while let Some(byte) = bytes.next_if(|byte| quote.is_some() || !blank(*byte)) {
            match (quote, byte) {
                (_, b'\\') => word.extend(bytes.next()),
                (Some(open), byte) if byte == open => quote = None,
                (None, b'\'' | b'"') => quote = Some(byte),
                _ => word.push(byte),
            }
        }
        words.push(OsString::from_vec(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        let split = words(b"-DA='a b' \"c\\\"d\"  e\\ f\n'\\'' \"\"\t-g");
        assert_eq!(split, ["-DA=a b", "c\"d", "e f", "'", "", "-g"].map(OsString::from));
    }
}
