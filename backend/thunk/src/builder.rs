//! Builds a tree from single paths.

use std::collections::BTreeMap;

use crate::Bytes;
use crate::error::Error;
use crate::name::TreeName;
use crate::tree::{Node, Tree};

/// A tree in the making.
#[derive(Clone, Debug)]
pub struct TreeBuilder {
    /// The root comes first.
    dirs: Vec<Under>,
}

#[derive(Clone, Debug, Default)]
struct Under {
    above: usize,
    entries: BTreeMap<Bytes, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Dir(usize),
    Leaf(Node),
}

/// A directory of a [`TreeBuilder`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewDir(usize);

impl Default for TreeBuilder {
    fn default() -> Self {
        Self { dirs: vec![Under::default()] }
    }
}

impl TreeBuilder {
    /// The root of every tree.
    pub const ROOT: NewDir = NewDir(0);

    /// An empty directory.
    pub fn new() -> TreeBuilder {
        TreeBuilder::default()
    }

    /// A directory's own, which is made if need be.
    ///
    /// Refused: one where something else stands.
    pub fn enter(&mut self, dir: NewDir, name: &[u8]) -> Result<NewDir, Error> {
        match self.dirs[dir.0].entries.get(name) {
            Some(Entry::Dir(number)) => Ok(NewDir(*number)),
            Some(Entry::Leaf(_)) => {
                let shown = crate::error::shown(name);
                Err(Error::malformed("tree", format!("{shown:?} is no directory, but something is below it")))
            }
            None => {
                let number = self.dirs.len();
                self.dirs.push(Under { above: dir.0, entries: BTreeMap::new() });
                self.dirs[dir.0].entries.insert(name.to_vec(), Entry::Dir(number));
                Ok(NewDir(number))
            }
        }
    }

    /// The directory above; the root is its own.
    pub fn above(&self, dir: NewDir) -> NewDir {
        NewDir(self.dirs[dir.0].above)
    }

    /// Makes sure that there is a directory, and those on the way to it. The path is given as its parts, from the root.
    ///
    /// Refused: a path through something that is no directory.
    pub fn dir(&mut self, path: &[Bytes]) -> Result<NewDir, Error> {
        path.iter().try_fold(Self::ROOT, |dir, name| self.enter(dir, name))
    }

    /// Puts a file, a link or a whole tree at a path, over what was there, and makes the directories on the way.
    ///
    /// Refused: the root itself, a directory in the making, and a path through something that is no directory.
    pub fn put(&mut self, path: &[Bytes], node: Node) -> Result<(), Error> {
        let (name, dirs) = path.split_last().ok_or_else(|| Error::malformed("tree", "a node in place of the root"))?;
        let dir = self.dir(dirs)?;
        self.place(dir, name, node)
    }

    /// Puts a file, a link or a whole tree into a directory, over what was there.
    ///
    /// Refused: in place of a directory that is in the making.
    pub fn place(&mut self, dir: NewDir, name: &[u8], node: Node) -> Result<(), Error> {
        let entries = &mut self.dirs[dir.0].entries;
        if let Some(Entry::Dir(_)) = entries.get(name) {
            let shown = crate::error::shown(name);
            return Err(Error::malformed("tree", format!("{shown:?} is a directory, and something else")));
        }
        entries.insert(name.to_vec(), Entry::Leaf(node));
        Ok(())
    }

    /// Hands every directory to `keep`, those below before those above, and gives the root's name.
    pub fn build<E: From<Error>>(&self, keep: &mut dyn FnMut(&Tree) -> Result<TreeName, E>) -> Result<TreeName, E> {
        self.build_dir(&self.dirs[0], keep)
    }

    fn build_dir<E: From<Error>>(
        &self,
        dir: &Under,
        keep: &mut dyn FnMut(&Tree) -> Result<TreeName, E>,
    ) -> Result<TreeName, E> {
        let mut tree = Tree::new();
        for (name, entry) in &dir.entries {
            let node = match entry {
                Entry::Dir(inner) => Node::Dir(self.build_dir(&self.dirs[*inner], keep)?),
                Entry::Leaf(node) => node.clone(),
            };
            tree.insert(name.clone(), node)?;
        }
        keep(&tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_one_by_one() {
        let mut builder = TreeBuilder::new();
        let usr = builder.enter(TreeBuilder::ROOT, b"usr").unwrap();
        let lib = builder.enter(usr, b"lib").unwrap();
        builder.place(lib, b"a", Node::Symlink(b"b".to_vec())).unwrap();
        assert!(builder.clone().place(usr, b"lib", Node::Symlink(b"b".to_vec())).is_err());
        assert_eq!(builder.enter(usr, b"lib"), Ok(lib));
        assert_eq!(builder.dir(&[b"usr".to_vec(), b"lib".to_vec()]), Ok(lib));
        assert!(builder.enter(lib, b"a").is_err());
        assert_eq!((builder.above(lib), builder.above(TreeBuilder::ROOT)), (usr, TreeBuilder::ROOT));
    }

    #[test]
    fn directories_come_with_what_is_in_them() {
        let path = |text: &str| -> Vec<Bytes> { text.split('/').map(|part| part.as_bytes().to_vec()).collect() };
        let mut builder = TreeBuilder::new();
        builder.dir(&path("usr/include")).unwrap();
        builder.put(&path("usr/lib/a"), Node::Symlink(b"b".to_vec())).unwrap();
        builder.dir(&path("usr/lib")).unwrap();
        assert!(builder.put(&path("usr/lib/a/x"), Node::Symlink(b"b".to_vec())).is_err());
        assert!(builder.put(&[], Node::Symlink(b"b".to_vec())).is_err());
        let mut kept = Vec::new();
        let root = builder.build(&mut |tree: &Tree| -> Result<TreeName, Error> {
            kept.push(tree.clone());
            Ok(tree.name())
        });
        let mut lib = Tree::new();
        lib.insert("a", Node::Symlink(b"b".to_vec())).unwrap();
        let mut usr = Tree::new();
        usr.insert("include", Node::Dir(Tree::new().name())).unwrap();
        usr.insert("lib", Node::Dir(lib.name())).unwrap();
        let mut whole = Tree::new();
        whole.insert("usr", Node::Dir(usr.name())).unwrap();
        assert_eq!(root, Ok(whole.name()));
        assert_eq!(kept, [Tree::new(), lib, usr, whole]);
    }
}
