//! What a tool would have said, said in its place.
//!
//! A reader that has gone away kills by SIGPIPE, unless the caller ignores that; other failures to write change nothing
//! about the status, as with gcc and binutils.

use std::io;

use crate::sys;

/// Writes everything to this descriptor, also where it is non-blocking.
pub(crate) fn write(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match sys::write(fd, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && sys::wait_writable(fd) => {}
            Err(_) => return,
        }
    }
}

/// A message of the shim's own.
pub(crate) fn complain(message: &[u8]) {
    write(2, &[message, b"\n"].concat());
}
