//! Asks the driver, by `-###`, which commands it would run.
//!
//! Knows the form of the answer, nothing of what the commands do. Temporary names in it become fixed ones.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::prefixes;
use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};
use crate::world::{RunOutput, World};

/// Where the names of temporary files begin, in the private root.
pub(crate) const TEMPORARY: &str = "/tmp/gg";

/// One command of a driver's plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Command {
    pub(crate) argv: Vec<OsString>,
    /// What the driver sets in the environment for it (`COLLECT_GCC_OPTIONS` changes from one to the next).
    pub(crate) collect_options: OsString,
}

/// A driver's plan.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) commands: Vec<Command>,
    /// The files of specs that it read.
    pub(crate) specs: Vec<PathBuf>,
    /// The variables that it exports: `COLLECT_GCC`, `COMPILER_PATH`, `LIBRARY_PATH`, …
    pub(crate) exported: Vec<(OsString, OsString)>,
}

impl Plan {
    /// An exported variable.
    pub(crate) fn var(&self, name: &str) -> Option<&OsStr> {
        self.exported.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }
}

/// Refuses arguments that would look like something else in the answer.
pub(crate) fn check(args: &[OsString]) -> Result<(), Reason> {
    match args.iter().find(|arg| arg.as_bytes().contains(&b'\n') || temporary(arg.as_bytes()).is_some()) {
        None => Ok(()),
        Some(arg) => Err(Reason::new(
            ReasonKind::Plan,
            format!("{}: cannot be told from the driver's own text", arg.to_string_lossy()),
        )),
    }
}

/// Asks the driver of `req` for its plan of these arguments (`@file`s expanded).
pub(crate) fn ask(req: &Request, args: &[OsString], world: &dyn World) -> Result<Plan, Reason> {
    check(args)?;
    prefixes::look(req, args, world)?;
    // With -save-temps the driver says that it ignores -pipe.
    let keeps = args.iter().any(|arg| arg.as_bytes().starts_with(b"-save-temps"));
    let args = args.iter().filter(|arg| *arg != "-pipe" || keeps).map(OsString::as_os_str);
    let output = run(req, args.chain([OsStr::new("-###")]), &[], world)?;
    if output.status != Some(0) {
        let first =
            output.stderr.split(|byte| *byte == b'\n').rfind(|line| line.windows(6).any(|window| window == b"error:"));
        return Err(Reason::new(ReasonKind::Usage, String::from_utf8_lossy(first.unwrap_or_default())));
    }
    parse(&output.stderr)
}

/// What the driver of `req` says to these arguments, in plain English and without these variables of the caller's.
pub(super) fn run<'a>(
    req: &Request,
    args: impl Iterator<Item = &'a OsStr>,
    without: &[&str],
    world: &dyn World,
) -> Result<RunOutput, Reason> {
    let mut argv = vec![req.argv.first().cloned().unwrap_or_else(|| req.tool.clone())];
    argv.extend(args.map(OsStr::to_owned));
    let dropped = |key: &OsStr| {
        key == "LC_ALL" || key == "LANGUAGE" || key == "TMPDIR" || without.iter().any(|name| key == *name)
    };
    let mut env: Vec<_> = req.env.iter().filter(|(key, _)| !dropped(key)).cloned().collect();
    env.push(("LC_ALL".into(), "C".into()));
    env.push(("TMPDIR".into(), "/tmp".into()));
    let failed = |error| Reason::new(ReasonKind::Plan, format!("{}: {error}", req.exe.display()));
    world.run(&req.exe, &argv, &env, &req.cwd).map_err(failed)
}

/// Reads the answer. A line of a kind that is not known (a warning of the driver's own) is an error: a thunk would lose it.
pub(crate) fn parse(text: &[u8]) -> Result<Plan, Reason> {
    let mut plan = Plan::default();
    let mut collect_options = OsString::new();
    let mut names = HashMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if line[0] == b' ' {
            let mut argv = split(line).ok_or_else(|| not_understood(line))?;
            for arg in &mut argv {
                rename(arg, &mut names);
            }
            plan.commands.push(Command { argv, collect_options: collect_options.clone() });
        } else if let Some(value) = line.strip_prefix(b"COLLECT_GCC_OPTIONS=") {
            collect_options = OsString::from_vec(value.to_vec());
        } else if let Some(specs) = line.strip_prefix(b"Reading specs from ") {
            plan.specs.push(PathBuf::from(OsStr::from_bytes(specs)));
        } else if let Some(equals) = exported(line) {
            plan.exported
                .push((OsString::from_vec(line[..equals].to_vec()), OsString::from_vec(line[equals + 1..].to_vec())));
        } else if ![
            &b"Using built-in specs."[..],
            b"Target: ",
            b"Configured with: ",
            b"Thread model: ",
            b"Supported LTO compression",
            b"gcc version ",
            b"OFFLOAD_",
        ]
        .iter()
        .any(|known| line.starts_with(known))
        {
            return Err(not_understood(line));
        }
    }
    if plan.var("COLLECT_GCC").is_none() {
        return Err(Reason::new(ReasonKind::Plan, "the driver is not gcc"));
    }
    Ok(plan)
}

fn exported(line: &[u8]) -> Option<usize> {
    let names: [&[u8]; 6] = [
        b"COLLECT_AS_OPTIONS=",
        b"COLLECT_GCC=",
        b"COLLECT_LTO_WRAPPER=",
        b"COMPILER_PATH=",
        b"LIBRARY_PATH=",
        b"GCC_EXEC_PREFIX=",
    ];
    names.iter().find(|name| line.starts_with(name)).map(|name| name.len() - 1)
}

fn not_understood(line: &[u8]) -> Reason {
    Reason::new(ReasonKind::Plan, String::from_utf8_lossy(line))
}

/// Undoes the quoting of `-###`: what is not all letters, digits and `_/-.` stands in double quotes, with `"`, `\` and `$` escaped.
fn split(line: &[u8]) -> Option<Vec<OsString>> {
    let mut argv = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    loop {
        while bytes.next_if_eq(&b' ').is_some() {}
        match bytes.peek() {
            None => return Some(argv),
            // A pipe between commands; -pipe is never asked with.
            Some(b'|') => return None,
            Some(_) => {}
        }
        let mut word = Vec::new();
        if bytes.next_if_eq(&b'"').is_some() {
            loop {
                match bytes.next()? {
                    b'"' => break,
                    b'\\' => word.push(bytes.next()?),
                    byte => word.push(byte),
                }
            }
        } else {
            while let Some(byte) = bytes.next_if(|byte| *byte != b' ') {
                word.push(byte);
            }
        }
        argv.push(OsString::from_vec(word));
    }
}

/// The place of a temporary name of gcc's, `/tmp/cc` and six characters and a suffix, that ends the argument.
fn temporary(arg: &[u8]) -> Option<usize> {
    const START: &[u8] = b"/tmp/cc";
    let at = arg.windows(START.len()).position(|window| window == START)?;
    let rest = &arg[at + START.len()..];
    let letters = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let ends = rest.len() == letters || rest[letters] == b'.' && !rest[letters..].contains(&b'/');
    (letters == 6 && ends).then_some(at)
}

fn rename(arg: &mut OsString, names: &mut HashMap<Vec<u8>, String>) {
    let bytes = arg.as_bytes();
    let Some(at) = temporary(bytes) else { return };
    let suffix = bytes[at..].iter().position(|byte| *byte == b'.').map_or(&b""[..], |dot| &bytes[at + dot..]);
    let number = names.len();
    let name = names
        .entry(bytes[at..].to_vec())
        .or_insert_with(|| format!("{TEMPORARY}{number:04}{}", String::from_utf8_lossy(suffix)));
    let mut renamed = bytes[..at].to_vec();
    renamed.extend_from_slice(name.as_bytes());
    *arg = OsString::from_vec(renamed);
}

/// The first of the directories that holds an executable of this name, then `PATH`; as the driver and collect2 look.
pub(crate) fn find_program(
    name: &OsStr,
    compiler_path: Option<&OsStr>,
    path: Option<&OsStr>,
    cwd: &Path,
    world: &dyn World,
) -> Result<PathBuf, Reason> {
    if name.as_bytes().contains(&b'/') {
        return Ok(cwd.join(name));
    }
    let dirs = [compiler_path, path].into_iter().flatten().flat_map(|list| list.as_bytes().split(|byte| *byte == b':'));
    for dir in dirs {
        let candidate = cwd.join(OsStr::from_bytes(dir)).join(name);
        let stat = match world.stat(&candidate) {
            // A directory that the caller may not enter is passed over by execvp and by the driver alike.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => continue,
            found => found.map_err(|error| Reason::io(&candidate, &error))?,
        };
        if stat.is_some_and(|stat| stat.kind == crate::world::FileKind::File && stat.mode & 0o111 != 0) {
            return Ok(candidate);
        }
    }
    Err(Reason::new(ReasonKind::Plan, format!("no program {}", name.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer() {
        let plan = parse(b"Using built-in specs.\nCOLLECT_GCC=gcc\nCOLLECT_GCC_OPTIONS='-c'\n /usr/lib/cc1 -D \"X=a \\\"b\\\\ \\$\" \"\" -o /tmp/ccAbCd12.s\nCOLLECT_GCC_OPTIONS='-c' '-x'\n as -o a.o /tmp/ccAbCd12.s\n").unwrap();
        assert_eq!(plan.commands[0].argv, ["/usr/lib/cc1", "-D", "X=a \"b\\ $", "", "-o", "/tmp/gg0000.s"]);
        assert_eq!(plan.commands[1].argv, ["as", "-o", "a.o", "/tmp/gg0000.s"]);
        assert_eq!(plan.commands[1].collect_options, "'-c' '-x'");
    }

    #[test]
    fn a_warning_of_the_driver_is_not_lost() {
        let error = parse(b"COLLECT_GCC=gcc\ngcc: warning: a.o: linker input file unused because linking not done\n")
            .unwrap_err();
        assert_eq!(error.kind, ReasonKind::Plan);
    }
}
