//! The file system and the processes, as far as a model may see them.
//!
//! Knows no tool and no path. Whoever implements [`World`] records every answer, so that the same request is answered from the
//! record while the record still holds.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::verdict::{Holds, Reason, ReasonKind};

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link (only from [`World::lstat`]).
    Symlink,
    /// A device, a pipe, a socket.
    Other,
}

/// The part of `stat` that models look at; it identifies one state of one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits, `0o7777`.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Time of the last change of the inode in nanoseconds since 1970.
    pub ctime_ns: i128,
}

/// What a native run of a tool gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunOutput {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// All that it wrote to standard output.
    pub stdout: Vec<u8>,
    /// All that it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// The file system, processes and a small persistent cache.
pub trait World {
    /// The state of the file itself; `None` where there is none (`ENOENT`, `ENOTDIR`).
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>>;

    /// The state of the file that symbolic links lead to; `None` where there is none.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;

    /// [`World::lstat`] of a path that is to be written: who records the answers need not hold this one against what the command
    /// leaves there. Not for a path that is searched for, too: that is asked by itself.
    fn lstat_output(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.lstat(path)
    }

    /// [`World::stat`] of a path that is to be written, as [`World::lstat_output`] is of the file itself.
    fn stat_output(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.stat(path)
    }

    /// The text of a symbolic link.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// The content of a regular file.
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>>;

    /// What a file will be that has not been made yet, where that is known: what stands at the path is a placeholder, which
    /// [`World::read`] would have to be made for. `None` of every file that is there.
    fn promised(&self, path: &Path) -> io::Result<Option<Holds>> {
        let _ = path;
        Ok(None)
    }

    /// At most `len` bytes of a regular file from `offset` on, fewer at its end: for what stands in a few places of a
    /// large file. The answer rests on the file's state, not on its bytes.
    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>>;

    /// The names in a directory, sorted, without `.` and `..`; `None` where there is no directory.
    fn read_dir(&self, path: &Path) -> io::Result<Option<Vec<OsString>>>;

    /// Runs the real tool and waits for it; `argv` holds `argv[0]`, `env` is all that it sees.
    fn run(&self, exe: &Path, argv: &[OsString], env: &[(OsString, OsString)], cwd: &Path) -> io::Result<RunOutput>;

    /// What [`World::remember`] last kept under this key, if it is still there.
    fn recall(&self, key: &str) -> Option<Vec<u8>>;

    /// Keeps a value for later requests, also of other processes; it must be right by its key alone.
    fn remember(&self, key: &str, value: &[u8]);

    /// Tells what the look-ups that follow are for, in no words where they are not for a file's own sake. For who explains a verdict;
    /// nothing rests on it, and most worlds do not listen.
    fn purpose(&self, purpose: &dyn Fn() -> String) {
        let _ = purpose;
    }
}

/// The file itself, symbolic links followed.
pub(crate) fn real_path(path: &Path, world: &dyn World) -> Result<PathBuf, Reason> {
    let mut pending: Vec<_> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
    let mut real = PathBuf::new();
    let mut links = 0;
    while let Some(part) = pending.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        let stat = world.lstat(&next).map_err(|error| Reason::io(&next, &error))?;
        let kind = stat.map(|stat| stat.kind);
        if kind == Some(FileKind::Other) || kind == Some(FileKind::Symlink) && next.starts_with("/proc") {
            // Another process may find another file there.
            return Err(Reason::new(ReasonKind::Environment, path.display().to_string()));
        }
        if kind == Some(FileKind::Symlink) {
            links += 1;
            if links > 40 {
                return Err(Reason::new(ReasonKind::Input, format!("{}: too many symbolic links", path.display())));
            }
            let target = world.read_link(&next).map_err(|error| Reason::io(&next, &error))?;
            pending.extend(target.components().rev().map(|part| part.as_os_str().to_owned()));
        } else {
            real = next;
        }
    }
    Ok(real)
}
