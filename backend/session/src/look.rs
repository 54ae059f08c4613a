//! Looking at paths: one by one, or many by way of the directories that they have in common. Knows nothing of what looks are for.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use gg_models::Stat;
use serde::{Deserialize, Serialize};

use crate::sys;

/// How a path is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Look {
    /// The file itself, links not followed.
    Own,
    /// What links lead to.
    Followed,
    /// The names in a directory.
    Listed,
}

/// The state of a path; `None` where there is none.
pub(crate) fn look(path: &Path, look: Look) -> io::Result<Option<Stat>> {
    unless_absent(sys::stat_at(None, path.as_os_str(), look != Look::Own))
}

/// The names in a directory, sorted by their bytes; `None` where there is none.
pub(crate) fn list(path: &Path) -> io::Result<Option<Vec<OsString>>> {
    let Some(entries) = unless_absent(std::fs::read_dir(path))? else { return Ok(None) };
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(Some(names))
}

fn unless_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A directory in which so few paths are looked at is not worth being opened.
const FEW: usize = 8;

/// The directories on the way to what is looked at now, open: a path of six parts that is looked up from the directory above it
/// costs half of what it costs from the root. They are right for one round of looks, not for a later one.
#[derive(Default)]
pub(crate) struct Way {
    /// Each below the one before it, by its spelling.
    open: Vec<(PathBuf, File)>,
}

/// A directory as a place to look from.
pub(crate) struct Place<'a> {
    dir: &'a Path,
    open: Option<BorrowedFd<'a>>,
}

impl Way {
    /// A directory in which so many paths are to be looked at. Those below it should come next. An empty one means that the
    /// paths are whole.
    pub fn to<'a>(&'a mut self, dir: &'a Path, looks: usize) -> Place<'a> {
        let bytes = dir.as_os_str().as_bytes();
        let below = |above: &Path| {
            let rest = bytes.strip_prefix(above.as_os_str().as_bytes())?;
            // A name that begins as another does is no directory below it.
            let rest = rest.strip_prefix(b"/").or_else(|| above.as_os_str().as_bytes().ends_with(b"/").then_some(rest));
            rest.filter(|rest| !rest.is_empty() && !rest.starts_with(b"/"))
        };
        while self.open.last().is_some_and(|(above, _)| below(above).is_none()) {
            self.open.pop();
        }
        if looks > FEW && !bytes.is_empty() {
            let above = self.open.last().and_then(|(above, file)| Some((file.as_fd(), below(above)?)));
            let opened = match above {
                Some((above, rest)) => sys::open_dir_at(above, OsStr::from_bytes(rest)),
                None => OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(dir),
            };
            // Where that fails the looks themselves say why.
            if let Ok(opened) = opened {
                self.open.push((dir.to_owned(), opened));
                return Place { dir, open: self.open.last().map(|(_, file)| file.as_fd()) };
            }
        }
        Place { dir, open: None }
    }
}

impl Place<'_> {
    /// The state of the directory itself, links followed.
    pub fn own(&self) -> io::Result<Option<Stat>> {
        match self.open {
            Some(open) => sys::stat_of(open).map(Some),
            None => look(self.dir, Look::Followed),
        }
    }

    /// The path of a name in it.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        self.dir.join(name)
    }

    /// The state of a name in it; `None` where there is none.
    pub fn look(&self, name: &OsStr, how: Look) -> io::Result<Option<Stat>> {
        match self.open {
            Some(open) => unless_absent(sys::stat_at(Some(open), name, how != Look::Own)),
            None => look(&self.path(name), how),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn from_wherever_it_is_looked_at_a_path_is_the_same() {
        let temp = gg_testkit::temp_dir();
        let root = temp.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join("a-b/c")).unwrap();
        // where one would look that takes `a-b` for a directory below `a`
        std::fs::create_dir_all(root.join("a/-b/c")).unwrap();
        for file in ["a/x", "a/b/x", "a-b/x", "a-b/c/x", "a/-b/x", "a/-b/c/x"] {
            std::fs::write(root.join(file), file).unwrap();
        }
        symlink("x", root.join("a/link")).unwrap();
        symlink("nowhere", root.join("a/dangling")).unwrap();
        symlink("../a-b/c", root.join("a/to")).unwrap();
        let dirs =
            ["", "a", "a-b", "a-b/c", "a/b", "a/b/../../a-b", "a/gone", "a/to", "a/to/..", "a/x", "a//b", "a/b/"];
        let names = ["x", "link", "dangling", "gone", "b", "c", "..", "x/y"];
        for looks in [1, 10] {
            let mut way = Way::default();
            for dir in dirs.map(|dir| if dir.is_empty() { root.clone() } else { root.join(dir) }) {
                let place = way.to(&dir, looks);
                assert_eq!(place.open.is_some(), looks > FEW && dir.is_dir(), "{}", dir.display());
                assert_eq!(place.own().unwrap_or(None), look(&dir, Look::Followed).unwrap(), "{}", dir.display());
                for name in names {
                    let path = dir.join(name);
                    assert_eq!(place.path(OsStr::new(name)), path);
                    for how in [Look::Own, Look::Followed] {
                        let (one, other) = (place.look(OsStr::new(name), how), look(&path, how));
                        assert_eq!(one.unwrap(), other.unwrap(), "{} from {looks}", path.display());
                    }
                }
            }
            assert!(looks <= FEW || way.open.len() == 2, "each is opened from the one above: {:?}", way.open);
            let whole = root.join("a/x");
            assert_eq!(
                way.to(Path::new(""), looks).look(whole.as_os_str(), Look::Own).unwrap(),
                look(&whole, Look::Own).unwrap()
            );
            assert!(way.open.is_empty());
        }
    }

    #[test]
    fn what_the_standard_library_sees_is_seen() {
        use std::os::unix::fs::MetadataExt as _;
        let temp = gg_testkit::temp_dir();
        let file = temp.path().join("file");
        std::fs::write(&file, "bytes").unwrap();
        let (seen, meta) = (look(&file, Look::Own).unwrap().unwrap(), std::fs::metadata(&file).unwrap());
        assert_eq!((seen.dev, seen.ino, seen.size), (meta.dev(), meta.ino(), meta.size()));
        assert_eq!(seen.mode, meta.mode() & 0o7777);
        assert_eq!(seen.mtime_ns, i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()));
        assert_eq!(seen.ctime_ns, i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec()));
    }
}
