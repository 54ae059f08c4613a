//! The flag shape of a call: what audits are counted by.
//!
//! Knows no options: who models a tool says which parts of a call make another shape.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gg_thunk::ValueName;

use crate::verdict::Reason;
use crate::world::World;

/// A shape's digest, in hexadecimal: of these tools as they are now (what an audit found of others says nothing of them), and of the
/// parts of a call.
pub(crate) fn of<'a>(
    tools: impl Iterator<Item = &'a PathBuf>,
    parts: impl Iterator<Item = &'a [u8]>,
    world: &dyn World,
) -> Result<String, Reason> {
    let mut described = Vec::new();
    for tool in tools {
        described.extend_from_slice(tool.as_os_str().as_bytes());
        if let Some(stat) = world.stat(tool).map_err(|error| Reason::io(tool, &error))? {
            described.extend_from_slice(format!("\0{} {}\0", stat.size, stat.mtime_ns).as_bytes());
        }
    }
    for part in parts {
        described.push(0);
        described.extend_from_slice(part);
    }
    Ok(ValueName::of(&described).digest().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}
