//! Notices that a caller has gone away while its thunk runs. Knows sockets and nothing else.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use crate::sys;

type Act = Box<dyn FnOnce() + Send>;

/// One thread that watches all sockets whose callers wait.
pub(crate) struct Hangups {
    watched: Mutex<HashMap<RawFd, Act>>,
    wake: UnixStream,
}

impl Hangups {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Arc<Hangups>> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let this = Arc::new(Hangups { watched: Mutex::default(), wake });
        let watcher = Arc::clone(&this);
        std::thread::Builder::new().name("hangup".to_owned()).spawn(move || watcher.watch(&woken))?;
        Ok(this)
    }

    /// Runs `act` once if the other end of `socket` closes before the guard is dropped.
    pub fn on_hangup<'a>(&'a self, socket: &'a UnixStream, act: impl FnOnce() + Send + 'static) -> Watch<'a> {
        self.lock().insert(socket.as_raw_fd(), Box::new(act));
        self.notify();
        Watch { hangups: self, fd: socket.as_raw_fd() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RawFd, Act>> {
        self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn notify(&self) {
        // A full pipe wakes the thread as well.
        let _ = std::io::Write::write(&mut &self.wake, b"w");
    }

    fn watch(&self, woken: &UnixStream) {
        let mut drained = [0u8; 64];
        loop {
            let watched: Vec<RawFd> = self.lock().keys().copied().collect();
            sys::wait_for_hangup(woken.as_raw_fd(), &watched);
            while std::io::Read::read(&mut &*woken, &mut drained).is_ok_and(|n| n == drained.len()) {}
            for fd in watched {
                let mut watched = self.lock();
                // While the lock is held no watch ends, so a number that is still here is still that socket.
                let gone = watched.contains_key(&fd) && sys::hung_up(fd);
                let act = if gone { watched.remove(&fd) } else { None };
                drop(watched);
                if let Some(act) = act {
                    act();
                }
            }
        }
    }
}

/// Ends the watch when dropped.
pub(crate) struct Watch<'a> {
    hangups: &'a Hangups,
    fd: RawFd,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.hangups.lock().remove(&self.fd);
        self.hangups.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_closed_socket_acts_once_and_a_dropped_watch_never() {
        let hangups = Hangups::start().unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        let (quiet, quiet_peer) = UnixStream::pair().unwrap();
        let (tell, told) = mpsc::channel();
        let quiet_tell = tell.clone();
        drop(hangups.on_hangup(&quiet, move || quiet_tell.send("quiet").unwrap()));
        let _watch = hangups.on_hangup(&here, move || tell.send("gone").unwrap());
        drop(quiet_peer);
        drop(there);
        assert_eq!(told.recv(), Ok("gone"));
        assert!(told.recv().is_err(), "both senders are gone: nobody else acted");
    }
}
