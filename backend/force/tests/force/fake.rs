//! A store in a temporary directory, an engine without processes, and thunks for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex};

use gg_exec::{Evidence, Exit, Made, RootKind, Usage};
use gg_force::{Coordinator, CoordinatorOptions, Done, Engine, Finished, ForceOptions, Job, JobId};
use gg_store::{LocalStore, Memo, Store as _};
use gg_thunk::{FileNode, Node, ObjectName, Output, OutputName, Step, Tag, Thunk, ThunkName, Tree, Writes};

/// Where all thunks of these tests write.
const OUT: &str = "/out";

pub struct Bench {
    pub store: LocalStore,
    pub memo: Memo,
    pub engine: Arc<FakeEngine>,
    pub coordinator: Arc<Coordinator>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with_slots(2)
    }

    pub fn with_slots(slots: usize) -> Bench {
        Bench::with(slots, |engine| vec![engine])
    }

    /// A coordinator on the engines that `engines` makes of the fake one.
    pub fn with(slots: usize, engines: impl FnOnce(Arc<dyn Engine>) -> Vec<Arc<dyn Engine>>) -> Bench {
        // In memory where that is possible: some of these tests make many thousands of files.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = LocalStore::open(dir.path()).unwrap();
        let memo = Memo::open(&store).unwrap();
        let engine = Arc::new(FakeEngine::new("fake", &store, slots));
        let coordinator = Coordinator::new(
            store.clone(),
            Memo::open(&store).unwrap(),
            engines(engine.clone()),
            CoordinatorOptions::default(),
        );
        Bench { store, memo, engine, coordinator: Arc::new(coordinator.unwrap()), _dir: dir }
    }

    /// Another coordinator on the same store, with a memory of its own.
    pub fn reopened(self) -> Bench {
        let Bench { store, memo, engine, coordinator, _dir } = self;
        let slots = engine.slots();
        drop(coordinator);
        let engine = Arc::new(FakeEngine::new("fake", &store, slots));
        let coordinator = Coordinator::new(
            store.clone(),
            Memo::open(&store).unwrap(),
            vec![engine.clone()],
            CoordinatorOptions::default(),
        );
        Bench { store, memo, engine, coordinator: Arc::new(coordinator.unwrap()), _dir }
    }

    pub fn thunk(&self, op: &str, arg: &str, inputs: &[(&str, ObjectName)]) -> ThunkName {
        self.thunk_with(op, arg, inputs, &[("out", false)])
    }

    /// Keeps a thunk with these outputs (tag, optional), all in one directory.
    pub fn thunk_with(
        &self,
        op: &str,
        arg: &str,
        inputs: &[(&str, ObjectName)],
        outputs: &[(&str, bool)],
    ) -> ThunkName {
        let tree = self.store.put_tree(&tree(inputs)).unwrap();
        let mut root = Tree::new();
        root.insert("in", Node::Dir(tree)).unwrap();
        let root = self.store.put_tree(&root).unwrap();
        self.store.put_thunk(&thunk(op, arg, root, outputs)).unwrap()
    }

    pub fn value(&self, bytes: &[u8]) -> ObjectName {
        ObjectName::Value(self.store.put(bytes).unwrap())
    }

    pub fn force(&self, thunk: &ThunkName) -> gg_force::Forced {
        self.coordinator.force(thunk, ForceOptions::default())
    }

    pub fn force_all(&self, roots: &[ThunkName], keep_going: bool) -> Vec<Arc<gg_force::Forced>> {
        let mut options = ForceOptions::default();
        options.keep_going = keep_going;
        self.coordinator.force_all(roots, options, &mut |_| {})
    }

    /// The bytes of the output `out` of a thunk that was forced.
    pub fn out(&self, forced: &gg_force::Forced) -> Vec<u8> {
        let record = forced.record().unwrap_or_else(|| panic!("{:?}", forced.outcome));
        let made = &record.outputs[&tag("out")];
        self.store.get(&made.object).unwrap().unwrap()
    }
}

pub fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

pub fn output(thunk: ThunkName, name: &str) -> ObjectName {
    ObjectName::Output(OutputName { thunk, tag: tag(name) })
}

pub fn tree(inputs: &[(&str, ObjectName)]) -> Tree {
    let mut tree = Tree::new();
    for (name, object) in inputs {
        let file = FileNode { object: object.clone(), mode: 0o644, mtime: None };
        tree.insert(*name, Node::File(file)).unwrap();
    }
    tree
}

pub fn thunk(op: &str, arg: &str, root: gg_thunk::TreeName, outputs: &[(&str, bool)]) -> Thunk {
    let output = |(name, optional): &(&str, bool)| Output {
        tag: tag(name),
        path: format!("{OUT}/{name}").into_bytes(),
        optional: *optional,
        writes: Writes::Replace,
    };
    Thunk {
        steps: vec![Step {
            exe: b"/bin/fake".to_vec(),
            argv: [op, arg].iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        }],
        env: BTreeMap::new(),
        cwd: b"/".to_vec(),
        umask: 0o022,
        root,
        outputs: outputs.iter().map(output).collect(),
    }
}

/// Does at once, or when the test lets it, what the first step's `argv` says:
/// `cat ARG` makes each output of all inputs and ARG, `const ARG` of ARG alone, `copy` of the input of the
/// output's tag if there is one; `fail ARG` exits with 3 and says ARG, `absent` makes nothing, `broken`
/// cannot be run, `unsealed` is `cat` in no root.
pub struct FakeEngine {
    name: String,
    store: LocalStore,
    slots: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    holding: bool,
    held: Vec<(Job, Done)>,
    runs: HashMap<ThunkName, usize>,
    order: Vec<String>,
    cancelled: Vec<JobId>,
}

impl FakeEngine {
    pub fn new(name: &str, store: &LocalStore, slots: usize) -> FakeEngine {
        FakeEngine {
            name: name.to_owned(),
            store: store.clone(),
            slots,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// From now on jobs wait for `release`.
    pub fn hold(&self) {
        self.state.lock().unwrap().holding = true;
    }

    /// Waits until so many jobs are held.
    pub fn wait_held(&self, count: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.held.len() < count).unwrap());
    }

    /// Waits until so many jobs were cancelled.
    pub fn wait_cancelled(&self, count: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.cancelled.len() < count).unwrap());
    }

    /// Runs what is held and holds nothing more.
    pub fn release(&self) {
        let held = {
            let mut state = self.state.lock().unwrap();
            state.holding = false;
            std::mem::take(&mut state.held)
        };
        for (job, done) in held {
            self.run(&job, &done);
        }
    }

    /// Runs that were done, all thunks together.
    pub fn total(&self) -> usize {
        self.state.lock().unwrap().runs.values().sum()
    }

    /// The arguments of the runs, in their order.
    pub fn order(&self) -> Vec<String> {
        self.state.lock().unwrap().order.clone()
    }

    fn run(&self, job: &Job, done: &Done) {
        let argv: Vec<_> = job.thunk.steps[0].argv.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
        {
            let mut state = self.state.lock().unwrap();
            *state.runs.entry(job.name).or_default() += 1;
            state.order.push(argv[1].clone().into_owned());
        }
        let evidence = self.evidence(&job.thunk, &argv[0], &argv[1]);
        done.send(Finished { id: job.id, evidence });
    }

    fn evidence(&self, thunk: &Thunk, op: &str, arg: &str) -> Evidence {
        let mut evidence = Evidence {
            exit: Ok(Exit::Code(0)),
            failed_step: None,
            stdout: Vec::new(),
            stderr: format!("{op}\n").into_bytes(),
            usage: Usage { user_us: 1, sys_us: 1, wall_us: 1_000, max_rss_kb: 1, ..Usage::default() },
            outputs: BTreeMap::new(),
            missing: Vec::new(),
            kind: RootKind::Namespaces,
            left_out: Vec::new(),
        };
        match op {
            "fail" => {
                evidence.exit = Ok(Exit::Code(3));
                evidence.failed_step = Some(0);
                evidence.stderr = arg.as_bytes().to_vec();
                return evidence;
            }
            "broken" => {
                evidence.exit = Err(format!("{} is broken", self.name));
                return evidence;
            }
            "absent" => return evidence,
            "unsealed" => evidence.kind = RootKind::Native,
            _ => {}
        }
        let inputs = self.inputs(thunk);
        for output in &thunk.outputs {
            let bytes = match op {
                "const" => arg.as_bytes().to_vec(),
                "copy" => match inputs.get(output.tag.as_str().as_bytes()) {
                    Some(bytes) => bytes.clone(),
                    None => continue,
                },
                _ => {
                    let mut bytes: Vec<u8> = inputs.values().flatten().copied().collect();
                    bytes.extend_from_slice(arg.as_bytes());
                    bytes
                }
            };
            let made = Made { name: self.store.put(&bytes).unwrap(), mode: 0o755 };
            evidence.outputs.insert(output.tag.clone(), made);
        }
        evidence
    }

    fn inputs(&self, thunk: &Thunk) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let root = self.store.get_tree(&thunk.root).unwrap().unwrap();
        let Some(Node::Dir(inputs)) = root.get(b"in") else { panic!("no inputs") };
        let mut found = BTreeMap::new();
        for (name, node) in self.store.get_tree(inputs).unwrap().unwrap().iter() {
            let Node::File(FileNode { object: ObjectName::Value(value), .. }) = node else {
                panic!("{node:?} is not reduced")
            };
            found.insert(name.clone(), self.store.get(value).unwrap().unwrap());
        }
        found
    }
}

impl Engine for FakeEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn submit(&self, job: Job, done: Done) {
        {
            let mut state = self.state.lock().unwrap();
            if state.holding {
                state.held.push((job, done));
                self.changed.notify_all();
                return;
            }
        }
        self.run(&job, &done);
    }

    fn cancel(&self, id: JobId) {
        let mut state = self.state.lock().unwrap();
        state.cancelled.push(id);
        if let Some(place) = state.held.iter().position(|(job, _)| job.id == id) {
            let (job, done) = state.held.remove(place);
            let mut evidence = self.evidence(&job.thunk, "broken", "");
            evidence.exit = Ok(Exit::Signal(9));
            // The coordinator may be going away.
            done.send(Finished { id, evidence });
        }
        self.changed.notify_all();
    }
}
