//! One call of `force` or `force_all`: takes its graph from thunk to thunk until all are settled. Knows
//! no engine and no other request: it says what it wants run, and is told what came of it.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use gg_store::Record;
use gg_thunk::{OutputName, Tag, Thunk, ThunkName, TreeName};

use crate::coordinator::ForceOptions;
use crate::graph::{Graph, NodeId, Redirected, State};
use crate::history::Kind;
use crate::outcome::{Event, Forced, Outcome, Progress};
use crate::reduce::{Leaf, Reducer};
use crate::shared::{Shared, lock};

/// How many bytes of thunks, as they are encoded, a request keeps at most.
const ROOM: u64 = 32 << 20;

/// What a caller is told.
pub(crate) enum Report {
    Progress(Vec<Progress>),
    Done(Vec<Arc<Forced>>),
}

/// A run that a request needs.
pub(crate) struct Want {
    pub node: NodeId,
    pub reduced: ThunkName,
    pub thunk: Arc<Thunk>,
    pub path_us: u64,
}

/// What is to be done next about a node.
enum Task {
    /// Find its leaves.
    Expand(NodeId),
    /// All that it waited for is settled.
    Advance(NodeId),
}

/// The request.
pub(crate) struct Request {
    graph: Graph,
    roots: Vec<NodeId>,
    options: ForceOptions,
    watched: bool,
    reply: Sender<Report>,
    /// What happened since the caller was told last.
    news: Vec<Progress>,
    /// Bytes of thunks that may still be kept until they are reduced.
    room: u64,
    tasks: Vec<Task>,
    /// Tasks of expanding among them.
    expanding: usize,
    /// The size of the graph when paths were measured last.
    measured: usize,
    reducer: Reducer,
    unsettled: usize,
    /// Runs that it waits for, and those of them that have begun.
    waiting: usize,
    started: usize,
    /// Those of them that an engine has handed back, and that are being recorded.
    handed_back: usize,
    /// What the thunks that are known are thought to take, but for those that the memo answered; and those that ran.
    known_us: u64,
    ran_us: u64,
    stopping: bool,
}

impl Request {
    pub fn new(
        roots: Vec<(ThunkName, Option<Arc<Thunk>>)>,
        options: ForceOptions,
        watched: bool,
        reply: Sender<Report>,
    ) -> Request {
        let mut request = Request {
            graph: Graph::default(),
            roots: Vec::new(),
            options,
            watched,
            reply,
            news: Vec::new(),
            room: ROOM,
            tasks: Vec::new(),
            expanding: 0,
            measured: 1,
            reducer: Reducer::default(),
            unsettled: 0,
            waiting: 0,
            started: 0,
            handed_back: 0,
            known_us: 0,
            ran_us: 0,
            stopping: false,
        };
        for (name, held) in roots {
            let root = request.add(name, held);
            request.roots.push(root);
        }
        request
    }

    pub fn options(&self) -> &ForceOptions {
        &self.options
    }

    /// Whether a failure has made it begin nothing new.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether it has something to do that needs no engine.
    pub fn has_work(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Whether the caller can be answered.
    pub fn is_complete(&self) -> bool {
        self.unsettled == 0 || (self.stopping && self.started == 0)
    }

    /// Whether nothing can happen any more though not all is settled.
    pub fn is_stuck(&self) -> bool {
        !self.is_complete() && self.tasks.is_empty() && self.waiting == 0
    }

    /// The runs it waits for.
    pub fn runs(&self) -> Vec<(NodeId, ThunkName, bool)> {
        let run = |(id, node): (NodeId, &crate::graph::Node)| match &node.state {
            State::Running { reduced, started, .. } => Some((id, *reduced, *started)),
            _ => None,
        };
        self.graph.iter().filter_map(run).collect()
    }

    /// The thunk of a node, as it was asked for.
    pub fn name(&self, node: NodeId) -> ThunkName {
        self.graph.node(node).name
    }

    /// Whether the caller handed the thunk in, so that it need not be in the store.
    pub fn holds(&self, node: NodeId) -> bool {
        self.graph.node(node).handed
    }

    pub fn path_us(&self, node: NodeId) -> u64 {
        self.graph.node(node).path_us
    }

    /// Does one task, and says what is to be run for it, if anything.
    pub fn work(&mut self, shared: &Shared) -> Option<Want> {
        match self.tasks.pop()? {
            Task::Expand(node) => {
                self.expanding -= 1;
                self.expand(shared, node)
            }
            Task::Advance(node) => self.advance(shared, node),
        }
    }

    /// Measures the paths anew when all of the graph is known, and again each time that it has grown to
    /// twice the size (so that all measuring together is linear), and says whether it did.
    pub fn measure_paths(&mut self) -> bool {
        if self.expanding > 0 || self.graph.len() < self.measured * 2 {
            return false;
        }
        self.measured = self.graph.len();
        self.graph.measure_paths();
        true
    }

    /// An engine has begun a run that it waits for.
    pub fn begun(&mut self, node: NodeId, engine: &Arc<str>) {
        let State::Running { started, handed_back, .. } = &mut self.graph.node_mut(node).state else {
            return;
        };
        // another engine could not run it
        self.handed_back -= usize::from(std::mem::take(handed_back));
        if !std::mem::replace(started, true) {
            self.started += 1;
            let thunk = self.graph.node(node).name;
            self.tell(Event::Started { thunk, engine: engine.clone() });
        }
    }

    /// An engine has handed back a run that it waits for, and has room for another one.
    pub fn handed_back(&mut self, node: NodeId) {
        if let State::Running { started: true, handed_back, .. } = &mut self.graph.node_mut(node).state
            && !std::mem::replace(handed_back, true)
        {
            self.handed_back += 1;
        }
    }

    /// A run made its outputs.
    pub fn made(&mut self, node: NodeId, engine: &Arc<str>, record: &Arc<Record>, redirects: &[(Tag, OutputName)]) {
        let Some((reduced, root)) = self.leave_run(node) else {
            return;
        };
        let forced = Forced {
            outcome: Outcome::Done(record.clone()),
            from_memo: false,
            engine: engine.clone(),
            reduced: Some(reduced),
            root: Some(root),
            failure: None,
        };
        self.follow(node, forced, record.clone(), redirects.to_vec());
    }

    /// A run came to something else.
    pub fn failed(&mut self, node: NodeId, engine: &Arc<str>, outcome: Outcome) {
        if let Some((reduced, root)) = self.leave_run(node) {
            let (reduced, root) = (Some(reduced), Some(root));
            let forced = Forced { engine: engine.clone(), reduced, root, ..Forced::without_run(outcome) };
            self.settle(node, forced);
        }
    }

    /// A run that had not begun is not waited for any more.
    pub fn drop_run(&mut self, node: NodeId) {
        if self.leave_run(node).is_some() {
            self.settle(node, Forced::without_run(Outcome::Cancelled));
        }
    }

    /// Fails the nodes of a circle, the reason why it is stuck.
    pub fn break_circle(&mut self) {
        let Some(circle) = self.graph.circle() else {
            // Cannot be: a node waits for something. Answer all the same.
            self.stopping = true;
            return;
        };
        let mut names: Vec<String> = Vec::new();
        for node in circle.iter().chain(circle.first()) {
            names.push(self.graph.node(*node).name.to_string());
        }
        let why = format!("thunks wait for each other: {}", names.join(" -> "));
        for node in circle {
            self.settle(node, Forced::without_run(Outcome::CouldNotRun(why.clone())));
        }
    }

    /// Answers the caller; what is not settled was cancelled.
    pub fn answer(mut self) {
        self.pass_news_on();
        let cancelled = Arc::new(Forced::without_run(Outcome::Cancelled));
        let forced = |root: &NodeId| match &self.graph.node(*root).state {
            State::Settled(forced) => forced.clone(),
            _ => cancelled.clone(),
        };
        let answers = self.roots.iter().map(forced).collect();
        // A caller that went away needs no answer.
        let _ = self.reply.send(Report::Done(answers));
    }

    fn add(&mut self, name: ThunkName, held: Option<Arc<Thunk>>) -> NodeId {
        let (id, new) = self.graph.add(name, held);
        if new {
            self.unsettled += 1;
            if let Some(forced) = self.options.settled.get(&name) {
                let forced = Forced::clone(forced);
                self.settle(id, forced);
            } else if !self.stopping {
                self.expanding += 1;
                self.tasks.push(Task::Expand(id));
            }
        }
        id
    }

    fn load(&self, shared: &Shared, node: NodeId) -> Result<Arc<Thunk>, String> {
        let node = self.graph.node(node);
        match &node.thunk {
            Some(thunk) => Ok(thunk.clone()),
            None => shared.thunk(&node.name).map(Arc::new),
        }
    }

    /// Keeps a thunk for when it is reduced, if there is room: it need not be read from the store again then.
    fn keep(&mut self, id: NodeId, thunk: Arc<Thunk>) {
        let node = self.graph.node_mut(id);
        if let Some(room) = self.room.checked_sub(node.name.len())
            && node.thunk.is_none()
        {
            node.thunk = Some(thunk);
            self.room = room;
        }
    }

    /// The thunk that was kept or handed in, which is not needed here any more.
    fn take(&mut self, id: NodeId) -> Option<Arc<Thunk>> {
        let node = self.graph.node_mut(id);
        let thunk = node.thunk.take()?;
        if !node.handed {
            self.room += node.name.len();
        }
        Some(thunk)
    }

    fn expand(&mut self, shared: &Shared, id: NodeId) -> Option<Want> {
        let scanned = self.load(shared, id).and_then(|thunk| {
            let plain = self.options.plain && self.graph.node(id).handed;
            let scan = match plain {
                true => None,
                false => Some(shared.scanner.scan(&shared.store, &thunk.root)?),
            };
            Ok((thunk, scan))
        });
        let (thunk, scan) = match scanned {
            Ok(scanned) => scanned,
            Err(why) => {
                self.settle(id, Forced::without_run(Outcome::CouldNotRun(why)));
                return None;
            }
        };
        let kind = Kind::of(&thunk);
        let bytes = scan.as_ref().map_or(0, |scan| scan.bytes);
        self.graph.node_mut(id).kind = Some(kind);
        let cost_us = lock(&shared.history).estimate(kind, bytes);
        self.graph.set_cost(id, cost_us);
        self.known_us = self.known_us.saturating_add(cost_us);
        match scan {
            Some(scan) if !scan.thunks.is_empty() => {
                self.keep(id, thunk);
                let needed = scan.thunks.iter().copied();
                self.wait_for(id, needed);
                None
            }
            _ => self.run(shared, id, thunk),
        }
    }

    /// Makes a node wait for thunks; if they are all settled, it goes on at once.
    fn wait_for(&mut self, id: NodeId, thunks: impl Iterator<Item = ThunkName>) {
        // One more, so that it does not go on before all are known.
        self.graph.node_mut(id).pending += 1;
        for name in thunks {
            let needed = self.add(name, None);
            match &self.graph.node(needed).state {
                State::Settled(forced) if forced.record().is_some() => {}
                State::Settled(forced) => {
                    let failure = inherited(name, forced);
                    self.settle(id, failure);
                    return;
                }
                _ => {
                    self.graph.wait(id, needed);
                }
            }
        }
        self.arrive(id);
    }

    /// One thing that the node waited for is there.
    fn arrive(&mut self, id: NodeId) {
        let node = self.graph.node_mut(id);
        node.pending -= 1;
        if node.pending == 0 && !self.stopping {
            self.tasks.push(Task::Advance(id));
        }
    }

    fn advance(&mut self, shared: &Shared, id: NodeId) -> Option<Want> {
        let state = &mut self.graph.node_mut(id).state;
        match std::mem::replace(state, State::Waiting) {
            State::Waiting => {
                let kept = self.take(id);
                let thunk = kept.map_or_else(|| self.load(shared, id), Ok);
                let reduced = thunk.and_then(|thunk| {
                    let graph = &self.graph;
                    let leaf = |output: &OutputName| made_leaf(shared, graph, output);
                    let (store, scanner) = (&shared.store, &shared.scanner);
                    let root = self.reducer.reduce(store, scanner, &thunk.root, &leaf)?;
                    let mut thunk = Arc::unwrap_or_clone(thunk);
                    thunk.root = root;
                    Ok(Arc::new(thunk))
                });
                match reduced {
                    Ok(thunk) => self.run(shared, id, thunk),
                    Err(why) => {
                        self.settle(id, Forced::without_run(Outcome::CouldNotRun(why)));
                        None
                    }
                }
            }
            State::Redirected(redirected) => {
                let forced = self.arrived(*redirected);
                self.settle(id, forced);
                None
            }
            state => {
                self.graph.node_mut(id).state = state;
                None
            }
        }
    }

    /// A reduced thunk: the memo, else an engine.
    fn run(&mut self, shared: &Shared, id: NodeId, thunk: Arc<Thunk>) -> Option<Want> {
        let reduced = thunk.name();
        if !self.options.no_memo
            && let Some((record, redirects)) = shared.recall(&reduced, &thunk)
        {
            lock(&shared.counters).memo_hits += 1;
            if let Some(kind) = self.graph.node(id).kind {
                lock(&shared.history).recall(kind, record.wall_us);
            }
            let record = Arc::new(record);
            let forced = Forced {
                from_memo: true,
                reduced: Some(reduced),
                root: Some(thunk.root),
                ..Forced::without_run(Outcome::Done(record.clone()))
            };
            self.follow(id, forced, record, redirects);
            return None;
        }
        if self.options.only_memo {
            let forced = Forced { reduced: Some(reduced), ..Forced::without_run(Outcome::NotMemoized) };
            self.settle(id, forced);
            return None;
        }
        self.waiting += 1;
        let node = self.graph.node_mut(id);
        node.state = State::Running { reduced, root: thunk.root, started: false, handed_back: false };
        Some(Want { node: id, reduced, thunk, path_us: node.path_us })
    }

    /// Settles a node that was made, when the outputs that its own stand for are.
    fn follow(&mut self, id: NodeId, forced: Forced, record: Arc<Record>, to: Vec<(Tag, OutputName)>) {
        if to.is_empty() {
            self.settle(id, forced);
            return;
        }
        let thunks: Vec<ThunkName> = to.iter().map(|(_, output)| output.thunk).collect();
        self.graph.node_mut(id).state = State::Redirected(Box::new(Redirected { forced, record, to }));
        self.wait_for(id, thunks.into_iter());
    }

    /// The answer for a node whose outputs stand for outputs that are now there.
    fn arrived(&self, redirected: Redirected) -> Forced {
        let Redirected { mut forced, record, to } = redirected;
        let mut record = Arc::unwrap_or_clone(record);
        for (tag, output) in to {
            let made = self.graph.find(&output.thunk).and_then(|node| match &node.state {
                State::Settled(forced) => forced.record()?.outputs.get(&output.tag),
                _ => None,
            });
            let Some(made) = made else {
                let why = format!("the output {tag} stands for {output}, which was not made");
                forced.outcome = Outcome::CouldNotRun(why);
                return forced;
            };
            record.outputs.insert(tag, *made);
        }
        forced.outcome = Outcome::Done(Arc::new(record));
        forced
    }

    fn leave_run(&mut self, id: NodeId) -> Option<(ThunkName, TreeName)> {
        let node = self.graph.node_mut(id);
        let State::Running { reduced, root, started, handed_back } = &node.state else {
            return None;
        };
        let (reduced, root, started, handed_back) = (*reduced, *root, *started, *handed_back);
        node.state = State::Waiting;
        self.waiting -= 1;
        self.started -= usize::from(started);
        self.handed_back -= usize::from(handed_back);
        Some((reduced, root))
    }

    /// Settles a node and, if it came to nothing, all that wait for it.
    fn settle(&mut self, id: NodeId, forced: Forced) {
        let mut stack = vec![(id, forced)];
        while let Some((id, forced)) = stack.pop() {
            let node = self.graph.node_mut(id);
            if matches!(node.state, State::Settled(_)) {
                continue;
            }
            let (name, cost_us, forced) = (node.name, node.cost_us, Arc::new(forced));
            node.state = State::Settled(forced.clone());
            let dependents = std::mem::take(&mut node.dependents);
            self.take(id);
            self.unsettled -= 1;
            match forced.engine.is_empty() {
                true => self.known_us = self.known_us.saturating_sub(cost_us),
                false => self.ran_us = self.ran_us.saturating_add(cost_us),
            }
            let made = forced.record().is_some();
            if !made && !self.options.keep_going {
                self.stopping = true;
                self.tasks.clear();
                self.expanding = 0;
            }
            for waiting in dependents {
                if made {
                    self.arrive(waiting);
                } else {
                    stack.push((waiting, inherited(name, &forced)));
                }
            }
            self.tell(Event::Settled { thunk: name, forced });
        }
    }

    fn tell(&mut self, event: Event) {
        if self.watched {
            self.news.push(Progress {
                known: self.graph.len(),
                settled: self.graph.len() - self.unsettled,
                running: self.started - self.handed_back,
                known_us: self.known_us,
                ran_us: self.ran_us,
                event,
            });
        }
    }

    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Tells the caller what happened.
    pub fn pass_news_on(&mut self) {
        if self.has_news() {
            // A caller that went away need not be told.
            let _ = self.reply.send(Report::Progress(std::mem::take(&mut self.news)));
        }
    }
}

/// What a failure of a thunk means for one that waits for it.
fn inherited(name: ThunkName, forced: &Forced) -> Forced {
    match (&forced.outcome, &forced.failure) {
        (Outcome::Cancelled, _) => Forced::without_run(Outcome::Cancelled),
        (Outcome::DependencyFailed(_), Some(_)) => forced.clone(),
        (outcome, _) => {
            Forced { failure: Some(Arc::new(outcome.clone())), ..Forced::without_run(Outcome::DependencyFailed(name)) }
        }
    }
}

/// What became of a leaf, all thunks of the tree being settled.
fn made_leaf(shared: &Shared, graph: &Graph, output: &OutputName) -> Result<Leaf, String> {
    let record = graph.find(&output.thunk).and_then(|node| match &node.state {
        State::Settled(forced) => forced.record(),
        _ => None,
    });
    let Some(record) = record else {
        return Err(format!("{output} is not forced"));
    };
    if let Some(made) = record.outputs.get(&output.tag) {
        return Ok(Leaf::Made(*made));
    }
    let thunk = shared.thunk(&output.thunk)?;
    match thunk.outputs.iter().find(|o| o.tag == output.tag) {
        Some(declared) if declared.optional => Ok(Leaf::Absent),
        _ => Err(format!("{output} is not an output of that thunk")),
    }
}
