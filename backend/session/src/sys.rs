//! The system calls of the session that the standard library does not offer.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};

fn poll(set: &mut [libc::pollfd], timeout_ms: i32) {
    // SAFETY: `set` is a valid array of its own length, borrowed exclusively for the whole call. A call that
    // is interrupted leaves `revents` as they were: 0.
    unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, timeout_ms) };
}

/// Waits until `wake` can be read or the other end of one of the sockets has closed.
pub(crate) fn wait_for_hangup(wake: RawFd, sockets: &[RawFd]) {
    let entry = |fd, events| libc::pollfd { fd, events, revents: 0 };
    let mut set = vec![entry(wake, libc::POLLIN)];
    set.extend(sockets.iter().map(|fd| entry(*fd, libc::POLLRDHUP)));
    poll(&mut set, -1);
}

/// Whether the other end of the socket has closed.
pub(crate) fn hung_up(socket: RawFd) -> bool {
    let mut set = [libc::pollfd { fd: socket, events: libc::POLLRDHUP, revents: 0 }];
    poll(&mut set, 0);
    set[0].revents != 0
}

/// The same of a socket that is held.
pub(crate) fn is_hung_up(socket: &std::os::unix::net::UnixStream) -> bool {
    hung_up(socket.as_raw_fd())
}

/// Waits for something to read, at most this long; whether there is something.
pub(crate) fn readable(fd: RawFd, timeout_ms: i32) -> bool {
    let mut set = [libc::pollfd { fd, events: libc::POLLIN, revents: 0 }];
    poll(&mut set, timeout_ms);
    set[0].revents != 0
}

/// Takes the lock of a file if nobody holds it; it is held until the file is closed.
pub(crate) fn try_lock(file: &File) -> bool {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Makes descriptor `to` another name of `from`'s file.
pub(crate) fn replace_descriptor(from: &File, to: RawFd) -> bool {
    // SAFETY: both are plain descriptor numbers; nothing in this process owns 0, 1 or 2 as a Rust object that closes them.
    unsafe { libc::dup2(from.as_raw_fd(), to) == to }
}

/// Waits for the lock of a file.
pub(crate) fn lock(file: &File) -> std::io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
