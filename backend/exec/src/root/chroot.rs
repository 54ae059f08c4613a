//! The root by chroot(2): the tree laid out on disk, written to in place, and swept after each thunk.
//!
//! For root where namespaces are forbidden. It seals the file system against accident, not against a
//! step that means to break out, and leaves the network open.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use gg_store::LocalStore;
use gg_thunk::Thunk;

use super::make_private;
use crate::error::{Doing, ExecError};
use crate::layout::{Large, Layout};
use crate::sys::{file, process};
use crate::wire::Setup;

/// Devices with their numbers in Linux.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

pub(crate) struct Chroot {
    path: PathBuf,
    layout: Layout,
    /// When the steps began to run; `None` before they did and after the sweep.
    since: Option<i128>,
    /// Held while the slot lives, so that others know its directory from those of dead slots.
    _lock: fs::File,
}

impl Chroot {
    pub fn make(setup: &Setup, store: LocalStore) -> Result<Chroot, ExecError> {
        if process::ids().0 != 0 {
            let source = io::Error::from_raw_os_error(libc::EPERM);
            return Err(source).doing(|| "only root may call chroot".to_owned());
        }
        let scratch = PathBuf::from(std::ffi::OsString::from_vec(setup.scratch.clone()));
        make_private(&scratch)?;
        remove_stale(&scratch);
        let (path, base) = make_own(&scratch).doing(|| format!("cannot make a directory in {}", scratch.display()))?;
        let lock = base.try_clone().doing(|| "cannot copy a descriptor".to_owned())?;
        let layout = Layout::new(store, base.into(), b"root", setup.limits.pool_bytes, Large::Copied)?;
        Ok(Chroot { path, layout, since: None, _lock: lock })
    }

    pub fn prepare(&mut self, thunk: &Thunk) -> Result<Vec<u8>, ExecError> {
        self.layout.lay(thunk.root)?;
        self.since = Some(self.layout.moment()?);
        let root = file::open_dir(self.layout.base(), b"root");
        root.and_then(|root| make_devices(root.as_fd())).doing(|| "cannot make the devices".to_owned())?;
        Ok(self.path.join("root").into_os_string().into_vec())
    }

    pub fn clean(&mut self) -> Result<(), ExecError> {
        match self.since.take() {
            Some(since) => self.layout.sweep(since),
            None => Ok(()),
        }
    }
}

impl Drop for Chroot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes the directory the caller's root.
pub(crate) fn enter(path: &[u8]) -> io::Result<()> {
    process::change_root(path)?;
    std::env::set_current_dir("/")
}

const PREFIX: &str = "chroot-";

/// Makes a directory of this slot's own, open and locked.
fn make_own(scratch: &Path) -> io::Result<(PathBuf, fs::File)> {
    for number in 0.. {
        let path = scratch.join(format!("{PREFIX}{}-{number}", process::own_pid()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other?,
        }
        // Another slot may take it for a dead one's before it is locked.
        if let Ok(dir) = fs::File::open(&path)
            && dir.try_lock().is_ok()
            && path.exists()
        {
            return Ok((path, dir));
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes the directories of slots that were killed.
fn remove_stale(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        if !entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        if let Ok(dir) = fs::File::open(entry.path())
            && dir.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes `/dev` where the tree has none. Without the right to make devices they are empty files, which
/// serve those who only look.
fn make_devices(root: BorrowedFd<'_>) -> io::Result<()> {
    match file::make_dir(root, b"dev", 0o755) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let dev = file::open_dir(root, b"dev")?;
    for (name, major, minor) in DEVICES {
        let name = name.as_bytes();
        match file::make_device(dev.as_fd(), name, major, minor) {
            Ok(()) => file::change_mode(dev.as_fd(), name, 0o666)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => drop(file::create(dev.as_fd(), name, 0o666)?),
        }
    }
    Ok(())
}
