//! One call of a tool, as the caller made it.
//!
//! Knows nothing of what the call means.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// One call of a tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The name under which it was called, without directories: `gcc`, `x86_64-linux-gnu-gcc-12`, `ar`.
    pub tool: OsString,
    /// The real tool, absolute.
    pub exe: PathBuf,
    /// All arguments, `argv[0]` first.
    pub argv: Vec<OsString>,
    /// The working directory: absolute, without symbolic links.
    pub cwd: PathBuf,
    /// The whole environment of the caller.
    pub env: Vec<(OsString, OsString)>,
    /// The caller's file creation mask.
    pub umask: u32,
    /// Whether the caller's standard error is a terminal.
    pub stderr_is_tty: bool,
}

impl Request {
    /// The value of an environment variable.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }

    /// The arguments after `argv[0]`.
    #[must_use]
    pub fn args(&self) -> &[OsString] {
        self.argv.get(1..).unwrap_or_default()
    }
}
