//! Finds the placeholders in a tree, wherever they were moved to. Knows nothing of how they came there.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Session;
use crate::SessionError;
use crate::placeholders::{Held, held_by, holds_remains, is_foreign};

/// What was found in a tree.
pub struct Found {
    /// The placeholders.
    pub held: Vec<Held>,
    /// Files with placeholders of another `GG_DIR`'s.
    pub foreign: Vec<PathBuf>,
    /// Files that were made of placeholders, by something that did not know them.
    pub remains: Vec<PathBuf>,
}

impl Session {
    /// The placeholders at and below a directory, links not followed.
    pub fn placeholders_below(&self, dir: &Path) -> Result<Found, SessionError> {
        let mut found = Found { held: self.issued.being_written(), foreign: Vec::new(), remains: Vec::new() };
        found.held.retain(|held| held.path.starts_with(dir));
        if !self.issued.any() {
            return Ok(found);
        }
        let mut larger: Vec<(PathBuf, SystemTime)> = Vec::new();
        let mut todo = vec![dir.to_owned()];
        while let Some(dir) = todo.pop() {
            // A store holds placeholders that nobody is to force.
            if dir == self.contents.store.root() {
                continue;
            }
            // What may not be read, or has gone, was not made by this build.
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            let at = |e| SessionError::io("looking at", &dir, e);
            let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(at)?;
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    todo.push(path);
                } else if kind.is_file()
                    && let Ok(stat) = entry.metadata()
                {
                    match held_by(&self.issued, &path, stat.len()) {
                        Ok(Some(object)) => found.held.push(Held { path, object }),
                        Ok(None) if is_foreign(&self.issued, &path, stat.len()) => found.foreign.push(path),
                        Ok(None) => larger.extend(stat.modified().ok().map(|modified| (path, modified))),
                        // A file that may not be read is none of this build's.
                        Err(_) => {}
                    }
                }
            }
        }
        let issues = found.held.iter().filter_map(|held| Some(self.issued.get(&held.object)?.at_ns));
        let since =
            issues.chain(self.begun).min().and_then(|at_ns| u64::try_from(at_ns).ok()).map(Duration::from_nanos);
        // What is older was not made of any of these.
        larger.retain(|(_, modified)| since.is_some_and(|since| *modified >= UNIX_EPOCH + since));
        for (path, _) in larger {
            if holds_remains(&self.issued, &path).unwrap_or(false) && !found.held.iter().any(|held| held.path == path) {
                found.remains.push(path);
            }
        }
        Ok(found)
    }
}
