//! Whether nobody but make looks at the status of a call: then it may be answered before the work is done.
//!
//! That is so where make itself has called the tool, or by way of a shell that was given nothing but simple commands, each
//! to be run if the one before went well. Knows nothing of the call.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::shell;

/// The names by which make is installed.
const MAKES: [&[u8]; 3] = [b"make", b"gmake", b"gnumake"];
/// The shells whose language is understood.
const SHELLS: [&[u8]; 3] = [b"sh", b"dash", b"bash"];

/// A process, as `/proc` tells of it.
struct Process {
    exe: PathBuf,
    argv: Vec<Vec<u8>>,
    parent: u32,
}

impl Process {
    /// `None` of a process that has gone, or that is somebody else's.
    fn look(number: u32) -> Option<Process> {
        let of = |what: &str| format!("/proc/{number}/{what}");
        let exe = std::fs::read_link(of("exe")).ok()?;
        let argv = std::fs::read(of("cmdline")).ok()?;
        let argv = argv.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        Some(Process { exe, argv, parent: parent(number)? })
    }

    fn is_make(&self) -> bool {
        self.exe.file_name().is_some_and(|name| MAKES.contains(&name.as_bytes()))
    }

    /// The commands that a shell was called with by `-c`, and nothing but them; and whether it stops at a failure.
    fn commands(&self) -> Option<(&[u8], bool)> {
        let name = Path::new(OsStr::from_bytes(self.argv.first()?)).file_name()?.as_bytes();
        if !SHELLS.contains(&name) {
            return None;
        }
        // The last part is what stands behind the last NUL: nothing.
        match self.argv.get(1..self.argv.len() - 1)? {
            [options, text] if options == b"-c" => Some((text, false)),
            [options, text] if options == b"-ec" => Some((text, true)),
            [stops, options, text] if stops == b"-e" && options == b"-c" => Some((text, true)),
            _ => None,
        }
    }
}

/// The number of a process's parent. The name that stands before it may hold anything.
fn parent(number: u32) -> Option<u32> {
    let stat = std::fs::read(format!("/proc/{number}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = String::from_utf8_lossy(stat.get(end + 1..)?).into_owned();
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Whether nobody but make looks at the status of this process, which stands for `tool`, and nothing that the shell does
/// afterwards depends on it.
pub(crate) fn is_make_alone(number: u32, tool: &[u8]) -> bool {
    let Some(caller) = parent(number).and_then(Process::look) else { return false };
    if caller.is_make() {
        return true;
    }
    let plain = caller.commands().is_some_and(|(text, stops)| shell::is_plain(text, tool, stops));
    plain && Process::look(caller.parent).is_some_and(|parent| parent.is_make())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    /// Runs make on a makefile whose recipe runs a program that says its number and waits; what is thought of its caller.
    fn asked(recipe: &str) -> bool {
        let dir = gg_testkit::temp_dir();
        let tool = dir.path().join("tool");
        // the number, then nothing until standard input ends
        fs::write(&tool, "#!/bin/sh\necho $$\nread x\n").unwrap();
        let chmod = Command::new("chmod").arg("+x").arg(&tool).status().unwrap();
        assert!(chmod.success());
        fs::write(dir.path().join("makefile"), format!("all:\n\t{recipe}\n")).unwrap();
        let mut make = Command::new("make")
            .args(["-s", "-C"])
            .arg(dir.path())
            .env("TOOL", &tool)
            .env_remove("MAKEFLAGS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut number = Vec::new();
        let out = make.stdout.as_mut().unwrap();
        loop {
            let mut byte = [0];
            out.read_exact(&mut byte).unwrap();
            match byte[0] {
                b'\n' => break,
                other => number.push(other),
            }
        }
        let answer = is_make_alone(String::from_utf8(number).unwrap().parse().unwrap(), b"tool");
        drop(make.stdin.take());
        make.wait().unwrap();
        answer
    }

    #[test]
    fn make_itself_and_plain_shells_of_make() {
        for recipe in ["$(TOOL)", "@-$(TOOL) && :", "cd . && $(TOOL) && mv a b", "A=1 $(TOOL) && true"] {
            assert!(asked(recipe), "{recipe}");
        }
    }

    #[test]
    fn whoever_else_may_look() {
        for recipe in [
            "if $(TOOL); then :; fi",
            "$(TOOL); true",
            "$(TOOL) || true && true",
            "! $(TOOL) && true",
            "{ $(TOOL) && true; }",
            "env sh -c '$(TOOL); true'",
            "perl -e 'system $$ENV{TOOL}'",
        ] {
            assert!(!asked(recipe), "{recipe}");
        }
    }
}
