//! Tree objects, as the layout reads them: each decoded once, with what their symlinks resolve to.
//!
//! Nothing here touches the laid-out files.

use std::collections::HashMap;
use std::rc::Rc;

use gg_store::LocalStore;
use gg_thunk::{Bytes, Node, Tree, TreeName};

use crate::error::ExecError;

/// Entries of cached trees, over which all are forgotten.
const MAX_ENTRIES: usize = 1 << 18;
/// Links followed in one path, as in Linux.
const MAX_LINKS: usize = 40;

/// Trees of a store, by name.
pub(crate) struct Trees {
    store: LocalStore,
    cached: HashMap<TreeName, Rc<Tree>>,
    entries: usize,
}

impl Trees {
    pub fn new(store: LocalStore) -> Trees {
        Trees { store, cached: HashMap::new(), entries: 0 }
    }

    pub fn get(&mut self, name: TreeName) -> Result<Rc<Tree>, ExecError> {
        if let Some(tree) = self.cached.get(&name) {
            return Ok(Rc::clone(tree));
        }
        let tree = self.store.get_tree(&name)?.ok_or(ExecError::NoTree(name))?;
        let tree = Rc::new(tree);
        if self.entries > MAX_ENTRIES {
            self.cached.clear();
            self.entries = 0;
        }
        self.entries += tree.len() + 1;
        self.cached.insert(name, Rc::clone(&tree));
        Ok(tree)
    }

    /// Where a path leads when its symlinks are followed inside the tree: the physical path, without
    /// a leading slash, and the node there. A path whose last part does not exist leads to where it
    /// would be made; `None` if a part before the last one is no directory or links go in circles.
    pub fn resolve(&mut self, root: TreeName, path: &[u8]) -> Result<Option<(Bytes, Option<Node>)>, ExecError> {
        let mut todo: Vec<Bytes> = parts(path);
        todo.reverse();
        // The directories from the root to where the walk stands, each with its name.
        let mut walked: Vec<(Bytes, TreeName)> = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == b".." {
                walked.pop();
                continue;
            }
            let here = walked.last().map_or(root, |(_, tree)| *tree);
            let node = self.get(here)?.get(&part).cloned();
            match node {
                Some(Node::Dir(tree)) => walked.push((part, tree)),
                Some(Node::Symlink(target)) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Ok(None);
                    }
                    if target.starts_with(b"/") {
                        walked.clear();
                    }
                    todo.extend(parts(&target).into_iter().rev());
                }
                other if todo.is_empty() => {
                    return Ok(Some((joined(&walked, Some(&part)), other)));
                }
                _ => return Ok(None),
            }
        }
        let here = walked.last().map_or(root, |(_, tree)| *tree);
        Ok(Some((joined(&walked, None), Some(Node::Dir(here)))))
    }
}

fn parts(path: &[u8]) -> Vec<Bytes> {
    let parts = path.split(|b| *b == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

fn joined(walked: &[(Bytes, TreeName)], last: Option<&Bytes>) -> Bytes {
    let mut all: Vec<&[u8]> = walked.iter().map(|(name, _)| name.as_slice()).collect();
    all.extend(last.map(Vec::as_slice));
    all.join(&b'/')
}
