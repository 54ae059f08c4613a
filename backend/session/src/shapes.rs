//! What audits found, per flag shape: sound, or disabled, and which thunks a shape gave.
//!
//! Kept in `GG_DIR/audit/`: an append-only file of verdicts, and per shape one of the thunks that were
//! remembered, so that a disabled shape's results can be dropped from the memo.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gg_thunk::ThunkName;

use crate::calls::GENERATION;

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
    read: u64,
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

    /// Reads what this or another process has appended since.
    fn read(&self, known: &mut Known) -> io::Result<()> {
        let path = self.verdicts();
        let len = match std::fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        if len == known.read {
            return Ok(());
        }
        let bytes = if len == 0 { Vec::new() } else { std::fs::read(&path)? };
        let text = String::from_utf8_lossy(&bytes);
        known.standing.clear();
        known.read = bytes.len() as u64;
        // A line that a killed process left torn has no known verdict and is passed over.
        for line in text.lines() {
            match line.split_once(' ') {
                Some((shape, "sound")) => {
                    known.standing.entry(shape.to_owned()).or_insert(Standing::Sound);
                }
                Some((shape, rest)) if rest.starts_with("disabled ") => {
                    let why = rest["disabled ".len()..].to_owned();
                    known.standing.insert(shape.to_owned(), Standing::Disabled(why));
                }
                _ => {}
            }
        }
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
        append(&self.verdicts(), &format!("{shape} sound"))
    }

    /// Disables a shape, and gives the thunks whose results are no longer to be believed.
    pub fn disable(&self, shape: &str, why: &str) -> io::Result<Vec<ThunkName>> {
        let why = why.replace('\n', " ");
        self.lock().standing.insert(shape.to_owned(), Standing::Disabled(why.clone()));
        append(&self.verdicts(), &format!("{shape} disabled {why}"))?;
        match std::fs::read_to_string(self.thunks(shape)) {
            Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Notes that a thunk of this shape is in the memo.
    pub fn remembered(&self, shape: &str, thunk: &ThunkName) -> io::Result<()> {
        append(&self.thunks(shape), &thunk.to_string())
    }

    /// What models of another generation were found to be says nothing of these.
    fn verdicts(&self) -> PathBuf {
        self.dir.join(format!("verdicts-{GENERATION}"))
    }

    fn thunks(&self, shape: &str) -> PathBuf {
        self.dir.join("thunks").join(shape)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One write of a whole line: lines of several processes do not mix. It begins on a line of its own, whatever a killed
/// process or a full disk left there.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if let Some(end) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, end)?;
    }
    let torn = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{torn}{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
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
}
