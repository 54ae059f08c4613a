//! The root by chroot(2): the tree laid out on disk, written to in place, and swept after each thunk.
//!
//! For root where namespaces are forbidden. It seals the file system against accident, not against a
//! step that means to break out, and leaves the network open.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gg_store::LocalStore;
use gg_thunk::Thunk;

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
}

impl Chroot {
    pub fn make(setup: &Setup, store: LocalStore) -> Result<Chroot, ExecError> {
        if process::ids().0 != 0 {
            let source = io::Error::from_raw_os_error(libc::EPERM);
            return Err(source).doing(|| "only root may call chroot".to_owned());
        }
        let scratch = PathBuf::from(std::ffi::OsString::from_vec(setup.scratch.clone()));
        fs::create_dir_all(&scratch).doing(|| format!("cannot make {}", scratch.display()))?;
        remove_stale(&scratch);
        let path = scratch.join(format!("chroot-{}", process::own_pid()));
        let shown = || format!("cannot make {}", path.display());
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).doing(shown)?;
        let base = OwnedFd::from(fs::File::open(&path).doing(shown)?);
        let layout = Layout::new(store, base, b"root", setup.limits.pool_bytes, Large::Copied)?;
        Ok(Chroot { path, layout, since: None })
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

/// Removes the roots of slots that were killed.
fn remove_stale(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.as_bytes().strip_prefix(b"chroot-") else {
            continue;
        };
        let pid = std::ffi::OsStr::from_bytes(pid);
        if !Path::new("/proc").join(pid).exists() && Path::new("/proc/self").exists() {
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
