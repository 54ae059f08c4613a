//! Runs one thunk in a private root and collects what it wrote.
//!
//! A [`Slot`] is a process of its own that keeps a root laid out between thunks, so that the next one
//! costs only what differs. The root holds the thunk's tree, an empty `/tmp` and a small `/dev`, and
//! nothing else; how it is made depends on what the machine allows ([`RootKind`]). Steps see the
//! environment, the working directory and the umask of the thunk and the caller's uid, no network (in
//! namespaces), no descriptor but `/dev/null`, their standard output and their standard error.
//! `/proc` is there only if the tree has a directory of that name (and only in namespaces).
//!
//! Modes and contents are those of the tree's leaves, directories have mode 755; each path is a file of
//! its own. Two things differ from a plain copy: a file whose time the tree does not give has one and
//! the same time everywhere, and a file of 1 MiB or more that has no time given and is no output shows
//! mode 555 in namespaces (it is a read-only mount of the store's object).
//!
//! A slot of the kind [`RootKind::OverHost`] shows the host's files below the tree as well, and still lets
//! nothing be written to them. Its evidence is not sealed.
//!
//! The crate knows neither compilers nor memo, and does not judge what it has seen ([`Evidence`]).

mod cancel;
mod error;
mod evidence;
mod layout;
mod root;
mod runner;
pub mod slot;
pub mod status;
mod sys;
pub mod trace;
mod wire;

pub use cancel::Cancel;
pub use error::ExecError;
pub use evidence::{Evidence, Made, RootKind, Usage};
pub use slot::{Limits, SLOT_ARGS, Slot, SlotOptions};
pub use status::Exit;
