//! What keeps a thunk from being run at all, or a slot from being started.

use std::io;

use gg_thunk::{TreeName, ValueName};

use crate::evidence::RootKind;

/// Why a slot could not be started or a root not be laid out. A step that fails is no such error: it is
/// part of the [`Evidence`](crate::Evidence).
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// A call of the system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// No kind of root could be made, or not the one that was asked for.
    #[error("no {kind} root can be made here: {why}")]
    Refused {
        /// The kind.
        kind: RootKind,
        /// What stands against it.
        why: String,
    },
    /// The slot's process ended, or said what is not of the protocol.
    #[error("the slot was lost: {0}")]
    Lost(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] gg_store::StoreError),
    /// The thunk or a tree of its is not well-formed.
    #[error(transparent)]
    Thunk(#[from] gg_thunk::Error),
    /// A tree that the store does not hold.
    #[error("the store does not hold {0:?}")]
    NoTree(TreeName),
    /// A file that the store does not hold.
    #[error("the store does not hold {name}, which is to stand at {path:?}")]
    NoObject {
        /// The object.
        name: ValueName,
        /// Where it was to stand.
        path: String,
    },
    /// A leaf that is still the output of a thunk.
    #[error("the thunk is not reduced: {path:?} is still {object}")]
    NotReduced {
        /// Where the leaf stands.
        path: String,
        /// What it is.
        object: String,
    },
    /// Directories in directories, more than any real tree has.
    #[error("the tree is over {0} directories deep")]
    TooDeep(usize),
}

/// Says what was being done when the system refused.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ExecError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ExecError> {
        self.map_err(|source| ExecError::Io { what: what(), source })
    }
}
