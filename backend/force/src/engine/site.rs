//! Where this machine's slots work, and which kind of private root they can make there. Knows no thunk.

use std::path::PathBuf;

use gg_exec::{ExecError, RootKind, Slot, SlotOptions};
use gg_store::LocalStore;

use crate::LocalEngine;

/// What a slot is started with.
#[derive(Clone, Debug)]
pub struct Site {
    /// An executable that serves as a slot when it is called as one: `gg`.
    pub program: PathBuf,
    /// A directory, made if absent, for the roots of all slots. It must not be the store's.
    pub scratch: PathBuf,
}

/// What this machine lets a slot make.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The best kind of private root.
    pub kind: RootKind,
    /// The better ones that could not be made, each with the reason.
    pub refusals: Vec<String>,
}

impl Ground {
    /// Why thunks cannot be run sealed here, if they cannot.
    #[must_use]
    pub fn unsealed(&self) -> Option<String> {
        (!self.kind.sealed()).then(|| self.refusals.join("; "))
    }
}

impl Site {
    /// Tries which kind of private root can be made here.
    ///
    /// The error is that not even the program could be started.
    pub fn survey(&self, store: &LocalStore) -> Result<Ground, ExecError> {
        let slot = Slot::start(store, &self.slots(None))?;
        Ok(Ground { kind: slot.kind(), refusals: slot.refusals().to_vec() })
    }

    /// The local engine with so many slots of the kind that was found.
    ///
    /// The error is that of starting a thread.
    pub fn engine(&self, store: &LocalStore, ground: &Ground, slots: usize) -> std::io::Result<LocalEngine> {
        LocalEngine::new(store.clone(), slots, self.slots(Some(ground.kind)))
    }

    fn slots(&self, force_kind: Option<RootKind>) -> SlotOptions {
        SlotOptions { program: self.program.clone(), force_kind, scratch: self.scratch.clone() }
    }
}
