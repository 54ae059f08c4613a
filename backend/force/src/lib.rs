//! The coordinator: reduces a graph of thunks, schedules it on engines, remembers results.
//!
//! This crate knows thunks, the store, the memo and engines by their trait. It knows nothing of
//! compilers, of shims and of the files of a build: who asks puts the outputs where they belong.
//!
//! # Reduction
//!
//! A thunk whose tree holds `T…#tag` leaves is *reduced*: each such thunk is forced first, and its leaf
//! becomes the value that was made, with the mode that was made. What an optional output did not make
//! is left out of the tree. The name of the reduced thunk is the key of the memo, so a change that
//! leaves intermediate bytes as they were goes no further (early cut-off).
//!
//! # Outputs that are thunks
//!
//! An output whose whole content is a [placeholder](gg_thunk::Placeholder) `T…#tag` *is* that output of
//! that thunk: the coordinator forces `T…` in turn, and the record it answers holds the value and mode
//! found at the end of the chain. Nothing else redirects: a file that merely looks like a thunk is data.
//!
//! The thunks that a run creates travel as outputs of its own. When at least one output is a
//! placeholder, every output that is the canonical encoding of a thunk is kept as that thunk `T…`. Trees
//! need no such rule, as they are values. So a step that returns `add(fib(n-1), fib(n-2))` writes two
//! thunks to outputs `left` and `right`, their trees and the tree of the addition to further outputs,
//! the addition itself to an output `sum` (all of them optional), and to its output `out` the
//! placeholder `T<sum>#out`; at the end of the recursion it writes a plain value to `out` and nothing
//! else. The memo holds what the run itself made, that is the placeholder.
//!
//! # Failure
//!
//! A step that fails is evidence, not an error of this crate. Only a run that exited with 0, made every
//! output that is not optional, and was sealed from the rest of the machine enters the memo.

mod cancel;
mod coordinator;
mod counters;
mod engine;
mod graph;
mod history;
mod outcome;
mod queue;
mod recall;
mod recorder;
mod redirect;
mod reduce;
mod request;
mod scan;
mod shared;

pub use cancel::Cancel;
pub use coordinator::{Coordinator, CoordinatorOptions, ForceOptions};
pub use counters::Counters;
pub use engine::local::LocalEngine;
pub use engine::site::{Ground, Site};
pub use engine::{Done, Engine, Finished, Job, JobId};
/// What a run shows and a slot refuses, and a real tool under a tracer, for audits; here because sessions know executors only
/// through this crate.
pub use gg_exec::{Evidence, ExecError, Exit, Made, RootKind, Usage, trace};
pub use outcome::{Event, Forced, Outcome, Progress};
pub use recorder::judge;
