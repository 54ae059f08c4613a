//! Judges what engines hand back and remembers it: in a thread of its own where the dispatcher has other things to do
//! than to wait for the disk. Knows neither the graph nor the engines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use gg_exec::{Evidence, Exit};
use gg_store::{LocalStore, Made, Record, Store as _};
use gg_thunk::{OutputName, Tag, Thunk, ThunkName};

use crate::coordinator::dispatcher::Message;
use crate::engine::JobId;
use crate::outcome::Outcome;
use crate::redirect::redirects;
use crate::shared::{Shared, lock};

/// What a run came to.
pub(crate) enum Ran {
    /// It made its outputs; some of them stand for outputs of other thunks.
    Made { record: Arc<Record>, redirects: Vec<(Tag, OutputName)> },
    /// It ran and failed, or its result is of no use.
    Failed(Outcome),
    /// The engine could not run it.
    Broken(String),
}

/// What has to be known of a job when it comes back.
pub(crate) struct Ticket {
    pub name: ThunkName,
    pub thunk: Arc<Thunk>,
    pub engine: Arc<str>,
}

/// A job that came back, to be recorded.
pub(crate) struct Recording {
    pub job: JobId,
    pub ticket: Ticket,
    pub evidence: Evidence,
}

/// So many results are handed back together, if so many are waiting.
const AT_ONCE: usize = 16;

/// Records what it is given, until there is nobody left to give it anything.
pub(crate) fn record_all(shared: &Shared, finished: &Receiver<Recording>, to: &Sender<Message>) {
    let record = |Recording { job, ticket, evidence }| (job, record(shared, &ticket, evidence));
    for first in finished {
        // To wake the dispatcher for each of many would cost as much as the recording.
        let waiting: Vec<Recording> = std::iter::once(first).chain(finished.try_iter()).take(AT_ONCE).collect();
        let ran = waiting.into_iter().map(record).collect();
        if to.send(Message::Ran(ran)).is_err() {
            return;
        }
    }
}

/// Judges a run and remembers it, if it is to be remembered.
pub(crate) fn record(shared: &Shared, ticket: &Ticket, evidence: Evidence) -> Ran {
    let ran = judge_and_keep(shared, ticket, evidence);
    if !matches!(ran, Ran::Broken(_)) {
        let mut counters = lock(&shared.counters);
        match counters.executed.get_mut(&*ticket.engine) {
            Some(count) => *count += 1,
            None => {
                counters.executed.insert(ticket.engine.to_string(), 1);
            }
        }
    }
    ran
}

fn judge_and_keep(shared: &Shared, ticket: &Ticket, evidence: Evidence) -> Ran {
    let sealed = evidence.kind.sealed();
    let record = match judge(&shared.store, &ticket.engine, &ticket.thunk, evidence) {
        Err(why) => return Ran::Broken(why),
        Ok(Outcome::Done(record)) => record,
        Ok(outcome) => return Ran::Failed(outcome),
    };
    let redirects = match redirects(&shared.store, &record) {
        Ok(redirects) => redirects,
        Err(why) => return Ran::Failed(Outcome::CouldNotRun(why)),
    };
    if sealed {
        // The result stands even if it cannot be remembered.
        if shared.memo.put(&ticket.name, &record).is_err() {
            lock(&shared.counters).memo_errors += 1;
        }
    } else {
        lock(&shared.counters).unsealed += 1;
    }
    Ran::Made { record, redirects }
}

/// What a run of a thunk came to, by its evidence: done, failed, or of no use. The error is why the engine could not run it.
pub fn judge(store: &LocalStore, engine: &str, thunk: &Thunk, evidence: Evidence) -> Result<Outcome, String> {
    let exit = evidence.exit?;
    let succeeded = matches!(exit, Exit::Code(0));
    let mut outputs = BTreeMap::new();
    let mut missing = Vec::new();
    for output in &thunk.outputs {
        match evidence.outputs.get(&output.tag) {
            Some(made) => {
                let made = Made { object: made.name, mode: made.mode };
                outputs.insert(output.tag.clone(), made);
            }
            None if succeeded && !output.optional => missing.push(output.tag.clone()),
            None => {}
        }
    }
    let Evidence { stdout, stderr, failed_step, usage, .. } = evidence;
    if !succeeded || !missing.is_empty() {
        return Ok(Outcome::Failed { exit, stdout, stderr, failed_step, missing });
    }
    let record = || {
        let put = |bytes: &[u8]| store.put(bytes).map_err(|error| error.to_string());
        for (tag, made) in &outputs {
            if !store.contains(&made.object).map_err(|error| error.to_string())? {
                return Err(format!("{engine} made the output {tag} ({}), which is not in the store", made.object));
            }
        }
        Ok(Record {
            stdout: put(&stdout)?,
            stderr: put(&stderr)?,
            outputs,
            user_us: usage.user_us,
            sys_us: usage.sys_us,
            wall_us: usage.wall_us,
            max_rss_kb: usage.max_rss_kb,
        })
    };
    Ok(match record() {
        Ok(record) => Outcome::Done(Arc::new(record)),
        Err(why) => Outcome::CouldNotRun(why),
    })
}
