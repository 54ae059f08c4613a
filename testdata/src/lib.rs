//! Fixtures for gg's own tests: trees of files that are written and read back whole, and the binaries under test.
//! A dev-dependency only; it knows no other crate of the workspace.
#![forbid(unsafe_code)]

mod binary;
mod project;
mod tree;

pub use binary::binary;
pub use project::{Ended, Project, reset_stats, stats};
pub use tempfile::TempDir;
pub use tree::{Entry, Tree};

/// A fresh directory that is removed when dropped.
///
/// # Panics
/// If none can be made.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("gg-test.").tempdir().expect("a temporary directory")
}
