//! Small objects, many to a file. The thunk of a call and the directories of its tree are a dozen objects of some hundred bytes:
//! to make a file of each costs thirty times what it costs to write it, and a block of the disk.
//!
//! A pack is only ever appended to, by all processes of a `GG_DIR`; the one with the highest number is, until it is full. A record
//! is a header of 56 bytes (a magic word, the length and the digest of the object, a checksum of these) and the object. A record
//! that is torn (the disk was full, the power failed) is passed over: reading resumes at the next header. What is read is
//! checked against its digest, as everything in the store.
//!
//! Who uses an object of a pack sets the pack's time; if the pack lies far back, the object is appended to the newest one instead.
//! So what nobody needs does not stay for what somebody needs, and gc evicts packs whole, by their times.
//!
//! Knows nothing of what objects are. Packs are read from the newest backwards, as far as somebody looks for what is not found:
//! who only writes may write again what an older pack has.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gg_thunk::ValueName;
use rustc_hash::FxHashMap;

use crate::digest::{checksum, read_full_at};
use crate::error::AtPath;
use crate::layout::{self, Layout};
use crate::local::{TOUCH_GRAIN, is_absence, open_object, read_whole};
use crate::{Result, StoreError, gc};

/// A larger object is a file of its own.
pub(crate) const MOST: usize = 64 << 10;
/// A pack of this size gets nothing more.
const FULL: u64 = 16 << 20;
/// What is used of a pack with so many behind it is carried on: a gigabyte.
const FAR: u32 = 64;

const MAGIC: &[u8; 4] = b"ggp1";
const HEADER: usize = 56;
const SUMMED: usize = HEADER - 8;

/// The packs of a store, as this process knows them.
#[derive(Debug)]
pub(crate) struct Packs {
    dir: PathBuf,
    gc_lock: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By their numbers; those below the first may not have been read yet.
    packs: BTreeMap<u32, Pack>,
    places: FxHashMap<[u8; 32], Place>,
    /// Packs that are there and were not read, oldest first.
    older: Vec<u32>,
    /// Whether it was looked what packs there are.
    listed: bool,
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
    writable: bool,
}

/// Where an object lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    pack: u32,
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
}

/// A record, and where its object begins in the bytes that it was found in.
struct Found {
    digest: [u8; 32],
    start: usize,
    len: usize,
}

impl Packs {
    pub fn new(layout: &Layout) -> Packs {
        Packs { dir: layout.packs.clone(), gc_lock: layout.gc_lock.clone(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:08}"))
    }

    /// Keeps an object of this digest.
    pub fn put(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        self.list(&mut state)?;
        if self.is_kept(&mut state, digest, bytes.len() as u64) {
            return Ok(());
        }
        self.append(&mut state, digest, bytes)
    }

    /// An object that is known to be here without a look at the disk.
    pub fn known(&self, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        let mut state = self.state();
        self.read(&mut state, digest, len)
    }

    /// Whether an object is here: as far as that is known, or with a look at the disk. Counts as a use.
    pub fn contains(&self, digest: &[u8; 32], len: u64, look: bool) -> Result<bool> {
        let mut state = self.state();
        if self.is_kept(&mut state, digest, len) {
            return Ok(true);
        }
        if look || state.places.contains_key(digest) {
            return Ok(self.find(&mut state, digest, len)?.is_some());
        }
        Ok(false)
    }

    /// An object, if it is here. Counts as a use.
    pub fn get(&self, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        self.find(&mut self.state(), digest, len)
    }

    fn find(&self, state: &mut State, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.read(state, digest, len)? {
            return Ok(Some(bytes));
        }
        self.list(state)?;
        self.read_new(state)?;
        loop {
            if let Some(bytes) = self.read(state, digest, len)? {
                return Ok(Some(bytes));
            }
            let Some(number) = state.older.pop() else { return Ok(None) };
            self.open(state, number)?;
        }
    }

    /// The object that lies where it is known to lie; one that is wrong is forgotten.
    fn read(&self, state: &mut State, digest: &[u8; 32], len: u64) -> Result<Option<Vec<u8>>> {
        let Some(place) = state.places.get(digest).copied().filter(|place| place.len == len) else { return Ok(None) };
        let Some(pack) = state.packs.get(&place.pack) else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(place.len).unwrap_or(0)];
        let read = pack.with_file(|file| file.read_exact_at(&mut bytes, place.offset));
        if read.is_err() || ValueName::of(&bytes).digest() != digest {
            state.places.remove(digest);
            return Ok(None);
        }
        if !self.is_kept(state, digest, len) {
            // In a store that may only be read it stays where it is, and nothing is evicted by us either.
            let _ = self.append(state, digest, &bytes);
        }
        Ok(Some(bytes))
    }

    /// Whether the object is known to lie in a pack that is there and not far back, which is noted to be used now.
    fn is_kept(&self, state: &mut State, digest: &[u8; 32], len: u64) -> bool {
        let Some(place) = state.places.get(digest).copied().filter(|place| place.len == len) else { return false };
        let newest = state.newest().unwrap_or(0);
        let Some(pack) = state.packs.get_mut(&place.pack) else { return false };
        if pack.is_young() {
            return pack.is_there();
        }
        if newest - place.pack >= FAR {
            return false;
        }
        let now = SystemTime::now();
        // Under the lock that gc holds while it removes: either it sees that the pack is used, or we see that it is gone.
        let _lock = self.lock();
        let kept = pack.is_there() && pack.with_file(|file| file.set_modified(now)).is_ok();
        if kept {
            pack.used = now;
        }
        kept
    }

    /// The lock between gc and the others, shared; none in a store that may only be read.
    fn lock(&self) -> Option<File> {
        let lock = gc::lock_file(&self.gc_lock).ok()?;
        lock.lock_shared().ok()?;
        Some(lock)
    }

    /// Looks which packs there are, once, and reads the newest.
    fn list(&self, state: &mut State) -> Result<()> {
        if state.listed {
            return Ok(());
        }
        let number = |path: PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        state.older = layout::entries(&self.dir).at(&self.dir)?.into_iter().filter_map(number).collect();
        state.older.sort_unstable();
        state.listed = true;
        match state.older.pop() {
            Some(newest) => self.open(state, newest),
            None => Ok(()),
        }
    }

    /// Opens a pack and reads it.
    fn open(&self, state: &mut State, number: u32) -> Result<()> {
        let path = self.path(number);
        let (file, writable) = match open_pack(&path) {
            Err(e) if is_absence(&e) => return Ok(()),
            opened => opened.at(&path)?,
        };
        let meta = file.metadata().at(&path)?;
        let (file_id, used) = ((meta.dev(), meta.ino()), meta.modified().at(&path)?);
        state.packs.insert(number, Pack { path, file: Some(file), file_id, read: 0, used, writable });
        self.read_pack(state, number)
    }

    /// Reads what was appended, and what newer packs there are, since the last time.
    fn read_new(&self, state: &mut State) -> Result<()> {
        self.drop_evicted(state)?;
        let growing: Vec<u32> = state.packs.keys().copied().filter(|number| state.may_grow(*number)).collect();
        for number in growing {
            self.read_pack(state, number)?;
        }
        loop {
            let next = state.newest().map_or(0, |newest| newest + 1);
            self.open(state, next)?;
            if state.newest() != Some(next) {
                return Ok(());
            }
        }
    }

    /// When the newest pack is not there any more, all is forgotten and looked for again: others begin one under any number.
    fn drop_evicted(&self, state: &mut State) -> Result<()> {
        let Some((_, pack)) = state.packs.last_key_value() else { return Ok(()) };
        let there = fs::symlink_metadata(&pack.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == pack.file_id);
        if !there {
            *state = State::default();
            self.list(state)?;
        }
        Ok(())
    }

    fn read_pack(&self, state: &mut State, number: u32) -> Result<()> {
        let Some(pack) = state.packs.get_mut(&number) else { return Ok(()) };
        let from = pack.read;
        let read = pack.with_file(|file| {
            let meta = file.metadata()?;
            let mut bytes = vec![0; usize::try_from(meta.len().saturating_sub(from)).unwrap_or(0)];
            let filled = if bytes.len() < HEADER { 0 } else { read_full_at(file, &mut bytes, from)? };
            bytes.truncate(filled);
            Ok((bytes, meta.modified()?))
        });
        let (bytes, used) = read.at(&pack.path)?;
        pack.used = pack.used.max(used);
        let (records, passed) = records(&bytes);
        pack.read = from + passed as u64;
        for Found { digest, start, len } in records {
            // Of two the one that was written later.
            let place = Place { pack: number, offset: from + start as u64, len: len as u64 };
            match state.places.get(&digest) {
                Some(other) if other.pack > number => {}
                _ => drop(state.places.insert(digest, place)),
            }
        }
        state.close_full();
        Ok(())
    }

    fn append(&self, state: &mut State, digest: &[u8; 32], bytes: &[u8]) -> Result<()> {
        self.list(state)?;
        // As above.
        let _lock = state.newest().filter(|newest| !state.packs[newest].is_young()).and_then(|_| self.lock());
        self.drop_evicted(state)?;
        let has_room = |pack: &Pack| pack.writable && pack.len().is_ok_and(|len| len < FULL);
        let number = match state.packs.iter().rev().find(|(_, pack)| pack.file.is_some() && has_room(pack)) {
            Some((number, _)) => *number,
            None => self.begin(state)?,
        };
        let path = self.path(number);
        let Some(pack) = state.packs.get_mut(&number).filter(|pack| pack.writable) else {
            return Err(StoreError::at(&path, io::ErrorKind::PermissionDenied.into()));
        };
        let record = [&header(digest, bytes.len() as u64)[..], bytes].concat();
        let end = pack.with_file(|mut file| {
            // One write, so that records of several processes do not mix. A short one is a torn record.
            match file.write(&record)? {
                written if written == record.len() => file.stream_position(),
                _ => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            }
        });
        let end = end.at(&path)?;
        let begin = end.saturating_sub(record.len() as u64);
        if pack.read == begin {
            pack.read = end;
        }
        pack.used = SystemTime::now();
        let place = Place { pack: number, offset: begin + HEADER as u64, len: bytes.len() as u64 };
        state.places.insert(*digest, place);
        Ok(())
    }

    /// Begins a pack, or opens the one that another process has begun.
    fn begin(&self, state: &mut State) -> Result<u32> {
        let number = state.newest().map_or(0, |newest| newest + 1);
        let path = self.path(number);
        // Whatever the umask, which is a thunk's in the process that runs it.
        OpenOptions::new().append(true).create(true).mode(0o644).open(&path).at(&path)?;
        self.open(state, number)?;
        Ok(number)
    }

    /// Reads all packs and checks each object. A pack that holds one that is not whole is moved out of its name.
    pub fn verify(&self, set_aside: &dyn Fn(&Path, &File) -> Result<()>) -> Result<Verified> {
        let mut verified = Verified::default();
        for path in layout::entries(&self.dir).at(&self.dir)? {
            let Some(file) = open_object(&path)? else { continue };
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

impl State {
    fn newest(&self) -> Option<u32> {
        self.packs.last_key_value().map(|(number, _)| *number)
    }

    /// Closes what cannot grow.
    fn close_full(&mut self) {
        let full: Vec<u32> = self.packs.keys().copied().filter(|number| !self.may_grow(*number)).collect();
        for number in full {
            if let Some(pack) = self.packs.get_mut(&number) {
                pack.file = None;
            }
        }
    }

    /// Whether something may yet be appended to a pack: who has seen that the one before the newest had room may be about to.
    fn may_grow(&self, number: u32) -> bool {
        self.packs.get(&number).is_some_and(|pack| pack.read < FULL)
            || self.newest().is_some_and(|newest| number + 1 >= newest)
    }
}

impl Pack {
    /// Does something with the file, if it is the one that was.
    fn with_file<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if let Some(file) = &self.file {
            return act(file);
        }
        let (file, _) = open_pack(&self.path)?;
        let meta = file.metadata()?;
        if (meta.dev(), meta.ino()) == self.file_id { act(&file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn len(&self) -> io::Result<u64> {
        self.with_file(|file| Ok(file.metadata()?.len()))
    }

    /// Whether gc has left it.
    fn is_there(&self) -> bool {
        self.with_file(|file| Ok(file.metadata()?.nlink() > 0)).unwrap_or(false)
    }

    /// Whether it was written so shortly ago that who uses it need not say so.
    fn is_young(&self) -> bool {
        match SystemTime::now().duration_since(self.used) {
            Ok(age) => age < TOUCH_GRAIN,
            // A clock that was set back is not believed either.
            Err(ahead) => ahead.duration() < TOUCH_GRAIN,
        }
    }
}

/// Opens a pack, and says whether it may be written.
fn open_pack(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => Ok((file, true)),
        Err(e) if is_absence(&e) => Err(e),
        Err(_) => Ok((File::open(path)?, false)),
    }
}

fn header(digest: &[u8; 32], len: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&len.to_le_bytes());
    header[16..SUMMED].copy_from_slice(digest);
    let sum = checksum(&header[..SUMMED]);
    header[SUMMED..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The record whose header begins the bytes, if that is one.
fn header_at(bytes: &[u8]) -> Option<([u8; 32], u64)> {
    let header = bytes.get(..HEADER)?;
    if !header.starts_with(MAGIC) || header[SUMMED..] != checksum(&header[..SUMMED]).to_le_bytes() {
        return None;
    }
    let len = u64::from_le_bytes(header[8..16].try_into().ok()?);
    Some((header[16..SUMMED].try_into().ok()?, len))
}

/// The records in these bytes, and how many bytes need not be read again: a last record that is not all there may be yet.
fn records(bytes: &[u8]) -> (Vec<Found>, usize) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(skipped) = find(&bytes[at..], MAGIC) {
        at += skipped;
        let Some((digest, len)) = header_at(&bytes[at..]) else {
            if bytes.len() - at < HEADER {
                return (found, at);
            }
            at += 1;
            continue;
        };
        let start = at + HEADER;
        let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len)).filter(|end| *end <= bytes.len());
        let Some(end) = end else {
            // What follows a torn one may be whole.
            let Some(next) = (at + 1..bytes.len()).find(|next| header_at(&bytes[*next..]).is_some()) else {
                return (found, at);
            };
            at = next;
            continue;
        };
        let object = &bytes[start..end];
        let follows = end == bytes.len() || header_at(&bytes[end..]).is_some();
        // One that was torn, and appended to by others: its length says nothing.
        if follows || ValueName::of(object).digest() == &digest {
            found.push(Found { digest, start, len: object.len() });
            at = end;
        } else {
            at += 1;
        }
    }
    // A magic word may have been written by half.
    (found, bytes.len().saturating_sub(MAGIC.len() - 1).max(at))
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}
