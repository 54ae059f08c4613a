//! Without a session: the real tool takes this process's place.
//!
//! Knows nothing of why there is no session.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command as Ask, Stdio};

use gg_protocol::real_tool::{DEFAULT_PATH, Finder};

use crate::called::Called;
use crate::native::{self, Command};
use crate::output::complain;

/// Programs that gcc keeps beside its libraries, off `PATH`.
const INTERNAL: [&[u8]; 4] = [b"cc1", b"cc1plus", b"collect2", b"lto1"];

/// Executes the real tool; returns only if that cannot be, with the shell's status for it.
pub(crate) fn run(called: &Called) -> i32 {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let finder = Finder::new(&cwd, called.shim.as_deref());
    let mut env: Vec<(Vec<u8>, Vec<u8>)> =
        std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    let mut path = DEFAULT_PATH.to_vec();
    for (name, value) in &mut env {
        if name == b"PATH" {
            *value = finder.without_shims(value);
            path.clone_from(value);
        }
    }
    let message = |what: &[u8]| [&called.name, &b": "[..], &called.tool, b": ", what].concat();
    let Some(exe) = finder.find(&called.tool, &path).or_else(|| internal(&called.tool, &finder, &path)) else {
        complain(&message(b"not found on PATH"));
        return 127;
    };
    let reason = match Command::new(exe.as_os_str().as_bytes(), &called.argv, &env) {
        Ok(command) => native::exec(&command),
        Err(error) => error,
    }
    .to_string();
    complain(&message(reason.as_bytes()));
    126
}

/// Where the gcc on `path` keeps a program of its own.
fn internal(tool: &[u8], finder: &Finder<'_>, path: &[u8]) -> Option<PathBuf> {
    if !INTERNAL.contains(&tool) {
        return None;
    }
    let gcc = finder.find(b"gcc", path).or_else(|| finder.find(b"cc", path))?;
    let mut option = b"-print-prog-name=".to_vec();
    option.extend_from_slice(tool);
    let answer = Ask::new(gcc)
        .arg(OsStr::from_bytes(&option))
        .env("PATH", OsStr::from_bytes(path))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let found = Path::new(OsStr::from_bytes(answer.stdout.trim_ascii_end()));
    (found.is_absolute() && found.is_file()).then(|| found.to_path_buf())
}
