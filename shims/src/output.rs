//! What a tool would have said, said in its place.
//!
//! A reader that has gone away kills by SIGPIPE, unless the caller ignores that. What other failures to write mean is the
//! tool's own affair.

use std::io;

use crate::sys;

/// Writes everything to this descriptor, also where it is non-blocking; says whether it could.
pub(crate) fn write(fd: i32, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match sys::write(fd, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && sys::wait_writable(fd) => {}
            Err(_) => return false,
        }
    }
    true
}

/// A message of the shim's own.
pub(crate) fn complain(message: &[u8]) {
    write(2, &[message, b"\n"].concat());
}
