//! Values that are not copied: a large file of the system stands for its content while it stays as it is.
//!
//! A compiler has tens of megabytes and lies where it lies. Knows nothing of how it was hashed; what it says counts only as
//! long as the file is the one that was, and whoever uses it asks again afterwards.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gg_thunk::ValueName;

use crate::error::AtPath;
use crate::identity::Identity;
use crate::layout::Layout;
use crate::temp::Temp;
use crate::{LocalStore, Result};

/// Where programs and libraries are put by a package manager, which replaces them as a whole.
const SYSTEM: [&str; 7] = ["/usr", "/lib", "/lib64", "/bin", "/opt", "/nix/store", "/gnu/store"];
/// A smaller file is copied: where it would be mounted, a copy costs less.
pub const LEAST_PINNED: u64 = 1 << 20;

/// A file that holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pin {
    path: PathBuf,
    identity: Identity,
}

impl Pin {
    fn encode(&self) -> Vec<u8> {
        let Identity { dev, ino, size, mtime_ns, ctime_ns } = self.identity;
        let numbers = format!("{dev} {ino} {size} {mtime_ns} {ctime_ns} ");
        [numbers.as_bytes(), self.path.as_os_str().as_bytes()].concat()
    }

    /// `None` for what is torn.
    fn decode(text: &[u8]) -> Option<Pin> {
        let mut parts = text.splitn(6, |byte| *byte == b' ');
        let mut number = || std::str::from_utf8(parts.next()?).ok();
        let identity = Identity {
            dev: number()?.parse().ok()?,
            ino: number()?.parse().ok()?,
            size: number()?.parse().ok()?,
            mtime_ns: number()?.parse().ok()?,
            ctime_ns: number()?.parse().ok()?,
        };
        let path = Path::new(OsStr::from_bytes(parts.next()?));
        path.is_absolute().then(|| Pin { path: path.to_owned(), identity })
    }

    /// The file, if it is the one that was.
    fn open(&self) -> Option<File> {
        let file = File::open(&self.path).ok()?;
        (Identity::of(&file.metadata().ok()?) == self.identity).then_some(file)
    }

    fn holds(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| Identity::of(&meta) == self.identity)
    }
}

/// The pins that this process knows.
#[derive(Debug, Default)]
pub(crate) struct Pins(Mutex<HashMap<ValueName, Pin>>);

impl Pins {
    fn get(&self, layout: &Layout, name: &ValueName) -> Option<Pin> {
        if name.len() < LEAST_PINNED {
            return None;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pin) = known.get(name).filter(|pin| pin.holds()) {
            return Some(pin.clone());
        }
        // Another process may know better.
        let pin = Pin::decode(&fs::read(layout.pin_file(name)).ok()?).filter(Pin::holds)?;
        known.insert(*name, pin.clone());
        Some(pin)
    }
}

/// Whether a file may stand for its content.
pub(crate) fn may_stand(path: &Path, size: u64) -> bool {
    size >= LEAST_PINNED && SYSTEM.iter().any(|dir| path.starts_with(dir))
}

impl LocalStore {
    /// Lets a file that has just been hashed stand for its content.
    pub(crate) fn pin(&self, name: &ValueName, path: &Path, identity: Identity) -> Result<()> {
        let pin = Pin { path: path.to_owned(), identity };
        let mut temp = Temp::create(&self.layout().tmp, 0o444)?;
        temp.file.write_all(&pin.encode()).at(&temp.path)?;
        temp.place(&self.layout().pin_file(name))?;
        self.pins().0.lock().unwrap_or_else(PoisonError::into_inner).insert(*name, pin);
        Ok(())
    }

    /// Forgets a file that proved not to hold the value.
    pub(crate) fn unpin(&self, name: &ValueName) {
        self.pins().0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        // There may be none.
        let _ = fs::remove_file(self.layout().pin_file(name));
    }

    /// The file that stands for the value, if there is one and it is still the one that was.
    pub(crate) fn pinned(&self, name: &ValueName) -> Option<PathBuf> {
        Some(self.pins().get(self.layout(), name)?.path)
    }

    /// The same, open.
    pub(crate) fn open_pinned(&self, name: &ValueName) -> Option<File> {
        self.pins().get(self.layout(), name)?.open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store as _;

    #[test]
    fn pins_come_back_as_they_were() {
        let identity = Identity { dev: 1, ino: 2, size: 3, mtime_ns: -4, ctime_ns: 5 };
        let pin = Pin { path: PathBuf::from(OsStr::from_bytes(b"/usr/a b\xff")), identity };
        assert_eq!(Pin::decode(&pin.encode()), Some(pin.clone()));
        for text in [&b""[..], b"1 2 3", b"1 2 3 4 5 ", b"1 2 3 4 5 relative", b"x 2 3 4 5 /a"] {
            assert_eq!(Pin::decode(text), None);
        }
    }

    #[test]
    fn large_files_of_the_system_may_stand_for_themselves() {
        assert!(may_stand(Path::new("/usr/lib/cc1"), LEAST_PINNED));
        assert!(!may_stand(Path::new("/usr/lib/cc1"), LEAST_PINNED - 1));
        assert!(!may_stand(Path::new("/home/me/usr/lib/libx.a"), LEAST_PINNED));
        assert!(!may_stand(Path::new("/usrlocal/x"), LEAST_PINNED));
    }

    #[test]
    fn a_pinned_file_stands_for_its_content_while_it_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path()).unwrap();
        let file = dir.path().join("libx.so");
        let bytes = vec![b'L'; 2 << 20];
        fs::write(&file, &bytes).unwrap();
        let name = ValueName::of(&bytes);
        assert!(!store.contains(&name).unwrap());
        store.pin(&name, &file, Identity::of(&fs::metadata(&file).unwrap())).unwrap();
        for store in [&store, &LocalStore::open(dir.path()).unwrap()] {
            assert!(store.contains(&name).unwrap() && !store.object_path(&name).exists());
            assert_eq!(store.checked_path(&name).unwrap(), Some(file.clone()));
            assert_eq!(store.get(&name).unwrap().unwrap(), bytes);
        }
        // The same bytes under another name of the file's, as a package manager leaves them.
        fs::write(dir.path().join("new"), &bytes).unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
        assert!(!store.contains(&name).unwrap() && store.checked_path(&name).unwrap().is_none());
        assert_eq!(store.get(&name).unwrap(), None);
        assert_eq!(store.put(&bytes).unwrap(), name);
        assert_eq!(store.checked_path(&name).unwrap(), Some(store.object_path(&name)));
    }

    #[test]
    fn a_pin_that_lies_is_found_when_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path()).unwrap();
        let file = dir.path().join("libx.so");
        fs::write(&file, vec![b'M'; 2 << 20]).unwrap();
        let name = ValueName::of(&vec![b'L'; 2 << 20]);
        store.pin(&name, &file, Identity::of(&fs::metadata(&file).unwrap())).unwrap();
        assert_eq!(store.get(&name).unwrap(), None);
        assert!(!store.contains(&name).unwrap());
        assert!(file.exists());
    }
}
