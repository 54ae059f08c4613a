//! The system calls on the terminal that standard error is.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use super::screen::Size;

/// What a terminal is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// By this process's group, to write to.
    Output,
    /// By a program that asks for a line that is not shown, or by another group: the shell has put this one into the background.
    Lines,
    /// By a program that reads keys, and may have drawn on all of the screen.
    Keys,
}

/// A terminal that is standard output and standard error.
pub(crate) struct Terminal {
    fd: RawFd,
}

impl Terminal {
    /// This process's, if both are the same one.
    pub(crate) fn of_this_process() -> Option<Terminal> {
        let (out, err) = (io::stdout().as_raw_fd(), io::stderr().as_raw_fd());
        // SAFETY: takes numbers
        let are_terminals = unsafe { libc::isatty(out) == 1 && libc::isatty(err) == 1 };
        (are_terminals && device(out)? == device(err)?).then_some(Terminal { fd: err })
    }

    /// Its size, if it has one.
    pub(crate) fn size(&self) -> Option<Size> {
        // SAFETY: all fields are plain data, for which zeros are a value
        let mut size: libc::winsize = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes a `winsize`, and the pointer is to one of this function
        let answered = unsafe { libc::ioctl(self.fd, libc::TIOCGWINSZ, &raw mut size) } == 0;
        answered.then_some(Size { rows: size.ws_row, columns: size.ws_col })
    }

    /// What it is used for now.
    pub(crate) fn used(&self) -> Use {
        let mut mode = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: takes numbers, and a pointer to a `termios` of this function
        let is_foreground = unsafe {
            if libc::tcgetattr(self.fd, mode.as_mut_ptr()) != 0 {
                return Use::Keys;
            }
            libc::tcgetpgrp(self.fd) == libc::getpgrp()
        };
        // SAFETY: the call has succeeded and filled it in
        match unsafe { mode.assume_init() }.c_lflag {
            flags if flags & libc::ICANON == 0 => Use::Keys,
            flags if flags & libc::ECHO == 0 || !is_foreground => Use::Lines,
            _ => Use::Output,
        }
    }

    /// Whether what is written now goes out now: nobody has stopped the output.
    pub(crate) fn takes_output(&self) -> bool {
        self.wait_for_room(0)
    }

    fn wait_for_room(&self, timeout_ms: i32) -> bool {
        let mut set = libc::pollfd { fd: self.fd, events: libc::POLLOUT, revents: 0 };
        // SAFETY: the pointer is to one entry of this function
        unsafe { libc::poll(&raw mut set, 1, timeout_ms) == 1 && set.revents & libc::POLLOUT != 0 }
    }

    /// Writes, in one piece if the terminal lets it: what tools write at the same time then comes before or after it.
    pub(crate) fn write(&self, text: &str) {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            // SAFETY: the pointer and the length are a live slice's
            let written = unsafe { libc::write(self.fd, bytes.as_ptr().cast(), bytes.len()) };
            match usize::try_from(written) {
                Ok(written) => bytes = &bytes[written..],
                Err(_) => match io::Error::last_os_error().kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock if self.wait_for_room(1000) => {}
                    // The terminal has gone.
                    _ => return,
                },
            }
        }
    }
}

/// The device that a descriptor is open on.
fn device(fd: RawFd) -> Option<libc::dev_t> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: takes a number, and a pointer to a `stat` of this function
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call has succeeded and filled it in
    Some(unsafe { stat.assume_init() }.st_rdev)
}

/// Writing to the terminal never stops this thread, not even when the build is just put into the background.
pub(crate) fn let_this_thread_write() {
    // SAFETY: the set is a value of this function, for which zeros are a value
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTTOU);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
    }
}
