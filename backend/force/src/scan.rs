//! Which thunks a tree waits for, and how large it is. Knows not what becomes of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use gg_store::LocalStore;
use gg_thunk::{Node, ObjectName, ThunkName, Tree, TreeName};

use crate::shared::lock;

/// Deeper than any path Linux can open in one call.
pub(crate) const MAX_DEPTH: usize = 2048;
/// Trees that are remembered, at some 100 bytes each.
const MAX_REMEMBERED: usize = 1 << 19;
/// Bytes of trees, as they are encoded, that are kept until they are reduced.
const MAX_UNREDUCED: u64 = 16 << 20;

/// What is in a tree, all levels together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The thunks whose outputs are leaves, each once, sorted.
    pub thunks: Vec<ThunkName>,
    /// The bytes of the leaves that are values.
    pub bytes: u64,
}

/// Scans trees, each once: equal sub-trees are one object.
#[derive(Default)]
pub(crate) struct Scanner {
    known: Mutex<HashMap<TreeName, Arc<Scan>>>,
    unreduced: Mutex<Unreduced>,
}

/// Trees that wait for thunks: each will be wanted once more.
#[derive(Default)]
struct Unreduced {
    trees: HashMap<TreeName, Tree>,
    bytes: u64,
}

impl Scanner {
    /// Scans a tree. The error says what is wrong with which object.
    pub fn scan(&self, store: &LocalStore, tree: &TreeName) -> Result<Arc<Scan>, String> {
        self.scan_at(store, tree, 0)
    }

    fn scan_at(&self, store: &LocalStore, name: &TreeName, depth: usize) -> Result<Arc<Scan>, String> {
        if let Some(scan) = lock(&self.known).get(name) {
            return Ok(scan.clone());
        }
        let tree = load(store, name, depth)?;
        let mut thunks = BTreeSet::new();
        let mut bytes = 0u64;
        for (_, node) in tree.iter() {
            match node {
                Node::Dir(dir) => {
                    let inner = self.scan_at(store, dir, depth + 1)?;
                    thunks.extend(inner.thunks.iter().copied());
                    bytes = bytes.saturating_add(inner.bytes);
                }
                Node::File(file) => match &file.object {
                    ObjectName::Value(value) => bytes = bytes.saturating_add(value.len()),
                    ObjectName::Output(output) => {
                        thunks.insert(output.thunk);
                    }
                },
                Node::Symlink(_) => {}
            }
        }
        let scan = Arc::new(Scan { thunks: thunks.into_iter().collect(), bytes });
        if !scan.thunks.is_empty() {
            let mut unreduced = lock(&self.unreduced);
            if unreduced.bytes > MAX_UNREDUCED {
                *unreduced = Unreduced::default();
            }
            unreduced.bytes += name.value().len();
            unreduced.trees.insert(*name, tree);
        }
        let mut known = lock(&self.known);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(*name, scan.clone());
        Ok(scan)
    }

    /// A tree that is to be reduced.
    pub fn take(&self, store: &LocalStore, name: &TreeName, depth: usize) -> Result<Tree, String> {
        let mut unreduced = lock(&self.unreduced);
        if let Some(tree) = unreduced.trees.remove(name) {
            unreduced.bytes = unreduced.bytes.saturating_sub(name.value().len());
            return Ok(tree);
        }
        drop(unreduced);
        load(store, name, depth)
    }
}

/// Reads a tree that has to be there.
fn load(store: &LocalStore, name: &TreeName, depth: usize) -> Result<Tree, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{name} lies more than {MAX_DEPTH} directories deep"));
    }
    match store.get_tree(name) {
        Ok(Some(tree)) => Ok(tree),
        Ok(None) => Err(format!("the tree {name} is not in the store")),
        Err(error) => Err(error.to_string()),
    }
}
