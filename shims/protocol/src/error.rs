//! Why a frame or a connection was refused.
//!
//! Knows nothing of what is done about it: a shim runs the real tool, a session drops the caller.

use std::{fmt, io};

/// Why a frame or a connection was refused.
#[derive(Debug)]
pub enum Error {
    /// The connection could not be made, read or written.
    Io(io::Error),
    /// The other side ended the connection where a frame could have begun.
    Closed,
    /// The other side ended the connection inside a frame.
    Truncated,
    /// The bytes are not a frame of this protocol.
    NotAFrame,
    /// The other side speaks this version.
    Version(u32),
    /// A frame of another kind than the one that is due.
    Kind(u8),
    /// The body is, or would be, longer than allowed.
    TooLong {
        /// Its length.
        length: u64,
        /// The longest that is allowed.
        limit: u32,
    },
    /// The body does not hold what it should; the name of the field.
    Malformed(&'static str),
    /// The socket's directory, or the process that listens, belongs to somebody else.
    NotOurs,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "connection: {error}"),
            Self::Closed => f.write_str("connection ended before a frame"),
            Self::Truncated => f.write_str("connection ended inside a frame"),
            Self::NotAFrame => f.write_str("not a frame of the gg protocol"),
            Self::Version(theirs) => write!(f, "protocol version {theirs}, not {}", crate::VERSION),
            Self::Kind(kind) => write!(f, "unexpected kind of frame {:?}", char::from(*kind)),
            Self::TooLong { length, limit } => write!(f, "frame of {length} bytes, at most {limit} are allowed"),
            Self::Malformed(field) => write!(f, "malformed frame: {field}"),
            Self::NotOurs => f.write_str("the session's socket belongs to another user or is open to others"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
