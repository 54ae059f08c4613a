//! A session's claim on the objects it uses. Knows nothing of what evicts them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::error::AtPath;
use crate::local::is_absence;
use crate::{LocalStore, Result, StoreError, layout, owner};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// While it lives, gc keeps every object that was put, read or asked for (through this crate, in any process)
/// since the lease was taken. It ends when dropped or when its process ends, however that ends.
#[derive(Debug)]
pub struct Lease {
    file: File,
    path: PathBuf,
}

impl LocalStore {
    /// Takes a lease from now on.
    pub fn lease(&self) -> Result<Lease> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = self.layout().leases.join(format!("{}-{number}", owner::current()));
        // gc looks at leases under its lock: it must not find this one between creation and locking.
        let guard = self.gc_lock()?;
        guard.lock_shared().at(&self.layout().gc_lock)?;
        // What a process of the same name left, where /proc tells nothing, must not pass for us.
        match fs::remove_file(&path) {
            Err(e) if !is_absence(&e) => return Err(StoreError::at(&path, e)),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).open(&path).at(&path)?;
        file.lock().at(&path)?;
        Ok(Lease { file, path })
    }
}

impl Lease {
    /// Lets go of what was used before now, as if the lease were taken anew: for a server between two builds.
    pub fn renew(&mut self) -> Result<()> {
        self.file.set_modified(SystemTime::now()).at(&self.path)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One that stays is not locked any more, so gc ignores and removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Since when living leases hold objects; `None` if there is none. Removes those of the dead. For the holder of
/// the gc lock only.
pub(crate) fn oldest(dir: &Path) -> Result<Option<SystemTime>> {
    let mut oldest: Option<SystemTime> = None;
    for path in layout::entries(dir).at(dir)? {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if is_absence(&e) => continue,
            Err(e) => return Err(StoreError::at(&path, e)),
        };
        match file.try_lock() {
            Ok(()) => {
                let _ = fs::remove_file(&path);
            }
            Err(fs::TryLockError::WouldBlock) => {
                let since = file.metadata().and_then(|meta| meta.modified()).at(&path)?;
                oldest = Some(oldest.map_or(since, |known| known.min(since)));
            }
            Err(fs::TryLockError::Error(e)) if e.kind() == io::ErrorKind::Interrupted => {
                // Not known to be dead: everything is held, which is never wrong.
                oldest = Some(SystemTime::UNIX_EPOCH);
            }
            Err(fs::TryLockError::Error(e)) => return Err(StoreError::at(&path, e)),
        }
    }
    Ok(oldest)
}
