//! Where this machine's slots work, and which kind of private root they can make there. Knows no graph and no memo.

use std::path::PathBuf;

use gg_exec::{Evidence, ExecError, RootKind, Slot, SlotOptions};
use gg_store::LocalStore;
use gg_thunk::Thunk;

use crate::{Cancel, LocalEngine};

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
        Ok(self.first(store)?.0)
    }

    /// Tries which kind of private root can be made here, and gives the local engine with so many slots of that kind. The
    /// slot of the trial is the engine's first.
    ///
    /// The error is that not even the program could be started, or no thread.
    pub fn engine(&self, store: &LocalStore, slots: usize) -> Result<(LocalEngine, Ground), ExecError> {
        let (ground, first) = self.first(store)?;
        let engine = LocalEngine::new(store.clone(), slots, self.slots(Some(ground.kind)), Some(first));
        let engine = engine.map_err(|source| ExecError::Io { what: "cannot start a thread".to_owned(), source })?;
        Ok((engine, ground))
    }

    fn first(&self, store: &LocalStore) -> Result<(Ground, Slot), ExecError> {
        let slot = Slot::start(store, &self.slots(None))?;
        Ok((Ground { kind: slot.kind(), refusals: slot.refusals().to_vec() }, slot))
    }

    /// Runs a reduced thunk once in a root of its own in which the host's files are seen below the thunk's
    /// inputs, and none can be written: for a thunk that failed because its tree lacks something. The outputs
    /// are in the store; what is not seen although it is on the host is in [`Evidence::left_out`].
    ///
    /// Nothing of this is remembered, and nothing must be: the evidence is not sealed. The error is that such
    /// a root cannot be made.
    pub fn run_over_host(
        &self,
        store: &LocalStore,
        ground: &Ground,
        thunk: &Thunk,
        cancel: &Cancel,
    ) -> Result<Evidence, ExecError> {
        let kind = RootKind::OverHost;
        if ground.kind != RootKind::Namespaces {
            let refusals = ground.refusals.join("; ");
            let why = format!("it takes namespaces, and roots are of the kind {} here ({refusals})", ground.kind);
            return Err(ExecError::Refused { kind, why });
        }
        let stop = gg_exec::Cancel::new()
            .map_err(|source| ExecError::Io { what: "cannot make a way to cancel".to_owned(), source })?;
        let told = stop.clone();
        let _subscription = cancel.subscribe(move || told.cancel());
        let mut slot = Slot::start(store, &self.slots(Some(kind)))?;
        Ok(slot.run(thunk, &stop))
    }

    fn slots(&self, force_kind: Option<RootKind>) -> SlotOptions {
        SlotOptions { program: self.program.clone(), force_kind, scratch: self.scratch.clone() }
    }
}
