//! How binutils write a file, by what stands at its path.
//!
//! Knows no tool's options.

use std::io;
use std::path::Path;

use gg_thunk::Writes;

use crate::verdict::{Holds, Input, OutputSpec, Reason, ReasonKind};
use crate::world::{FileKind, Stat, World};

/// A file that is written: its output, and an input where the tool looks at what stands there.
pub(crate) struct Written {
    /// The output.
    pub output: OutputSpec,
    /// The file as it is, for a tool that keeps its mode.
    pub input: Option<Input>,
}

/// An object, an executable, an archive written anew: BFD unlinks what is there, unless it is empty or a link that leads
/// nowhere; then it writes into it, and its mode counts, or that of what is made.
pub(crate) fn by_bfd(tag: &str, path: &Path, holds: Holds, world: &dyn World) -> Result<OutputSpec, Reason> {
    let stat = writable(path, world)?;
    // Also where it leads somewhere: it may be another the next time.
    let link = is_link(path, world)?;
    if stat.map_or(link, |stat| stat.size == 0) {
        let what = format!("{}: is there, and empty", path.display());
        return Err(Reason::new(ReasonKind::OutputKind, what));
    }
    Ok(spec(tag, path, Writes::Replace, holds))
}

/// A text written with C's `fopen`.
pub(crate) fn by_stdio(tag: &str, path: &Path, holds: Holds, world: &dyn World) -> Result<OutputSpec, Reason> {
    writable(path, world)?;
    Ok(spec(tag, path, Writes::Through, holds))
}

/// A file that is read, and then written over; its mode stays.
pub(crate) fn in_place(tag: &str, path: &Path, holds: Holds, world: &dyn World) -> Result<Written, Reason> {
    match regular(path, world)? {
        None => Err(Reason::new(ReasonKind::Input, format!("{} not found", path.display()))),
        Some(stat) if stat.mode & 0o200 == 0 => {
            Err(Reason::new(ReasonKind::OutputKind, format!("{} is read-only", path.display())))
        }
        Some(_) => Ok(Written {
            output: spec(tag, path, Writes::Through, holds),
            input: Some(Input::InPlace(path.to_owned())),
        }),
    }
}

fn spec(tag: &str, path: &Path, writes: Writes, holds: Holds) -> OutputSpec {
    OutputSpec { tag: tag.to_owned(), path: path.to_owned(), optional: false, writes, holds }
}

/// What stands at the path of a file whose mode or content counts, if that is a regular file or nothing; the directory must be there.
pub(crate) fn regular(path: &Path, world: &dyn World) -> Result<Option<Stat>, Reason> {
    file_or_nothing(path, world.stat(path), world)
}

/// The same of a file that is written and not looked at further.
fn writable(path: &Path, world: &dyn World) -> Result<Option<Stat>, Reason> {
    file_or_nothing(path, world.stat_output(path), world)
}

fn file_or_nothing(path: &Path, found: io::Result<Option<Stat>>, world: &dyn World) -> Result<Option<Stat>, Reason> {
    match found.map_err(|error| Reason::io(path, &error))? {
        Some(found) if found.kind == FileKind::File => Ok(Some(found)),
        Some(_) => Err(Reason::new(ReasonKind::OutputKind, path.to_string_lossy())),
        None => {
            let Some(dir) = path.parent() else { return Err(Reason::new(ReasonKind::Input, "no directory for /")) };
            match world.stat(dir).map_err(|error| Reason::io(dir, &error))? {
                Some(dir) if dir.kind == FileKind::Dir => Ok(None),
                _ => Err(Reason::new(ReasonKind::Input, format!("no directory for {}", path.display()))),
            }
        }
    }
}

/// Whether a symbolic link stands at the path of an output.
pub(crate) fn is_link(path: &Path, world: &dyn World) -> Result<bool, Reason> {
    let stat = world.lstat_output(path).map_err(|error| Reason::io(path, &error))?;
    Ok(stat.is_some_and(|stat| stat.kind == FileKind::Symlink))
}
