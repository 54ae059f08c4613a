//! What audits found, per flag shape: sound, or disabled, and which thunks a shape gave.
//!
//! Kept in `GG_DIR/audit/`: an append-only file of verdicts, and per shape one of the thunks that were
//! remembered, so that a disabled shape's results can be dropped from the memo. The verdicts can be forgotten
//! ([`forget`]), also while sessions run: each looks whether the file is the one it read.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gg_thunk::ThunkName;

use crate::calls::GENERATION;
use crate::sys::append_line;

/// What is known of a shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// An audit found no difference.
    Sound,
    /// An audit found one; the real tool runs instead.
    Disabled(String),
}

pub(crate) struct Shapes {
    dir: PathBuf,
    known: Mutex<Known>,
}

/// What has been read of the verdicts' file.
#[derive(Default)]
struct Known {
    standing: HashMap<String, Standing>,
    read: Option<Identity>,
}

/// Which file, in which state.
#[derive(PartialEq, Eq)]
struct Identity {
    inode: (u64, u64),
    len: u64,
    times: [i64; 4],
}

impl Identity {
    fn of(path: &Path) -> io::Result<Option<Identity>> {
        Ok(unless_absent(std::fs::metadata(path))?.map(|m| Identity {
            inode: (m.dev(), m.ino()),
            len: m.len(),
            times: [m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()],
        }))
    }
}

/// How many verdicts were forgotten.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Forgotten {
    /// Flag shapes whose model had stood its audit.
    pub sound: usize,
    /// Flag shapes for which it was disabled.
    pub disabled: usize,
}

/// Drops the verdicts of all audits in a `GG_DIR`, and counts those on the models of now: the next call of each flag
/// shape is audited again.
pub fn forget(gg_dir: &Path) -> io::Result<Forgotten> {
    let dir = gg_dir.join("audit");
    let current = verdicts(&dir);
    let text = unless_absent(std::fs::read(&current))?.unwrap_or_default();
    let mut forgotten = Forgotten::default();
    for standing in parsed(&text).values() {
        match standing {
            Standing::Sound => forgotten.sound += 1,
            Standing::Disabled(_) => forgotten.disabled += 1,
        }
    }
    for entry in unless_absent(std::fs::read_dir(&dir))?.into_iter().flatten() {
        let path = entry?.path();
        if path == current {
            // Another file in its place, so that no session takes what is appended next for the rest of what it read.
            let fresh = dir.join("forgetting");
            std::fs::write(&fresh, "")?;
            std::fs::rename(&fresh, &path)?;
        } else if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"verdicts")) {
            unless_absent(std::fs::remove_file(&path))?;
        }
    }
    Ok(forgotten)
}

fn unless_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// What models of another generation were found to be says nothing of these.
fn verdicts(dir: &Path) -> PathBuf {
    dir.join(format!("verdicts-{GENERATION}"))
}

/// A line that a killed process left torn has no known verdict and is passed over.
fn parsed(text: &[u8]) -> HashMap<String, Standing> {
    let text = String::from_utf8_lossy(text);
    let mut standing = HashMap::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some((shape, "sound")) => {
                standing.entry(shape.to_owned()).or_insert(Standing::Sound);
            }
            Some((shape, rest)) if rest.starts_with("disabled ") => {
                let why = rest["disabled ".len()..].to_owned();
                standing.insert(shape.to_owned(), Standing::Disabled(why));
            }
            _ => {}
        }
    }
    standing
}

impl Shapes {
    /// Reads what earlier sessions found.
    pub fn open(gg_dir: &Path) -> io::Result<Shapes> {
        let dir = gg_dir.join("audit");
        std::fs::create_dir_all(dir.join("thunks"))?;
        let shapes = Shapes { dir, known: Mutex::default() };
        shapes.read(&mut shapes.lock())?;
        Ok(shapes)
    }

    /// Reads what this or another process has appended since, or that all was forgotten.
    fn read(&self, known: &mut Known) -> io::Result<()> {
        let path = self.verdicts();
        let now = Identity::of(&path)?;
        if now == known.read {
            return Ok(());
        }
        let text = if now.is_none() { Vec::new() } else { std::fs::read(&path)? };
        known.standing = parsed(&text);
        // What was appended between the look and the read is read again, to no harm.
        known.read = now;
        Ok(())
    }

    pub fn standing(&self, shape: &str) -> Option<Standing> {
        let mut known = self.lock();
        // What cannot be read now was read before.
        let _ = self.read(&mut known);
        known.standing.get(shape).cloned()
    }

    pub fn sound(&self, shape: &str) -> io::Result<()> {
        if self.standing(shape).is_some() {
            return Ok(());
        }
        append_line(&self.verdicts(), format!("{shape} sound").as_bytes())
    }

    /// Disables a shape, and gives the thunks whose results are no longer to be believed.
    pub fn disable(&self, shape: &str, why: &str) -> io::Result<Vec<ThunkName>> {
        let why = why.replace('\n', " ");
        self.lock().standing.insert(shape.to_owned(), Standing::Disabled(why.clone()));
        append_line(&self.verdicts(), format!("{shape} disabled {why}").as_bytes())?;
        match std::fs::read_to_string(self.thunks(shape)) {
            Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Notes that a thunk of this shape is in the memo.
    pub fn remembered(&self, shape: &str, thunk: &ThunkName) -> io::Result<()> {
        append_line(&self.thunks(shape), thunk.to_string().as_bytes())
    }

    fn verdicts(&self) -> PathBuf {
        verdicts(&self.dir)
    }

    fn thunks(&self, shape: &str) -> PathBuf {
        self.dir.join("thunks").join(shape)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_disabled_shape_stays_disabled_and_names_its_thunks() {
        let dir = std::env::temp_dir().join(format!("gg-shapes-{}", std::process::id()));
        let shapes = Shapes::open(&dir).unwrap();
        let thunk = ThunkName::of(b"x");
        shapes.sound("aa").unwrap();
        shapes.remembered("aa", &thunk).unwrap();
        assert_eq!(shapes.standing("aa"), Some(Standing::Sound));
        assert_eq!(shapes.disable("aa", "read /h.h\nunseen").unwrap(), [thunk]);
        shapes.sound("aa").unwrap();
        OpenOptions::new().append(true).open(shapes.verdicts()).unwrap().write_all(b"bb disab\xff").unwrap();
        shapes.sound("cc").unwrap();
        let again = Shapes::open(&dir).unwrap();
        assert_eq!(again.standing("aa"), Some(Standing::Disabled("read /h.h unseen".to_owned())));
        assert_eq!(again.standing("bb"), None);
        assert_eq!(again.standing("cc"), Some(Standing::Sound), "a torn line swallows nothing");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_forgotten_is_forgotten_by_all() {
        let dir = std::env::temp_dir().join(format!("gg-shapes-forget-{}", std::process::id()));
        assert_eq!(forget(&dir).unwrap(), Forgotten::default(), "nothing is made");
        assert!(!dir.exists());
        let [one, other] = [Shapes::open(&dir).unwrap(), Shapes::open(&dir).unwrap()];
        one.sound("aa").unwrap();
        one.disable("bb", "why").unwrap();
        assert_eq!(other.standing("bb"), Some(Standing::Disabled("why".to_owned())));
        let older = dir.join("audit/verdicts-0");
        std::fs::write(&older, "cc disabled why\n").unwrap();
        assert_eq!(forget(&dir).unwrap(), Forgotten { sound: 1, disabled: 1 });
        assert!(!older.exists());
        assert_eq!((one.standing("aa"), one.standing("bb")), (None, None));
        // as long a file as the other has read
        one.sound("bb").unwrap();
        one.disable("aa", "why").unwrap();
        assert_eq!(other.standing("aa"), Some(Standing::Disabled("why".to_owned())));
        assert_eq!(other.standing("bb"), Some(Standing::Sound));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
