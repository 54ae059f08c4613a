//! The record of what a model was told of the file system, and whether it still holds.
//!
//! A call that comes again gives the same thunk if every look-up its model made would be answered as it
//! was. Directories are held by kind, or by their names where they were listed; what is only to be written
//! by kind (models ask whether something other than a file is in the way); files by their state, or by their
//! content where the content was taken.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gg_models::{FileKind, Stat};
use gg_thunk::{Bytes, NameHasher, ValueName};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::by_path::{ByPath, split};
use crate::sys;

/// How a path was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Look {
    /// The file itself, links not followed.
    Own,
    /// What links lead to.
    Followed,
    /// The names in a directory.
    Listed,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Found {
    Absent,
    /// A directory on the way may not be entered.
    Denied,
    Dir,
    Other,
    /// Whatever is there, so long as it is no directory, link or device, nor an empty file: into that some tools write.
    AnyFileOrNone,
    /// The names in a directory, sorted, by their digest.
    Names([u8; 32]),
    Link(Bytes),
    File {
        mode: u32,
        state: State,
        /// The digest of its content, where that was taken.
        content: Option<[u8; 32]>,
    },
    /// A link that leads to nothing.
    Nowhere,
}

/// What changes with a file's content, or with a directory's names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    dev: u64,
    ino: u64,
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
}

impl State {
    pub fn of(stat: &Stat) -> State {
        let Stat { dev, ino, size, mtime_ns, ctime_ns, .. } = *stat;
        State { dev, ino, size, mtime_ns, ctime_ns }
    }
}

/// One look-up and its answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    pub path: Bytes,
    pub look: Look,
    pub found: Found,
}

/// Names that a directory did not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Absent {
    dir: Bytes,
    /// The directory's state: while it is the same, so are its names. None if it was changed so shortly before the
    /// look-ups that a later change could leave the same times, or if its file system may not change them.
    state: Option<State>,
    names: Vec<Bytes>,
}

/// A name that a directory does not have, as it was looked for.
pub(crate) struct Lacked {
    pub name: OsString,
    pub look: Look,
    /// It was looked for by somebody who is to write there.
    pub written: bool,
}

/// All look-ups of one inference, each once.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Evidence {
    items: Vec<Item>,
    absent: Vec<Absent>,
    /// Whether modification times count where the content is known, because the thunk has them.
    times: bool,
}

/// A directory's times prove its names if they are this much older than the first look-up. File systems with coarser
/// clocks are two seconds off at most.
pub(crate) const SETTLED_NS: i128 = 3_000_000_000;

impl Evidence {
    /// Gathers look-ups, and names that directories lacked, each as it was looked for. `begun` is the time before the first of
    /// them, in nanoseconds since 1970. `times`: modification times count too. `known`: what directories were before the look-ups,
    /// as far as that is known.
    pub fn gather<'a>(
        items: impl Iterator<Item = Item>,
        lacked: impl Iterator<Item = (&'a Path, &'a [Lacked])>,
        begun: i128,
        times: bool,
        known: &dyn Fn(&Path) -> Option<There>,
    ) -> Evidence {
        let mut kept = Vec::with_capacity(items.size_hint().0);
        let mut dirs: ByPath<Vec<Bytes>> = ByPath::default();
        let mut there: ByPath<There> = ByPath::default();
        let mut nowhere: BTreeSet<Bytes> = BTreeSet::new();
        for item in items {
            let path = Path::new(OsStr::from_bytes(&item.path));
            match item.found {
                Found::Absent => match first_absent(path, &mut there, known) {
                    Lack::Name(dir, name) => {
                        let name = name.as_bytes().to_vec();
                        match dirs.get_mut(dir.as_os_str()) {
                            Some(names) => names.push(name),
                            None => drop(dirs.insert(dir.as_os_str().to_owned(), vec![name])),
                        }
                    }
                    Lack::Nowhere(link) => drop(nowhere.insert(link.as_os_str().as_bytes().to_vec())),
                },
                _ => kept.push(item),
            }
        }
        let nowhere = nowhere.into_iter().map(|path| Item { path, look: Look::Followed, found: Found::Nowhere });
        kept.extend(nowhere);
        for (dir, lacked) in lacked {
            let (written, others): (Vec<&Lacked>, Vec<&Lacked>) = lacked.iter().partition(|lacked| lacked.written);
            for Lacked { name, look, .. } in written {
                let path = dir.join(name).into_os_string().into_vec();
                kept.push(Item { path, look: *look, found: Found::AnyFileOrNone });
            }
            if !others.is_empty() {
                let names = dirs.entry(dir.as_os_str().to_owned()).or_default();
                names.extend(others.into_iter().map(|lacked| lacked.name.as_bytes().to_vec()));
            }
        }
        let mut dirs: Vec<(OsString, Vec<Bytes>)> = dirs.into_iter().collect();
        dirs.sort_unstable();
        let mut timed: FxHashMap<u64, bool> = FxHashMap::default();
        let absent = dirs.into_iter().map(|(dir, mut names)| {
            names.sort_unstable();
            names.dedup();
            let stat = match there.get(&dir) {
                Some(There::Dir(stat)) => Some(*stat),
                None if let Some(There::Dir(stat)) = known(Path::new(&dir)) => Some(stat),
                _ => look(Path::new(&dir), Look::Followed).ok().flatten(),
            };
            let settled = |stat: &Stat| begun - stat.mtime_ns.max(stat.ctime_ns) > SETTLED_NS;
            let mut is_timed =
                |stat: &Stat| *timed.entry(stat.dev).or_insert_with(|| sys::names_are_timed(Path::new(&dir)));
            let state = stat.filter(|stat| settled(stat) && is_timed(stat)).map(|stat| State::of(&stat));
            Absent { dir: dir.into_vec(), state, names }
        });
        let absent = absent.collect();
        Evidence { items: kept, absent, times }
    }

    /// Whether every look-up would be answered as it was.
    #[cfg(test)]
    pub fn holds(&self, content: &dyn Fn(&Path, &Stat) -> Option<ValueName>) -> bool {
        self.change(&[], content).is_none()
    }

    /// A path of which another answer would be given now. `source`: the paths of one file of whose bytes somebody else knows
    /// that they have changed; `content` gives a file's value by its state, reading it if need be.
    pub fn change(&self, source: &[&Path], content: &dyn Fn(&Path, &Stat) -> Option<ValueName>) -> Option<PathBuf> {
        if let Some(path) = self.absent.iter().find_map(Absent::appeared) {
            return Some(path);
        }
        let other = |item: &&Item| {
            let path = Path::new(OsStr::from_bytes(&item.path));
            let is_source = matches!(item.found, Found::File { .. }) && source.contains(&path);
            !is_source && !item.holds(content, self.times)
        };
        self.items.iter().find(other).map(|item| PathBuf::from(OsStr::from_bytes(&item.path)))
    }

    /// The same look-ups, where the file at the paths of one source has other bytes and nothing else has changed. None if it was no
    /// file, or is another now in other ways.
    pub fn with_other_bytes(&self, source: &[&Path], stat: &Stat, value: &ValueName) -> Option<Evidence> {
        let mut evidence = self.clone();
        if evidence.times {
            return None;
        }
        for item in &mut evidence.items {
            if !source.contains(&Path::new(OsStr::from_bytes(&item.path))) {
                continue;
            }
            match &mut item.found {
                Found::File { mode, state, content } if *mode == stat.mode => {
                    *state = State::of(stat);
                    *content = Some(*value.digest());
                }
                Found::Link(_) => {}
                _ => return None,
            }
        }
        Some(evidence)
    }

    /// A path of which another answer would be given now, among files that were there and that no run of the tool itself changes,
    /// as it does these outputs.
    pub fn changed_besides(
        &self,
        outputs: &[PathBuf],
        content: &dyn Fn(&Path, &Stat) -> Option<ValueName>,
    ) -> Option<PathBuf> {
        let inputs = self.items.iter().filter(|item| matches!(item.found, Found::File { .. } | Found::Link(_)));
        let changed = inputs.filter(|item| !item.holds(content, self.times));
        let mut paths = changed.map(|item| PathBuf::from(OsStr::from_bytes(&item.path)));
        paths.find(|path| {
            let is_output = |path: &PathBuf| outputs.contains(path);
            !is_output(path) && !path.canonicalize().is_ok_and(|path| is_output(&path))
        })
    }

    /// Whether there is such a path, also of paths where there was nothing.
    pub fn appeared_or_changed(
        &self,
        outputs: &[PathBuf],
        content: &dyn Fn(&Path, &Stat) -> Option<ValueName>,
    ) -> bool {
        let appeared = |absent: &Absent| absent.appeared_besides(outputs).is_some();
        self.absent.iter().any(appeared) || self.changed_besides(outputs, content).is_some()
    }
}

/// What stands where a directory is meant.
#[derive(Clone, Copy)]
pub(crate) enum There {
    Absent,
    /// A link that leads to nothing.
    Nowhere,
    Dir(Stat),
    Unknown,
}

/// Why nothing is at a path.
enum Lack<'p> {
    /// This directory lacks this name.
    Name(&'p Path, &'p OsStr),
    /// This link leads to nothing.
    Nowhere(&'p Path),
}

/// The first part of an absent path that is absent: while that is not there, nothing below it is.
fn first_absent<'p>(path: &'p Path, there: &mut ByPath<There>, known: &dyn Fn(&Path) -> Option<There>) -> Lack<'p> {
    let mut at = path;
    while let Some((dir, name)) = split(at) {
        let found = match there.get(dir.as_os_str()) {
            Some(known) => *known,
            None => {
                let found = known(dir).unwrap_or_else(|| standing(dir));
                there.insert(dir.as_os_str().to_owned(), found);
                found
            }
        };
        match found {
            There::Absent => at = dir,
            There::Nowhere => return Lack::Nowhere(dir),
            There::Dir(_) | There::Unknown => return Lack::Name(dir, name),
        }
    }
    // A path that ends in `..` has no name of its own; it is looked up whole.
    Lack::Name(path, OsStr::new(""))
}

fn standing(dir: &Path) -> There {
    match look(dir, Look::Followed) {
        Ok(Some(stat)) => There::Dir(stat),
        Ok(None) if matches!(look(dir, Look::Own), Ok(Some(_))) => There::Nowhere,
        Ok(None) => There::Absent,
        Err(_) => There::Unknown,
    }
}

impl Absent {
    /// One of the names that may be there now.
    fn appeared(&self) -> Option<PathBuf> {
        self.appeared_besides(&[])
    }

    /// One that is none of these.
    fn appeared_besides(&self, known: &[PathBuf]) -> Option<PathBuf> {
        let dir = Path::new(OsStr::from_bytes(&self.dir));
        if let Some(state) = &self.state
            && let Ok(Some(now)) = look(dir, Look::Followed)
            && State::of(&now) == *state
        {
            return None;
        }
        let path = |name: &Bytes| match name.as_slice() {
            b"" => dir.to_owned(),
            name => dir.join(OsStr::from_bytes(name)),
        };
        self.names.iter().map(path).find(|path| !known.contains(path) && !matches!(look(path, Look::Own), Ok(None)))
    }
}

impl Item {
    fn holds(&self, content: &dyn Fn(&Path, &Stat) -> Option<ValueName>, times: bool) -> bool {
        let path = Path::new(OsStr::from_bytes(&self.path));
        if self.look == Look::Listed {
            return list(path).is_ok_and(|names| names_found(names.as_deref()) == self.found);
        }
        let now = match look(path, self.look) {
            Ok(now) => now,
            Err(e) => return e.kind() == io::ErrorKind::PermissionDenied && self.found == Found::Denied,
        };
        match (&self.found, now) {
            (Found::Absent | Found::Nowhere, None) => true,
            (Found::AnyFileOrNone, now) => now.is_none_or(|stat| stat.kind == FileKind::File && stat.size > 0),
            (Found::Dir, Some(stat)) => stat.kind == FileKind::Dir,
            (Found::Other, Some(stat)) => stat.kind == FileKind::Other,
            (Found::Link(to), Some(stat)) => {
                stat.kind == FileKind::Symlink
                    && std::fs::read_link(path).is_ok_and(|now| now.as_os_str().as_bytes() == to)
            }
            (Found::File { mode, state, content: taken }, Some(stat)) => {
                let same = stat.kind == FileKind::File && stat.mode == *mode && stat.size == state.size;
                if !same || (times && stat.mtime_ns != state.mtime_ns) {
                    return false;
                }
                match taken {
                    // A state that was seen within the clock's grain says nothing: the cache behind
                    // `content` keeps no such state, and reads.
                    Some(digest) => content(path, &stat) == Some(ValueName::new(*digest, stat.size)),
                    None => State::of(&stat) == *state,
                }
            }
            _ => false,
        }
    }
}

/// The state of a path; `None` where there is none.
pub(crate) fn look(path: &Path, look: Look) -> io::Result<Option<Stat>> {
    let result = match look {
        Look::Own => std::fs::symlink_metadata(path),
        Look::Followed | Look::Listed => std::fs::metadata(path),
    };
    unless_absent(result).map(|meta| meta.as_ref().map(stat_of))
}

/// The names in a directory, sorted by their bytes; `None` where there is none.
pub(crate) fn list(path: &Path) -> io::Result<Option<Vec<OsString>>> {
    let Some(entries) = unless_absent(std::fs::read_dir(path))? else { return Ok(None) };
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(Some(names))
}

/// What a listing is kept as.
pub(crate) fn names_found(names: Option<&[OsString]>) -> Found {
    let Some(names) = names else { return Found::Absent };
    let mut hasher = NameHasher::new();
    for name in names {
        hasher.update(name.as_bytes());
        // A name holds no '/': two listings never run together.
        hasher.update(b"/");
    }
    Found::Names(*hasher.value_name().digest())
}

fn unless_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The part of the metadata that counts.
pub(crate) fn stat_of(meta: &std::fs::Metadata) -> Stat {
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Dir
    } else if meta.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    };
    let ns = |sec: i64, nsec: i64| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    Stat {
        kind,
        mode: meta.mode() & 0o7777,
        size: meta.size(),
        dev: meta.dev(),
        ino: meta.ino(),
        mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &Path, found: Found) -> Item {
        Item { path: path.as_os_str().as_bytes().to_vec(), look: Look::Own, found }
    }

    #[test]
    fn evidence_holds_until_an_answer_changes() {
        let dir = std::env::temp_dir().join(format!("gg-evidence-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join(OsStr::from_bytes(b"a\xff.h"));
        std::fs::write(&file, "x").unwrap();
        let stat = look(&file, Look::Own).unwrap().unwrap();
        let state = State { dev: 0, ino: 0, size: stat.size, mtime_ns: 0, ctime_ns: 0 };
        let taken = Found::File { mode: stat.mode, state, content: Some(*ValueName::of(b"x").digest()) };
        let read = |path: &Path, _: &Stat| Some(ValueName::of(&std::fs::read(path).unwrap()));
        let items = vec![
            item(&file, taken),
            item(&dir.join("gone.h"), Found::Absent),
            item(&dir.join("bits/deep/gone.h"), Found::Absent),
            item(&dir, Found::Dir),
            item(&dir.join("a.o"), Found::AnyFileOrNone),
        ];
        // The directory was made just now: only look-ups an hour from now may trust its times.
        let hour = i128::from(3600u32) * 1_000_000_000;
        let evidence = Evidence::gather(items.clone().into_iter(), std::iter::empty(), stat.mtime_ns, false, &|_| None);
        let timed = Evidence::gather(items.clone().into_iter(), std::iter::empty(), stat.mtime_ns, true, &|_| None);
        let settled = Evidence::gather(items.into_iter(), std::iter::empty(), stat.mtime_ns + hour, false, &|_| None);
        assert_eq!(evidence.absent.len(), 1, "what is below an absent directory goes without saying");
        assert_eq!(evidence.absent[0].names, [b"bits".to_vec(), b"gone.h".to_vec()]);
        assert!(evidence.absent[0].state.is_none() && settled.absent[0].state.is_some());
        let text = postcard::to_stdvec(&evidence).unwrap();
        assert_eq!(postcard::from_bytes::<Evidence>(&text).unwrap(), evidence);
        assert!(settled.holds(&read));
        assert!(evidence.holds(&read), "another inode with the same bytes is the same file");
        assert!(!timed.holds(&read), "but its time may be another");
        std::fs::write(dir.join("a.o"), "").unwrap();
        assert!(!evidence.holds(&read), "an empty output is written into");
        std::fs::write(dir.join("a.o"), "object").unwrap();
        assert!(evidence.holds(&read), "an output may be there");
        std::fs::write(&file, "y").unwrap();
        assert_eq!(evidence.change(&[], &read), Some(file.clone()), "other bytes of the same size");
        std::fs::write(&file, "x").unwrap();
        std::fs::write(dir.join("gone.h"), "").unwrap();
        assert_eq!(
            evidence.change(&[], &read),
            Some(dir.join("gone.h")),
            "a header that was not there shadows another"
        );
        assert!(!settled.holds(&read), "the directory's times have changed");
        std::fs::remove_file(dir.join("gone.h")).unwrap();
        assert!(settled.holds(&read), "the names are as they were");
        std::fs::create_dir_all(dir.join("bits")).unwrap();
        assert!(!evidence.holds(&read), "where a directory appears, anything may be in it");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
