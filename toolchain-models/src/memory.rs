//! What a world has recalled or been told to remember, kept in this process over requests.
//!
//! Knows nothing of what is kept. Everything else is passed on, so the world's record of look-ups stays whole.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::verdict::Holds;
use crate::world::{RunOutput, Stat, World};

/// When more than so many bytes are kept, all are dropped: the world still has them.
const LIMIT: usize = 64 << 20;

#[derive(Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: HashMap<String, Arc<[u8]>>,
    bytes: usize,
}

impl Memory {
    fn get(&self, key: &str) -> Option<Arc<[u8]>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).values.get(key).cloned()
    }

    fn put(&self, key: &str, value: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.saturating_add(value.len()) > LIMIT {
            *kept = Kept::default();
        }
        kept.bytes += value.len();
        if let Some(old) = kept.values.insert(key.to_owned(), value.into()) {
            kept.bytes -= old.len();
        }
    }
}

/// A world that asks the memory first.
pub(crate) struct Remembering<'a> {
    pub(crate) inner: &'a dyn World,
    pub(crate) memory: &'a Memory,
}

impl World for Remembering<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.inner.lstat(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.inner.stat(path)
    }

    fn lstat_output(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.inner.lstat_output(path)
    }

    fn stat_output(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.inner.stat_output(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.inner.read_link(path)
    }

    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.inner.read(path)
    }

    fn promised(&self, path: &Path) -> io::Result<Option<Holds>> {
        self.inner.promised(path)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.inner.read_at(path, offset, len)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Option<Vec<OsString>>> {
        self.inner.read_dir(path)
    }

    fn run(&self, exe: &Path, argv: &[OsString], env: &[(OsString, OsString)], cwd: &Path) -> io::Result<RunOutput> {
        self.inner.run(exe, argv, env, cwd)
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        if let Some(value) = self.memory.get(key) {
            return Some(value.to_vec());
        }
        let value = self.inner.recall(key)?;
        self.memory.put(key, &value);
        Some(value)
    }

    fn remember(&self, key: &str, value: &[u8]) {
        self.memory.put(key, value);
        self.inner.remember(key, value);
    }

    fn purpose(&self, purpose: &dyn Fn() -> String) {
        self.inner.purpose(purpose);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded() {
        let memory = Memory::default();
        memory.put("a", &vec![1; LIMIT / 2]);
        memory.put("a", &vec![2; LIMIT / 2]);
        assert_eq!(memory.get("a").map(|value| value[0]), Some(2));
        memory.put("b", &vec![3; LIMIT / 2 + 1]);
        assert!(memory.get("a").is_none());
        assert_eq!(memory.get("b").map(|value| value.len()), Some(LIMIT / 2 + 1));
    }
}
