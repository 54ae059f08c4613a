//! Measures what a forced thunk costs besides its steps: `neighbour PROGRAM [INPUTS [LARGE]]`, with a slot's program (`gg-slot`
//! or `gg`), 500 inputs of 11 KB as a rule, and none of 1 MB.
//!
//! The step writes one output of 16 KB. Each thunk is the last one's neighbour but for one file. Prints the first one's time
//! and the medians of the others' and of their parts, as `name TAB seconds`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use gg_exec::{Cancel, Slot, SlotOptions, Usage};
use gg_store::{LocalStore, Store};
use gg_thunk::{FileNode, Node, ObjectName, Output, Step, Tag, Thunk, Tree, TreeName, ValueName, Writes};

const TOOL: &str = "#include <stdio.h>\nint main(int n, char **v) {\n    FILE *f = fopen(\"out\", \"w\");\n    for (int i = 0; f && i < 2048; i++) fprintf(f, \"%7s\\n\", v[1]);\n    return !f || fclose(f);\n}\n";

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
    let number = |place, usual| std::env::args().nth(place).map_or(Ok(usual), |n| n.parse::<usize>());
    let (inputs, large) = (number(2, 500)?, number(3, 0)?);
    let base = std::env::temp_dir().join(format!("gg-neighbour-{}", std::process::id()));
    std::fs::create_dir_all(&base)?;
    let tool = base.join("tool");
    std::fs::write(base.join("t.c"), TOOL)?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-static", "-o"]).arg(&tool).arg(base.join("t.c"));
    if !gcc.status()?.success() {
        return Err("gcc failed".into());
    }
    let store = LocalStore::open(&base.join("gg"))?;
    let tool = file(store.put(&std::fs::read(&tool)?)?, 0o755);
    let mut headers = Vec::new();
    for n in 0..inputs {
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
            steps: vec![Step { exe: b"/tool".to_vec(), argv: vec![b"tool".to_vec(), n.to_string().into_bytes()] }],
            env: BTreeMap::new(),
            cwd: b"/src".to_vec(),
            umask: 0o022,
            root: dir(&store, entries.into())?,
            outputs: vec![Output {
                tag: Tag::new("o")?,
                path: b"/src/out".to_vec(),
                optional: false,
                writes: Writes::Replace,
            }],
        });
    }
    let options = SlotOptions { program: PathBuf::from(program), force_kind: None, scratch: base.join("scratch") };
    let mut slot = Slot::start(&store, &options)?;
    let cancel = Cancel::new()?;
    let mut times = Vec::new();
    for thunk in &thunks {
        let begun = Instant::now();
        let evidence = slot.run(thunk, &cancel);
        let all = begun.elapsed().as_micros() as u64;
        if !evidence.succeeded() {
            return Err(format!("{evidence:?}").into());
        }
        let Usage { layout_us, wall_us, collect_us, .. } = evidence.usage;
        let rest = all.saturating_sub(layout_us + wall_us + collect_us);
        times.push([all, layout_us, wall_us, collect_us, rest, all.saturating_sub(wall_us)]);
    }
    drop(slot);
    std::fs::remove_dir_all(&base)?;
    let seconds = |us: u64| us as f64 / 1e6;
    println!("first\t{:.6}", seconds(times.remove(0)[0]));
    let names = ["neighbour", "layout", "steps", "collection", "processes and messages", "without its steps"];
    for (place, name) in names.into_iter().enumerate() {
        let mut part: Vec<u64> = times.iter().map(|times| times[place]).collect();
        part.sort_unstable();
        println!("{name}\t{:.6}", seconds(part[part.len() / 2]));
    }
    Ok(())
}
