//! The engine on this machine: a thread and a slot for each run at a time. Knows no memo; how a root is
//! made is the slot's affair.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use gg_exec::{Evidence, RootKind, Slot, SlotOptions};
use gg_store::LocalStore;
use gg_thunk::Thunk;

use crate::engine::{Done, Engine, Finished, Job, JobId};
use crate::shared::lock;

/// Runs thunks in private roots on this machine.
pub struct LocalEngine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    store: LocalStore,
    options: SlotOptions,
    /// A slot that was started before the first was needed.
    ready: Mutex<Option<Slot>>,
    work: Mutex<Work>,
    wake: Condvar,
}

#[derive(Default)]
struct Work {
    waiting: VecDeque<(Job, Done)>,
    running: HashMap<JobId, gg_exec::Cancel>,
    stopping: bool,
}

impl LocalEngine {
    /// An engine that runs so many thunks at once, at least one. A slot is started when it is first needed, but for the one
    /// that is `ready`.
    ///
    /// The error is that of starting a thread.
    pub fn new(
        store: LocalStore,
        slots: usize,
        options: SlotOptions,
        ready: Option<Slot>,
    ) -> std::io::Result<LocalEngine> {
        let ready = Mutex::new(ready);
        let shared = Arc::new(Shared { store, options, ready, work: Mutex::default(), wake: Condvar::new() });
        let mut engine = LocalEngine { shared, threads: Vec::new() };
        for place in 0..slots.max(1) {
            let shared = engine.shared.clone();
            let thread = std::thread::Builder::new().name(format!("gg-slot-{place}"));
            engine.threads.push(thread.spawn(move || shared.serve())?);
        }
        Ok(engine)
    }
}

impl Engine for LocalEngine {
    fn name(&self) -> &str {
        "local"
    }

    fn slots(&self) -> usize {
        self.threads.len()
    }

    fn submit(&self, job: Job, done: Done) {
        lock(&self.shared.work).waiting.push_back((job, done));
        self.shared.wake.notify_one();
    }

    fn cancel(&self, id: JobId) {
        let mut work = lock(&self.shared.work);
        if let Some(place) = work.waiting.iter().position(|(job, _)| job.id == id) {
            if let Some((_, done)) = work.waiting.remove(place) {
                done.send(Finished { id, evidence: Evidence::not_run(RootKind::Native, "cancelled") });
            }
        } else if let Some(cancel) = work.running.get(&id) {
            cancel.cancel();
        }
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        {
            let mut work = lock(&self.shared.work);
            work.stopping = true;
            work.waiting.clear();
            for cancel in work.running.values() {
                cancel.cancel();
            }
        }
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// One slot's thread.
    fn serve(&self) {
        let mut slot = None;
        while let Some((job, cancel, done)) = self.next() {
            let evidence = match cancel {
                Ok(cancel) => self.run(&mut slot, &job.thunk, &cancel),
                Err(error) => Evidence::not_run(RootKind::Native, format!("no way to cancel it: {error}")),
            };
            lock(&self.work).running.remove(&job.id);
            done.send(Finished { id: job.id, evidence });
        }
    }

    fn next(&self) -> Option<(Job, std::io::Result<gg_exec::Cancel>, Done)> {
        let mut work = lock(&self.work);
        loop {
            if work.stopping {
                return None;
            }
            if let Some((job, done)) = work.waiting.pop_front() {
                let cancel = gg_exec::Cancel::new();
                if let Ok(cancel) = &cancel {
                    work.running.insert(job.id, cancel.clone());
                }
                return Some((job, cancel, done));
            }
            work = self.wake.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs a thunk; a second time, in a new slot, if the first slot was lost over it.
    fn run(&self, slot: &mut Option<Slot>, thunk: &Thunk, cancel: &gg_exec::Cancel) -> Evidence {
        let mut evidence = self.run_once(slot, thunk, cancel);
        let lost = slot.as_ref().is_none_or(|slot| slot.pid().is_none());
        if evidence.exit.is_err() && lost && !cancel.is_cancelled() {
            *slot = None;
            evidence = self.run_once(slot, thunk, cancel);
        }
        evidence
    }

    fn run_once(&self, place: &mut Option<Slot>, thunk: &Thunk, cancel: &gg_exec::Cancel) -> Evidence {
        let slot = match place {
            Some(slot) => slot,
            None => {
                let ready = lock(&self.ready).take();
                match ready.map_or_else(|| Slot::start(&self.store, &self.options), Ok) {
                    Ok(slot) => place.insert(slot),
                    Err(error) => {
                        return Evidence::not_run(RootKind::Native, format!("no slot could be started: {error}"));
                    }
                }
            }
        };
        slot.run(thunk, cancel)
    }
}
