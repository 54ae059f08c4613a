//! One pack: its file, and what this process has read of it. Knows nothing of other packs, nor of who may write.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::record::{Found, HEADER, records};
use super::{FULL, MOST};
use crate::digest::read_full_at;

/// A pack as this process knows it.
#[derive(Debug)]
pub(super) struct Pack {
    pub path: PathBuf,
    /// Open while it may grow: there may be more packs than a process may have files open.
    pub file: Option<File>,
    /// Its device and inode.
    file_id: (u64, u64),
    /// Up to where it was read.
    pub read: u64,
    /// When it was used last, as far as this process knows.
    pub used: SystemTime,
}

impl Pack {
    /// A pack that nothing was read of yet.
    pub fn new(path: PathBuf, file: Option<File>, meta: &Metadata) -> Pack {
        let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Pack { path, file, file_id: (meta.dev(), meta.ino()), read: 0, used }
    }

    /// The records that were appended since the last time, with where each object begins in the file.
    pub fn read_new(&mut self) -> Vec<Found> {
        let from = self.read;
        let read = self.with_file(|file| {
            let meta = file.metadata()?;
            let mut bytes = vec![0; usize::try_from(meta.len().saturating_sub(from)).unwrap_or(0)];
            let filled = if bytes.len() < HEADER { 0 } else { read_full_at(file, &mut bytes, from)? };
            bytes.truncate(filled);
            Ok((bytes, meta.modified()?))
        });
        // What cannot be read now is read later, or is not there.
        let Ok((bytes, used)) = read else { return Vec::new() };
        self.used = self.used.max(used);
        let (mut records, passed) = records(&bytes);
        self.read = from + passed as u64;
        if self.read >= FULL {
            // Its only writer has seen that.
            self.file = None;
        }
        for found in &mut records {
            found.start += from as usize;
        }
        records
    }

    /// Whether all of it is records, and this descriptor is of the file that is known: what a power cut has left is not gone on with.
    pub fn may_be_continued(&self, locked: &File) -> bool {
        self.is_there()
            && locked.metadata().is_ok_and(|meta| meta.len() == self.read && (meta.dev(), meta.ino()) == self.file_id)
    }

    /// Does something with the file, if it is the one that was.
    pub fn with_file<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if let Some(file) = &self.file {
            return act(file);
        }
        let Some((file, meta)) = open_pack(&self.path)? else { return Err(io::ErrorKind::NotFound.into()) };
        if (meta.dev(), meta.ino()) == self.file_id { act(&file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Whether it is where it was: gc has not removed it, and nobody has set it aside.
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file_id)
    }
}

/// Opens a pack to read it; none if it is something else. Waits for nobody at the other end of a pipe.
pub(super) fn open_pack(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = match opened {
        Err(e) if e.raw_os_error() == Some(libc::ELOOP) => return Ok(None),
        opened => opened?,
    };
    let meta = file.metadata()?;
    let longest = FULL + (HEADER + MOST) as u64;
    Ok((meta.is_file() && meta.len() <= longest).then_some((file, meta)))
}

/// A pack to append to, with its lock, if nobody has that.
pub(super) fn lock_to_write(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).append(true).custom_flags(flags).open(path).ok()?;
    (file.metadata().is_ok_and(|meta| meta.is_file()) && file.try_lock().is_ok()).then_some(file)
}

/// The lock of a pack, if no process writes it; for gc, which leaves the others. While it is held none begins to.
pub(crate) fn lock_free(path: &Path) -> Option<File> {
    open_pack(path).ok()?.map(|(file, _)| file).filter(|file| file.try_lock().is_ok())
}
