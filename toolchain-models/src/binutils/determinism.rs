//! What a tool's own `--help` says of how it was built: whether it leaves times and owners out of archives unless told
//! otherwise, and whether `l` takes a value.
//!
//! Knows nothing of the options of a call.

use std::path::Path;

use crate::derive::{derive, key_of};
use crate::verdict::Reason;
use crate::world::World;

/// Whether times and owners are left out.
pub(crate) fn by_default(exe: &Path, world: &dyn World) -> Result<bool, Reason> {
    ask(exe, world, "deterministic", says_so)
}

/// Whether the archiver's `l` takes the dependencies of a library; it once took nothing, and did nothing.
pub(crate) fn records_dependencies(exe: &Path, world: &dyn World) -> Result<bool, Reason> {
    ask(exe, world, "libdeps", |help| String::from_utf8_lossy(help).contains("--record-libdeps"))
}

/// Asks the tool, once.
fn ask(exe: &Path, world: &dyn World, what: &str, answer: impl FnOnce(&[u8]) -> bool) -> Result<bool, Reason> {
    derive(world, &format!("{what} 1\0{}", key_of(exe)), |world| {
        let io = |error| Reason::io(exe, &error);
        world.stat(exe).map_err(io)?;
        let argv = [exe.as_os_str().to_owned(), "--help".into()];
        let help = world.run(exe, &argv, &[("LC_ALL".into(), "C".into())], Path::new("/")).map_err(io)?;
        Ok(answer(&help.stdout))
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
