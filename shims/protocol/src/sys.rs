//! The system calls that the standard library does not offer.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::{FdInfo, FdKind};

/// The effective user of this process.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: takes nothing and cannot fail
    unsafe { libc::geteuid() }
}

/// The file creation mask, which can only be read by setting it.
pub(crate) fn umask() -> u32 {
    // SAFETY: both calls take a number and cannot fail
    unsafe {
        let mask = libc::umask(0o077);
        libc::umask(mask);
        mask
    }
}

/// What stands behind a descriptor of this process.
pub(crate) fn descriptor(fd: RawFd) -> FdInfo {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the pointer is to a `stat` of this function; a bad descriptor is answered with an error
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return FdInfo { kind: FdKind::Closed, dev: 0, ino: 0 };
    }
    // SAFETY: `fstat` has succeeded and filled it in
    let stat = unsafe { stat.assume_init() };
    let kind = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => FdKind::File,
        libc::S_IFIFO => FdKind::Pipe,
        libc::S_IFCHR if stat.st_rdev == libc::makedev(1, 3) => FdKind::Null,
        // SAFETY: takes a number; a bad descriptor is answered with 0
        libc::S_IFCHR if unsafe { libc::isatty(fd) } == 1 => FdKind::Tty,
        _ => FdKind::Other,
    };
    FdInfo { kind, dev: stat.st_dev, ino: stat.st_ino }
}

/// The user who listens at the other end.
pub(crate) fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are to a `ucred` of this function and to its size
    let got = unsafe {
        let peer = (&raw mut peer).cast();
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, peer, &raw mut length)
    };
    if got == 0 { Ok(peer.uid) } else { Err(io::Error::last_os_error()) }
}

/// Sends some of these bytes, without SIGPIPE.
pub(crate) fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live slice
    let sent = unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
