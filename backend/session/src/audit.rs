//! Holds a thunk against the real tool: what was read, what was written, what was said.
//!
//! The real tool has run in the live tree under the tracer; the thunk has run in its root. Everything the
//! tool read must be in the thunk's root, everything it wrote must be an output with the same bytes and
//! mode, messages and status must be equal. What the driver itself looks at to find its parts is no
//! input of the parts, which the thunk runs directly.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gg_force::trace::{AccessKind, Exit, Trace};
use gg_models::Holds;
use gg_store::{LocalStore, Record, Store as _};
use gg_thunk::{Node, Thunk, TreeName, ValueName};

use crate::SessionError;

/// Which thunks are audited, from `GG_AUDIT`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AuditPolicy {
    /// None.
    Off,
    /// The first thunk of each flag shape.
    First,
    /// Every thunk that is executed.
    All,
    /// The first of each shape, and this share of the rest, from 0 to 1.
    Sample(f64),
}

impl AuditPolicy {
    /// `first`, `all`, `off` or a fraction; `None` if it is none of these.
    pub fn parse(text: &[u8]) -> Option<AuditPolicy> {
        match text {
            b"" | b"first" => Some(AuditPolicy::First),
            b"all" => Some(AuditPolicy::All),
            b"off" => Some(AuditPolicy::Off),
            other => {
                let share: f64 = std::str::from_utf8(other).ok()?.parse().ok()?;
                (0.0..=1.0).contains(&share).then_some(AuditPolicy::Sample(share))
            }
        }
    }

    /// Whether this thunk is to be audited. A sample is drawn from the thunk's name: the same thunk is
    /// always in it or never.
    pub(crate) fn wants(self, thunk: &Thunk, shape_known: bool) -> bool {
        match self {
            AuditPolicy::Off => false,
            AuditPolicy::First => !shape_known,
            AuditPolicy::All => true,
            AuditPolicy::Sample(share) => {
                let name = thunk.name();
                let [a, b, ..] = name.digest();
                !shape_known || f64::from(u16::from_be_bytes([*a, *b])) < share * 65536.0
            }
        }
    }
}

/// One thing in which the thunk and the real tool differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    /// The tool read a file that the thunk's root does not hold.
    Read(PathBuf),
    /// The tool wrote a file that is no output of the thunk.
    Wrote(PathBuf),
    /// The tool removed a file that is neither an output nor its own.
    Removed(PathBuf),
    /// An output that the tool did not make, or made though the thunk did not.
    Made(PathBuf),
    /// An output with other bytes.
    Bytes(PathBuf),
    /// An output with another mode: the tool's, the thunk's.
    Mode(PathBuf, u32, u32),
    /// Other messages on the standard output.
    Stdout,
    /// Other messages on the standard error.
    Stderr,
    /// Another end: the tool's, the thunk's.
    Exit(String, String),
    /// The tool used the network.
    Network(PathBuf),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Read(path) => write!(f, "read, but not in the footprint: {}", path.display()),
            Difference::Wrote(path) => write!(f, "written, but no output: {}", path.display()),
            Difference::Removed(path) => write!(f, "removed: {}", path.display()),
            Difference::Made(path) => write!(f, "made by only one of tool and thunk: {}", path.display()),
            Difference::Bytes(path) => write!(f, "other bytes: {}", path.display()),
            Difference::Mode(path, real, thunk) => {
                write!(f, "other mode: {}: {real:o} by the tool, {thunk:o} by the thunk", path.display())
            }
            Difference::Stdout => f.write_str("other messages on standard output"),
            Difference::Stderr => f.write_str("other messages on standard error"),
            Difference::Exit(real, thunk) => write!(f, "ended with {real}, the thunk with {thunk}"),
            Difference::Network(path) => write!(f, "used the network: {}", path.display()),
        }
    }
}

/// What an audit found.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Finding {
    /// All differences, in order, each once.
    pub differences: BTreeSet<Difference>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.differences.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            difference.fmt(f)?;
        }
        Ok(())
    }
}

/// What the thunk came to, as far as an audit asks.
pub(crate) enum ThunkEnd<'a> {
    Done(&'a Record),
    Failed { exit: String, stderr: &'a [u8] },
}

/// What stood at the outputs' paths before the real tool ran.
pub(crate) struct Before {
    existing: BTreeMap<PathBuf, Looks>,
    absent: BTreeSet<PathBuf>,
}

/// Inode, size and time of change: another file, or other bytes, looks different.
type Looks = (u64, u64, i64, i64);

fn looks(path: &Path) -> Option<Looks> {
    let stat = path.symlink_metadata().ok()?;
    Some((stat.ino(), stat.size(), stat.ctime(), stat.ctime_nsec()))
}

impl Before {
    pub fn look(thunk: &Thunk) -> Before {
        let mut before = Before { existing: BTreeMap::new(), absent: BTreeSet::new() };
        for output in &thunk.outputs {
            let path = PathBuf::from(OsStr::from_bytes(&output.path));
            match looks(&path) {
                Some(looks) => _ = before.existing.insert(path, looks),
                None => _ = before.absent.insert(path),
            }
        }
        before
    }

    /// Removes what has changed since, as make does with the targets of a recipe that was interrupted.
    pub fn remove_changed(&self) {
        let changed = self.existing.iter().filter(|(path, then)| looks(path).is_some_and(|now| now != **then));
        for path in changed.map(|(path, _)| path).chain(&self.absent) {
            // What is not there is as it should be.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether a text has temporary names in it.
pub(crate) fn names_temporaries(text: &[u8]) -> bool {
    text.windows(5).any(|window| window == b"/tmp/") && without_temporaries(text) != text
}

/// The driver's temporary names are random, and a thunk's are its own; two native runs differ in them too. Of a pipe, which a
/// thunk has none of, the assembler says that it is standard input.
fn without_temporaries(text: &[u8]) -> Vec<u8> {
    const DIR: &[u8] = b"/tmp/";
    const PIPE: &[u8] = b"{standard input}:";
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let name = rest.strip_prefix(DIR).and_then(|name| {
            let taken = |n: usize, fits: fn(&u8) -> bool| name.get(2..2 + n).is_some_and(|part| part.iter().all(fits));
            let driver = name.starts_with(b"cc") && taken(6, u8::is_ascii_alphanumeric);
            let ours = name.starts_with(b"gg") && taken(4, u8::is_ascii_digit);
            if driver { Some(8) } else { ours.then_some(6) }
        });
        match name {
            Some(len) => {
                out.extend_from_slice(b"/tmp/TEMPORARY");
                at += DIR.len() + len;
            }
            None if rest.starts_with(PIPE) => {
                out.extend_from_slice(b"/tmp/TEMPORARY.s:");
                at += PIPE.len();
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Compares. `exe` is the tool that was called, `holds` what its outputs are to be.
pub(crate) fn compare(
    store: &LocalStore,
    thunk: &Thunk,
    holds: &[Holds],
    end: &ThunkEnd<'_>,
    trace: &Trace,
    exe: &Path,
    before: &Before,
) -> Result<Finding, SessionError> {
    let mut found = BTreeSet::new();
    match end {
        ThunkEnd::Done(record) => {
            if trace.exit != Exit::Code(0) {
                found.insert(Difference::Exit(trace.exit.to_string(), Exit::Code(0).to_string()));
            }
            if without_temporaries(&trace.stdout) != without_temporaries(&text(store, &record.stdout)?) {
                found.insert(Difference::Stdout);
            }
            if without_temporaries(&trace.stderr) != without_temporaries(&text(store, &record.stderr)?) {
                found.insert(Difference::Stderr);
            }
            if trace.exit == Exit::Code(0) {
                compare_outputs(store, thunk, holds, record, trace, before, &mut found)?;
            }
        }
        ThunkEnd::Failed { exit, stderr } => {
            // A tool that fails as well has the last word: only what it says must be the same.
            if trace.exit == Exit::Code(0) {
                let why = format!("{exit}: {}", String::from_utf8_lossy(stderr).lines().next().unwrap_or(""));
                found.insert(Difference::Exit(trace.exit.to_string(), why));
            } else if is_crash(stderr) && is_crash(&trace.stderr) {
                // Where it crashed gcc looks up in its own executable and in what debugging files there are.
                return Ok(Finding::default());
            }
        }
    }
    compare_footprint(store, thunk, trace, exe, &mut found)?;
    Ok(Finding { differences: found })
}

fn is_crash(stderr: &[u8]) -> bool {
    const SAID: &[u8] = b"internal compiler error";
    stderr.windows(SAID.len()).any(|words| words == SAID)
}

fn compare_outputs(
    store: &LocalStore,
    thunk: &Thunk,
    holds: &[Holds],
    record: &Record,
    trace: &Trace,
    before: &Before,
    found: &mut BTreeSet<Difference>,
) -> Result<(), SessionError> {
    let written = written(trace);
    for (at, output) in thunk.outputs.iter().enumerate() {
        let path = PathBuf::from(OsStr::from_bytes(&output.path));
        let real = std::fs::read(&path);
        match (record.outputs.get(&output.tag), real) {
            (Some(made), Ok(bytes)) => {
                let same = ValueName::of(&bytes) == made.object
                    || match holds.get(at) {
                        Some(Holds::Varying) => true,
                        // An assembler's listing has the name of its source.
                        Some(Holds::Text) => {
                            without_temporaries(&bytes) == without_temporaries(&text(store, &made.object)?)
                        }
                        _ => false,
                    };
                if !same {
                    found.insert(Difference::Bytes(path.clone()));
                }
                let mode = std::fs::metadata(&path).map_or(0, |meta| meta.permissions().mode() & 0o7777);
                // Who writes through leaves the mode of a file that was there; the thunk may not know it.
                let kept = output.writes == gg_thunk::Writes::Through && before.existing.contains_key(&path);
                if mode != made.mode && !kept {
                    found.insert(Difference::Mode(path, mode, made.mode));
                }
            }
            (Some(_), Err(_)) => {
                found.insert(Difference::Made(path));
            }
            (None, Ok(_)) if written.contains(&physical(&path)) => {
                found.insert(Difference::Made(path));
            }
            (None, _) => {}
        }
    }
    Ok(())
}

fn compare_footprint(
    store: &LocalStore,
    thunk: &Thunk,
    trace: &Trace,
    exe: &Path,
    found: &mut BTreeSet<Difference>,
) -> Result<(), SessionError> {
    let inputs = flatten(store, &thunk.root)?;
    let outputs = thunk.outputs.iter().map(|output| Path::new(OsStr::from_bytes(&output.path)));
    // What is written through a link, and the link itself, which may be removed.
    let outputs: BTreeSet<PathBuf> = outputs.flat_map(|path| [path.to_owned(), physical(path)]).collect();
    let written = written(trace);
    let driver = physical(exe);
    for access in trace.accesses.iter().filter(|access| access.found) {
        let path = physical(&access.path);
        let aside = outside_of_footprints(&path);
        match &access.kind {
            AccessKind::Read | AccessKind::Exec => {
                let known = inputs.contains_key(&path) || written.contains(&path) || path == driver;
                if !known && !aside && path.is_file() {
                    found.insert(Difference::Read(path));
                }
            }
            AccessKind::Network => {
                found.insert(Difference::Network(access.path.clone()));
            }
            _ => {}
        }
    }
    for access in trace.accesses.iter().filter(|access| access.found && access.kind == AccessKind::Remove) {
        let path = physical(&access.path);
        if !written.contains(&path) && !outputs.contains(&path) {
            found.insert(Difference::Removed(path));
        }
    }
    for path in written {
        // What is gone at the end was temporary.
        if path.exists() && !outputs.contains(&path) && !outside_of_footprints(&path) {
            found.insert(Difference::Wrote(path));
        }
    }
    Ok(())
}

/// Kernel interfaces, and what the dynamic loader looks at before any tool begins.
fn outside_of_footprints(path: &Path) -> bool {
    ["/dev", "/proc", "/sys"].iter().any(|dir| path.starts_with(dir))
        || path == Path::new("/etc/ld.so.cache")
        || path == Path::new("/etc/ld.so.preload")
}

fn written(trace: &Trace) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::new();
    for access in trace.accesses.iter().filter(|access| access.found) {
        match &access.kind {
            AccessKind::Write | AccessKind::Mkdir | AccessKind::Symlink { .. } => {
                paths.insert(physical(&access.path));
            }
            AccessKind::Rename { to } | AccessKind::Link { to } => {
                paths.insert(physical(to));
            }
            _ => {}
        }
    }
    paths
}

/// The path without links, also of a file that is gone.
fn physical(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(dir)), Some(name)) => dir.join(name),
        _ => path.to_owned(),
    }
}

/// Every file and link of a tree, by its absolute path.
pub(crate) fn flatten(store: &LocalStore, root: &TreeName) -> Result<BTreeMap<PathBuf, Node>, SessionError> {
    let mut all = BTreeMap::new();
    let mut todo = vec![(PathBuf::from("/"), *root)];
    while let Some((at, name)) = todo.pop() {
        let tree = store
            .get_tree(&name)?
            .ok_or_else(|| SessionError::Input { path: at.clone(), why: "its tree is not in the store" })?;
        for (entry, node) in tree.iter() {
            let path = at.join(OsStr::from_bytes(entry));
            if let Node::Dir(inner) = node {
                todo.push((path.clone(), *inner));
            }
            all.insert(path, node.clone());
        }
    }
    Ok(all)
}

/// The bytes of a value that a record names.
pub(crate) fn text(store: &LocalStore, name: &ValueName) -> Result<Vec<u8>, SessionError> {
    if name.len() == 0 {
        return Ok(Vec::new());
    }
    store
        .get(name)?
        .ok_or_else(|| SessionError::Input { path: store.object_path(name), why: "messages are gone from the store" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_no_difference() {
        let native = without_temporaries(b"/tmp/ccAb12xy.s:1: Warning /tmp/ccx /tmp/cc");
        assert_eq!(native, without_temporaries(b"/tmp/gg0000.s:1: Warning /tmp/ccx /tmp/cc"));
        assert_ne!(native, without_temporaries(b"/tmp/gg0000.s:2: Warning /tmp/ccx /tmp/cc"));
        assert_eq!(native, without_temporaries(b"{standard input}:1: Warning /tmp/ccx /tmp/cc"));
    }

    #[test]
    fn policies_are_the_words_of_the_manual() {
        assert_eq!(AuditPolicy::parse(b""), Some(AuditPolicy::First));
        assert_eq!(AuditPolicy::parse(b"all"), Some(AuditPolicy::All));
        assert_eq!(AuditPolicy::parse(b"0.25"), Some(AuditPolicy::Sample(0.25)));
        for bad in [&b"1.5"[..], b"-1", b"NaN", b"some", b"\xff"] {
            assert_eq!(AuditPolicy::parse(bad), None);
        }
    }
}
