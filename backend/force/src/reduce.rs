//! Replaces the thunk outputs in a tree by the values they were forced to. Knows not how they were forced.

use std::collections::HashMap;

use gg_store::{LocalStore, Made};
use gg_thunk::{FileNode, Node, ObjectName, OutputName, Tree, TreeName};

use crate::scan::Scanner;

/// What became of a thunk's output.
pub(crate) enum Leaf {
    /// This value with this mode.
    Made(Made),
    /// The output is optional and was not made.
    Absent,
}

/// Reduces trees of one request, each once.
#[derive(Default)]
pub(crate) struct Reducer {
    reduced: HashMap<TreeName, TreeName>,
}

impl Reducer {
    /// The tree with each thunk output replaced by what `leaf` says of it. `leaf` must say the same each time.
    pub fn reduce(
        &mut self,
        store: &LocalStore,
        scanner: &Scanner,
        name: &TreeName,
        leaf: &dyn Fn(&OutputName) -> Result<Leaf, String>,
    ) -> Result<TreeName, String> {
        self.reduce_at(store, scanner, name, leaf, 0)
    }

    fn reduce_at(
        &mut self,
        store: &LocalStore,
        scanner: &Scanner,
        name: &TreeName,
        leaf: &dyn Fn(&OutputName) -> Result<Leaf, String>,
        depth: usize,
    ) -> Result<TreeName, String> {
        if scanner.scan(store, name)?.thunks.is_empty() {
            return Ok(*name);
        }
        if let Some(reduced) = self.reduced.get(name) {
            return Ok(*reduced);
        }
        let mut tree = Tree::new();
        for (entry, node) in scanner.take(store, name, depth)?.iter() {
            let node = match node {
                Node::Dir(dir) => Node::Dir(self.reduce_at(store, scanner, dir, leaf, depth + 1)?),
                Node::Symlink(target) => Node::Symlink(target.clone()),
                Node::File(file) => match &file.object {
                    ObjectName::Value(_) => Node::File(file.clone()),
                    ObjectName::Output(output) => match leaf(output)? {
                        Leaf::Absent => continue,
                        Leaf::Made(made) => Node::File(FileNode {
                            object: ObjectName::Value(made.object),
                            mode: made.mode,
                            mtime: file.mtime,
                        }),
                    },
                },
            };
            tree.insert(entry.clone(), node).map_err(|error| format!("{name}: {error}"))?;
        }
        let reduced = store.put_tree(&tree).map_err(|error| error.to_string())?;
        self.reduced.insert(*name, reduced);
        Ok(reduced)
    }
}
