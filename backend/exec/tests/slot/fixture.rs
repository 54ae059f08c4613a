//! A store, a slot and a tree that is on disk as well, so that the same thunk also runs natively.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_exec::{Cancel, Evidence, ExecError, Limits, RootKind, Slot, SlotOptions};
use gg_store::{LocalStore, Store};
use gg_thunk::{FileNode, Node, ObjectName, Output, Step, Tag, Thunk, Timestamp, Tree, TreeName, Writes};

/// The program that becomes a slot: built by cargo, or the copy that another user may execute.
pub fn slot_program() -> PathBuf {
    std::env::var_os("GG_TEST_SLOT").map_or(env!("CARGO_BIN_EXE_gg-slot").into(), PathBuf::from)
}

/// Compiles the program that thunks run.
pub fn build_tool(to: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slot/tool.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-static", "-O1", "-o"]).arg(to).arg(source);
    assert!(gcc.status().unwrap().success());
}

pub struct Fixture {
    pub slot: Slot,
    pub store: LocalStore,
    /// Absolute paths without the leading slash; a directory is `None`.
    pub nodes: BTreeMap<String, Option<Node>>,
    pub dir: PathBuf,
    _temporary: gg_testkit::TempDir,
}

impl Fixture {
    /// With the best root that can be made here.
    pub fn new() -> Fixture {
        Fixture::with(None, Limits::default())
    }

    pub fn with(force_kind: Option<RootKind>, limits: Limits) -> Fixture {
        let temporary = gg_testkit::temp_dir();
        let base = temporary.path().canonicalize().unwrap();
        let store = LocalStore::open(&base.join("gg")).unwrap();
        let options = SlotOptions { program: slot_program(), force_kind, scratch: base.join("scratch") };
        let slot = Slot::start_with(&store, &options, limits).unwrap();
        let dir = base.join("work");
        fs::create_dir(&dir).unwrap();
        let tool = dir.join("tool");
        match std::env::var_os("GG_TEST_TOOL") {
            Some(built) => drop(fs::copy(built, &tool).unwrap()),
            None => build_tool(&tool),
        }
        let mut fixture = Fixture { slot, store, nodes: BTreeMap::new(), dir, _temporary: temporary };
        let bytes = fs::read(&tool).unwrap();
        fixture.put("tool", &bytes, 0o755);
        fixture
    }

    /// The absolute path of a name in the working directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    fn key(&self, name: &str) -> String {
        self.path(name)[1..].to_owned()
    }

    /// A file in the tree and on disk.
    pub fn put(&mut self, name: &str, bytes: &[u8], mode: u32) {
        self.put_in_tree(name, bytes, mode, None);
        let path = self.dir.join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn put_in_tree(&mut self, name: &str, bytes: &[u8], mode: u32, mtime: Option<Timestamp>) {
        let object = ObjectName::Value(self.store.put(bytes).unwrap());
        let node = Node::File(FileNode { object, mode, mtime });
        self.nodes.insert(self.key(name), Some(node));
    }

    pub fn put_link(&mut self, name: &str, target: &str) {
        let node = Node::Symlink(target.as_bytes().to_vec());
        self.nodes.insert(self.key(name), Some(node));
    }

    pub fn put_dir(&mut self, name: &str) {
        self.nodes.insert(self.key(name), None);
    }

    pub fn remove(&mut self, name: &str) {
        self.nodes.remove(&self.key(name));
    }

    /// Stores the tree.
    pub fn tree(&self) -> TreeName {
        let flat: Vec<(&str, Option<&Node>)> =
            self.nodes.iter().map(|(path, node)| (path.as_str(), node.as_ref())).collect();
        store_tree(&self.store, &flat)
    }

    /// A thunk of steps, each a list of words for the tool, with outputs by name in the working directory.
    pub fn thunk(&self, steps: &[&[&str]], outputs: &[&str]) -> Thunk {
        let tool = self.path("tool").into_bytes();
        let steps = steps.iter().map(|words| {
            let words = words.iter().map(|word| word.as_bytes().to_vec());
            Step { exe: tool.clone(), argv: std::iter::once(b"tool".to_vec()).chain(words).collect() }
        });
        let outputs = outputs.iter().map(|name| Output {
            tag: Tag::new(&name.replace('/', "_")).unwrap(),
            path: self.path(name).into_bytes(),
            optional: false,
            writes: Writes::Replace,
        });
        Thunk {
            steps: steps.collect(),
            env: BTreeMap::new(),
            cwd: self.dir.as_os_str().as_bytes().to_vec(),
            umask: 0o022,
            root: self.tree(),
            outputs: outputs.collect(),
        }
    }

    pub fn run(&mut self, steps: &[&[&str]], outputs: &[&str]) -> Evidence {
        let thunk = self.thunk(steps, outputs);
        self.run_thunk(&thunk)
    }

    pub fn run_thunk(&mut self, thunk: &Thunk) -> Evidence {
        self.slot.run(thunk, &Cancel::new().unwrap())
    }

    /// A slot in which the host is seen below the tree.
    pub fn over_host(&self) -> Result<Slot, ExecError> {
        let scratch = self.dir.with_file_name("scratch");
        let options = SlotOptions { program: slot_program(), force_kind: Some(RootKind::OverHost), scratch };
        Slot::start(&self.store, &options)
    }

    /// Runs a step that must succeed; gives what it printed.
    pub fn say(&mut self, words: &[&str]) -> String {
        let evidence = self.run(&[words], &[]);
        assert!(evidence.succeeded(), "{words:?}: {evidence:?}");
        String::from_utf8(evidence.stdout).unwrap()
    }

    /// The bytes of an output, from the store.
    pub fn made(&self, evidence: &Evidence, name: &str) -> (Vec<u8>, u32) {
        let made = evidence.outputs[&Tag::new(&name.replace('/', "_")).unwrap()];
        (self.store.get(&made.name).unwrap().unwrap(), made.mode)
    }
}

fn store_tree(store: &LocalStore, flat: &[(&str, Option<&Node>)]) -> TreeName {
    let mut tree = Tree::new();
    let mut inner: BTreeMap<&str, Vec<(&str, Option<&Node>)>> = BTreeMap::new();
    for (path, node) in flat {
        match (path.split_once('/'), node) {
            (Some((first, rest)), _) => inner.entry(first).or_default().push((rest, *node)),
            (None, None) => drop(inner.entry(path).or_default()),
            (None, Some(node)) => tree.insert(path.as_bytes(), (*node).clone()).unwrap(),
        }
    }
    for (name, flat) in inner {
        let node = Node::Dir(store_tree(store, &flat));
        tree.insert(name.as_bytes(), node).unwrap();
    }
    store.put_tree(&tree).unwrap()
}
