//! The record of what a model was told of the file system, and whether it still holds.
//!
//! A call that comes again gives the same thunk if every look-up its model made would be answered as it
//! was. Directories are held by kind, or by their names where they were listed; what is only to be written
//! by kind (models ask whether something other than a file is in the way); files by their state, or by their
//! content where the content was taken.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_models::{FileKind, Stat};
use gg_thunk::{Bytes, NameHasher, ValueName};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::by_path::{ByPath, split};
use crate::look::{Look, Place, Way, list, look};
use crate::sys;

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
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub path: Bytes,
    pub look: Look,
    pub found: Found,
}

/// What was looked up in one directory.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct InDir {
    /// The directory as it was spelled; empty for paths that have no name in one, which are kept whole.
    dir: Bytes,
    names: Vec<Name>,
    /// Names that it did not have; an empty one says that it is itself not there.
    absent: Vec<Bytes>,
    /// The directory's state: while it is the same, so are the names that it does not have. None if it was changed so shortly
    /// before the look-ups that a later change could leave the same times, or if its file system may not change them.
    state: Option<State>,
}

/// One look-up in a directory and its answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Name {
    name: Bytes,
    look: Look,
    found: Found,
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
    /// By their spelling, so that those below a directory come after it.
    dirs: Vec<InDir>,
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
        let mut dirs: ByPath<InDir> = ByPath::default();
        let mut there: ByPath<There> = ByPath::default();
        let mut nowhere: BTreeSet<Bytes> = BTreeSet::new();
        for Item { path, look, found } in items {
            let path = Path::new(OsStr::from_bytes(&path));
            match found {
                Found::Absent => match first_absent(path, &mut there, known) {
                    Lack::Name(dir, name) => in_dir(&mut dirs, dir).absent.push(name.as_bytes().to_vec()),
                    Lack::Nowhere(link) => drop(nowhere.insert(link.as_os_str().as_bytes().to_vec())),
                },
                found => note(&mut dirs, path, look, found),
            }
        }
        for link in nowhere {
            note(&mut dirs, Path::new(OsStr::from_bytes(&link)), Look::Followed, Found::Nowhere);
        }
        for (dir, lacked) in lacked {
            let seen = in_dir(&mut dirs, dir);
            for Lacked { name, look, written } in lacked {
                let name = name.as_bytes().to_vec();
                if *written {
                    seen.names.push(Name { name, look: *look, found: Found::AnyFileOrNone });
                } else {
                    seen.absent.push(name);
                }
            }
        }
        let mut dirs: Vec<InDir> = dirs.into_values().collect();
        dirs.sort_unstable_by(|a, b| a.dir.cmp(&b.dir));
        let mut timed: FxHashMap<u64, bool> = FxHashMap::default();
        for seen in dirs.iter_mut().filter(|seen| !seen.absent.is_empty()) {
            let dir = Path::new(OsStr::from_bytes(&seen.dir));
            seen.absent.sort_unstable();
            seen.absent.dedup();
            let stat = match there.get(dir.as_os_str()) {
                Some(There::Dir(stat)) => Some(*stat),
                None if let Some(There::Dir(stat)) = known(dir) => Some(stat),
                _ => look(dir, Look::Followed).ok().flatten(),
            };
            let settled = |stat: &Stat| begun - stat.mtime_ns.max(stat.ctime_ns) > SETTLED_NS;
            let mut is_timed = |stat: &Stat| *timed.entry(stat.dev).or_insert_with(|| sys::names_are_timed(dir));
            seen.state = stat.filter(|stat| settled(stat) && is_timed(stat)).map(|stat| State::of(&stat));
        }
        Evidence { dirs, times }
    }

    /// Whether every look-up would be answered as it was.
    #[cfg(test)]
    pub fn holds(&self, content: &dyn Fn(&Path, &Stat) -> Option<ValueName>) -> bool {
        self.change(&[], content).is_none()
    }

    /// A path of which another answer would be given now. `source`: the paths of one file of whose bytes somebody else knows
    /// whether they have changed; `content` gives a file's value by its state, reading it if need be.
    pub fn change(&self, source: &[&Path], content: &dyn Fn(&Path, &Stat) -> Option<ValueName>) -> Option<PathBuf> {
        let mut way = Way::default();
        self.dirs.iter().find_map(|seen| {
            let place = seen.place(&mut way);
            let other = |name: &&Name| !name.is_of(&place, source) && !name.holds(&place, content, self.times);
            seen.appeared(&place, &[]).or_else(|| seen.names.iter().find(other).map(|name| name.path(&place)))
        })
    }

    /// A path of which another answer would be given now, among files that were there and that no run of the tool itself changes,
    /// as it does these outputs. `source`: as for [`Evidence::change`].
    pub fn changed_besides(
        &self,
        outputs: &[PathBuf],
        source: &[&Path],
        content: &dyn Fn(&Path, &Stat) -> Option<ValueName>,
    ) -> Option<PathBuf> {
        let mut way = Way::default();
        self.dirs.iter().find_map(|seen| {
            let place = seen.place(&mut way);
            let inputs = seen.names.iter().filter(|name| matches!(name.found, Found::File { .. } | Found::Link(_)));
            let changed = inputs.filter(|name| !name.is_of(&place, source) && !name.holds(&place, content, self.times));
            changed.map(|name| name.path(&place)).find(|path| {
                let is_output = |path: &PathBuf| outputs.contains(path);
                !is_output(path) && !path.canonicalize().is_ok_and(|path| is_output(&path))
            })
        })
    }

    /// Whether there is such a path, also of paths where there was nothing.
    pub fn appeared_or_changed(
        &self,
        outputs: &[PathBuf],
        source: &[&Path],
        content: &dyn Fn(&Path, &Stat) -> Option<ValueName>,
    ) -> bool {
        let mut way = Way::default();
        let appeared = |seen: &InDir| seen.appeared(&seen.place(&mut way), outputs).is_some();
        self.dirs.iter().any(appeared) || self.changed_besides(outputs, source, content).is_some()
    }
}

fn in_dir<'d>(dirs: &'d mut ByPath<InDir>, dir: &Path) -> &'d mut InDir {
    if !dirs.contains_key(dir.as_os_str()) {
        let seen = InDir { dir: dir.as_os_str().as_bytes().to_vec(), ..InDir::default() };
        dirs.insert(dir.as_os_str().to_owned(), seen);
    }
    dirs.get_mut(dir.as_os_str()).expect("it was put there")
}

fn note(dirs: &mut ByPath<InDir>, path: &Path, look: Look, found: Found) {
    // A slash at the end has links followed that would not be.
    let is_whole = |(dir, name): &(&Path, &OsStr)| dir.join(name).as_os_str() == path.as_os_str();
    let (dir, name) = split(path).filter(is_whole).unwrap_or((Path::new(""), path.as_os_str()));
    in_dir(dirs, dir).names.push(Name { name: name.as_bytes().to_vec(), look, found });
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

impl InDir {
    fn place<'a>(&'a self, way: &'a mut Way) -> Place<'a> {
        let absent = if self.state.is_some() { 1 } else { self.absent.len() };
        way.to(Path::new(OsStr::from_bytes(&self.dir)), self.names.len() + absent)
    }

    /// One of the names that were absent that may be there now, and is none of these paths.
    fn appeared(&self, place: &Place<'_>, known: &[PathBuf]) -> Option<PathBuf> {
        if self.absent.is_empty() {
            return None;
        }
        if let Some(state) = &self.state
            && let Ok(Some(now)) = place.own()
            && State::of(&now) == *state
        {
            return None;
        }
        let appeared = |name: &Bytes| {
            let (path, now) = match name.as_slice() {
                b"" => {
                    let dir = PathBuf::from(OsStr::from_bytes(&self.dir));
                    let now = look(&dir, Look::Own);
                    (dir, now)
                }
                name => (place.path(OsStr::from_bytes(name)), place.look(OsStr::from_bytes(name), Look::Own)),
            };
            (!known.contains(&path) && !matches!(now, Ok(None))).then_some(path)
        };
        self.absent.iter().find_map(appeared)
    }
}

impl Name {
    fn path(&self, place: &Place<'_>) -> PathBuf {
        place.path(OsStr::from_bytes(&self.name))
    }

    /// Whether it is a file at one of these paths.
    fn is_of(&self, place: &Place<'_>, paths: &[&Path]) -> bool {
        let ends_so = |path: &&Path| path.as_os_str().as_bytes().ends_with(&self.name);
        matches!(self.found, Found::File { .. })
            && paths.iter().any(ends_so)
            && paths.contains(&self.path(place).as_path())
    }

    fn holds(&self, place: &Place<'_>, content: &dyn Fn(&Path, &Stat) -> Option<ValueName>, times: bool) -> bool {
        if self.look == Look::Listed {
            return list(&self.path(place)).is_ok_and(|names| names_found(names.as_deref()) == self.found);
        }
        let now = match place.look(OsStr::from_bytes(&self.name), self.look) {
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
                    && std::fs::read_link(self.path(place)).is_ok_and(|now| now.as_os_str().as_bytes() == to)
            }
            (Found::File { mode, state, content: taken }, Some(stat)) => {
                let same = stat.kind == FileKind::File && stat.mode == *mode && stat.size == state.size;
                if !same || (times && stat.mtime_ns != state.mtime_ns) {
                    return false;
                }
                match taken {
                    // A state that was seen within the clock's grain says nothing: the cache behind
                    // `content` keeps no such state, and reads.
                    Some(digest) => content(&self.path(place), &stat) == Some(ValueName::new(*digest, stat.size)),
                    None => State::of(&stat) == *state,
                }
            }
            _ => false,
        }
    }
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
        let lacking = |evidence: &Evidence| -> Vec<InDir> {
            evidence.dirs.iter().filter(|seen| !seen.absent.is_empty()).cloned().collect()
        };
        let (young, old) = (lacking(&evidence), lacking(&settled));
        assert_eq!(young.len(), 1, "what is below an absent directory goes without saying");
        assert_eq!(young[0].absent, [b"bits".to_vec(), b"gone.h".to_vec()]);
        assert!(young[0].state.is_none() && old[0].state.is_some());
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

    #[test]
    fn paths_hold_as_they_are_spelled() {
        let temp = gg_testkit::temp_dir();
        std::fs::create_dir(temp.path().join("dir")).unwrap();
        std::fs::write(temp.path().join("dir/a.h"), "a").unwrap();
        std::os::unix::fs::symlink("dir", temp.path().join("link")).unwrap();
        let seen = |spelled: &str| {
            let path = temp.path().join(spelled);
            let stat = look(&path, Look::Own).unwrap().unwrap();
            match stat.kind {
                FileKind::Dir => item(&path, Found::Dir),
                FileKind::Symlink => item(&path, Found::Link(b"dir".to_vec())),
                _ => item(&path, Found::File { mode: stat.mode, state: State::of(&stat), content: None }),
            }
        };
        // To look at a link with a slash behind it is to look at what it leads to.
        let spellings = ["link", "link/", "link/a.h", "./link/a.h", "dir/../link/./a.h", "dir//a.h"];
        let evidence =
            Evidence::gather(spellings.iter().map(|path| seen(path)), std::iter::empty(), 0, false, &|_| None);
        let read = |path: &Path, _: &Stat| Some(ValueName::of(&std::fs::read(path).unwrap()));
        assert!(evidence.holds(&read), "{evidence:?}");
        std::fs::write(temp.path().join("dir/a.h"), "other").unwrap();
        let changed = evidence.change(&[], &read).unwrap();
        assert!(changed.ends_with("a.h"), "{}", changed.display());
        let files: Vec<PathBuf> = spellings[2..].iter().map(|path| temp.path().join(path)).collect();
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        assert_eq!(
            evidence.change(&files, &read),
            None,
            "somebody else knows of the bytes, however their path is spelled"
        );
    }
}
