//! Undoing what steps wrote where they wrote into the laid-out tree itself (chroot).

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};

use gg_thunk::{Node, Tree};

use super::{Layout, Place};
use crate::error::{Doing, ExecError};
use crate::sys::file;

impl Layout {
    /// A moment before which nothing that runs from now on can have changed a file here.
    pub fn moment(&self) -> Result<i128, ExecError> {
        let probe = || -> std::io::Result<i128> {
            drop(file::create(self.base(), b"moment", 0o600)?);
            let status = file::status(self.base(), b"moment")?;
            file::unlink(self.base(), b"moment")?;
            Ok(status.map_or(0, |status| status.ctime_ns))
        };
        probe().doing(|| "cannot read the clock of the root's file system".to_owned())
    }

    /// Brings the directory back to what is laid out: what came is removed, what went comes back,
    /// what was changed at `since` or later is laid out again.
    pub fn sweep(&mut self, since: i128) -> Result<(), ExecError> {
        let Some(laid) = self.laid.take() else {
            return self.reset();
        };
        let swept = self.root().and_then(|dir| {
            let tree = self.trees.get(laid)?;
            self.sweep_dir(dir.as_fd(), &tree, since, &mut Place::default())
        });
        match swept {
            Ok(()) => {
                self.laid = Some(laid);
                Ok(())
            }
            Err(_) => self.reset(),
        }
    }

    fn sweep_dir(&mut self, dir: BorrowedFd<'_>, tree: &Tree, since: i128, place: &mut Place) -> Result<(), ExecError> {
        let mut there = HashSet::new();
        for name in place.did(file::list(dir))? {
            let name = name.into_bytes();
            if tree.get(&name).is_none() {
                place.did(file::remove_all(dir, &name))?;
            } else {
                there.insert(name);
            }
        }
        for (name, node) in tree.iter() {
            let found = if there.contains(name) { place.did(file::status(dir, name))? } else { None };
            place.below(name, |place| {
                let Some(found) = found else {
                    return self.create(dir, name, node, place);
                };
                match node {
                    Node::Dir(tree) if found.is_dir() => {
                        if found.permissions() != 0o755 {
                            place.did(file::change_mode(dir, name, 0o755))?;
                        }
                        let inner = place.did(file::open_dir(dir, name))?;
                        let tree = self.trees.get(*tree)?;
                        return self.sweep_dir(inner.as_fd(), &tree, since, place);
                    }
                    Node::File(_) if found.is_file() && found.ctime_ns < since => return Ok(()),
                    Node::Symlink(target)
                        if found.is_symlink() && place.did(file::read_link(dir, name))? == *target =>
                    {
                        return Ok(());
                    }
                    _ => {}
                }
                place.did(file::remove_all(dir, name))?;
                self.create(dir, name, node, place)
            })?;
        }
        Ok(())
    }
}
