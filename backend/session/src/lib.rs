//! Serves shims: a request comes in, a model writes down what the tool would do, the coordinator forces
//! it or finds it in the memo, and the outputs are put where the tool would have put them.
//!
//! One session is one background process per `GG_DIR`, started by the first shim that finds none and
//! gone when idle, or a part of a process that leads a build and is served for that build only
//! ([`server`]). It holds what is costly to learn again: lexed headers, plans, digests.
//!
//! | module | its job |
//! |---|---|
//! | [`server`] | the socket, the threads, the idle exit |
//! | `open` | store, memo and engines, opened by name |
//! | `session` | one call from request to reply |
//! | `world` | the file system as models see it, every answer recorded |
//! | `look` | paths looked at, one by one or by way of their directories |
//! | `by_path` | maps by a path's bytes |
//! | `recall` | what models keep over requests |
//! | `listings` | the names in directories, so that what is not there needs no look |
//! | `paths` | `PATH` without the shims |
//! | `evidence` | the record of those answers, and whether they still hold |
//! | `calls` | the thunk that a call gave, while its evidence holds |
//! | `ingest` | paths of an inference into objects, trees and a thunk |
//! | `processor` | for which processor a call is kept |
//! | `place` | outputs to their paths, the way the tool writes them |
//! | `audit` | when to run the real tool under the tracer too, and what counts as a difference |
//! | `shapes` | what audits found, per flag shape |
//! | [`lead`] | a build whose commands are led to a session of its own |
//! | `issued` | the placeholders that this `GG_DIR` vouches for |
//! | `journal` | one line a call, and the sums of them |
//! | `said` | errors as they are told |

mod ahead;
mod audit;
mod by_path;
mod caller;
mod calls;
mod checked;
mod evidence;
mod foresight;
mod hangup;
mod ingest;
mod issued;
mod journal;
pub mod lead;
mod limits;
mod listings;
mod look;
mod open;
mod paths;
mod place;
mod placeholders;
mod processor;
mod readers;
mod recall;
mod said;
pub mod server;
mod session;
mod shapes;
mod shell;
mod sys;
mod world;

pub use audit::{AuditPolicy, Difference, Finding};
/// Which `GG_DIR` is meant, and where real tools are; here because front ends know the protocol only through this crate.
pub use gg_protocol::{gg_dir, real_tool, user_dir};
pub use issued::Issued;
pub use journal::{Details, Journal, Log, Stats};
pub use open::Opening;
pub use placeholders::Held;
pub use said::said;
pub use session::{
    Audited, Described, Early, Found, LATE_FAILURE, Late, LateFailure, Options, OverHost, STORE_FULL, Session, Unsealed,
};
pub use shapes::{Forgotten, forget as forget_verdicts};
pub use sys::free_bytes;
pub use world::{Explained, LookedUp};

/// What sessions keep in a `GG_DIR` beside the store and can do without: directories of shards.
pub fn caches(gg_dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let own = [gg_dir.join("calls"), gg_dir.join("plans"), late_failures(gg_dir)];
    own.into_iter().chain(Issued::caches(gg_dir)).collect()
}

/// Where it is noted which thunks have failed after their calls were answered.
fn late_failures(gg_dir: &std::path::Path) -> std::path::PathBuf {
    gg_dir.join("late-failures")
}

/// What can go wrong in a session. It never reaches a caller: the real tool runs instead, and the log says why.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] gg_store::StoreError),
    /// No slot could be started.
    #[error("starting a slot: {0}")]
    Slot(#[from] gg_force::ExecError),
    /// A name, a tree or a thunk is not as it must be.
    #[error(transparent)]
    Thunk(#[from] gg_thunk::Error),
    /// A file could not be looked at, read or written.
    #[error("{what} {path}: {source}", path = path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// Where.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program of gg's own.
    #[error("{} is missing", .0.display())]
    Missing(std::path::PathBuf),
    /// An input is not what the model said it is.
    #[error("{path}: {why}", path = path.display())]
    Input {
        /// Which.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl SessionError {
    pub(crate) fn io(what: &'static str, path: &std::path::Path, source: std::io::Error) -> SessionError {
        SessionError::Io { what, path: path.to_owned(), source }
    }
}
