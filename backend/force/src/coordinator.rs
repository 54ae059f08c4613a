//! The coordinator as its callers see it. Any number of threads call it; one thread of its own decides
//! (`dispatcher`), another one records what engines hand back.

pub(crate) mod dispatcher;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gg_store::{LocalStore, Memo};
use gg_thunk::{Thunk, ThunkName};

use crate::cancel::Cancel;
use crate::counters::Counters;
use crate::engine::{Done, Engine};
use crate::history::History;
use crate::outcome::{Forced, Outcome, Progress};
use crate::recorder::record_all;
use crate::request::{Report, Request};
use crate::scan::Scanner;
use crate::shared::{Shared, lock};
use dispatcher::{Dispatcher, Message, RequestId};

/// Trees are walked by recursion, bounded by their depth.
const STACK: usize = 16 << 20;

/// How a coordinator works.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CoordinatorOptions {
    /// Do not read and write past times below the store's directory.
    pub no_history: bool,
}

/// How a request is to be handled.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ForceOptions {
    /// After a failure go on with what does not depend on it; else begin nothing new.
    pub keep_going: bool,
    /// Requests with a higher number get an engine first.
    pub priority: i32,
    /// Do not ask the memo; results are remembered all the same.
    pub no_memo: bool,
    /// Run nothing: what the memo does not know comes to [`Outcome::NotMemoized`].
    pub only_memo: bool,
    /// Thunks that the caller has settled otherwise; they are neither looked up nor run.
    pub settled: Arc<BTreeMap<ThunkName, Arc<Forced>>>,
    /// The caller vouches that a thunk it hands in itself is reduced, so that its tree need not be read.
    pub plain: bool,
    /// Ends the request when cancelled; what nobody else waits for is stopped.
    pub cancel: Cancel,
}

/// Forces thunks.
pub struct Coordinator {
    shared: Arc<Shared>,
    messages: Sender<Message>,
    next: AtomicU64,
    dispatcher: Option<JoinHandle<()>>,
}

impl Coordinator {
    /// A coordinator that asks this memo and then these engines, in this order of preference.
    ///
    /// The error is that of starting a thread.
    pub fn new(
        store: LocalStore,
        memo: Memo,
        engines: Vec<Arc<dyn Engine>>,
        options: CoordinatorOptions,
    ) -> std::io::Result<Coordinator> {
        let history = match options.no_history {
            true => History::default(),
            false => History::open(store.root().join("times")),
        };
        let shared = Arc::new(Shared {
            store,
            memo,
            scanner: Scanner::default(),
            history: Mutex::new(history),
            counters: Mutex::new(Counters::default()),
        });
        let (messages, inbox) = channel();
        let (recordings, finished) = channel();
        let recorder = (shared.clone(), messages.clone());
        std::thread::Builder::new()
            .name("gg-recorder".to_owned())
            .spawn(move || record_all(&recorder.0, &finished, &recorder.1))?;
        let dispatcher = Dispatcher::new(shared.clone(), engines, inbox, Done::new(messages.clone()), recordings);
        let dispatcher = std::thread::Builder::new()
            .name("gg-dispatcher".to_owned())
            .stack_size(STACK)
            .spawn(move || dispatcher.run())?;
        Ok(Coordinator { shared, messages, next: AtomicU64::new(0), dispatcher: Some(dispatcher) })
    }

    /// Forces a thunk that is in the store, and waits for it.
    pub fn force(&self, thunk: &ThunkName, options: ForceOptions) -> Forced {
        match self.shared.thunk(thunk) {
            Ok(thunk) => self.force_thunk(Arc::new(thunk), options),
            Err(why) => Forced::without_run(Outcome::CouldNotRun(why)),
        }
    }

    /// Forces a thunk that need not be in the store (its tree is), and waits for it.
    pub fn force_thunk(&self, thunk: Arc<Thunk>, options: ForceOptions) -> Forced {
        let name = thunk.name();
        if options.cancel.is_cancelled() {
            return Forced::without_run(Outcome::Cancelled);
        }
        if let Some(forced) = self.remembered(&name, &thunk, &options) {
            return forced;
        }
        let mut answers = self.ask(vec![(name, Some(thunk))], options, None);
        match answers.pop() {
            Some(forced) => Arc::unwrap_or_clone(forced),
            None => Forced::without_run(Outcome::Cancelled),
        }
    }

    /// Forces thunks and all that they need; one answer for each, in their order.
    pub fn force_all(
        &self,
        roots: &[ThunkName],
        options: ForceOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Vec<Arc<Forced>> {
        let roots = roots.iter().map(|name| (*name, None)).collect();
        self.ask(roots, options, Some(progress))
    }

    /// Forces a thunk that is in the store and all that it needs, and tells of each of them.
    pub fn force_watched(
        &self,
        thunk: &ThunkName,
        options: ForceOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Forced {
        match self.ask(vec![(*thunk, None)], options, Some(progress)).pop() {
            Some(forced) => Arc::unwrap_or_clone(forced),
            None => Forced::without_run(Outcome::Cancelled),
        }
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        lock(&self.shared.counters).clone()
    }

    /// The answer of the memo for a thunk that needs no other one; found in the caller's own thread.
    fn remembered(&self, name: &ThunkName, thunk: &Thunk, options: &ForceOptions) -> Option<Forced> {
        if options.no_memo {
            return None;
        }
        if !options.plain {
            let scan = self.shared.scanner.scan(&self.shared.store, &thunk.root);
            if !scan.is_ok_and(|scan| scan.thunks.is_empty()) {
                return None;
            }
        }
        let (record, redirects) = self.shared.recall(name, thunk)?;
        if !redirects.is_empty() {
            return None;
        }
        lock(&self.shared.counters).memo_hits += 1;
        Some(Forced { from_memo: true, reduced: Some(*name), ..Forced::without_run(Outcome::Done(Arc::new(record))) })
    }

    fn ask(
        &self,
        roots: Vec<(ThunkName, Option<Arc<Thunk>>)>,
        options: ForceOptions,
        progress: Option<&mut dyn FnMut(Progress)>,
    ) -> Vec<Arc<Forced>> {
        let all = roots.len();
        let nobody = |why: Outcome| {
            let answer = Arc::new(Forced::without_run(why));
            vec![answer; all]
        };
        let stopped = nobody(Outcome::CouldNotRun("the coordinator has stopped".to_owned()));
        if options.cancel.is_cancelled() {
            return nobody(Outcome::Cancelled);
        }
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let cancel = options.cancel.clone();
        let (reply, answers) = channel();
        let request = Request::new(roots, options, progress.is_some(), reply);
        if self.messages.send(Message::Begin(id, Box::new(request))).is_err() {
            return stopped;
        }
        let messages = self.messages.clone();
        let _subscription = cancel.subscribe(move || {
            // A dispatcher that is gone has nothing to cancel.
            let _ = messages.send(Message::Cancel(id));
        });
        let mut ignore = |_| {};
        let progress = progress.unwrap_or(&mut ignore);
        for report in answers {
            match report {
                Report::Progress(steps) => steps.into_iter().for_each(&mut *progress),
                Report::Done(answers) => return answers,
            }
        }
        stopped
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // If the dispatcher is gone already, there is nothing to stop.
        let _ = self.messages.send(Message::Stop);
        if let Some(dispatcher) = self.dispatcher.take() {
            let _ = dispatcher.join();
        }
        lock(&self.shared.history).save();
    }
}
