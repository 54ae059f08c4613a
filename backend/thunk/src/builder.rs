//! Builds a tree from single paths.

use std::collections::BTreeMap;

use crate::Bytes;
use crate::error::Error;
use crate::name::TreeName;
use crate::tree::{Node, Tree};

/// A directory in the making. Paths are given as their parts, from the root.
#[derive(Clone, Debug, Default)]
pub struct TreeBuilder {
    entries: BTreeMap<Bytes, Place>,
}

#[derive(Clone, Debug)]
enum Place {
    Dir(TreeBuilder),
    Leaf(Node),
}

impl TreeBuilder {
    /// An empty directory.
    pub fn new() -> TreeBuilder {
        TreeBuilder::default()
    }

    /// Makes sure that there is a directory, and those on the way to it.
    ///
    /// Refused: a path through something that is no directory.
    pub fn dir(&mut self, path: &[Bytes]) -> Result<(), Error> {
        self.at(path).map(|_| ())
    }

    /// Puts a file, a link or a whole tree at a path, over what was there, and makes the directories on the way.
    ///
    /// Refused: the root itself, and a path through something that is no directory.
    pub fn put(&mut self, path: &[Bytes], node: Node) -> Result<(), Error> {
        let (name, dirs) = path.split_last().ok_or_else(|| Error::malformed("tree", "a node in place of the root"))?;
        self.at(dirs)?.entries.insert(name.clone(), Place::Leaf(node));
        Ok(())
    }

    /// Hands every directory to `keep`, those below before those above, and gives the root's name.
    pub fn build<E: From<Error>>(&self, keep: &mut dyn FnMut(&Tree) -> Result<TreeName, E>) -> Result<TreeName, E> {
        let mut tree = Tree::new();
        for (name, place) in &self.entries {
            let node = match place {
                Place::Dir(inner) => Node::Dir(inner.build(keep)?),
                Place::Leaf(node) => node.clone(),
            };
            tree.insert(name.clone(), node)?;
        }
        keep(&tree)
    }

    fn at(&mut self, path: &[Bytes]) -> Result<&mut TreeBuilder, Error> {
        let mut here = self;
        for part in path {
            if !here.entries.contains_key(part) {
                here.entries.insert(part.clone(), Place::Dir(TreeBuilder::new()));
            }
            let Some(Place::Dir(inner)) = here.entries.get_mut(part) else {
                let shown = crate::error::shown(part);
                return Err(Error::malformed("tree", format!("{shown:?} is no directory, but something is below it")));
            };
            here = inner;
        }
        Ok(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
