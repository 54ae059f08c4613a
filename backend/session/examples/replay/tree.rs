//! A tree in which commands run, and what they change in it. Knows no command.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The state of a file: what changes with every write.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    mode: u32,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// What stands at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Dir,
    Link(PathBuf),
    /// Its bytes, its mode, and whether its modification time is another than before.
    File(Vec<u8>, u32, bool),
}

pub struct Tree {
    place: PathBuf,
    pristine: PathBuf,
    known: HashMap<PathBuf, Mark>,
}

impl Tree {
    /// `pristine` is a copy of `place`, times included.
    pub fn new(place: &Path, pristine: &Path) -> io::Result<Tree> {
        let known = marks(place)?;
        Ok(Tree { place: place.to_owned(), pristine: pristine.to_owned(), known })
    }

    /// Makes a directory that a command needs, in the copy as well; not outside of the tree.
    pub fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        let Ok(below) = dir.strip_prefix(&self.place) else { return Ok(()) };
        if dir.exists() || below.components().any(|part| part.as_os_str() == "..") {
            return Ok(());
        }
        fs::create_dir_all(dir)?;
        fs::create_dir_all(self.pristine.join(below))?;
        self.known = marks(&self.place)?;
        Ok(())
    }

    /// What has changed since the tree was last put back.
    pub fn changes(&self) -> io::Result<BTreeSet<PathBuf>> {
        let now = marks(&self.place)?;
        let other = now.iter().filter(|(path, mark)| self.known.get(*path) != Some(mark)).map(|(path, _)| path.clone());
        let gone = self.known.keys().filter(|path| !now.contains_key(*path)).cloned();
        Ok(other.chain(gone).collect())
    }

    /// What stands at these paths.
    pub fn left(&self, paths: &BTreeSet<PathBuf>) -> io::Result<BTreeMap<PathBuf, Left>> {
        paths.iter().map(|path| Ok((path.clone(), self.at(&self.place, path)?))).collect()
    }

    /// What stood at this path before anything ran.
    pub fn before(&self, path: &Path) -> io::Result<Left> {
        self.at(&self.pristine, path)
    }

    fn at(&self, root: &Path, path: &Path) -> io::Result<Left> {
        let here = root.join(path);
        let Some(stat) = stat(&here)? else { return Ok(Left::Nothing) };
        if stat.is_symlink() {
            return Ok(Left::Link(fs::read_link(here)?));
        }
        if stat.is_dir() {
            return Ok(Left::Dir);
        }
        let time = |stat: &fs::Metadata| (stat.mtime(), stat.mtime_nsec());
        let before = self::stat(&self.pristine.join(path))?;
        let touched = before.is_none_or(|before| time(&before) != time(&stat));
        Ok(Left::File(fs::read(here)?, stat.mode(), touched))
    }

    /// Puts these paths back as they were.
    pub fn restore(&mut self, paths: &BTreeSet<PathBuf>) -> io::Result<()> {
        // What is below a directory goes before it, and comes after it.
        for path in paths.iter().rev() {
            let here = self.place.join(path);
            match stat(&here)? {
                Some(stat) if stat.is_dir() && !self.pristine.join(path).is_dir() => fs::remove_dir(&here)?,
                Some(stat) if !stat.is_dir() => fs::remove_file(&here)?,
                _ => {}
            }
        }
        for path in paths {
            let (here, there) = (self.place.join(path), self.pristine.join(path));
            let Some(before) = stat(&there)? else {
                self.known.remove(path);
                continue;
            };
            if before.is_symlink() {
                symlink(fs::read_link(&there)?, &here)?;
            } else if before.is_dir() {
                fs::create_dir_all(&here)?;
                continue;
            } else {
                fs::copy(&there, &here)?;
                fs::set_permissions(&here, Permissions::from_mode(before.mode()))?;
                let times = FileTimes::new().set_modified(before.modified()?).set_accessed(before.accessed()?);
                fs::File::options().append(true).open(&here)?.set_times(times)?;
            }
            self.known.insert(path.clone(), mark(&fs::symlink_metadata(&here)?));
        }
        Ok(())
    }
}

fn stat(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(stat) => Ok(Some(stat)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn mark(stat: &fs::Metadata) -> Mark {
    // A directory's times change with its names, which are looked at by themselves.
    let times = !stat.is_dir();
    let only = |time: (i64, i64)| if times { time } else { (0, 0) };
    Mark {
        mode: stat.mode(),
        ino: stat.ino(),
        size: if times { stat.size() } else { 0 },
        mtime: only((stat.mtime(), stat.mtime_nsec())),
        ctime: only((stat.ctime(), stat.ctime_nsec())),
    }
}

/// All that is below a directory.
fn marks(root: &Path) -> io::Result<HashMap<PathBuf, Mark>> {
    let mut found = HashMap::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(root.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            let stat = entry.metadata()?;
            if stat.is_dir() {
                dirs.push(path.clone());
            }
            found.insert(path, mark(&stat));
        }
    }
    Ok(found)
}
