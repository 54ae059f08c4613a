//! The system calls that the standard library does not offer, one module per interface, each call
//! made safe for those who use it.
//!
//! Nothing here knows of thunks, roots or layouts.

pub(crate) mod channel;
pub(crate) mod file;
pub(crate) mod mount;
pub(crate) mod mountinfo;
pub(crate) mod process;

use std::ffi::CString;
use std::io;

/// A path or name as the kernel takes it; one with a NUL byte inside is refused.
pub(crate) fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte in a path"))
}

/// The result of a call that returns -1 and sets errno when it fails.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
