//! What audits found, per flag shape: sound, or disabled, and which thunks a shape gave.
//!
//! Kept in `GG_DIR/audit/`: an append-only file of verdicts, and per shape one of the thunks that were
//! remembered, so that a disabled shape's results can be dropped from the memo.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gg_thunk::ThunkName;

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
    known: Mutex<HashMap<String, Standing>>,
}

impl Shapes {
    /// Reads what earlier sessions found.
    pub fn open(gg_dir: &Path) -> io::Result<Shapes> {
        let dir = gg_dir.join("audit");
        std::fs::create_dir_all(dir.join("thunks"))?;
        let mut known = HashMap::new();
        let text = match std::fs::read_to_string(dir.join("verdicts")) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e),
        };
        // A line that a killed process left torn has no known verdict and is passed over.
        for line in text.lines() {
            match line.split_once(' ') {
                Some((shape, "sound")) => {
                    known.entry(shape.to_owned()).or_insert(Standing::Sound);
                }
                Some((shape, rest)) if rest.starts_with("disabled ") => {
                    known.insert(shape.to_owned(), Standing::Disabled(rest["disabled ".len()..].to_owned()));
                }
                _ => {}
            }
        }
        Ok(Shapes { dir, known: Mutex::new(known) })
    }

    pub fn standing(&self, shape: &str) -> Option<Standing> {
        self.lock().get(shape).cloned()
    }

    pub fn sound(&self, shape: &str) -> io::Result<()> {
        if self.lock().contains_key(shape) {
            return Ok(());
        }
        self.lock().insert(shape.to_owned(), Standing::Sound);
        append(&self.dir.join("verdicts"), &format!("{shape} sound\n"))
    }

    /// Disables a shape, and gives the thunks whose results are no longer to be believed.
    pub fn disable(&self, shape: &str, why: &str) -> io::Result<Vec<ThunkName>> {
        let why = why.replace('\n', " ");
        self.lock().insert(shape.to_owned(), Standing::Disabled(why.clone()));
        append(&self.dir.join("verdicts"), &format!("{shape} disabled {why}\n"))?;
        match std::fs::read_to_string(self.thunks(shape)) {
            Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Notes that a thunk of this shape is in the memo.
    pub fn remembered(&self, shape: &str, thunk: &ThunkName) -> io::Result<()> {
        append(&self.thunks(shape), &format!("{thunk}\n"))
    }

    fn thunks(&self, shape: &str) -> PathBuf {
        self.dir.join("thunks").join(shape)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Standing>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One write of a whole line: lines of several processes do not mix.
fn append(path: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
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
        append(&dir.join("audit/verdicts"), "bb disab").unwrap();
        let again = Shapes::open(&dir).unwrap();
        assert_eq!(again.standing("aa"), Some(Standing::Disabled("read /h.h unseen".to_owned())));
        assert_eq!(again.standing("bb"), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
