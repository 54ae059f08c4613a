//! The interface of what runs thunks. Knows neither the graph nor the memo.

pub(crate) mod local;
pub(crate) mod site;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use gg_exec::Evidence;
use gg_thunk::{Thunk, ThunkName};

use crate::coordinator::dispatcher::Message;

/// Which job is meant; unique within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

impl JobId {
    /// An identity that no other job has.
    pub fn fresh() -> JobId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        JobId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One run to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The job's identity.
    pub id: JobId,
    /// The thunk's name.
    pub name: ThunkName,
    /// The thunk, reduced: every leaf of its tree is a value. Only its tree and values are certain to be
    /// in the store, not the thunk itself.
    pub thunk: Arc<Thunk>,
}

/// The end of a job.
#[derive(Debug)]
pub struct Finished {
    /// Which job.
    pub id: JobId,
    /// How the run went. `exit: Err(why)` says that the engine could not run it: another engine is tried.
    pub evidence: Evidence,
}

/// Where an engine hands its jobs back.
#[derive(Clone)]
pub struct Done(Sender<Message>);

impl Done {
    pub(crate) fn new(to: Sender<Message>) -> Done {
        Done(to)
    }

    /// Hands a job back. A coordinator that is gone needs no answer.
    pub fn send(&self, finished: Finished) {
        let _ = self.0.send(Message::Finished(finished));
    }
}

/// Something that runs thunks, a number of them at once.
///
/// For each job that was submitted, `done` gets exactly one [`Finished`], also for one that is cancelled
/// (its evidence is not looked at then). The outputs are in the coordinator's store by that time.
pub trait Engine: Send + Sync {
    /// The engine's name, as in `gg stats`.
    fn name(&self) -> &str;
    /// How many jobs it is given at once.
    fn slots(&self) -> usize;
    /// Begins a job. Does not block.
    fn submit(&self, job: Job, done: Done);
    /// Nobody waits for this job any more. Does not block; an unknown job is ignored.
    fn cancel(&self, id: JobId);
}
