//! The digest cache: which content a file had when it was last read, so that an unchanged file is not read
//! again. Knows files by their identity only, never by path.

mod log;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use gg_thunk::{Timestamp, ValueName};
use rustc_hash::FxHashMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::error::AtPath;
use crate::identity::{Identity, Observed};
use crate::local::{open_regular, read_small};
use crate::pin;
use crate::{LocalStore, Result, Store, StoreError};

use log::Log;
pub(crate) use log::{checksum, read_full_at};

/// How often a file that changes while it is read is read again.
const ATTEMPTS: u32 = 3;
/// More files than this are not remembered; the oldest half is then forgotten.
const MOST: usize = 400_000;

/// A digest cache: in memory, and in a log that all processes of a `GG_DIR` append to and read. Clones share it.
#[derive(Clone, Debug)]
pub struct DigestCache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The same of large files of the system, which all stores of a user share; and where.
    system: Option<(PathBuf, Mutex<State>)>,
    /// Files that are being read now, by device and inode: who wants the same one waits, instead of reading it too.
    reading: Mutex<HashSet<(u64, u64)>>,
    done: Condvar,
}

#[derive(Debug)]
struct State {
    log: Log,
    /// What is known, and in which order it became known.
    known: FxHashMap<(u64, u64), (Entry, u64)>,
    count: u64,
}

/// What a file with this identity holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    identity: Identity,
    digest: [u8; 32],
}

/// A file that is in the store.
#[derive(Clone, Copy, Debug)]
pub struct Ingested {
    /// The name of its content.
    pub name: ValueName,
    /// What it was recognised by, or what it was like before and after it was read.
    pub identity: Identity,
    /// Its permission bits.
    pub mode: u32,
    /// Its modification time.
    pub mtime: Timestamp,
    /// Whether it had to be read.
    pub read: bool,
}

impl DigestCache {
    /// The digest cache of this store. The log is read when first needed.
    pub fn open(store: &LocalStore) -> Result<DigestCache> {
        DigestCache::sharing(store, None)
    }

    /// The same, sharing what is known of large files of the system with a user's other stores, in a directory for that. The
    /// directory need not exist; where it cannot be written, nothing is shared.
    pub fn sharing(store: &LocalStore, system: Option<&Path>) -> Result<DigestCache> {
        let layout = store.layout();
        let system = system.map(|dir| (dir.to_owned(), Mutex::new(State::new(Log::new(dir, dir)))));
        let state = Mutex::new(State::new(Log::new(&layout.digests, &layout.tmp)));
        Ok(DigestCache(Arc::new(Shared { state, system, reading: Mutex::default(), done: Condvar::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a large file of the system holds, if a store of this user's knows.
    fn shared(&self, identity: &Identity) -> Option<ValueName> {
        let (_, state) = self.0.system.as_ref()?;
        state.lock().unwrap_or_else(PoisonError::into_inner).get(identity)
    }

    /// Tells the user's other stores what a large file of the system holds; where that cannot be written they read it.
    fn share(&self, entry: Entry) {
        let Some((dir, state)) = &self.0.system else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.learn(entry);
        let _ = fs::create_dir_all(dir).and_then(|()| state.log.append(&entry).map_err(io::Error::other));
    }

    /// The content of a file with this identity, if it is known.
    pub fn get(&self, identity: &Identity) -> Option<ValueName> {
        self.state().get(identity)
    }

    /// Remembers what a file with this identity holds, unless the identity does not prove it: when the file was
    /// changed within the clock's grain before its reading began, or the length is not the file's. Says whether
    /// it is remembered. On an error it is remembered by this process only.
    pub fn put(&self, identity: &Identity, name: ValueName, observed: Observed) -> Result<bool> {
        if !observed.settles(identity) || name.len() != identity.size {
            return Ok(false);
        }
        let entry = Entry { identity: *identity, digest: *name.digest() };
        let mut state = self.state();
        state.learn(entry);
        state.log.append(&entry)?;
        Ok(true)
    }

    /// Makes sure that the content of a regular file is in the store, and says what it is. The file is read
    /// only if its identity is not known or its object is gone.
    pub fn ingest(&self, store: &LocalStore, path: &Path) -> Result<Ingested> {
        let meta = fs::metadata(path).at(path)?;
        if !meta.is_file() {
            return Err(StoreError::NotAFile { path: path.to_owned() });
        }
        let known = || -> Result<Option<Ingested>> {
            let Some(name) = self.get(&Identity::of(&meta)) else { return Ok(None) };
            Ok(store.contains(&name)?.then(|| Ingested::new(name, &meta, false)))
        };
        if let Some(known) = known()? {
            return Ok(known);
        }
        let _reading = Reading::begin(&self.0, (meta.dev(), meta.ino()));
        if let Some(known) = known()? {
            return Ok(known);
        }
        for _ in 0..ATTEMPTS {
            let file = open_regular(path)?;
            let observed = Observed::now(&file);
            let before = Identity::of(&file.metadata().at(path)?);
            let stands = pin::may_stand(path, before.size);
            if stands && let Some(name) = self.shared(&before) {
                store.pin(&name, path, before)?;
                let _ = self.put(&before, name, observed);
                return Ok(Ingested::new(name, &file.metadata().at(path)?, false));
            }
            let name = if stands { store.name_of(&file, path)? } else { store.put_input(&file, path)? };
            let after = file.metadata().at(path)?;
            if before == Identity::of(&after) && name.len() == before.size {
                if stands && observed.settles(&before) {
                    store.pin(&name, path, before)?;
                    self.share(Entry { identity: before, digest: *name.digest() });
                } else if stands {
                    // So young that a change would not show.
                    store.put_input(&file, path)?;
                }
                // A log that cannot be written costs another reading, no more.
                let _ = self.put(&before, name, observed);
                return Ok(Ingested::new(name, &after, true));
            }
        }
        Err(StoreError::Changing { path: path.to_owned() })
    }

    /// The bytes of a regular file, which are in the store afterwards.
    pub fn read(&self, store: &LocalStore, path: &Path) -> Result<(Ingested, Vec<u8>)> {
        for _ in 0..ATTEMPTS {
            let file = open_regular(path)?;
            let observed = Observed::now(&file);
            let before = Identity::of(&file.metadata().at(path)?);
            let bytes = read_small(&file, path, before.size)?;
            let name = store.put_input_bytes(&bytes)?;
            let after = file.metadata().at(path)?;
            if before == Identity::of(&after) && name.len() == before.size {
                // A log that cannot be written costs another reading, no more.
                let _ = self.put(&before, name, observed);
                return Ok((Ingested::new(name, &after, true), bytes));
            }
        }
        Err(StoreError::Changing { path: path.to_owned() })
    }
}

/// One thread's turn to read a file.
struct Reading<'a> {
    shared: &'a Shared,
    file: (u64, u64),
}

impl Reading<'_> {
    fn begin(shared: &Shared, file: (u64, u64)) -> Reading<'_> {
        let reading = shared.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = shared.done.wait_while(reading, |reading| reading.contains(&file));
        waited.unwrap_or_else(PoisonError::into_inner).insert(file);
        Reading { shared, file }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.shared.reading.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.file);
        self.shared.done.notify_all();
    }
}

impl Ingested {
    fn new(name: ValueName, meta: &fs::Metadata, read: bool) -> Ingested {
        Ingested {
            name,
            identity: Identity::of(meta),
            mode: meta.permissions().mode() & 0o7777,
            mtime: Timestamp { sec: meta.mtime(), nsec: u32::try_from(meta.mtime_nsec()).unwrap_or(0) },
            read,
        }
    }
}

impl State {
    fn new(log: Log) -> State {
        State { log, known: FxHashMap::default(), count: 0 }
    }

    fn get(&mut self, identity: &Identity) -> Option<ValueName> {
        if let Some(name) = self.find(identity) {
            return Some(name);
        }
        // Another process may know. What cannot be read of the log is not known: the file is then read.
        self.refresh().ok()?;
        self.find(identity)
    }

    fn find(&self, identity: &Identity) -> Option<ValueName> {
        let (entry, _) = self.known.get(&(identity.dev, identity.ino))?;
        (entry.identity == *identity).then(|| ValueName::new(entry.digest, identity.size))
    }

    fn learn(&mut self, entry: Entry) {
        self.count += 1;
        let file = (entry.identity.dev, entry.identity.ino);
        self.known.insert(file, (entry, self.count));
    }

    /// Reads what was appended since the last time, and rewrites a log that is mostly stale.
    fn refresh(&mut self) -> Result<()> {
        let mut read = Vec::new();
        let from_start = self.log.read_new(|entry| read.push(entry))?;
        for entry in read {
            self.learn(entry);
        }
        if from_start && (self.log.is_stale(self.known.len()) || self.known.len() > MOST) {
            let mut live: Vec<_> = self.known.values().copied().collect();
            live.sort_unstable_by_key(|(_, order)| *order);
            if live.len() > MOST {
                for (old, _) in live.drain(..live.len() - MOST / 2) {
                    self.known.remove(&(old.identity.dev, old.identity.ino));
                }
            }
            // One that cannot be rewritten stays as it is.
            let _ = self.log.rewrite(live.iter().map(|(entry, _)| entry));
        }
        Ok(())
    }
}
