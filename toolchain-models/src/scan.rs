//! Which files a preprocessor reads: exactly, by [`exact`], where that is sure; else every include of every file that may
//! be reached, whatever the `#if`s say.
//!
//! Knows nothing of drivers or options. Each look-up is made through [`World`], also those that find nothing: a header that
//! appears earlier on the path changes the answer.

pub(crate) mod depfile;
pub(crate) mod exact;
mod lex;
mod macros;
mod once;
mod pasted;
mod walk;

pub(crate) use lex::{Flavour, Lexed};
pub(crate) use once::Bodies;
pub(crate) use walk::{Chain, Reached, Walk};

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::world::{Stat, World};

/// A file changed so recently may change again without its times showing it.
const SETTLED: Duration = Duration::from_millis(100);

/// What this process has read of headers, by the state of the file.
#[derive(Default)]
pub(crate) struct Headers {
    lexed: Mutex<HashMap<(Stat, Flavour), Arc<Lexed>>>,
    shelf: Mutex<Arc<exact::Shelf>>,
    /// Nanoseconds for which exact scans ran.
    scanned: AtomicU64,
}

impl Headers {
    /// What is known for exact scans; begun anew when it has grown too large.
    pub(crate) fn shelf(&self) -> Arc<exact::Shelf> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.is_full() {
            *shelf = Arc::default();
        }
        Arc::clone(&shelf)
    }

    /// Runs an exact scan; its time is counted.
    pub(crate) fn timed<T>(&self, scan: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let found = scan();
        self.scanned.fetch_add(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        found
    }

    /// For how long exact scans ran, those of all threads together.
    pub(crate) fn scanned(&self) -> Duration {
        Duration::from_nanos(self.scanned.load(Ordering::Relaxed))
    }

    /// The directives of a file in the state that the caller saw.
    pub(crate) fn lexed(&self, path: &Path, stat: Stat, flavour: Flavour, world: &dyn World) -> io::Result<Arc<Lexed>> {
        let key = (stat, flavour);
        if let Some(known) = self.lexed.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let lexed = Arc::new(Lexed::of(&world.read(path)?, flavour));
        if settled(stat) {
            self.lexed.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&lexed));
        }
        Ok(lexed)
    }
}

/// Whether what is changed after this look must show in the file's times.
pub(crate) fn settled(stat: Stat) -> bool {
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(SETTLED);
    i128::try_from(age.as_nanos()).is_ok_and(|limit| stat.mtime_ns.max(stat.ctime_ns) < limit)
}
