//! A token by which a caller says that it no longer waits. Knows not what is thereby stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Listener = Box<dyn Fn() + Send>;

/// Cancels the requests that it was given to. Clones are one token.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    by_id: BTreeMap<u64, Listener>,
}

impl Cancel {
    /// A token that is not cancelled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Cancels, for good.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let listeners = std::mem::take(&mut self.lock().by_id);
        for listener in listeners.into_values() {
            listener();
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Calls `listener` when the token is cancelled, at once if it is; until the subscription is dropped.
    pub(crate) fn subscribe(&self, listener: impl Fn() + Send + 'static) -> Subscription {
        let mut listeners = self.lock();
        let id = listeners.next;
        listeners.next += 1;
        if self.is_cancelled() {
            drop(listeners);
            listener();
        } else {
            listeners.by_id.insert(id, Box::new(listener));
        }
        Subscription { cancel: self.clone(), id }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Listeners> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a subscription when dropped.
pub(crate) struct Subscription {
    cancel: Cancel,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.cancel.lock().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn listeners_are_called_once_and_late_ones_at_once() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |calls: &Arc<AtomicUsize>| {
            let calls = calls.clone();
            move || {
                calls.fetch_add(1, Ordering::SeqCst);
            }
        };
        let cancel = Cancel::new();
        let kept = cancel.subscribe(count(&calls));
        drop(cancel.subscribe(count(&calls)));
        assert!(!cancel.is_cancelled());
        cancel.cancel();
        cancel.cancel();
        assert_eq!(calls.load(Ordering::SeqCst), 1, "the dropped one is silent");
        let late = cancel.subscribe(count(&calls));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        drop((kept, late));
        assert!(cancel.is_cancelled());
    }
}
