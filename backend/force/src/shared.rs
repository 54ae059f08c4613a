//! What callers, the dispatcher and the recorder share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gg_store::{LocalStore, Memo};
use gg_thunk::{Thunk, ThunkName};

use crate::counters::Counters;
use crate::engine::JobId;
use crate::history::History;
use crate::recall::{Remembered, recall};
use crate::scan::Scanner;

/// What has to be known of a job when it comes back.
pub(crate) struct Ticket {
    pub name: ThunkName,
    pub thunk: Arc<Thunk>,
    pub engine: Arc<str>,
}

/// Shared state; no lock is held while another is taken.
pub(crate) struct Shared {
    pub store: LocalStore,
    pub memo: Memo,
    pub scanner: Scanner,
    pub history: Mutex<History>,
    pub counters: Mutex<Counters>,
    pub tickets: Mutex<HashMap<JobId, Ticket>>,
}

impl Shared {
    /// What the memo knows of a reduced thunk; not counted as a hit yet.
    pub fn recall(&self, name: &ThunkName, thunk: &Thunk) -> Option<Remembered> {
        recall(&self.store, &self.memo, name, thunk)
    }

    /// A thunk that has to be in the store.
    pub fn thunk(&self, name: &ThunkName) -> Result<Thunk, String> {
        match self.store.get_thunk(name) {
            Ok(Some(thunk)) => Ok(thunk),
            Ok(None) => Err(format!("the thunk {name} is not in the store")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Locks, also after a panic elsewhere: what is behind these locks is whole after each statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
