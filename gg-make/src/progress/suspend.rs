//! The system calls by which a thread hears that the process is to be suspended (Ctrl-Z), before it is. What has to be done
//! first is for others to say.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// Where the handler writes.
static HEARD: AtomicI32 = AtomicI32::new(-1);

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    None,
    Suspend,
    End,
}

/// Hears of events until it is dropped; once in a process.
pub(crate) struct Events {
    heard: PipeReader,
    end: PipeWriter,
    before: libc::sigaction,
}

/// Ends the waiting when it is dropped.
pub(crate) struct EndWith<'a>(&'a Events);

impl Drop for EndWith<'_> {
    fn drop(&mut self) {
        // The pipe is empty but for a byte for each Ctrl-Z.
        let _ = (&self.0.end).write_all(b"E");
    }
}

impl Events {
    /// Begins to hear. A suspension that the caller ignores stays ignored.
    pub(crate) fn catch() -> io::Result<Events> {
        let (heard, end) = io::pipe()?;
        // It stays open: a handler may run for a moment longer than this lasts.
        let own = end.try_clone()?.into_raw_fd();
        HEARD.store(own, Ordering::SeqCst);
        let events = Events { heard, end, before: set(libc::SIGTSTP, None)? };
        if events.before.sa_sigaction == libc::SIG_DFL {
            events.listen();
        }
        Ok(events)
    }

    fn listen(&self) {
        // SAFETY: all fields are plain data, for which zeros are a value
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(libc::c_int) = hear;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // Without it a suspended build has a terminal with a row less.
        let _ = set(libc::SIGTSTP, Some(&action));
    }

    /// The end of this value ends the waiting.
    pub(crate) fn end_with(&self) -> EndWith<'_> {
        EndWith(self)
    }

    /// Waits for the next event, not longer than this.
    pub(crate) fn wait(&self, longest: Duration) -> Event {
        let mut set = libc::pollfd { fd: self.heard.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let longest = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the pointer is to one entry of this function
        if unsafe { libc::poll(&raw mut set, 1, longest) } != 1 {
            return Event::None;
        }
        let mut byte = [0];
        match (&self.heard).read(&mut byte) {
            Ok(1) if byte == *b"Z" => Event::Suspend,
            _ => Event::End,
        }
    }

    /// Suspends the process, as it would have been without this; returns when it goes on.
    pub(crate) fn suspend(&self) {
        let _ = set(libc::SIGTSTP, Some(&self.before));
        // SAFETY: takes a number
        unsafe { libc::raise(libc::SIGTSTP) };
        self.listen();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = set(libc::SIGTSTP, Some(&self.before));
    }
}

extern "C" fn hear(_signal: libc::c_int) {
    // SAFETY: system calls that a handler may make, on numbers and on a byte that lives for ever; errno is left as it was
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::write(HEARD.load(Ordering::SeqCst), b"Z".as_ptr().cast(), 1);
        *errno = before;
    }
}

/// What is done on a signal; says what was.
fn set(signal: libc::c_int, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: all fields are plain data, for which zeros are a value
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    let new = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: one pointer is null or to a live value, the other to a value of this function
    match unsafe { libc::sigaction(signal, new, &raw mut before) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}
