//! Puts outputs where the tool would have put them, the way it would have.
//!
//! `replace`: a new file takes the name, whatever link or file had it. `through`: the bytes go into the
//! file that is there, through links, and its mode stays. Knows nothing of how the bytes were made.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use gg_store::{LocalStore, Made, Record};
use gg_thunk::{Output, Writes};

use crate::SessionError;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Places every output that the record has, in the order of the thunk's outputs, so that times keep the
/// order of the work.
pub(crate) fn place(store: &LocalStore, outputs: &[Output], record: &Record) -> Result<(), SessionError> {
    // Nothing is touched before all of it is known to be there, and whole.
    for made in record.outputs.values() {
        if store.checked_path(&made.object)?.is_none() {
            let path = store.object_path(&made.object);
            return Err(SessionError::Input { path, why: "has gone from the store, or was corrupt" });
        }
    }
    for output in outputs {
        let Some(made) = record.outputs.get(&output.tag) else { continue };
        let path = Path::new(OsStr::from_bytes(&output.path));
        let placed = match output.writes {
            Writes::Replace => replace(store, path, made),
            Writes::Through => through(store, path, made),
        };
        placed.map_err(|e| match e {
            Failed::Store(e) => SessionError::Store(e),
            Failed::Io(e) => SessionError::io("writing", path, e),
        })?;
    }
    Ok(())
}

enum Failed {
    Store(gg_store::StoreError),
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(e: io::Error) -> Failed {
        Failed::Io(e)
    }
}

fn fill(store: &LocalStore, file: &mut File, made: &Made) -> Result<(), Failed> {
    match store.copy_to(&made.object, file).map_err(Failed::Store)? {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::NotFound, "the object is gone from the store").into()),
    }
}

/// A new file beside the path, then a rename: who looks sees the old file or all of the new one.
fn replace(store: &LocalStore, path: &Path, made: &Made) -> Result<(), Failed> {
    let dir = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temp = dir.join(format!(".gg-{}-{number}", std::process::id()));
    let result = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
        fill(store, &mut file, made)?;
        file.set_permissions(Permissions::from_mode(made.mode))?;
        Ok(std::fs::rename(&temp, path)?)
    })();
    if result.is_err() {
        // It may never have been made.
        let _ = std::fs::remove_file(&temp);
    }
    result
}

fn through(store: &LocalStore, path: &Path, made: &Made) -> Result<(), Failed> {
    let created = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => Some(file),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => None,
        Err(e) => return Err(e.into()),
    };
    match created {
        Some(mut file) => {
            fill(store, &mut file, made)?;
            file.set_permissions(Permissions::from_mode(made.mode))?;
        }
        None => {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
            fill(store, &mut file, made)?;
        }
    }
    Ok(())
}
