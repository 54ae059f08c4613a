//! Small objects, many to a file. The thunk of a call and the directories of its tree are a dozen objects of some hundred bytes:
//! to make a file of each costs thirty times what it costs to write it, and a block of the disk.
//!
//! A pack is appended to by one process at a time, which holds its lock; who wants to write takes one that nobody holds and that is
//! not full, or begins one. What is torn (the disk was full, the power failed) is passed over. What is read is checked against its
//! digest, as everything in the store; a pack with an object that is not what it was is set aside whole, for all processes to see,
//! and what was in it is put again by who needs it.
//!
//! Who uses an object of a pack sets the pack's time, by which gc evicts packs whole. So in a pack of which anything is used the
//! rest stays too.
//!
//! Knows nothing of what objects are. Packs are read from the newest backwards, as far as somebody looks for what is not found:
//! who only writes may write again what an older pack has.

mod file;
mod record;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gg_thunk::ValueName;
use rustc_hash::FxHashMap;

use crate::error::AtPath;
use crate::layout::{self, Layout};
use crate::local::{is_absence, is_recent, move_aside, read_whole};
use crate::{Result, StoreError, VerifyReport, gc, owner, sys};

pub(crate) use file::lock_free;
use file::{Pack, lock_to_write, open_pack};
use record::{Found, HEADER, header, records};

/// A larger object is a file of its own.
pub(crate) const MOST: usize = 64 << 10;
/// A pack of this size gets nothing more.
const FULL: u64 = 16 << 20;

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
    /// The names of all that was ever seen, read or not.
    names: HashSet<OsString>,
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

/// Where an object lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    pack: usize,
    offset: u64,
    len: u64,
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
                if pack.is_there() {
                    move_aside(&self.quarantine, &pack.path)?;
                }
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
        if is_recent(pack.used) {
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
            let Some(name) = path.file_name().filter(|name| !state.names.contains(*name)) else { continue };
            state.names.insert(name.to_owned());
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
            if state.packs[known].may_be_continued(&file) {
                return Ok(state.take(known, file));
            }
        }
        for index in (0..state.older.len()).rev() {
            let Some(file) = lock_to_write(&state.older[index]).filter(has_room) else { continue };
            let path = state.older.remove(index);
            if let Some(opened) = state.open(path)?
                && state.packs[opened].may_be_continued(&file)
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
                state.names.insert(name);
                let own = state.add(Pack::new(path, None, &meta));
                return Ok(state.take(own, file));
            }
        }
    }

    /// Reads all packs and checks each object. A pack that holds one that is not whole is set aside.
    pub fn verify(&self, report: &mut VerifyReport) -> Result<()> {
        for path in layout::entries(&self.dir).at(&self.dir)? {
            let file = match open_pack(&path) {
                Ok(Some((file, _))) => file,
                Err(e) if is_absence(&e) => continue,
                Ok(None) => {
                    report.foreign.push(path);
                    continue;
                }
                Err(e) => return Err(StoreError::at(&path, e)),
            };
            let bytes = read_whole(&file, file.metadata().at(&path)?.len()).at(&path)?;
            let mut whole = true;
            for Found { digest, start, len } in records(&bytes).0 {
                if ValueName::of(&bytes[start..start + len]).digest() == &digest {
                    report.objects += 1;
                    report.bytes += len as u64;
                } else {
                    whole = false;
                }
            }
            if !whole {
                move_aside(&self.quarantine, &path)?;
                report.corrupt.push(path);
            }
        }
        Ok(())
    }
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
        let pack = self.add(Pack::new(path, Some(file), &meta));
        self.read_pack(pack);
        Ok(Some(pack))
    }

    fn add(&mut self, pack: Pack) -> usize {
        self.packs.push(pack);
        self.packs.len() - 1
    }

    /// Reads what was appended to a pack since the last time.
    fn read_pack(&mut self, pack: usize) {
        for Found { digest, start, len } in self.packs[pack].read_new() {
            self.places.insert(digest, Place { pack, offset: start as u64, len: len as u64 });
        }
    }

    /// Takes a pack of which the lock is held by this descriptor.
    fn take(&mut self, pack: usize, locked: File) -> usize {
        self.packs[pack].file = Some(locked);
        self.own = Some(pack);
        pack
    }
}
