//! Small objects, many to a file. The thunk of a call and the directories of its tree are a dozen objects of some hundred bytes:
//! to make a file of each costs thirty times what it costs to write it, and a block of the disk.
//!
//! A pack is appended to by one process at a time, which holds its lock; who wants to write takes one that nobody holds and that is
//! not full, or begins one. A record is a header of 48 bytes (a magic word, the length and the digest of the object, a checksum of
//! these) and the object. One that is torn (the disk was full, the power failed) is passed over: reading resumes at the next header.
//! What is read is checked against its digest, as everything in the store; a pack with an object that is not what it was is set aside
//! whole, for all processes to see, and what was in it is put again by who needs it.
//!
//! Who uses an object of a pack sets the pack's time, by which gc evicts packs whole. So in a pack of which anything is used the
//! rest stays too.
//!
//! Knows nothing of what objects are. Packs are read from the newest backwards, as far as somebody looks for what is not found:
//! who only writes may write again what an older pack has.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gg_thunk::ValueName;
use rustc_hash::FxHashMap;

use crate::digest::{checksum, read_full_at};
use crate::error::AtPath;
use crate::layout::{self, Layout};
use crate::local::{TOUCH_GRAIN, is_absence, read_whole};
use crate::{Result, StoreError, gc, owner, sys};

/// A larger object is a file of its own.
pub(crate) const MOST: usize = 64 << 10;
/// A pack of this size gets nothing more.
const FULL: u64 = 16 << 20;

const MAGIC: &[u8; 4] = b"ggp1";
const HEADER: usize = 48;
const SUMMED: usize = HEADER - 8;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The packs of a store, as this process knows them.
#[derive(Debug)]
pub(crate) struct Packs {
    dir: PathBuf,
    quarantine: PathBuf,
    gc_lock: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    packs: Vec<Pack>,
    /// All that was ever seen, by their names: where they are in `packs`, if they were read.
    names: HashMap<OsString, Option<usize>>,
    /// Those that were not read, the newest last.
    older: Vec<PathBuf>,
    /// The one that this process writes.
    own: Option<usize>,
    places: FxHashMap<[u8; 32], Place>,
    /// Whether it was looked what packs there are.
    listed: bool,
    /// Whether all that was known was dropped, as something of it was wrong.
    dropped: bool,
}

#[derive(Debug)]
struct Pack {
    path: PathBuf,
    /// Open while it may grow: there may be more packs than a process may have files open.
    file: Option<File>,
    /// Its device and inode.
    file_id: (u64, u64),
    /// Up to where it was read.
    read: u64,
    /// When it was used last, as far as this process knows.
    used: SystemTime,
}

/// Where an object lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    pack: usize,
    offset: u64,
    len: u64,
}

/// What was found in packs.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Objects that are whole.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs that held one that is not.
    pub corrupt: Vec<PathBuf>,
    /// What is no pack. It is left alone.
    pub foreign: Vec<PathBuf>,
}

/// A record, and where its object begins in the bytes that it was found in.
struct Found {
    digest: [u8; 32],
    start: usize,
    len: usize,
}

impl Packs {
    pub fn new(layout: &Layout) -> Packs {
        Packs {
            dir: layout.packs.clone(),
            quarantine: layout.quarantine.clone(),
            gc_lock: layout.gc_lock.clone(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an object of this digest.
    pub fn put(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        if self.is_kept(&mut state, digest, bytes.len() as u64) {
            return Ok(());
        }
        self.append(&mut state, digest, bytes)
    }

    /// An object of which this process knows where it lies. Counts as a use.
    pub fn known(&self, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        self.read(&mut self.state(), digest, len)
    }

    /// Whether this process knows where an object lies. Counts as a use.
    pub fn knows(&self, digest: &[u8; 32], len: u64) -> bool {
        self.is_kept(&mut self.state(), digest, len)
    }

    /// An object, looked for in all packs. Counts as a use.
    pub fn get(&self, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        let state = &mut *self.state();
        // Where it is not any more there may be another: what is known is then dropped, and all is looked for again.
        for _ in 0..2 {
            let known = state.places.contains_key(digest);
            if let Some(bytes) = self.look(state, digest, len)? {
                return Ok(Some(bytes));
            }
            if !known && !state.dropped {
                break;
            }
            state.dropped = false;
        }
        Ok(None)
    }

    fn look(&self, state: &mut State, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.read(state, digest, len)? {
            return Ok(Some(bytes));
        }
        let growing =
            (0..state.packs.len()).filter(|pack| state.packs[*pack].file.is_some() && state.own != Some(*pack));
        for pack in growing.collect::<Vec<_>>() {
            state.read_pack(pack);
        }
        self.open_new(state)?;
        loop {
            if let Some(bytes) = self.read(state, digest, len)? {
                return Ok(Some(bytes));
            }
            let Some(older) = state.older.pop() else { return Ok(None) };
            state.open(older)?;
        }
    }

    /// The object that lies where it is known to lie. A pack that holds something else there is set aside, and what is known of packs
    /// is dropped, as it is when the object is not there any more.
    fn read(&self, state: &mut State, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        let Some(place) = state.places.get(digest).copied().filter(|place| place.len == len) else { return Ok(None) };
        let pack = &state.packs[place.pack];
        let mut bytes = vec![0; usize::try_from(place.len).unwrap_or(0)];
        match pack.with_file(|file| file.read_exact_at(&mut bytes, place.offset)) {
            Ok(()) if ValueName::of(&bytes).digest() == digest => {}
            Ok(()) => {
                self.set_aside(pack);
                *state = State { dropped: true, ..State::default() };
                return Ok(None);
            }
            // It was evicted, or cut.
            Err(e) if is_absence(&e) || e.kind() == io::ErrorKind::UnexpectedEof => {
                *state = State { dropped: true, ..State::default() };
                return Ok(None);
            }
            Err(e) => return Err(StoreError::at(&pack.path, e)),
        }
        if !self.is_kept(state, digest, len) {
            // In a store that may only be read it stays where it is, and nothing is evicted by us either.
            let _ = self.append(state, digest, &bytes);
        }
        Ok(Some(bytes))
    }

    /// Whether the object is known to lie in a pack that is there, which is noted to be used now.
    fn is_kept(&self, state: &mut State, digest: &[u8; 32], len: u64) -> bool {
        let Some(place) = state.places.get(digest).copied().filter(|place| place.len == len) else { return false };
        let pack = &mut state.packs[place.pack];
        if pack.is_young() {
            return pack.is_there();
        }
        let now = SystemTime::now();
        // Under the lock that gc holds while it removes: either it sees that the pack is used, or we see that it is gone.
        let _lock = gc::lock_file(&self.gc_lock).ok().filter(|lock| lock.lock_shared().is_ok());
        let kept = pack.is_there() && pack.with_file(|file| file.set_modified(now)).is_ok();
        if kept {
            pack.used = now;
        }
        kept
    }

    /// Looks which packs there are, and gives those that are new. The first time only the newest is: the others are read when they
    /// are asked for.
    fn list(&self, state: &mut State) -> Result<Vec<PathBuf>> {
        let mut new = Vec::new();
        for path in layout::entries(&self.dir).at(&self.dir)? {
            let Some(name) = path.file_name().filter(|name| !state.names.contains_key(*name)) else { continue };
            state.names.insert(name.to_owned(), None);
            new.push(path);
        }
        if !std::mem::replace(&mut state.listed, true) {
            new.sort_by_cached_key(|path| fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok());
            let newest = new.pop();
            state.older = new;
            return Ok(newest.into_iter().collect());
        }
        Ok(new)
    }

    /// Reads the packs that are new.
    fn open_new(&self, state: &mut State) -> Result<()> {
        let mut new = self.list(state)?;
        while let Some(path) = new.pop() {
            if let Err(e) = state.open(path) {
                // The others are listed again, too.
                for name in new.iter().filter_map(|path| path.file_name()) {
                    state.names.remove(name);
                }
                return Err(e);
            }
        }
        Ok(())
    }

    /// Appends an object to the pack that this process writes.
    fn append(&self, state: &mut State, digest: &[u8; 32], bytes: &[u8]) -> Result<()> {
        let record = [&header(digest, bytes.len() as u32)[..], bytes].concat();
        loop {
            let own = self.own(state, record.len() as u64)?;
            let pack = &mut state.packs[own];
            let written = pack.with_file(|mut file| {
                let begin = file.metadata()?.len();
                // A short one is a torn record.
                match file.write(&record)? {
                    written if written == record.len() => Ok(begin),
                    _ => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
                }
            });
            let begin = written.at(&pack.path)?;
            pack.read = begin + record.len() as u64;
            pack.used = SystemTime::now();
            let place = Place { pack: own, offset: begin + HEADER as u64, len: bytes.len() as u64 };
            state.places.insert(*digest, place);
            // Somebody may have set it aside just now; then another is begun.
            if state.packs[own].is_there() {
                return Ok(());
            }
        }
    }

    /// The pack that this process writes, with room for so many bytes.
    fn own(&self, state: &mut State, room: u64) -> Result<usize> {
        // A process that writes a longer file is killed by a signal.
        let most = sys::file_size_limit();
        if room > most {
            return Err(StoreError::at(&self.dir, io::Error::from_raw_os_error(libc::EFBIG)));
        }
        let has_room = |file: &File| file.metadata().is_ok_and(|meta| meta.len() < FULL && meta.len() + room <= most);
        if let Some(own) = state.own {
            let pack = &mut state.packs[own];
            if pack.is_there() && pack.file.as_ref().is_some_and(has_room) {
                return Ok(own);
            }
            // Another process may go on. What lies in it can be read as long as it is open.
            state.own = None;
            pack.file = pack.file.take().filter(|file| file.unlock().is_ok() && pack.read < FULL);
        }
        self.open_new(state)?;
        for known in (0..state.packs.len()).rev().filter(|known| state.packs[*known].file.is_some()).collect::<Vec<_>>()
        {
            let Some(file) = lock_to_write(&state.packs[known].path).filter(has_room) else { continue };
            // All that its last writer wrote.
            state.read_pack(known);
            if state.may_take(known, &file) {
                return Ok(state.take(known, file));
            }
        }
        for index in (0..state.older.len()).rev() {
            let Some(file) = lock_to_write(&state.older[index]).filter(has_room) else { continue };
            let path = state.older.remove(index);
            if let Some(opened) = state.open(path)?
                && state.may_take(opened, &file)
            {
                return Ok(state.take(opened, file));
            }
        }
        self.begin(state)
    }

    fn begin(&self, state: &mut State) -> Result<usize> {
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!("{}-{number}", owner::current()));
            let path = self.dir.join(&name);
            let file = match OpenOptions::new().read(true).append(true).create_new(true).open(&path) {
                // Of a process of the same name, where /proc tells nothing.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.at(&path)?,
            };
            let locked = match file.try_lock() {
                Ok(()) => true,
                // Another process was quicker to take it.
                Err(fs::TryLockError::WouldBlock) => false,
                Err(fs::TryLockError::Error(e)) => {
                    let _ = fs::remove_file(&path);
                    return Err(StoreError::at(&path, e));
                }
            };
            // Whatever the umask, which is a thunk's in the process that runs it.
            file.set_permissions(Permissions::from_mode(0o644)).at(&path)?;
            if locked {
                let meta = file.metadata().at(&path)?;
                let own = state.add(name, path, None, &meta);
                return Ok(state.take(own, file));
            }
        }
    }

    fn set_aside(&self, pack: &Pack) {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let mut name = pack.path.file_name().unwrap_or_default().to_owned();
        name.push(format!("-{nanos}"));
        if pack.is_there() {
            // In a store that may only be read it stays.
            let _ = fs::rename(&pack.path, self.quarantine.join(name));
        }
    }

    /// Reads all packs and checks each object. A pack that holds one that is not whole is set aside.
    pub fn verify(&self, set_aside: &dyn Fn(&Path, &File) -> Result<()>) -> Result<Verified> {
        let mut verified = Verified::default();
        for path in layout::entries(&self.dir).at(&self.dir)? {
            let file = match open_pack(&path) {
                Ok(Some((file, _))) => file,
                Err(e) if is_absence(&e) => continue,
                Ok(None) => {
                    verified.foreign.push(path);
                    continue;
                }
                Err(e) => return Err(StoreError::at(&path, e)),
            };
            let bytes = read_whole(&file, file.metadata().at(&path)?.len()).at(&path)?;
            let mut whole = true;
            for Found { digest, start, len } in records(&bytes).0 {
                if ValueName::of(&bytes[start..start + len]).digest() == &digest {
                    verified.objects += 1;
                    verified.bytes += len as u64;
                } else {
                    whole = false;
                }
            }
            if !whole {
                set_aside(&path, &file)?;
                verified.corrupt.push(path);
            }
        }
        Ok(verified)
    }
}

/// Opens a pack to read it; none if it is something else. Waits for nobody at the other end of a pipe.
fn open_pack(path: &Path) -> io::Result<Option<(File, fs::Metadata)>> {
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
fn lock_to_write(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).append(true).custom_flags(flags).open(path).ok()?;
    (file.metadata().is_ok_and(|meta| meta.is_file()) && file.try_lock().is_ok()).then_some(file)
}

/// The lock of a pack, if no process writes it; for gc, which leaves the others. While it is held none begins to.
pub(crate) fn lock_free(path: &Path) -> Option<File> {
    open_pack(path).ok()?.map(|(file, _)| file).filter(|file| file.try_lock().is_ok())
}

impl State {
    /// Opens a pack and reads it. One that is another user's, has gone or is none is passed over.
    fn open(&mut self, path: PathBuf) -> Result<Option<usize>> {
        let Some(name) = path.file_name().map(OsString::from) else { return Ok(None) };
        let (file, meta) = match open_pack(&path) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(None),
            Err(e) => {
                // It is listed again.
                self.names.remove(&name);
                let passed = is_absence(&e) || e.kind() == io::ErrorKind::PermissionDenied;
                return if passed { Ok(None) } else { Err(StoreError::at(&path, e)) };
            }
        };
        let pack = self.add(name, path, Some(file), &meta);
        self.read_pack(pack);
        Ok(Some(pack))
    }

    fn add(&mut self, name: OsString, path: PathBuf, file: Option<File>, meta: &fs::Metadata) -> usize {
        let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        self.packs.push(Pack { path, file, file_id: (meta.dev(), meta.ino()), read: 0, used });
        self.names.insert(name, Some(self.packs.len() - 1));
        self.packs.len() - 1
    }

    /// Whether a pack that is locked by this descriptor is the one that is known, and all of it is records: what a power cut has left
    /// is not gone on with.
    fn may_take(&self, pack: usize, locked: &File) -> bool {
        let pack = &self.packs[pack];
        pack.is_there()
            && locked.metadata().is_ok_and(|meta| meta.len() == pack.read && (meta.dev(), meta.ino()) == pack.file_id)
    }

    /// Reads what was appended since the last time.
    fn read_pack(&mut self, number: usize) {
        let pack = &mut self.packs[number];
        let from = pack.read;
        let read = pack.with_file(|file| {
            let meta = file.metadata()?;
            let mut bytes = vec![0; usize::try_from(meta.len().saturating_sub(from)).unwrap_or(0)];
            let filled = if bytes.len() < HEADER { 0 } else { read_full_at(file, &mut bytes, from)? };
            bytes.truncate(filled);
            Ok((bytes, meta.modified()?))
        });
        let Ok((bytes, used)) = read else { return };
        pack.used = pack.used.max(used);
        let (records, passed) = records(&bytes);
        pack.read = from + passed as u64;
        if pack.read >= FULL {
            // Its only writer has seen that.
            pack.file = None;
        }
        for Found { digest, start, len } in records {
            self.places.insert(digest, Place { pack: number, offset: from + start as u64, len: len as u64 });
        }
    }

    /// Takes a pack of which the lock is held by this descriptor.
    fn take(&mut self, pack: usize, locked: File) -> usize {
        self.packs[pack].file = Some(locked);
        self.own = Some(pack);
        pack
    }
}

impl Pack {
    /// Does something with the file, if it is the one that was.
    fn with_file<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if let Some(file) = &self.file {
            return act(file);
        }
        let Some((file, meta)) = open_pack(&self.path)? else { return Err(io::ErrorKind::NotFound.into()) };
        if (meta.dev(), meta.ino()) == self.file_id { act(&file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Whether it is where it was: gc has not removed it, and nobody has set it aside.
    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file_id)
    }

    /// Whether it was used so shortly ago that who uses it need not say so.
    fn is_young(&self) -> bool {
        match SystemTime::now().duration_since(self.used) {
            Ok(age) => age < TOUCH_GRAIN,
            // A clock that was set back is not believed either.
            Err(ahead) => ahead.duration() < TOUCH_GRAIN,
        }
    }
}

fn header(digest: &[u8; 32], len: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(MAGIC);
    header[4..8].copy_from_slice(&len.to_le_bytes());
    header[8..SUMMED].copy_from_slice(digest);
    let sum = checksum(&header[..SUMMED]);
    header[SUMMED..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The digest and the length that the header says which begins the bytes, if one does.
fn header_at(bytes: &[u8]) -> Option<([u8; 32], usize)> {
    let header = bytes.get(..HEADER)?;
    if !header.starts_with(MAGIC) || header[SUMMED..] != checksum(&header[..SUMMED]).to_le_bytes() {
        return None;
    }
    let len = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
    Some((header[8..SUMMED].try_into().ok()?, len)).filter(|_| len <= MOST)
}

/// The records in these bytes, and how many bytes need not be read again: a last record that is not all there may be yet.
fn records(bytes: &[u8]) -> (Vec<Found>, usize) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(skipped) = position(&bytes[at..], MAGIC) {
        at += skipped;
        let Some((digest, len)) = header_at(&bytes[at..]) else {
            if bytes.len() - at < HEADER {
                return (found, at);
            }
            at += 1;
            continue;
        };
        let start = at + HEADER;
        let Some(object) = bytes.get(start..start + len) else {
            // What follows a torn one may be whole.
            let Some(next) = (at + 1..bytes.len()).find(|next| header_at(&bytes[*next..]).is_some()) else {
                return (found, at);
            };
            at = next;
            continue;
        };
        let end = start + len;
        // Of one that was torn and appended to the length says nothing: it may end where a later record does. The last one may be
        // zeros, which a power cut leaves.
        let plain = header_at(&bytes[end..]).is_some() && position(object, MAGIC).is_none();
        if plain || ValueName::of(object).digest() == &digest {
            found.push(Found { digest, start, len });
            at = end;
        } else {
            at += 1;
        }
    }
    // A magic word may have been written by half.
    (found, bytes.len().saturating_sub(MAGIC.len() - 1).max(at))
}

fn position(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(object: &[u8]) -> Vec<u8> {
        [&header(ValueName::of(object).digest(), object.len() as u32)[..], object].concat()
    }

    fn objects(bytes: &[u8]) -> Vec<&[u8]> {
        records(bytes).0.iter().map(|found| &bytes[found.start..found.start + found.len]).collect()
    }

    #[test]
    fn the_encoding_is_pinned() {
        let mut expected = b"ggp1\x03\0\0\0".to_vec();
        expected.extend_from_slice(ValueName::of(b"abc").digest());
        expected.extend_from_slice(&0xd7fd_d7ed_8ab3_bd4f_u64.to_le_bytes());
        expected.extend_from_slice(b"abc");
        assert_eq!(record(b"abc"), expected);
    }

    #[test]
    fn a_torn_record_costs_itself_only_however_long_what_follows_is() {
        let torn = record(b"some object");
        for cut in 0..torn.len() {
            for length in 0..torn.len() * 2 {
                let next = vec![b'n'; length];
                let bytes = [&record(b"before")[..], &torn[..cut], &record(&next), &record(b"after")].concat();
                assert_eq!(objects(&bytes), [&b"before"[..], &next, b"after"], "cut at {cut}, then {length}");
            }
        }
    }

    #[test]
    fn an_object_may_hold_a_record() {
        let inner = record(b"inner");
        let bytes = [record(&inner), record(b"after"), record(&[MAGIC, &b"x"[..]].concat())].concat();
        assert_eq!(objects(&bytes), [&inner[..], b"after", b"ggp1x"]);
        assert_eq!(records(&bytes).1, bytes.len());
    }

    #[test]
    fn no_garbage_is_taken_for_a_record_nor_takes_long() {
        let mut long = header(&[1; 32], 0);
        long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let sum = checksum(&long[..SUMMED]);
        long[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        for garbage in [vec![0; 1 << 20], MAGIC.repeat(1 << 18), long.repeat(1 << 14)] {
            let bytes = [&garbage[..], &record(b"object")].concat();
            assert_eq!(objects(&bytes), [b"object"]);
        }
    }
}
