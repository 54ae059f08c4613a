//! A directory that is made to hold what a tree object says, by changing only what differs from the
//! tree that it held before.
//!
//! It knows nothing of namespaces, steps or outputs.

mod pool;
mod sweep;
mod trees;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use gg_store::{LocalStore, Store as _};
use gg_thunk::{Bytes, FileNode, Node, ObjectName, Timestamp, Tree, TreeName, ValueName};

use crate::error::{Doing, ExecError};
use crate::sys::file;
use pool::{Kind, Pool};
use trees::Trees;

/// From this size on a file is mounted instead of copied, where mounting is possible.
pub(crate) const LARGE_BYTES: u64 = 1 << 20;
/// The deepest nesting of directories that is laid out: PATH_MAX has room for 2,047.
const MAX_DEPTH: usize = 1024;
/// The time of files whose time does not matter: the same in every root.
const SOME_TIME: Timestamp = Timestamp { sec: 1_000_000_000, nsec: 0 };

/// Where files of at least [`LARGE_BYTES`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Large {
    /// They are copied like the others.
    Copied,
    /// An empty file is laid out, over which the runner mounts the object.
    Mounted,
}

/// A large file that is to be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LargeFile {
    pub object: ValueName,
    pub mode: u32,
}

/// The directory and what is laid out in it.
pub(crate) struct Layout {
    store: LocalStore,
    /// Holds the root directory, under the name `name`.
    base: OwnedFd,
    name: Bytes,
    pool: Pool,
    trees: Trees,
    laid: Option<TreeName>,
    large: Large,
    /// By path without a leading slash.
    large_files: BTreeMap<Bytes, LargeFile>,
}

impl Layout {
    /// A layout in the directory `name` of `base`, which must not exist, with a pool of spare files in
    /// `base` as well.
    pub fn new(
        store: LocalStore,
        base: OwnedFd,
        name: &[u8],
        pool_bytes: u64,
        large: Large,
    ) -> Result<Layout, ExecError> {
        let make = || -> std::io::Result<OwnedFd> {
            file::make_dir(base.as_fd(), name, 0o755)?;
            file::make_dir(base.as_fd(), b"pool", 0o700)?;
            file::open_dir(base.as_fd(), b"pool")
        };
        let pool = make().doing(|| "cannot make a root's directories".to_owned())?;
        Ok(Layout {
            trees: Trees::new(store.clone()),
            store,
            base,
            name: name.to_vec(),
            pool: Pool::new(pool, pool_bytes),
            laid: None,
            large,
            large_files: BTreeMap::new(),
        })
    }

    /// Makes the directory hold what the tree says.
    pub fn lay(&mut self, tree: TreeName) -> Result<(), ExecError> {
        if self.laid == Some(tree) {
            return Ok(());
        }
        // While this goes on the directory holds neither tree.
        let old = self.laid.take();
        let mut result = self.change(old, tree);
        if result.is_err() && old.is_some() {
            // The old tree's objects may be gone, or its files: begin anew.
            self.reset()?;
            result = self.change(None, tree);
        }
        match result {
            Ok(()) => self.laid = Some(tree),
            Err(_) => self.reset()?,
        }
        result
    }

    /// Empties the directory.
    pub fn reset(&mut self) -> Result<(), ExecError> {
        self.laid = None;
        self.large_files.clear();
        file::remove_all(self.base.as_fd(), &self.name)
            .and_then(|()| file::make_dir(self.base.as_fd(), &self.name, 0o755))
            .doing(|| "cannot empty a root".to_owned())
    }

    /// The large files to be mounted, by path without a leading slash.
    pub fn large_files(&self) -> &BTreeMap<Bytes, LargeFile> {
        &self.large_files
    }

    /// Where a path of the laid-out tree leads; see [`Trees::resolve`].
    pub fn resolve(&mut self, path: &[u8]) -> Result<Option<(Bytes, Option<Node>)>, ExecError> {
        match self.laid {
            Some(root) => self.trees.resolve(root, path),
            None => Ok(None),
        }
    }

    /// The directory that holds the root.
    pub fn base(&self) -> BorrowedFd<'_> {
        self.base.as_fd()
    }

    fn root(&self) -> Result<OwnedFd, ExecError> {
        file::open_dir(self.base.as_fd(), &self.name).doing(|| "cannot open the root".to_owned())
    }

    fn change(&mut self, old: Option<TreeName>, new: TreeName) -> Result<(), ExecError> {
        let dir = self.root()?;
        let old = old.map(|name| self.trees.get(name)).transpose()?;
        let new = self.trees.get(new)?;
        self.change_dir(dir.as_fd(), old, &new, &mut Place::default())
    }

    fn change_dir(
        &mut self,
        dir: BorrowedFd<'_>,
        old: Option<Rc<Tree>>,
        new: &Tree,
        place: &mut Place,
    ) -> Result<(), ExecError> {
        if place.depth() > MAX_DEPTH {
            return Err(ExecError::TooDeep(MAX_DEPTH));
        }
        let was = |name: &[u8]| old.as_ref().and_then(|tree| tree.get(name));
        for (name, node) in old.iter().flat_map(|tree| tree.iter()) {
            match (node, new.get(name)) {
                (node, Some(other)) if node == other => {}
                (Node::Dir(_), Some(Node::Dir(_))) => {}
                _ => place.below(name, |place| self.remove(dir, name, node, place))?,
            }
        }
        for (name, node) in new.iter() {
            match (was(name), node) {
                (Some(other), node) if node == other => {}
                (Some(Node::Dir(from)), Node::Dir(to)) => place.below(name, |place| {
                    let inner = place.did(file::open_dir(dir, name))?;
                    let (from, to) = (self.trees.get(*from)?, self.trees.get(*to)?);
                    self.change_dir(inner.as_fd(), Some(from), &to, place)
                })?,
                _ => place.below(name, |place| self.create(dir, name, node, place))?,
            }
        }
        Ok(())
    }

    fn remove(&mut self, dir: BorrowedFd<'_>, name: &[u8], node: &Node, place: &mut Place) -> Result<(), ExecError> {
        match node {
            Node::Symlink(_) => place.did(file::unlink(dir, name)),
            Node::File(leaf) => {
                if self.large_files.remove(&place.path).is_some() {
                    place.did(file::unlink(dir, name))
                } else {
                    match kind_of(leaf) {
                        Some(kind) => place.did(self.pool.park(kind, dir, name)),
                        None => place.did(file::unlink(dir, name)),
                    }
                }
            }
            Node::Dir(tree) => {
                let inner = place.did(file::open_dir(dir, name))?;
                for (name, node) in self.trees.get(*tree)?.iter() {
                    place.below(name, |place| self.remove(inner.as_fd(), name, node, place))?;
                }
                place.did(file::remove_dir(dir, name))
            }
        }
    }

    fn create(&mut self, dir: BorrowedFd<'_>, name: &[u8], node: &Node, place: &mut Place) -> Result<(), ExecError> {
        match node {
            Node::Symlink(target) => place.did(file::make_link(dir, name, target)),
            Node::File(leaf) => self.create_file(dir, name, leaf, place),
            Node::Dir(tree) => {
                place.did(file::make_dir(dir, name, 0o755))?;
                let inner = place.did(file::open_dir(dir, name))?;
                let tree = self.trees.get(*tree)?;
                self.change_dir(inner.as_fd(), None, &tree, place)
            }
        }
    }

    fn create_file(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        leaf: &FileNode,
        place: &Place,
    ) -> Result<(), ExecError> {
        let Some(kind) = kind_of(leaf) else {
            return Err(ExecError::NotReduced { path: place.shown(), object: leaf.object.to_string() });
        };
        let Kind { object, mode, .. } = kind;
        let large = self.large == Large::Mounted && object.len() >= LARGE_BYTES;
        if large && leaf.mtime.is_none() {
            if !self.store.contains(&object)? {
                return Err(ExecError::NoObject { name: object, path: place.shown() });
            }
            place.did(file::create(dir, name, mode).map(drop))?;
            self.large_files.insert(place.path.clone(), LargeFile { object, mode });
            return Ok(());
        }
        if place.did(self.pool.take(kind, dir, name))? {
            return Ok(());
        }
        let mut copy = File::from(place.did(file::create(dir, name, mode))?);
        if !self.store.copy_to(&object, &mut copy)? {
            return Err(ExecError::NoObject { name: object, path: place.shown() });
        }
        let time = leaf.mtime.unwrap_or(SOME_TIME);
        place.did(file::set_time(copy.as_fd(), time.sec, time.nsec))
    }
}

/// What a leaf is laid out as; `None` if it is not reduced.
fn kind_of(leaf: &FileNode) -> Option<Kind> {
    match &leaf.object {
        ObjectName::Value(object) => Some(Kind { object: *object, mode: leaf.mode & 0o7777, mtime: leaf.mtime }),
        ObjectName::Output(_) => None,
    }
}

/// The path where the walk stands, for messages and for the list of large files.
#[derive(Default)]
pub(crate) struct Place {
    path: Bytes,
    depth: usize,
}

impl Place {
    fn below<T>(&mut self, name: &[u8], act: impl FnOnce(&mut Place) -> T) -> T {
        let len = self.path.len();
        if len > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        self.depth += 1;
        let result = act(self);
        self.depth -= 1;
        self.path.truncate(len);
        result
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn shown(&self) -> String {
        format!("/{}", String::from_utf8_lossy(&self.path))
    }

    fn did<T>(&self, result: std::io::Result<T>) -> Result<T, ExecError> {
        result.doing(|| format!("cannot lay out {}", self.shown()))
    }
}
