//! Measures what a private root costs: thunks with 500 inputs of 11 KB, each the last one's neighbour
//! but for one file, whose step does nothing. Run with the path of a slot's program (`gg-slot` or `gg`).

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use gg_exec::{Cancel, Slot, SlotOptions};
use gg_store::{LocalStore, Store};
use gg_thunk::{FileNode, Node, ObjectName, Step, Thunk, Tree, TreeName, ValueName};

fn file(object: ValueName, mode: u32) -> Node {
    Node::File(FileNode { object: ObjectName::Value(object), mode, mtime: None })
}

fn dir(store: &LocalStore, entries: Vec<(String, Node)>) -> Result<TreeName, Box<dyn Error>> {
    let mut tree = Tree::new();
    for (name, node) in entries {
        tree.insert(name, node)?;
    }
    Ok(store.put_tree(&tree)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let program = std::env::args_os().nth(1).ok_or("the slot's program?")?;
    let large: usize = std::env::args().nth(2).map_or(Ok(0), |n| n.parse())?;
    let base = std::env::temp_dir().join(format!("gg-neighbour-{}", std::process::id()));
    std::fs::create_dir_all(&base)?;
    let tool = base.join("tool");
    std::fs::write(base.join("t.c"), "int main(void) { return 0; }")?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-static", "-o"]).arg(&tool).arg(base.join("t.c"));
    if !gcc.status()?.success() {
        return Err("gcc failed".into());
    }
    let store = LocalStore::open(&base.join("gg"))?;
    let tool = file(store.put(&std::fs::read(&tool)?)?, 0o755);
    let mut headers = Vec::new();
    for n in 0..500usize {
        let object = store.put(&n.to_le_bytes().repeat(1400))?;
        headers.push((format!("h{n}.h"), file(object, 0o644)));
    }
    for n in 0..large {
        let object = store.put(&vec![n as u8; (1 << 20) + n])?;
        headers.push((format!("large{n}.a"), file(object, 0o644)));
    }
    let include = Node::Dir(dir(&store, headers)?);
    let mut thunks = Vec::new();
    for n in 0..200usize {
        let object = store.put(&n.to_be_bytes().repeat(1400))?;
        let source = vec![(format!("source{n}.c"), file(object, 0o644))];
        let source = Node::Dir(dir(&store, source)?);
        let entries = [("tool", tool.clone()), ("include", include.clone()), ("src", source)];
        let entries = entries.map(|(name, node)| (name.to_owned(), node));
        thunks.push(Thunk {
            steps: vec![Step { exe: b"/tool".to_vec(), argv: vec![b"tool".to_vec()] }],
            env: BTreeMap::new(),
            cwd: b"/src".to_vec(),
            umask: 0o022,
            root: dir(&store, entries.into())?,
            outputs: Vec::new(),
        });
    }
    let options = SlotOptions { program: PathBuf::from(program), force_kind: None, scratch: base.join("scratch") };
    let mut slot = Slot::start(&store, &options)?;
    let cancel = Cancel::new()?;
    let (mut all, mut steps) = (Vec::new(), Vec::new());
    for thunk in &thunks {
        let begun = Instant::now();
        let evidence = slot.run(thunk, &cancel);
        all.push(begun.elapsed().as_micros());
        if !evidence.succeeded() {
            return Err(format!("{evidence:?}").into());
        }
        steps.push(u128::from(evidence.usage.wall_us));
    }
    let first = all[0];
    all.sort_unstable();
    steps.sort_unstable();
    let kind = slot.kind();
    drop(slot);
    std::fs::remove_dir_all(&base)?;
    println!(
        "{kind}: first {first} µs, then median {} µs, 90 % {} µs, of which the step {} µs",
        all[100], all[180], steps[100]
    );
    Ok(())
}
