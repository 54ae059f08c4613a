//! Facts derived from files and kept over requests together with every look-up that they rest on.
//!
//! Knows nothing of what the facts are. A kept fact is used only while each of its look-ups, made again through the
//! caller's [`World`], gives the same answer; so the caller's record is complete whether the fact was kept or not.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gg_thunk::ValueName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::verdict::Reason;
use crate::world::{FileKind, RunOutput, Stat, World};

#[derive(Serialize, Deserialize, PartialEq, Eq)]
enum Answer {
    Lstat(Option<Identity>),
    Stat(Option<Identity>),
    Link(Option<PathBuf>),
    Names(Option<Vec<OsString>>),
}

/// What of a [`Stat`] must stay the same; a directory's times change with every file made in it.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Copy)]
struct Identity {
    kind: u8,
    dev: u64,
    ino: u64,
    content: Option<(u64, i128, i128)>,
}

impl From<Stat> for Identity {
    fn from(stat: Stat) -> Self {
        let kind = match stat.kind {
            FileKind::File => 0,
            FileKind::Dir => 1,
            FileKind::Symlink => 2,
            FileKind::Other => 3,
        };
        let content = (stat.kind != FileKind::Dir).then_some((stat.size, stat.mtime_ns, stat.ctime_ns));
        Self { kind, dev: stat.dev, ino: stat.ino, content }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    looked_up: Vec<(PathBuf, Answer)>,
    fact: T,
}

/// A path as part of a key: two paths never give the same text.
pub(crate) fn key_of(path: &Path) -> impl Display {
    path.as_os_str().as_bytes().escape_ascii()
}

/// Gives the fact kept under `key` if its look-ups still hold, else works it out and keeps it.
pub(crate) fn derive<T: Serialize + DeserializeOwned>(
    world: &dyn World,
    key: &(impl AsRef<[u8]> + ?Sized),
    work: impl FnOnce(&dyn World) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let key = ValueName::of(key.as_ref()).to_string();
    if let Some(kept) = world.recall(&key).and_then(|bytes| serde_json::from_slice::<Kept<T>>(&bytes).ok())
        && kept.looked_up.iter().all(|(path, answer)| ask_again(world, path, answer))
    {
        return Ok(kept.fact);
    }
    let recorder = Recorder { inner: world, looked_up: RefCell::default() };
    let fact = work(&recorder)?;
    let kept = Kept { looked_up: recorder.looked_up.into_inner(), fact };
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        world.remember(&key, &bytes);
    }
    Ok(kept.fact)
}

fn ask_again(world: &dyn World, path: &Path, answer: &Answer) -> bool {
    match answer {
        Answer::Lstat(known) => world.lstat(path).is_ok_and(|now| now.map(Identity::from) == *known),
        Answer::Stat(known) => world.stat(path).is_ok_and(|now| now.map(Identity::from) == *known),
        Answer::Link(known) => world.read_link(path).ok() == *known,
        Answer::Names(known) => world.read_dir(path).is_ok_and(|now| now == *known),
    }
}

/// Passes everything on and notes the look-ups.
struct Recorder<'a> {
    inner: &'a dyn World,
    looked_up: RefCell<Vec<(PathBuf, Answer)>>,
}

impl Recorder<'_> {
    fn note(&self, path: &Path, answer: Answer) {
        self.looked_up.borrow_mut().push((path.to_owned(), answer));
    }
}

impl World for Recorder<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let answer = self.inner.lstat(path)?;
        self.note(path, Answer::Lstat(answer.map(Identity::from)));
        Ok(answer)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let answer = self.inner.stat(path)?;
        self.note(path, Answer::Stat(answer.map(Identity::from)));
        Ok(answer)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let answer = self.inner.read_link(path);
        self.note(path, Answer::Link(answer.as_ref().ok().cloned()));
        answer
    }

    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.stat(path)?;
        self.inner.read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.stat(path)?;
        self.inner.read_at(path, offset, len)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Option<Vec<OsString>>> {
        let answer = self.inner.read_dir(path)?;
        self.note(path, Answer::Names(answer.clone()));
        Ok(answer)
    }

    fn run(&self, exe: &Path, argv: &[OsString], env: &[(OsString, OsString)], cwd: &Path) -> io::Result<RunOutput> {
        self.inner.run(exe, argv, env, cwd)
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.inner.recall(key)
    }

    fn remember(&self, key: &str, value: &[u8]) {
        self.inner.remember(key, value);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn keys_of_different_paths_differ() {
        let paths = [&b"/\xff/x"[..], b"/\xfe/x", b"/\\xff/x", b"/\\\\xff/x", "/\u{fffd}/x".as_bytes()];
        let keys: std::collections::BTreeSet<_> =
            paths.iter().map(|path| key_of(Path::new(OsStr::from_bytes(path))).to_string()).collect();
        assert_eq!(keys.len(), paths.len());
    }
}
