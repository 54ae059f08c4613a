//! What the runs of objcopy read and write that take debugging information out of a fresh object (`-gsplit-dwarf`).
//!
//! Knows these two forms of its command line only.

use std::ffi::OsString;
use std::path::Path;

use gg_thunk::Writes;

use super::builder::Builder;
use crate::verdict::{Holds, Reason, ReasonKind};

/// Adds the step: `argv` with `argv[0]`.
pub(crate) fn add(builder: &mut Builder<'_>, exe: &Path, argv: &[OsString]) -> Result<(), Reason> {
    let unknown = || Reason::new(ReasonKind::Plan, "an objcopy of another form");
    let (object, split) = match argv.get(1..).unwrap_or_default() {
        [how, object, split] if how == "--extract-dwo" => (object, Some(split)),
        [how, object] if how == "--strip-dwo" => (object, None),
        _ => return Err(unknown()),
    };
    if !builder.is_made(object) {
        return Err(unknown());
    }
    builder.step(exe, argv)?;
    match split {
        Some(split) => builder.output(split, Writes::Replace, Holds::Binary),
        None => Ok(()),
    }
}
