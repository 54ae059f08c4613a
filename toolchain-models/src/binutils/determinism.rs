//! Whether a tool leaves times and owners out of archives unless told otherwise: fixed when it was built, printed by `--help`.
//!
//! Knows nothing of the options of a call.

use std::path::Path;

use crate::derive::{derive, key_of};
use crate::ld::thin;
use crate::verdict::{Holds, Reason, ReasonKind};
use crate::world::World;

/// Asks the tool, once.
pub(crate) fn by_default(exe: &Path, world: &dyn World) -> Result<bool, Reason> {
    derive(world, &format!("deterministic 1\0{}", key_of(exe)), |world| {
        let io = |error| Reason::new(ReasonKind::Io, format!("{}: {error}", exe.display()));
        world.stat(exe).map_err(io)?;
        let argv = [exe.as_os_str().to_owned(), "--help".into()];
        let help = world.run(exe, &argv, &[("LC_ALL".into(), "C".into())], Path::new("/")).map_err(io)?;
        Ok(says_so(&help.stdout))
    })
}

/// The text at `-D` or `[D]`, up to that at `U`, ends in `(default)`.
fn says_so(help: &[u8]) -> bool {
    let help = String::from_utf8_lossy(help);
    let lines = help.lines().map(str::trim_start);
    let starts = |line: &&str, letter: char| {
        [format!("-{letter} "), format!("[{letter}]")].iter().any(|start| line.starts_with(start.as_str()))
    };
    let from_d = lines.skip_while(|line| !starts(line, 'D'));
    from_d.take_while(|line| !starts(line, 'U')).any(|line| line.contains("(default)"))
}

/// Whether the file is an archive; one that no model covers is refused.
pub(crate) fn archive(path: &Path, world: &dyn World) -> Result<bool, Reason> {
    let io = |error| Reason::new(ReasonKind::Io, format!("{}: {error}", path.display()));
    match world.promised(path).map_err(io)? {
        Some(Holds::Object) => return Ok(false),
        // A model made it, and so no thin one.
        Some(Holds::Archive) => return Ok(true),
        _ => {}
    }
    let bytes = world.read(path).map_err(io)?;
    if bytes.starts_with(thin::THIN_MAGIC) {
        return Err(Reason::new(ReasonKind::Footprint, format!("{} is a thin archive", path.display())));
    }
    Ok(bytes.starts_with(thin::MAGIC))
}

#[cfg(test)]
mod tests {
    use super::says_so;

    #[test]
    fn both_kinds_of_help() {
        assert!(says_so(b"  [D]          - use zero (default)\n  [U]          - use actual\n"));
        assert!(!says_so(b"  [D]          - use zero\n  [U]          - use actual (default)\n"));
        assert!(says_so(b"  -D --enable-deterministic-archives\n      Produce (default)\n  -U --disable\n"));
        assert!(!says_so(b"  -D --enable-deterministic-archives\n      Produce\n  -U --disable\n    (default)\n"));
    }
}
