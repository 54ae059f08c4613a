//! The real tool, run as the caller would have run it.
//!
//! Knows nothing of why it is run.

use std::ffi::CString;
use std::io;

use gg_protocol::{Client, Ran, RanStatus};

use crate::sys::{self, Pointers};

/// A program with its arguments and environment, ready for `execve`.
pub(crate) struct Command {
    exe: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Command {
    /// Refuses strings that hold NUL.
    pub(crate) fn new(exe: &[u8], argv: &[Vec<u8>], env: &[(Vec<u8>, Vec<u8>)]) -> io::Result<Self> {
        Ok(Self {
            exe: CString::new(exe)?,
            argv: argv.iter().map(|arg| CString::new(arg.as_slice())).collect::<Result<_, _>>()?,
            env: env
                .iter()
                .map(|(name, value)| CString::new([name, &b"="[..], value].concat()))
                .collect::<Result<_, _>>()?,
        })
    }

    /// What a shell does with a script that names no interpreter.
    fn by_shell(&self) -> Self {
        let script = [c"/bin/sh".into(), self.exe.clone()];
        Self {
            exe: c"/bin/sh".into(),
            argv: script.into_iter().chain(self.argv.iter().skip(1).cloned()).collect(),
            env: self.env.clone(),
        }
    }
}

/// Lets the program take this process's place; returns only if it cannot, with the reason.
pub(crate) fn exec(command: &Command) -> io::Error {
    let error = sys::exec(&command.exe, &Pointers::new(&command.argv), &Pointers::new(&command.env));
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let command = command.by_shell();
    sys::exec(&command.exe, &Pointers::new(&command.argv), &Pointers::new(&command.env))
}

/// Runs the program as a child, tells the session how it ended, and ends in the same way: returns its exit status or
/// dies by its signal.
///
/// # Errors
/// The program could not be started.
pub(crate) fn run_and_report(command: &Command, session: Client) -> io::Result<i32> {
    let status = match start(command) {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => start(&command.by_shell())?,
        started => started?,
    };
    // a session that has gone away is not the caller's affair
    let _ = session.report(Ran { status });
    match status {
        RanStatus::Exit(status) => Ok(status),
        RanStatus::Signal(signal) => Ok(sys::die_by(signal)),
    }
}

fn start(command: &Command) -> io::Result<RanStatus> {
    sys::run_child(&command.exe, &Pointers::new(&command.argv), &Pointers::new(&command.env))
}
