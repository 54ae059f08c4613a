//! Models of the toolchain: which files a compiler, assembler, archiver or linker call reads and writes.
//!
//! Knows nothing of stores, thunks' names or engines; sees files and processes only through [`World`].

mod archive;
mod binutils;
mod closure;
mod derive;
mod directives;
mod driver;
mod ld;
mod memory;
mod models;
pub mod options;
mod probe;
mod request;
mod scan;
mod shape;
mod verdict;
mod world;

pub use directives::Directives;
pub use models::{Models, makes_thunks};
pub use request::Request;
pub use verdict::{Holds, Inference, Input, OutputSpec, Reason, ReasonKind, Verdict};
pub use world::{FileKind, RunOutput, Stat, World};
