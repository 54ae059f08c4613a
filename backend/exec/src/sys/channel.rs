//! Sockets between processes: packets that carry descriptors, and waiting for the first of several.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// One end of a pair that keeps the bounds of what is sent.
pub(crate) struct Packets(OwnedFd);

/// The longest packet that is received whole.
const MAX_PACKET: usize = 4096;
/// Room for the header and one descriptor, aligned as the kernel wants it.
type Control = [u64; 4];

impl Packets {
    /// Two connected ends.
    pub fn pair() -> io::Result<(Packets, Packets)> {
        let mut fds = [0; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: `fds` has room for the two descriptors.
        check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
        // SAFETY: the kernel just gave both descriptors to us alone.
        let [a, b] = fds.map(|fd| Packets(unsafe { OwnedFd::from_raw_fd(fd) }));
        Ok((a, b))
    }

    /// The descriptor, to wait on.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }

    /// The end that is descriptor number 3 of a process that was forked to have it there.
    pub fn at_three() -> Packets {
        // SAFETY: `arrange_descriptors` has put the channel there and nothing else owns it.
        Packets(unsafe { OwnedFd::from_raw_fd(3) })
    }

    /// Sends one packet, not empty and not over 4,096 bytes, with a descriptor if there is one.
    pub fn send(&self, packet: &[u8], carried: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut control: Control = [0; 4];
        let mut part = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
        // SAFETY: all-zero bytes are a valid empty `msghdr`.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if let Some(fd) = carried {
            message.msg_control = control.as_mut_ptr().cast();
            // SAFETY: arithmetic only; `control` (32 bytes, aligned) holds a header and one descriptor.
            unsafe {
                message.msg_controllen = libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) as usize;
                let header = libc::CMSG_FIRSTHDR(&message);
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SCM_RIGHTS;
                (*header).cmsg_len = libc::CMSG_LEN(size_of::<libc::c_int>() as u32) as usize;
                libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(fd.as_raw_fd());
            }
        }
        // SAFETY: `message` points to live locals; the kernel only reads the packet.
        let sent = unsafe { libc::sendmsg(self.0.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Receives one packet and the descriptor it carries; `None` when the other end is closed.
    pub fn receive(&self) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
        let mut control: Control = [0; 4];
        let mut packet = vec![0u8; MAX_PACKET];
        let mut part = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
        // SAFETY: all-zero bytes are a valid empty `msghdr`.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of::<Control>();
        let got = loop {
            let flags = libc::MSG_CMSG_CLOEXEC;
            // SAFETY: `message` points to live locals with the lengths given.
            let got = unsafe { libc::recvmsg(self.0.as_raw_fd(), &mut message, flags) };
            match usize::try_from(got) {
                Ok(got) => break got,
                Err(_) => {
                    let e = io::Error::last_os_error();
                    if e.kind() != io::ErrorKind::Interrupted {
                        return Err(e);
                    }
                }
            }
        };
        // SAFETY: the kernel has filled `control` as far as `msg_controllen` says; a descriptor in it
        // is ours alone.
        let carried = unsafe {
            let header = libc::CMSG_FIRSTHDR(&message);
            if !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS {
                let fd = libc::CMSG_DATA(header).cast::<libc::c_int>();
                Some(OwnedFd::from_raw_fd(fd.read_unaligned()))
            } else {
                None
            }
        };
        if got == 0 {
            return Ok(None);
        }
        packet.truncate(got);
        Ok(Some((packet, carried)))
    }
}

/// Waits until one of these can be read or is closed; says which.
pub(crate) fn wait_readable<const N: usize>(fds: [BorrowedFd<'_>; N]) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    loop {
        // SAFETY: `polled` has N entries.
        match check(unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, -1) }) {
            Ok(_) => return Ok(polled.map(|entry| entry.revents != 0)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// A descriptor that becomes readable, for good, when `raise` is called on it.
pub(crate) fn flag() -> io::Result<OwnedFd> {
    // SAFETY: takes integers only.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a flag readable.
pub(crate) fn raise(flag: BorrowedFd<'_>) {
    let one = 1u64;
    // SAFETY: writes the eight bytes of a live local. It cannot fail but for a full counter, and then
    // the flag is up already.
    unsafe { libc::write(flag.as_raw_fd(), (&raw const one).cast(), 8) };
}
