//! A file that is being written in `tmp/` until it is whole. Knows nothing of hashes and names.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::AtPath;
use crate::owner::{self, Life};
use crate::{Result, layout};

/// How long the temporary file of a process of which nothing is known is left alone.
const FOREIGN_AGE: Duration = Duration::from_secs(24 * 3600);

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A temporary file, removed when dropped unless it was placed.
#[derive(Debug)]
pub(crate) struct Temp {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    mode: u32,
    placed: bool,
}

impl Temp {
    /// A new file in this directory that is to have this mode when it is placed.
    pub(crate) fn create(dir: &Path, mode: u32) -> Result<Temp> {
        let owner = owner::current();
        loop {
            let path = dir.join(format!("{owner}-{}", COUNTER.fetch_add(1, Ordering::Relaxed)));
            let made = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path);
            match made {
                // What a process of the same name left behind, where /proc tells nothing.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                made => {
                    return Ok(Temp { file: made.at(&path)?, path, mode, placed: false });
                }
            }
        }
    }

    /// Gives the file its mode and its name, over whatever has that name. Makes the name's directory if need be.
    pub(crate) fn place(mut self, to: &Path) -> Result<()> {
        // It was made with its mode, but for what the umask took away.
        if self.file.metadata().at(&self.path)?.permissions().mode() & 0o7777 != self.mode {
            self.file.set_permissions(Permissions::from_mode(self.mode)).at(&self.path)?;
        }
        let mut moved = fs::rename(&self.path, to);
        if let Err(e) = &moved
            && e.kind() == io::ErrorKind::NotFound
            && let Some(parent) = to.parent()
        {
            // Whatever the umask, which is a thunk's in the process that runs it.
            match DirBuilder::new().mode(0o755).create(parent) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.at(parent)?,
            }
            moved = fs::rename(&self.path, to);
        }
        moved.at(to)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is swept later.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what dead processes left in `tmp/`, and says how many files that were.
pub(crate) fn sweep(dir: &Path) -> io::Result<u64> {
    let mut swept = 0;
    for path in layout::entries(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let dead = match owner::life(&name) {
            Life::Alive => false,
            Life::Gone => true,
            Life::Unknown => fs::symlink_metadata(&path)
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > FOREIGN_AGE)),
        };
        if dead && fs::remove_file(&path).is_ok() {
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(Temp::create(dir.path(), 0o600).unwrap());
        assert_eq!(layout::entries(dir.path()).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn placing_makes_the_directory_and_sets_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("ab/name");
        Temp::create(dir.path(), 0o466).unwrap().place(&to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o7777, 0o466);
    }

    #[test]
    fn sweeping_leaves_the_living_and_the_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let mine = Temp::create(dir.path(), 0o600).unwrap();
        let foreign = dir.path().join("1-1-1-abcdef01-0");
        let old = dir.path().join("1-1-1-abcdef01-1");
        fs::write(&foreign, "").unwrap();
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * FOREIGN_AGE).unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), 1);
        assert!(mine.path.exists() && foreign.exists() && !old.exists());
    }
}
