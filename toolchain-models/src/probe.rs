//! Calls by which configure scripts, CMake and meson try the toolchain out.
//!
//! Goes by the names of files alone.

use std::os::unix::ffi::OsStrExt;

use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};

const MARKS: &[&[u8]] = &[b"conftest", b"CMakeScratch", b"CMakeTmp", b"CompilerIdC", b"meson-private", b"sanitycheckc"];

/// The reason, if a file name or the directory is one that such scripts use.
pub(crate) fn of_configure(req: &Request) -> Option<Reason> {
    let within = |bytes: &[u8]| MARKS.iter().find(|mark| bytes.windows(mark.len()).any(|window| window == **mark));
    let found = within(req.cwd.as_os_str().as_bytes()).map(|_| req.cwd.as_os_str()).or_else(|| {
        req.args().iter().map(|arg| arg.as_os_str()).find(|arg| {
            let bytes = arg.as_bytes();
            let is_path = !bytes.starts_with(b"-") || bytes.starts_with(b"-o");
            is_path && within(bytes).is_some()
        })
    })?;
    Some(Reason::new(ReasonKind::ProbeConfigure, found.to_string_lossy()))
}
