//! What can go wrong in a store, sorted by what a caller would do about it. Knows no recovery itself.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space, quota or permitted file size is left.
    #[error("{} {}: {source}", StoreError::NO_ROOM, path.display())]
    Full {
        /// The file that was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is mounted read-only.
    #[error("{} is on a read-only file system", path.display())]
    ReadOnly {
        /// The file that was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The user may not do this there.
    #[error("permission denied: {}", path.display())]
    Denied {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Any other answer of the system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was to be stored is no regular file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file changed each time that it was read.
    #[error("{} keeps changing while it is read", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// The object is whole, but is not what its user takes it for.
    #[error("object {name} is not a well-formed {wanted}: {source}")]
    Malformed {
        /// The object's name.
        name: String,
        /// What it was taken for.
        wanted: &'static str,
        /// What is wrong with it.
        source: gg_thunk::Error,
    },
}

impl StoreError {
    /// How the message of [`StoreError::Full`] begins, for who gets it as text from another process.
    pub const NO_ROOM: &str = "no room to write";

    /// Sorts a system error that arose at this path.
    pub fn at(path: &Path, source: io::Error) -> StoreError {
        let path = path.to_owned();
        match source.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => StoreError::Full { path, source },
            Some(libc::EROFS) => StoreError::ReadOnly { path, source },
            Some(libc::EACCES | libc::EPERM) => StoreError::Denied { path, source },
            _ => StoreError::Io { path, source },
        }
    }
}

/// Adds the path to a system error.
pub(crate) trait AtPath<T> {
    fn at(self, path: &Path) -> Result<T, StoreError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::at(path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_are_sorted_by_what_one_would_do() {
        let sort = |errno| StoreError::at(Path::new("/some/where"), io::Error::from_raw_os_error(errno));
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            assert!(matches!(sort(errno), StoreError::Full { .. }), "{errno}");
        }
        assert!(matches!(sort(libc::EROFS), StoreError::ReadOnly { .. }));
        assert!(matches!(sort(libc::EACCES), StoreError::Denied { .. }));
        assert!(matches!(sort(libc::EIO), StoreError::Io { .. }));
        assert!(sort(libc::EROFS).to_string().contains("/some/where"));
    }
}
