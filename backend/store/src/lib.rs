//! The content-addressed store, the memo index and the digest cache of gg.
//!
//! This crate keeps bytes under the name of their content and remembers what forcing a thunk gave. It
//! knows nothing of compilers, of how thunks are run, or of remote stores (which implement [`Store`]).
//!
//! # Layout of a `GG_DIR`
//!
//! | path | what |
//! |---|---|
//! | `objects/xx/V…`, `objects/xx/T…` | values (trees are values) and thunks; `xx` is the first byte of the digest in hexadecimal; mode 0555, so that a private root can mount a compiler from here |
//! | `packs/…` | small objects that nobody asks for as files (thunks, trees, sources), many to a file that is appended to |
//! | `memo/xx/T…` | what forcing the reduced thunk `T…` gave: a line of checksum, then JSON |
//! | `pins/xx/V…` | where a large file of the system lies that stands for this value, and which file it was |
//! | `digests/log` | the digest cache: fixed-size records, appended |
//! | `tmp/` | files that are being written, named after the process that writes |
//! | `quarantine/` | what was found corrupt, for diagnosis; the first thing that gc removes |
//! | `run/leases/` | a locked file for each session that relies on objects; `run/gc.lock` |
//!
//! # What is promised
//!
//! - But for logs and packs a file reaches its name only by `rename`, complete: a process that is killed leaves nothing but a
//!   file in `tmp/`, which the next [`LocalStore::open`] or [`LocalStore::gc`] sweeps once its writer is gone.
//! - Objects are *not* synced to disk one by one. After a power cut an object may be short, empty or
//!   wrong; that is found by length whenever its presence is asked, by hash whenever it is read, and the
//!   object is then set aside in `quarantine/` and treated as absent, so that the next `put` restores it.
//!   A pack that holds a wrong object is set aside whole; what was cut off at its end was never there.
//! - Any number of processes may use one `GG_DIR`.
//! - The use time of an object is its access time, set explicitly, at most once in [`TOUCH_GRAIN`].
//!   A pack's is its modification time.
//!   [`LocalStore::gc`] evicts by it, and never what was used since a living [`Lease`] was taken.

mod digest;
mod error;
mod gc;
mod identity;
mod layout;
mod lease;
mod local;
mod memo;
mod owner;
mod pack;
mod pin;
mod record;
mod sys;
mod temp;
mod verify;

pub use digest::{DigestCache, Ingested};
pub use error::StoreError;
pub use gc::GcReport;
pub use identity::{Identity, Observed};
pub use layout::sharded;
pub use lease::Lease;
pub use local::{LocalStore, TOUCH_GRAIN, Vouched};
pub use memo::Memo;
pub use pin::LEAST_PINNED;
pub use record::{Made, Record};
pub use verify::VerifyReport;

use gg_thunk::ValueName;

/// What every operation of a store answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A place that keeps values by name, be it a directory or a remote service.
pub trait Store: Send + Sync {
    /// Keeps these bytes and gives their name.
    fn put(&self, bytes: &[u8]) -> Result<ValueName>;
    /// The bytes of this name, with their hash checked; `None` if they are not here, or were corrupt.
    fn get(&self, name: &ValueName) -> Result<Option<Vec<u8>>>;
    /// Whether the value is here, as far as can be told without reading it. Counts as a use.
    fn contains(&self, name: &ValueName) -> Result<bool>;
}
