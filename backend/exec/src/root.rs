//! The kinds of private roots: what a slot prepares for each thunk, how a runner enters it, and how it
//! is made clean again.

mod chroot;
mod namespaces;
mod over_host;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use gg_store::LocalStore;
use gg_thunk::Thunk;

use crate::error::{Doing, ExecError};
use crate::evidence::RootKind;
use crate::wire::Setup;
use chroot::Chroot;
use namespaces::{Mounts, Namespaces};

/// Makes a directory that nobody else may enter, whatever the umask, unless it is there.
fn make_private(path: &Path) -> Result<(), ExecError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.doing(|| format!("cannot make {}", path.display()))
}

/// What a slot keeps between thunks.
pub(crate) enum Root {
    Namespaces(Box<Namespaces>),
    Chroot(Box<Chroot>),
    Native,
}

/// What a runner needs in order to enter a root that is prepared.
pub(crate) enum Entry {
    Namespaces(Mounts),
    Chroot(Vec<u8>),
    Native,
}

impl Root {
    /// Makes a root of this kind. When this fails, the process may have left its namespaces and is of no
    /// further use.
    pub fn make(setup: &Setup, store: LocalStore) -> Result<Root, ExecError> {
        Ok(match setup.kind {
            RootKind::Namespaces | RootKind::OverHost => Root::Namespaces(Box::new(Namespaces::make(setup, store)?)),
            RootKind::Chroot => Root::Chroot(Box::new(Chroot::make(setup, store)?)),
            RootKind::Native => Root::Native,
        })
    }

    pub fn kind(&self) -> RootKind {
        match self {
            Root::Namespaces(root) => root.kind(),
            Root::Chroot(_) => RootKind::Chroot,
            Root::Native => RootKind::Native,
        }
    }

    /// Lays out the thunk's tree.
    pub fn prepare(&mut self, thunk: &Thunk) -> Result<Entry, ExecError> {
        Ok(match self {
            Root::Namespaces(root) => Entry::Namespaces(root.prepare(thunk)?),
            Root::Chroot(root) => Entry::Chroot(root.prepare(thunk)?),
            Root::Native => Entry::Native,
        })
    }

    /// Whether all that the entry shows is still what it was when it was prepared.
    pub fn still_holds(&self, entry: &Entry) -> Result<bool, ExecError> {
        match (self, entry) {
            (Root::Namespaces(root), Entry::Namespaces(mounts)) => root.still_holds(mounts),
            _ => Ok(true),
        }
    }

    /// Removes what the last thunk's steps wrote; no process of theirs may be left.
    pub fn clean(&mut self) -> Result<(), ExecError> {
        match self {
            Root::Namespaces(root) => root.clean(),
            Root::Chroot(root) => root.clean(),
            Root::Native => Ok(()),
        }
    }
}

impl Entry {
    /// The namespaces that the runner is to be born into.
    pub fn namespaces(&self) -> libc::c_int {
        match self {
            Entry::Namespaces(_) => libc::CLONE_NEWNS | libc::CLONE_NEWPID,
            _ => 0,
        }
    }

    /// Makes the prepared root the caller's own; in the live tree nothing changes. Says what of the host
    /// should be seen there and is not, each with the reason.
    pub fn enter(&self) -> io::Result<Vec<String>> {
        match self {
            Entry::Namespaces(mounts) => mounts.enter(),
            Entry::Chroot(path) => chroot::enter(path).map(|()| Vec::new()),
            Entry::Native => Ok(Vec::new()),
        }
    }

    /// Whether the steps run in a root of their own.
    pub fn private(&self) -> bool {
        !matches!(self, Entry::Native)
    }
}
