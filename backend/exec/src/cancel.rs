//! Stopping a run from another thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::channel;

/// A request to stop that any number of runs listen to. Copies are the same request; once made it
/// cannot be taken back.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<State>);

#[derive(Debug)]
struct State {
    asked: AtomicBool,
    flag: OwnedFd,
}

impl Cancel {
    /// A request that nobody has made yet.
    pub fn new() -> io::Result<Cancel> {
        Ok(Cancel(Arc::new(State { asked: AtomicBool::new(false), flag: channel::flag()? })))
    }

    /// Makes the request: what runs is killed, what has not begun does not begin.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        channel::raise(self.0.flag.as_fd());
    }

    /// Whether the request was made.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Readable from the moment the request is made.
    pub(crate) fn flag(&self) -> BorrowedFd<'_> {
        self.0.flag.as_fd()
    }
}
