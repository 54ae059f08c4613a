//! Facts derived from files and kept over requests together with every look-up that they rest on.
//!
//! Knows nothing of what the facts are. A kept fact is used only while each of its look-ups, made again through the
//! caller's [`World`], gives the same answer; so the caller's record is complete whether the fact was kept or not. One that
//! rests on a file so new that another change might leave it the same times is not kept.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gg_thunk::ValueName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::scan::settled;
use crate::verdict::{Holds, Reason};
use crate::world::{FileKind, RunOutput, Stat, World};

/// Part of every key. Raised when the form changes, or the type of any fact: what is kept has no names of fields.
const FORM: &[u8] = b"2\0";

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
    let key = ValueName::of(&[FORM, key.as_ref()].concat()).to_string();
    if let Some(kept) = world.recall(&key).and_then(|bytes| read::<T>(&bytes))
        && kept.looked_up.iter().all(|(path, answer)| ask_again(world, path, answer))
    {
        return Ok(kept.fact);
    }
    let recorder = Recorder { inner: world, looked_up: RefCell::default(), settled: Cell::new(true) };
    let fact = work(&recorder)?;
    let settled = recorder.settled.get();
    let kept = Kept { looked_up: recorder.looked_up.into_inner(), fact };
    if settled && let Ok(bytes) = postcard::to_stdvec(&kept) {
        world.remember(&key, &bytes);
    }
    Ok(kept.fact)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<Kept<T>> {
    postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(kept, _)| kept)
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
    /// Whether every file's times prove its content.
    settled: Cell<bool>,
}

impl Recorder<'_> {
    fn note(&self, path: &Path, answer: Answer) {
        self.looked_up.borrow_mut().push((path.to_owned(), answer));
    }

    fn identity(&self, stat: Option<Stat>) -> Option<Identity> {
        if stat.is_some_and(|stat| stat.kind == FileKind::File && !settled(stat)) {
            self.settled.set(false);
        }
        stat.map(Identity::from)
    }
}

impl World for Recorder<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let answer = self.inner.lstat(path)?;
        self.note(path, Answer::Lstat(self.identity(answer)));
        Ok(answer)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let answer = self.inner.stat(path)?;
        self.note(path, Answer::Stat(self.identity(answer)));
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

    fn promised(&self, path: &Path) -> io::Result<Option<Holds>> {
        self.stat(path)?;
        self.inner.promised(path)
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
    use std::collections::HashMap;
    use std::ffi::OsStr;
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    /// One file with these times, in nanoseconds since 1970.
    #[derive(Default)]
    struct OneFile {
        changed_ns: i128,
        kept: RefCell<HashMap<String, Vec<u8>>>,
    }

    impl World for OneFile {
        fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
            self.stat(path)
        }
        fn stat(&self, _: &Path) -> io::Result<Option<Stat>> {
            let (mtime_ns, ctime_ns) = (0, self.changed_ns);
            Ok(Some(Stat { kind: FileKind::File, mode: 0o644, size: 1, dev: 1, ino: 1, mtime_ns, ctime_ns }))
        }
        fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
            Err(io::ErrorKind::InvalidInput.into())
        }
        fn read(&self, _: &Path) -> io::Result<Arc<[u8]>> {
            Ok((*b"x").into())
        }
        fn read_at(&self, path: &Path, _: u64, _: usize) -> io::Result<Vec<u8>> {
            Ok(self.read(path)?.to_vec())
        }
        fn read_dir(&self, _: &Path) -> io::Result<Option<Vec<OsString>>> {
            Ok(None)
        }
        fn run(&self, _: &Path, _: &[OsString], _: &[(OsString, OsString)], _: &Path) -> io::Result<RunOutput> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn recall(&self, key: &str) -> Option<Vec<u8>> {
            self.kept.borrow().get(key).cloned()
        }
        fn remember(&self, key: &str, value: &[u8]) {
            self.kept.borrow_mut().insert(key.to_owned(), value.to_owned());
        }
    }

    #[test]
    fn what_rests_on_a_file_of_this_moment_is_not_kept() {
        let works = |world: &OneFile| {
            let count = Cell::new(0);
            for _ in 0..2 {
                let fact = derive(world, "fact", |world| {
                    count.set(count.get() + 1);
                    Ok(world.read(Path::new("/f")).unwrap().to_vec())
                });
                assert_eq!(fact.ok().unwrap(), b"x");
            }
            count.get()
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i128;
        assert_eq!(works(&OneFile::default()), 1);
        // of now, and of a clock that was set back since
        for changed_ns in [now, now + (1 << 60)] {
            assert_eq!(works(&OneFile { changed_ns, ..OneFile::default() }), 2);
        }
    }

    #[test]
    fn keys_of_different_paths_differ() {
        let paths = [&b"/\xff/x"[..], b"/\xfe/x", b"/\\xff/x", b"/\\\\xff/x", "/\u{fffd}/x".as_bytes()];
        let keys: std::collections::BTreeSet<_> =
            paths.iter().map(|path| key_of(Path::new(OsStr::from_bytes(path))).to_string()).collect();
        assert_eq!(keys.len(), paths.len());
    }
}
