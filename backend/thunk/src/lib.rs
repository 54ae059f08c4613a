//! Object names, trees, thunks and placeholders of gg, with their canonical encoding.
//!
//! This crate knows what these things are and how they are written down; it does no I/O, and knows
//! neither stores nor compilers.
//!
//! # Names
//!
//! An object is named by its content, as in the gg paper (USENIX ATC '19, section 3.1): a letter, the
//! SHA-256 of the content in 43 characters of URL-safe base64 without padding, in which `-` is
//! written `.`, and the length of the content in bytes as at least 8 lower-case hexadecimal digits
//! (more only if the length needs them). `V` names a value; `T` names what forcing a thunk gives, the
//! hash and the length being those of the thunk's encoding, and `#tag` behind it names one output.
//!
//! # Encoding
//!
//! Thunks and trees are written as JSON in exactly one way: keys sorted, no white space, numbers as
//! plain integers, strings with `serde_json`'s minimal escapes. A byte string that is UTF-8 is a JSON
//! string; one that is not is `{"bytes":"<base64>"}` (standard alphabet, padded). Decoding encodes
//! what it read again and refuses anything that does not give the same bytes back, so that one thing
//! has one name.
//!
//! A tree: `{"entries":[[NAME,NODE],…],"gg":"tree/1"}`, entries sorted by the bytes of their names,
//! where NODE is `{"dir":V…}`, `{"link":TARGET}`, or `{"file":OBJECT,"mode":M}` with, where the time
//! matters, `"mtime":[SECONDS,NANOSECONDS]`.
//!
//! A thunk: `{"cwd":PATH,"env":[[NAME,VALUE],…],"gg":"thunk/1","outputs":[OUTPUT,…],"root":V…,
//! "steps":[{"argv":[…],"exe":PATH},…]}`, with `"umask":M` unless it is 0o022. An OUTPUT is
//! `{"path":PATH,"tag":TAG}` with `"optional":true` if it need not be made and `"writes":"through"` if
//! the tool writes into what stands at the path instead of replacing it. Outputs keep their order;
//! environment variables are sorted by the bytes of their names.
//!
//! A placeholder is the text `#!/usr/bin/env gg-force-and-run`, a newline, the name `T…#tag`, a newline.

mod builder;
mod error;
mod json;
mod name;
mod placeholder;
mod thunk;
mod tree;

pub use builder::{NewDir, TreeBuilder};
pub use error::Error;
pub use json::from_bytes as bytes_to_json;
pub use name::{NameHasher, ObjectName, OutputName, Tag, ThunkName, TreeName, ValueName};
pub use placeholder::Placeholder;
pub use thunk::{MAX_THUNK_BYTES, Output, Step, Thunk, Writes};
pub use tree::{FileNode, MAX_TREE_BYTES, Node, Timestamp, Tree};

/// A byte string: an argument, a path, a variable. Never assumed to be UTF-8.
pub type Bytes = Vec<u8>;
