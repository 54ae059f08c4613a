//! What can be wrong with a name, a tree, a thunk or a placeholder.

/// Why something was refused. Each message names what is wrong and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that is not of the form the crate's documentation gives.
    #[error("not an object name: {text:?}: {why}")]
    Name {
        /// What was read, as far as it can be shown.
        text: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A tag with a character that has no place in one, or none at all.
    #[error("not an output tag: {0:?}: one to 64 of A-Z a-z 0-9 . _ + - are allowed")]
    Tag(String),
    /// The name of a tree's entry that could leave the tree, or that no file can have.
    #[error("not the name of a tree's entry: {name:?}: {why}")]
    EntryName {
        /// The name, as far as it can be shown.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A path that is not absolute, or that could leave the tree it belongs to.
    #[error("{what} {path:?}: {why}")]
    Path {
        /// What the path is for, as in `thunk's cwd`.
        what: &'static str,
        /// The path, as far as it can be shown.
        path: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A text that is not JSON, is cut short, or does not have the fields of what it should be.
    #[error("not a {what}: {why}")]
    Malformed {
        /// What it should have been: `thunk`, `tree`, `placeholder`.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Well-formed, but not written in the one canonical way.
    #[error("not a {what} in canonical form: it reads as one, but encodes to other bytes")]
    NotCanonical {
        /// What it should have been.
        what: &'static str,
    },
    /// More bytes than are accepted.
    #[error("{what} of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// What it should have been.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl Error {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Error {
        Error::Malformed { what, why: why.into() }
    }
}

/// At most 200 bytes of something hostile, fit to be shown.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(200)];
    let mut text = String::from_utf8_lossy(cut).into_owned();
    if cut.len() < bytes.len() {
        text.push('…');
    }
    text
}
