//! The thread that decides: takes requests, gives runs to engines, hands results to all that wait for
//! them. Knows a run by its reduced thunk, so that one wanted by many is done once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use gg_thunk::{Thunk, ThunkName, TreeName};

use crate::engine::{Done, Engine, Finished, Job, JobId};
use crate::graph::NodeId;
use crate::history::Kind;
use crate::outcome::Outcome;
use crate::queue::{Queue, Urgency};
use crate::recorder::{Ran, Recording, Ticket, record};
use crate::request::{Request, Want};
use crate::shared::{Shared, lock};

/// Tasks of one request that are done before messages are looked at again.
const TASKS_PER_TURN: usize = 64;

/// Runs whose thunks are kept while they wait though they are in the store.
const HELD: usize = 1024;
/// How long callers are not told what happened, at most.
const MOMENT: Duration = Duration::from_millis(2);

/// Which request is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(pub u64);

/// What the dispatcher is told.
pub(crate) enum Message {
    Begin(RequestId, Box<Request>),
    Cancel(RequestId),
    /// An engine has handed a job back.
    Finished(Finished),
    /// Those were recorded.
    Ran(Vec<(JobId, Ran)>),
    Stop,
}

/// An engine and how many jobs it has.
struct Seat {
    engine: Arc<dyn Engine>,
    name: Arc<str>,
    busy: usize,
}

/// Where a run's thunk is until it runs: in the store under another root, as a rule, to save memory.
enum Source {
    Held(Arc<Thunk>),
    Stored { original: ThunkName, root: TreeName },
}

/// A run that somebody waits for.
struct Run {
    source: Source,
    kind: Kind,
    urgency: Urgency,
    waiters: Vec<(RequestId, NodeId)>,
    /// The job, once an engine has it.
    job: Option<JobId>,
    /// Engines that could not run it, and why.
    tried: Vec<usize>,
    reasons: Vec<String>,
}

/// A job that an engine has or that is being recorded.
struct Assigned {
    seat: usize,
    /// `None` when nobody waits for it any more.
    run: Option<ThunkName>,
    /// While an engine has it.
    ticket: Option<Ticket>,
}

/// What the thread does next.
#[expect(clippy::large_enum_variant, reason = "there is one, and not for long")]
enum Next {
    Message(Message),
    Turn,
    News,
    Nobody,
}

/// The state of the thread.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    seats: Vec<Seat>,
    inbox: Receiver<Message>,
    done: Done,
    recorder: Sender<Recording>,
    requests: HashMap<RequestId, Request>,
    /// Requests with tasks, in turn.
    turns: VecDeque<RequestId>,
    runs: HashMap<ThunkName, Run>,
    queue: Queue,
    jobs: HashMap<JobId, Assigned>,
    /// When those that watch are told, if there is anything to tell.
    tell_at: Option<Instant>,
}

impl Dispatcher {
    pub fn new(
        shared: Arc<Shared>,
        engines: Vec<Arc<dyn Engine>>,
        inbox: Receiver<Message>,
        done: Done,
        recorder: Sender<Recording>,
    ) -> Dispatcher {
        let seat = |engine: Arc<dyn Engine>| Seat { name: Arc::from(engine.name()), engine, busy: 0 };
        Dispatcher {
            shared,
            seats: engines.into_iter().map(seat).collect(),
            inbox,
            done,
            recorder,
            requests: HashMap::new(),
            turns: VecDeque::new(),
            runs: HashMap::new(),
            queue: Queue::default(),
            jobs: HashMap::new(),
            tell_at: None,
        }
    }

    /// Works until it is told to stop, or nobody is left to tell it.
    pub fn run(mut self) {
        loop {
            let message = match self.next() {
                Next::Message(message) => Some(message),
                Next::Turn => {
                    self.take_turn();
                    continue;
                }
                Next::News => {
                    self.requests.values_mut().for_each(Request::pass_news_on);
                    continue;
                }
                Next::Nobody => None,
            };
            match message {
                Some(Message::Begin(id, request)) => {
                    self.requests.insert(id, *request);
                    self.look_after(id);
                }
                Some(Message::Cancel(id)) => self.cancel(id),
                Some(Message::Finished(finished)) => self.finished(finished),
                Some(Message::Ran(ran)) => ran.into_iter().for_each(|(job, ran)| self.ran(job, ran)),
                Some(Message::Stop) | None => return self.stop(),
            }
        }
    }

    /// What to do next. Callers that watch are told what has gathered when there is nothing else to do for a moment, or
    /// when a moment has passed: to wake them for each event would cost as much as the event.
    fn next(&mut self) -> Next {
        let news = self.requests.values().any(Request::has_news);
        let told_at = news.then(|| *self.tell_at.get_or_insert_with(|| Instant::now() + MOMENT));
        if told_at.is_some_and(|at| at <= Instant::now()) {
            self.tell_at = None;
            return Next::News;
        }
        if !self.turns.is_empty() {
            return match self.inbox.try_recv() {
                Ok(message) => Next::Message(message),
                Err(TryRecvError::Empty) => Next::Turn,
                Err(TryRecvError::Disconnected) => Next::Nobody,
            };
        }
        let message = match told_at {
            Some(at) => match self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => {
                    self.tell_at = None;
                    return Next::News;
                }
                other => other.ok(),
            },
            None => self.inbox.recv().ok(),
        };
        message.map_or(Next::Nobody, Next::Message)
    }

    /// Does some tasks of the request whose turn it is.
    fn take_turn(&mut self) {
        let Some(id) = self.turns.pop_front() else {
            return;
        };
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let mut wants = Vec::new();
        for _ in 0..TASKS_PER_TURN {
            if !request.has_work() {
                break;
            }
            wants.extend(request.work(&self.shared));
        }
        let measured = request.measure_paths();
        for want in wants {
            self.want(id, want);
        }
        if measured {
            self.requeue(id);
        }
        self.give_out();
        self.look_after(id);
    }

    /// After anything happened to a request: answers it, or sees to it that it goes on.
    fn look_after(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.is_stopping() {
            for (node, run, started) in request.runs() {
                if !started {
                    self.abandon(id, node, &run);
                }
            }
        }
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        while request.is_stuck() {
            request.break_circle();
        }
        if request.is_complete() {
            if let Some(request) = self.requests.remove(&id) {
                request.answer();
            }
        } else if request.has_work() && !self.turns.contains(&id) {
            self.turns.push_back(id);
        }
    }

    fn want(&mut self, id: RequestId, want: Want) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let urgency = Urgency { priority: request.options().priority, path_us: want.path_us };
        let original = request.name(want.node);
        let held = request.holds(want.node) || self.runs.len() < HELD;
        let source = match held {
            true => Source::Held(want.thunk.clone()),
            false => Source::Stored { original, root: want.thunk.root },
        };
        let run = self.runs.entry(want.reduced).or_insert_with(|| Run {
            source,
            kind: Kind::of(&want.thunk),
            urgency: Urgency { priority: i32::MIN, path_us: 0 },
            waiters: Vec::new(),
            job: None,
            tried: Vec::new(),
            reasons: Vec::new(),
        });
        run.waiters.push((id, want.node));
        if let Some(job) = run.job {
            if let Some(assigned) = self.jobs.get(&job) {
                request.begun(want.node, &self.seats[assigned.seat].name);
                if assigned.ticket.is_none() {
                    request.handed_back(want.node);
                }
            }
        } else if run.urgency < urgency {
            run.urgency = urgency;
            self.queue.push(urgency, want.reduced);
        }
    }

    /// Brings the runs of a request in the order of its newly measured paths.
    fn requeue(&mut self, id: RequestId) {
        let Some(request) = self.requests.get(&id) else {
            return;
        };
        for (node, name, started) in request.runs() {
            let urgency = Urgency { priority: request.options().priority, path_us: request.path_us(node) };
            if let Some(run) = self.runs.get_mut(&name)
                && !started
                && run.urgency < urgency
            {
                run.urgency = urgency;
                self.queue.push(urgency, name);
            }
        }
    }

    /// Gives the most urgent runs to engines while there is room.
    fn give_out(&mut self) {
        let mut unfit = Vec::new();
        while self.seats.iter().any(|seat| seat.busy < seat.engine.slots()) {
            let Some((urgency, name)) = self.queue.pop() else {
                break;
            };
            let Some(run) = self.runs.get(&name) else {
                continue;
            };
            if run.job.is_some() || run.urgency != urgency {
                continue;
            }
            let fits = |(place, seat): &(usize, &Seat)| seat.busy < seat.engine.slots() && !run.tried.contains(place);
            match self.seats.iter().enumerate().find(fits) {
                Some((place, _)) => self.assign(name, place),
                None => unfit.push((urgency, name)),
            }
        }
        for (urgency, name) in unfit {
            self.queue.push(urgency, name);
        }
    }

    fn assign(&mut self, name: ThunkName, place: usize) {
        let Some(run) = self.runs.get_mut(&name) else {
            return;
        };
        let thunk = match &run.source {
            Source::Held(thunk) => Ok(thunk.clone()),
            Source::Stored { original, root } => self.shared.thunk(original).map(|mut thunk| {
                thunk.root = *root;
                Arc::new(thunk)
            }),
        };
        let thunk = match thunk {
            Ok(thunk) => thunk,
            Err(why) => {
                let nobody = Arc::from("");
                return self.conclude(name, &nobody, &Ran::Failed(Outcome::CouldNotRun(why)));
            }
        };
        let id = JobId::fresh();
        run.job = Some(id);
        let seat = &mut self.seats[place];
        seat.busy += 1;
        let ticket = Ticket { name, thunk: thunk.clone(), engine: seat.name.clone() };
        self.jobs.insert(id, Assigned { seat: place, run: Some(name), ticket: Some(ticket) });
        for (request, node) in &run.waiters {
            if let Some(request) = self.requests.get_mut(request) {
                request.begun(*node, &seat.name);
            }
        }
        let engine = seat.engine.clone();
        engine.submit(Job { id, name, thunk }, self.done.clone());
    }

    /// An engine has handed a job back. It is recorded at once where nothing else is to be done meanwhile: that spares
    /// a chain of thunks two changes of thread each.
    fn finished(&mut self, Finished { id: job, evidence }: Finished) {
        let alone = self.jobs.len() == 1 && self.turns.is_empty();
        let Some(assigned) = self.jobs.get_mut(&job) else {
            return;
        };
        let Some(ticket) = assigned.ticket.take() else {
            return;
        };
        self.seats[assigned.seat].busy -= 1;
        for (id, node) in assigned.run.and_then(|run| self.runs.get(&run)).into_iter().flat_map(|run| &run.waiters) {
            if let Some(request) = self.requests.get_mut(id) {
                request.handed_back(*node);
            }
        }
        if alone {
            let ran = record(&self.shared, &ticket, evidence);
            return self.ran(job, ran);
        }
        if self.recorder.send(Recording { job, ticket, evidence }).is_err() {
            let why = "what it gave could not be recorded".to_owned();
            return self.ran(job, Ran::Failed(Outcome::CouldNotRun(why)));
        }
        self.give_out();
    }

    /// What an engine handed back was recorded.
    fn ran(&mut self, job: JobId, ran: Ran) {
        let Some(assigned) = self.jobs.remove(&job) else {
            return;
        };
        let engine = self.seats[assigned.seat].name.clone();
        if let Some(name) = assigned.run {
            match ran {
                Ran::Broken(why) => self.pass_on(name, assigned.seat, &engine, &why),
                ran => self.conclude(name, &engine, &ran),
            }
        }
        self.give_out();
    }

    /// An engine could not run it: the next one, if there is one.
    fn pass_on(&mut self, name: ThunkName, place: usize, engine: &Arc<str>, why: &str) {
        let seats = self.seats.len();
        let Some(run) = self.runs.get_mut(&name) else {
            return;
        };
        run.job = None;
        run.tried.push(place);
        run.reasons.push(format!("{engine}: {why}"));
        if (0..seats).any(|place| !run.tried.contains(&place)) {
            lock(&self.shared.counters).passed_on += 1;
            self.queue.push(run.urgency, name);
        } else {
            let why = run.reasons.join("; ");
            self.conclude(name, engine, &Ran::Failed(Outcome::CouldNotRun(why)));
        }
    }

    /// Tells all that wait for a run what it came to.
    fn conclude(&mut self, name: ThunkName, engine: &Arc<str>, ran: &Ran) {
        let Some(run) = self.runs.remove(&name) else {
            return;
        };
        if let Ran::Made { record, .. } = ran {
            lock(&self.shared.history).learn(run.kind, record.wall_us);
        }
        for (id, node) in run.waiters {
            if let Some(request) = self.requests.get_mut(&id) {
                match ran {
                    Ran::Made { record, redirects } => {
                        request.made(node, engine, record, redirects);
                    }
                    Ran::Failed(outcome) => request.failed(node, engine, outcome.clone()),
                    Ran::Broken(why) => {
                        request.failed(node, engine, Outcome::CouldNotRun(why.clone()));
                    }
                }
            }
            self.look_after(id);
        }
    }

    /// The caller went away: nothing is done for it any more.
    fn cancel(&mut self, id: RequestId) {
        let Some(request) = self.requests.get(&id) else {
            return;
        };
        for (node, run, _) in request.runs() {
            self.abandon(id, node, &run);
        }
        if let Some(request) = self.requests.remove(&id) {
            request.answer();
        }
    }

    /// A request does not wait for a run any more; a run that nobody waits for is not done.
    fn abandon(&mut self, id: RequestId, node: NodeId, name: &ThunkName) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.drop_run(node);
        }
        let Some(run) = self.runs.get_mut(name) else {
            return;
        };
        run.waiters.retain(|waiter| *waiter != (id, node));
        if !run.waiters.is_empty() {
            return;
        }
        if let Some(run) = self.runs.remove(name)
            && let Some(job) = run.job
            && let Some(assigned) = self.jobs.get_mut(&job)
        {
            assigned.run = None;
            self.seats[assigned.seat].engine.cancel(job);
        }
    }

    /// Nobody calls any more.
    fn stop(mut self) {
        for (job, assigned) in &self.jobs {
            self.seats[assigned.seat].engine.cancel(*job);
        }
        for (_, request) in self.requests.drain() {
            request.answer();
        }
    }
}
