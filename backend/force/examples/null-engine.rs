//! How fast the coordinator is by itself: a graph through an engine that does nothing.
//!
//! `null-engine [THUNKS [chain|fan]…]` prints what a thunk takes without and with the memo, and the memory that the coordinator
//! had for each at most, as `what TAB seconds TAB bytes`. The time of writing the graph down is not counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use gg_exec::{Evidence, Exit, Made, RootKind, Usage};
use gg_force::{Coordinator, CoordinatorOptions, Done, Engine, Finished, ForceOptions, Job, JobId};
use gg_store::{LocalStore, Memo, Store as _};
use gg_thunk::{FileNode, Node, ObjectName, Output, OutputName, Step, Tag, Thunk, ThunkName, Tree, ValueName, Writes};

struct Null {
    made: ValueName,
}

impl Engine for Null {
    fn name(&self) -> &str {
        "null"
    }
    fn slots(&self) -> usize {
        1_000
    }
    fn submit(&self, job: Job, done: Done) {
        let made = Made { name: self.made, mode: 0o644 };
        let evidence = Evidence {
            exit: Ok(Exit::Code(0)),
            failed_step: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            usage: Usage::default(),
            outputs: job.thunk.outputs.iter().map(|output| (output.tag.clone(), made)).collect(),
            missing: Vec::new(),
            kind: RootKind::Namespaces,
            left_out: Vec::new(),
        };
        done.send(Finished { id: job.id, evidence });
    }
    fn cancel(&self, _: JobId) {}
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().map_or(Ok(100_000), |arg| arg.parse()).context("THUNKS is a number")?;
    let mut shapes: Vec<String> = args.collect();
    if shapes.is_empty() {
        shapes = vec!["chain".to_owned(), "fan".to_owned()];
    }
    // Removed at the end of all: a file system that has just removed many files makes new ones slowly.
    let dir = tempfile::tempdir()?;
    for shape in shapes {
        measure(&dir.path().join(&shape), count, &shape)?;
    }
    Ok(())
}

fn measure(dir: &Path, count: usize, shape: &str) -> anyhow::Result<()> {
    let store = LocalStore::open(dir)?;
    let made = store.put(b"made")?;
    let roots = graph(&store, made, count, shape)?;
    for pass in ["engine", "memo"] {
        let engine = Arc::new(Null { made });
        let memo = Memo::open(&store)?;
        let coordinator = Coordinator::new(store.clone(), memo, vec![engine], CoordinatorOptions::default())?;
        let before = resident_bytes()?;
        let start = Instant::now();
        let mut most = 0;
        let mut last = 0;
        let forced = coordinator.force_all(&roots, ForceOptions::default(), &mut |progress| {
            if progress.settled >= last + count / 10 {
                last = progress.settled;
                most = most.max(resident_bytes().unwrap_or(0));
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        ensure!(forced.iter().all(|forced| forced.record().is_some()), "{:?}", forced.first());
        let bytes = most.saturating_sub(before) / count as u64;
        println!("{shape} {pass}\t{:.9}\t{bytes}", seconds / count as f64);
    }
    Ok(())
}

fn graph(store: &LocalStore, made: ValueName, count: usize, shape: &str) -> anyhow::Result<Vec<ThunkName>> {
    let tag = Tag::new("o")?;
    let mut leaf = ObjectName::Value(made);
    let mut roots = Vec::new();
    for place in 0..count {
        let mut root = Tree::new();
        root.insert("in", Node::File(FileNode { object: leaf.clone(), mode: 0o644, mtime: None }))?;
        let thunk = Thunk {
            steps: vec![Step {
                exe: b"/bin/true".to_vec(),
                argv: vec![b"true".to_vec(), place.to_string().into_bytes()],
            }],
            env: BTreeMap::new(),
            cwd: b"/".to_vec(),
            umask: 0o022,
            root: store.put_tree(&root)?,
            outputs: vec![Output {
                tag: tag.clone(),
                path: format!("/{place}.o").into_bytes(),
                optional: false,
                writes: Writes::Replace,
            }],
        };
        let thunk = store.put_thunk(&thunk)?;
        match shape {
            "fan" => roots.push(thunk),
            "chain" => {
                leaf = ObjectName::Output(OutputName { thunk, tag: tag.clone() });
                roots = vec![thunk];
            }
            other => bail!("{other} is neither chain nor fan"),
        }
    }
    Ok(roots)
}

fn resident_bytes() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).context("statm")?.parse()?;
    Ok(pages * 4096)
}
