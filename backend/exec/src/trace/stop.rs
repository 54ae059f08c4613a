//! Ending a traced command from another thread. Knows nothing of what it does.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::process;

/// A request to end a traced command. Copies are the same request; once made it cannot be taken back.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Mutex<Standing>>);

#[derive(Debug, Default)]
struct Standing {
    asked: bool,
    command: Option<OwnedFd>,
}

impl Stop {
    /// A request that nobody has made yet.
    #[must_use]
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Makes the request: the command gets SIGTERM, and what it started is killed when it has ended.
    pub fn stop(&self) {
        let mut standing = self.standing();
        standing.asked = true;
        if let Some(command) = &standing.command {
            process::end_by_handle(command.as_fd());
        }
    }

    /// Whether the request was made.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.standing().asked
    }

    /// The command has begun. Where the kernel gives no handle it cannot be ended early.
    pub(super) fn begin(&self, pid: i32) {
        let mut standing = self.standing();
        standing.command = process::handle(pid).ok();
        if standing.asked
            && let Some(command) = &standing.command
        {
            process::end_by_handle(command.as_fd());
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
