//! The store in a directory: puts objects under their names and finds out the corrupt ones. Knows
//! nothing of what forcing gave (that is the memo) nor of where the bytes came from.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gg_thunk::{NameHasher, Thunk, ThunkName, Tree, TreeName, ValueName};

use crate::error::AtPath;
use crate::identity::Identity;
use crate::layout::{Key, Layout};
use crate::pack::{self, Packs};
use crate::pin::Pins;
use crate::temp::{self, Temp};
use crate::{Result, Store, StoreError, gc, owner, sys};

/// The use time of an object is at most this much older than its last use.
pub const TOUCH_GRAIN: Duration = Duration::from_secs(3600);

/// Objects are read-only: a step that could write to one would poison the store. They can be executed where they lie,
/// so that a compiler needs no second copy with its mode.
const OBJECT_MODE: u32 = 0o555;
/// A file up to this size is read into memory before it is stored, so that nothing is written if it is here already.
const SMALL: u64 = 1 << 20;
/// Read at once: fits a core's cache, and whole blocks of the hash.
const PIECE: usize = 256 << 10;

/// A store in a directory. Clones share it.
#[derive(Clone, Debug)]
pub struct LocalStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    layout: Layout,
    checked: Mutex<Checked>,
    pins: Pins,
    packs: Packs,
}

/// Objects whose bytes this process has hashed, as they were then.
#[derive(Debug, Default)]
struct Checked {
    known: HashMap<ValueName, Identity>,
    /// In the order in which they became known; the last entry of an object counts.
    order: Vec<Vouched>,
}

/// An object whose bytes are known to be right while its file has this identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The object.
    pub name: ValueName,
    /// Its file.
    pub identity: Identity,
}

impl LocalStore {
    /// Opens the store in this directory, and makes what is missing of it. Sweeps what dead writers left.
    ///
    /// On a read-only file system a store that is there can be opened and read.
    pub fn open(gg_dir: &Path) -> Result<LocalStore> {
        let layout = Layout::new(gg_dir);
        fs::create_dir_all(gg_dir).at(gg_dir)?;
        for dir in layout.directories() {
            match fs::create_dir(dir) {
                Ok(()) => {}
                Err(_) if dir.is_dir() => {}
                // A store that may only be read, of a time when there were none.
                Err(_) if dir == layout.packs => {}
                Err(e) => return Err(StoreError::at(dir, e)),
            }
        }
        // A sweep that is not permitted is no reason not to read.
        let _ = temp::sweep(&layout.tmp);
        let packs = Packs::new(&layout);
        Ok(LocalStore(Arc::new(Inner { layout, checked: Mutex::default(), pins: Pins::default(), packs })))
    }

    /// The directory of the store.
    pub fn root(&self) -> &Path {
        &self.0.layout.root
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.0.layout
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.0.pins
    }

    pub(crate) fn packs(&self) -> &Packs {
        &self.0.packs
    }

    fn value_key(&self, name: &ValueName) -> Key {
        Key::of_value(&self.0.layout, name)
    }

    /// Keeps the content of a regular file (symbolic links are followed).
    pub fn put_file(&self, src: &Path) -> Result<ValueName> {
        let file = open_regular(src)?;
        self.put_from(&file, src)
    }

    /// Keeps the content of an open file, from its start; its position does not matter and does not move.
    pub fn put_open_file(&self, file: &File) -> Result<ValueName> {
        self.put_from(file, Path::new("(an open file)"))
    }

    /// The name of a file's content, where the file itself is to stand for it.
    pub(crate) fn name_of(&self, file: &File, src: &Path) -> Result<ValueName> {
        let mut hasher = NameHasher::new();
        read_pieces(file, src, PIECE as u64, |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        Ok(hasher.value_name())
    }

    /// Keeps the content of a file that is read, not made: if it is small, with others in one.
    ///
    /// What is stored is what was read, whole, even if the file changes meanwhile; whether it did is the
    /// caller's question ([`crate::DigestCache::ingest`] asks it).
    pub(crate) fn put_input(&self, file: &File, src: &Path) -> Result<ValueName> {
        let len = file.metadata().at(src)?.len();
        if len > pack::MOST as u64 {
            return self.put_from(file, src);
        }
        self.put_input_bytes(&read_small(file, src, len)?)
    }

    /// The same of what was read already.
    pub(crate) fn put_input_bytes(&self, bytes: &[u8]) -> Result<ValueName> {
        let name = ValueName::of(bytes);
        let key = self.value_key(&name);
        if !self.present_as_copy(&key)? {
            self.put_small(&key, bytes)?;
        }
        Ok(name)
    }

    fn put_from(&self, file: &File, src: &Path) -> Result<ValueName> {
        let meta = file.metadata().at(src)?;
        if !meta.is_file() {
            return Err(StoreError::NotAFile { path: src.to_owned() });
        }
        if meta.len() <= SMALL {
            return self.put(&read_small(file, src, meta.len())?);
        }
        let mut temp = Temp::create(&self.0.layout.tmp, OBJECT_MODE)?;
        let mut hasher = NameHasher::new();
        read_pieces(file, src, meta.len(), |piece| {
            hasher.update(piece);
            temp.file.write_all(piece).at(&temp.path)
        })?;
        let name = hasher.value_name();
        let key = self.value_key(&name);
        if !self.present(&key)? {
            temp.place(&key.path)?;
            // What it is renamed to is what was hashed on its way there.
            let identity = Identity::of(&fs::symlink_metadata(&key.path).at(&key.path)?);
            self.vouch([Vouched { name, identity }]);
        }
        Ok(name)
    }

    /// Keeps a thunk.
    pub fn put_thunk(&self, thunk: &Thunk) -> Result<ThunkName> {
        let bytes = thunk.encode();
        let name = ThunkName::of(&bytes);
        self.put_small(&Key::of_thunk(&self.0.layout, &name), &bytes)?;
        Ok(name)
    }

    /// The thunk of this name; `None` if it is not here, or was corrupt.
    pub fn get_thunk(&self, name: &ThunkName) -> Result<Option<Thunk>> {
        let Some(bytes) = self.get_bytes(&Key::of_thunk(&self.0.layout, name))? else {
            return Ok(None);
        };
        let malformed = |source| StoreError::Malformed { name: name.to_string(), wanted: "thunk", source };
        Thunk::decode(&bytes).map(Some).map_err(malformed)
    }

    /// Whether the thunk is here. Counts as a use.
    pub fn contains_thunk(&self, name: &ThunkName) -> Result<bool> {
        self.present(&Key::of_thunk(&self.0.layout, name))
    }

    /// Keeps one tree object (not those that it names).
    pub fn put_tree(&self, tree: &Tree) -> Result<TreeName> {
        let bytes = tree.encode();
        let name = ValueName::of(&bytes);
        self.put_small(&self.value_key(&name), &bytes)?;
        Ok(TreeName::new(name))
    }

    /// The tree of this name; `None` if it is not here, or was corrupt.
    pub fn get_tree(&self, name: &TreeName) -> Result<Option<Tree>> {
        let Some(bytes) = self.get(&name.value())? else {
            return Ok(None);
        };
        let malformed = |source| StoreError::Malformed { name: name.to_string(), wanted: "tree", source };
        Tree::decode(&bytes).map(Some).map_err(malformed)
    }

    /// Where the value lies if it is here as a copy. Nothing is checked, and this is no use: see [`LocalStore::checked_path`].
    pub fn object_path(&self, name: &ValueName) -> PathBuf {
        self.value_key(name).path
    }

    /// Where the value lies, for who maps, binds or links it: its hash was checked and the file has not changed since.
    /// `None` if it is not here, or was corrupt. Counts as a use. Where that is not [`LocalStore::object_path`] it is a file
    /// of the system's: who has used it asks again afterwards, whether it is still the one.
    pub fn checked_path(&self, name: &ValueName) -> Result<Option<PathBuf>> {
        let key = self.value_key(name);
        if !self.present_as_copy(&key)? {
            let Some(bytes) = self.packed(&key)? else {
                // It was hashed when it was pinned.
                return Ok(self.pinned(name));
            };
            self.write(&key, &bytes)?;
        }
        let Some(file) = open_object(&key.path)? else {
            return Ok(None);
        };
        let now = Identity::of(&file.metadata().at(&key.path)?);
        if self.checked().known.get(name) == Some(&now) {
            return Ok(Some(key.path));
        }
        let mut hasher = NameHasher::new();
        read_pieces(&file, &key.path, key.len, |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        if !key.is(&hasher.value_name()) {
            self.set_aside(&key.path, &file)?;
            return Ok(None);
        }
        self.vouch([Vouched { name: *name, identity: now }]);
        Ok(Some(key.path))
    }

    /// The objects that this process has hashed, from the `from`-th on: another process on the same store need not hash
    /// them again.
    pub fn vouched(&self, from: usize) -> Vec<Vouched> {
        self.checked().order.get(from..).unwrap_or_default().to_vec()
    }

    /// Takes what another process on the same store has hashed as checked.
    pub fn vouch(&self, objects: impl IntoIterator<Item = Vouched>) {
        let mut checked = self.checked();
        for object in objects {
            if checked.known.insert(object.name, object.identity) != Some(object.identity) {
                checked.order.push(object);
            }
        }
    }

    fn checked(&self) -> MutexGuard<'_, Checked> {
        self.0.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the value at the file's position, checking its hash on the way. `false` if it is not here, or
    /// proved corrupt: what was written is then worthless and is the caller's to remove.
    pub fn copy_to(&self, name: &ValueName, to: &mut File) -> Result<bool> {
        let key = self.value_key(name);
        let Some(file) = self.open_for_use(&key)? else {
            let Some(bytes) = self.packed(&key)? else { return Ok(false) };
            to.write_all(&bytes).at(Path::new("(the copy of an object)"))?;
            return Ok(true);
        };
        let mut hasher = NameHasher::new();
        read_pieces(&file, &key.path, key.len, |piece| {
            hasher.update(piece);
            to.write_all(piece).at(Path::new("(the copy of an object)"))
        })?;
        if key.is(&hasher.value_name()) {
            return Ok(true);
        }
        self.reject(&key, &file)?;
        Ok(false)
    }

    fn put_bytes(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        // That a pack has it is not asked: what is made is wanted as a file.
        if self.is_file(key)? { Ok(()) } else { self.write(key, bytes) }
    }

    fn write(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        let mut temp = Temp::create(&self.0.layout.tmp, OBJECT_MODE)?;
        temp.file.write_all(bytes).at(&temp.path)?;
        temp.place(&key.path)
    }

    /// The object, if it lies in a pack.
    fn packed(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        if key.may_be_packed() { self.0.packs.get(&key.digest, key.len) } else { Ok(None) }
    }

    /// Keeps what nobody asks for as a file with others in one.
    fn put_small(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        if bytes.len() <= pack::MOST && self.0.packs.put(&key.digest, bytes).is_ok() {
            return Ok(());
        }
        // Where a pack cannot be written it may be there, or a file can be written, or says why not.
        if self.present(key)? { Ok(()) } else { self.write(key, bytes) }
    }

    fn get_bytes(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        if key.may_be_packed()
            && let Some(bytes) = self.0.packs.known(&key.digest, key.len)?
        {
            return Ok(Some(bytes));
        }
        let Some(file) = self.open_for_use(key)? else { return self.packed(key) };
        let bytes = read_whole(&file, key.len).at(&key.path)?;
        if key.is(&ValueName::of(&bytes)) {
            return Ok(Some(bytes));
        }
        self.reject(key, &file)?;
        Ok(None)
    }

    /// What was read through this descriptor is not the object.
    fn reject(&self, key: &Key, read: &File) -> Result<()> {
        if let Some(name) = &key.value {
            self.unpin(name);
        }
        self.set_aside(&key.path, read)
    }

    /// Whether the object is here, or a file stands for it.
    fn present(&self, key: &Key) -> Result<bool> {
        Ok(key.may_be_packed() && self.0.packs.knows(&key.digest, key.len)
            || self.is_file(key)?
            || self.packed(key)?.is_some())
    }

    /// Whether the object is here as a file, or one of the system's stands for it.
    fn is_file(&self, key: &Key) -> Result<bool> {
        Ok(self.present_as_copy(key)? || key.value.is_some_and(|name| self.pinned(&name).is_some()))
    }

    /// Whether the object is here with the right length; one that is not right is set aside.
    fn present_as_copy(&self, key: &Key) -> Result<bool> {
        let meta = match fs::symlink_metadata(&key.path) {
            Ok(meta) => meta,
            Err(e) if is_absence(&e) => return Ok(false),
            Err(e) => return Err(StoreError::at(&key.path, e)),
        };
        if !meta.is_file() || meta.len() != key.len {
            self.move_aside(&key.path)?;
            return Ok(false);
        }
        Ok(self.keep_in_use(&key.path, &meta))
    }

    /// Opens the object for reading, as a use; one of the wrong length is set aside.
    fn open_for_use(&self, key: &Key) -> Result<Option<File>> {
        let Some(file) = open_object(&key.path)? else {
            return Ok(key.value.and_then(|name| self.open_pinned(&name)));
        };
        let meta = file.metadata().at(&key.path)?;
        if !meta.is_file() || meta.len() != key.len {
            self.set_aside(&key.path, &file)?;
            return Ok(None);
        }
        // Gone from its name meanwhile or not: what is open can be read.
        let _ = self.keep_in_use(&key.path, &meta);
        Ok(Some(file))
    }

    /// Notes that the file is used now. `false` if gc was quicker and it is gone.
    pub(crate) fn keep_in_use(&self, path: &Path, meta: &Metadata) -> bool {
        if meta.accessed().is_ok_and(is_recent) {
            return true;
        }
        // Under the lock that gc holds while it removes: either it sees the new time, or we see that it is gone.
        // A fresh descriptor each time, because a lock belongs to the descriptor and threads would share it.
        let lock = self.gc_lock();
        if let Ok(lock) = &lock {
            let _ = lock.lock_shared();
        }
        match sys::touch_access(path) {
            Err(e) if is_absence(&e) => false,
            // In a store that may only be read nothing is evicted by us either.
            _ => true,
        }
    }

    /// The lock file between gc and the others. Released when the descriptor is closed.
    pub(crate) fn gc_lock(&self) -> Result<File> {
        gc::lock_file(&self.0.layout.gc_lock)
    }

    /// Moves a corrupt object that was read through this descriptor out of its name, unless another
    /// process has put a good one there meanwhile.
    pub(crate) fn set_aside(&self, path: &Path, read: &File) -> Result<()> {
        let read = read.metadata().at(path)?;
        match fs::symlink_metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (read.dev(), read.ino()) => self.move_aside(path),
            _ => Ok(()),
        }
    }

    pub(crate) fn move_aside(&self, path: &Path) -> Result<()> {
        move_aside(&self.0.layout.quarantine, path)
    }
}

impl Store for LocalStore {
    fn put(&self, bytes: &[u8]) -> Result<ValueName> {
        let name = ValueName::of(bytes);
        self.put_bytes(&self.value_key(&name), bytes)?;
        Ok(name)
    }

    fn get(&self, name: &ValueName) -> Result<Option<Vec<u8>>> {
        self.get_bytes(&self.value_key(name))
    }

    fn contains(&self, name: &ValueName) -> Result<bool> {
        self.present(&self.value_key(name))
    }
}

/// Moves a corrupt file out of its name.
pub(crate) fn move_aside(quarantine: &Path, path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let to = quarantine.join(format!("{name}-{}-{nanos}", owner::current()));
    match fs::rename(path, &to) {
        Err(e) if is_absence(&e) => Ok(()),
        // In a store that may only be read the corrupt file stays, and is found again.
        Err(e) => match StoreError::at(path, e) {
            StoreError::ReadOnly { .. } | StoreError::Denied { .. } => Ok(()),
            other => Err(other),
        },
        Ok(()) => Ok(()),
    }
}

/// Whether something was used so shortly ago that who uses it need not say so.
pub(crate) fn is_recent(used: SystemTime) -> bool {
    // A use time in the future (a clock that was set back) is not believed either.
    match SystemTime::now().duration_since(used) {
        Ok(age) => age < TOUCH_GRAIN,
        Err(ahead) => ahead.duration() < TOUCH_GRAIN,
    }
}

/// Opens a regular file; does not wait for the other end of a pipe.
pub(crate) fn open_regular(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).at(path)?;
    if file.metadata().at(path)?.is_file() { Ok(file) } else { Err(StoreError::NotAFile { path: path.to_owned() }) }
}

/// Opens an object without counting that as a use where the system lets us. `None` if it is not there.
pub(crate) fn open_object(path: &Path) -> Result<Option<File>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
    // Only its owner may read a file without leaving an access time.
    let opened = match open(flags | libc::O_NOATIME) {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => open(flags),
        opened => opened,
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(e) if is_absence(&e) => Ok(None),
        Err(e) => Err(StoreError::at(path, e)),
    }
}

/// All of a small file, whose length may change meanwhile.
pub(crate) fn read_small(file: &File, src: &Path, len: u64) -> Result<Vec<u8>> {
    let mut whole = Vec::with_capacity(len as usize);
    read_pieces(file, src, len, |piece| {
        whole.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(whole)
}

/// Reads a file of this length; what is written to it meanwhile may make it longer or shorter.
pub(crate) fn read_whole(file: &File, len: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    bytes.resize(len, 0);
    let mut there = 0;
    while there < bytes.len() {
        match file.read_at(&mut bytes[there..], there as u64) {
            Ok(0) => bytes.truncate(there),
            Ok(n) => there += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(bytes)
}

/// Hands over a file from its beginning, in pieces. So much is in it, as far as is known.
pub(crate) fn read_pieces(
    file: &File,
    path: &Path,
    expected: u64,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    // Most files are small, and clearing a large piece takes longer than hashing a small file. One more byte shows the end.
    let mut piece = vec![0; PIECE.min(usize::try_from(expected).unwrap_or(PIECE).saturating_add(1))];
    let mut offset = 0;
    loop {
        match file.read_at(&mut piece, offset) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                take(&piece[..n])?;
                offset += n as u64;
                if n == piece.len() && n < PIECE {
                    piece.resize(PIECE, 0);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(StoreError::at(path, e)),
        }
    }
}

pub(crate) fn is_absence(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_however_long_it_was_thought_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for len in [0, 1, 4096, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            for expected in [0, 1, len as u64, 2 * len as u64, u64::MAX] {
                let mut read = Vec::new();
                let taken = read_pieces(&file, &path, expected, |piece| {
                    read.extend_from_slice(piece);
                    Ok(())
                });
                taken.unwrap();
                assert!(read == bytes, "{len} bytes, thought to be {expected}");
            }
            assert!(read_whole(&file, len as u64).unwrap() == bytes);
            assert!(read_whole(&file, len as u64 + 1).unwrap() == bytes);
        }
    }
}
