//! A pseudo-terminal: what a user would see, and can type. Knows nothing of what runs on it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::ptr;

/// The terminal's other side, and what has come there.
pub struct Pty {
    master: File,
    slave: Option<File>,
    pub seen: Vec<u8>,
}

/// For what does not come.
const PATIENCE_MS: i32 = 60_000;

impl Pty {
    pub fn new(rows: u16, columns: u16) -> Pty {
        let (mut master, mut slave) = (-1, -1);
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the pointers are null, which asks for nothing, or to values of this function
        let opened =
            unsafe { libc::openpty(&raw mut master, &raw mut slave, ptr::null_mut(), ptr::null(), &raw const size) };
        assert_eq!(opened, 0, "openpty: {}", std::io::Error::last_os_error());
        for fd in [master, slave] {
            // SAFETY: takes numbers
            assert_eq!(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
        }
        // SAFETY: both were just opened, and are nobody else's
        let (master, slave) = unsafe { (File::from_raw_fd(master), File::from_raw_fd(slave)) };
        Pty { master, slave: Some(slave), seen: Vec::new() }
    }

    /// The terminal, for one of a command's streams.
    pub fn stream(&self) -> Stdio {
        self.slave.as_ref().expect("nothing runs on it yet").try_clone().unwrap().into()
    }

    /// Starts a command as the first of a session that has this terminal; the streams are for the caller to set.
    pub fn start(&mut self, command: &mut Command) -> Child {
        command.stdin(self.stream());
        // SAFETY: the closure makes system calls only, on numbers
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        // The command holds the terminal, else it would never be seen to end.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.slave = None;
        child
    }

    /// Starts a command with the terminal as all of its streams.
    pub fn run(&mut self, command: &mut Command) -> Child {
        command.stdout(self.stream()).stderr(self.stream());
        self.start(command)
    }

    pub fn type_in(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the request reads a `winsize`, and the pointer is to one of this function
        assert_eq!(unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
    }

    /// Reads what has come, if only after a while; `false` at the end.
    fn read(&mut self) -> bool {
        let mut set = libc::pollfd { fd: self.master.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one entry of this function
        let ready = unsafe { libc::poll(&raw mut set, 1, PATIENCE_MS) };
        assert_eq!(ready, 1, "nothing more has come after {:?}", self.text());
        let mut piece = [0; 4096];
        // EIO is how the end is told.
        let length = self.master.read(&mut piece).unwrap_or(0);
        self.seen.extend(&piece[..length]);
        length > 0
    }

    /// Waits for a text after what was waited for before; says where it ends.
    pub fn wait_for(&mut self, text: &str, after: usize) -> usize {
        loop {
            let at = self.seen[after..].windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = at {
                return after + at + text.len();
            }
            assert!(self.read(), "{text:?} has not come in {:?}", self.text());
        }
    }

    /// Reads to the end: nobody has the terminal any more.
    pub fn end(&mut self) -> String {
        while self.read() {}
        self.text()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}
