//! What forcing a thunk came to, and what is told on the way.

use std::sync::Arc;

use gg_exec::Exit;
use gg_store::Record;
use gg_thunk::{Tag, ThunkName, TreeName};

/// The answer about one thunk.
#[derive(Clone, Debug)]
pub struct Forced {
    /// What it came to.
    pub outcome: Outcome,
    /// Whether nothing was run for it.
    pub from_memo: bool,
    /// The engine that ran it; empty if none did.
    pub engine: Arc<str>,
    /// The reduced thunk, which is the key in the memo; `None` if it did not get that far.
    pub reduced: Option<ThunkName>,
    /// The tree of that reduced thunk, if it was run.
    pub root: Option<TreeName>,
    /// With [`Outcome::DependencyFailed`]: what that dependency came to.
    pub failure: Option<Arc<Outcome>>,
}

/// What forcing came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Every output that must be there was made.
    Done(Arc<Record>),
    /// The steps ran and failed, or exited with 0 and left an output out.
    Failed {
        /// How the last step that ran ended.
        exit: Exit,
        /// What the steps wrote to standard output.
        stdout: Vec<u8>,
        /// What the steps wrote to standard error.
        stderr: Vec<u8>,
        /// Which step failed, from 0.
        failed_step: Option<usize>,
        /// Outputs that were not made though the steps exited with 0.
        missing: Vec<Tag>,
    },
    /// It could not be run at all, and why.
    CouldNotRun(String),
    /// Nobody waited any more, or another thunk failed and nothing new was begun.
    Cancelled,
    /// A thunk that it needs came to nothing; the name is the one where the trouble began.
    DependencyFailed(ThunkName),
    /// Only the memo was to be asked, and does not know it.
    NotMemoized,
}

impl Forced {
    pub(crate) fn without_run(outcome: Outcome) -> Forced {
        Forced { outcome, from_memo: false, engine: Arc::from(""), reduced: None, root: None, failure: None }
    }

    /// The record, if it was done.
    pub fn record(&self) -> Option<&Arc<Record>> {
        match &self.outcome {
            Outcome::Done(record) => Some(record),
            _ => None,
        }
    }
}

/// How far a request has come, at an event.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Thunks that are known to be needed.
    pub known: usize,
    /// Thunks that are done with, well or not.
    pub settled: usize,
    /// Thunks that an engine runs now.
    pub running: usize,
    /// How long all runs are thought to take, as far as thunks are known and the memo has not answered for them, in
    /// microseconds of one engine's slot.
    pub known_us: u64,
    /// That of the runs among them that have come to an end.
    pub ran_us: u64,
    /// What happened.
    pub event: Event,
}

/// What happened to a thunk of a request.
#[derive(Clone, Debug)]
pub enum Event {
    /// An engine began to run it.
    Started {
        /// The thunk as it was asked for.
        thunk: ThunkName,
        /// The engine's name.
        engine: Arc<str>,
    },
    /// It is done with.
    Settled {
        /// The thunk as it was asked for.
        thunk: ThunkName,
        /// What it came to.
        forced: Arc<Forced>,
    },
}
