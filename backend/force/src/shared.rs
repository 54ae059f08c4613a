//! What callers, the dispatcher and the recorder share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gg_store::{LocalStore, Memo};
use gg_thunk::{Thunk, ThunkName};

use crate::counters::Counters;
use crate::history::History;
use crate::recall::{Remembered, recall};
use crate::scan::Scanner;

/// Shared state; no lock is held while another is taken.
pub(crate) struct Shared {
    pub store: LocalStore,
    pub memo: Memo,
    pub scanner: Scanner,
    pub history: Mutex<History>,
    pub counters: Mutex<Counters>,
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
