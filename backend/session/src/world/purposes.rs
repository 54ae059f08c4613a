//! What a model's look-ups were for, where somebody wants to be told how it came to its verdict.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use gg_models::{FileKind, Stat};

use super::seen::Seen;
use crate::look::Look;

/// How a model came to its verdict.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Explained {
    /// The files that were there, each once for each way in which its path was spelled.
    pub found: Vec<LookedUp>,
    /// Why a list of headers holds more than the compiler reads.
    pub unsure: Vec<&'static str>,
}

/// Why a file was looked up, and where else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookedUp {
    /// The file as its model spelled it.
    pub path: PathBuf,
    /// Device and inode.
    pub identity: (u64, u64),
    /// What for.
    pub purpose: String,
    /// Where a file of this name was looked for before, and was not.
    pub tried: Vec<PathBuf>,
}

/// The look-ups of one request, by what they were for.
#[derive(Default)]
pub(super) struct Purposes(Vec<Purpose>);

struct Purpose {
    what: String,
    looks: Vec<(PathBuf, Look)>,
}

impl Purposes {
    /// What follows is for this; in no words, for nothing that is told.
    pub fn begin(&mut self, what: String) {
        self.0.push(Purpose { what, looks: Vec::new() });
    }

    /// One more look-up for the purpose of now.
    pub fn looked(&mut self, path: &Path, how: Look) {
        if let Some(purpose) = self.0.last_mut() {
            purpose.looks.push((path.to_owned(), how));
        }
    }

    /// Why each file was looked up that was there, the first time.
    pub fn explained(&self, seen: &Seen) -> Vec<LookedUp> {
        let mut known = HashSet::new();
        let mut all = Vec::new();
        for Purpose { what, looks } in self.0.iter().filter(|purpose| !purpose.what.is_empty()) {
            for (index, (path, how)) in looks.iter().enumerate() {
                let Some(Some(stat)) = seen.get(path, *how) else { continue };
                if stat.kind == FileKind::File && known.insert((path, how)) {
                    let tried = missed(&looks[..index], path, seen);
                    let Stat { dev, ino, .. } = stat;
                    all.push(LookedUp { path: path.clone(), identity: (dev, ino), purpose: what.clone(), tried });
                }
            }
        }
        all
    }
}

/// Where a file of this name was looked for, and was not.
fn missed(looks: &[(PathBuf, Look)], path: &Path, seen: &Seen) -> Vec<PathBuf> {
    let missed = looks.iter().filter(|(tried, how)| {
        tried.file_name() == path.file_name() && tried != path && seen.get(tried, *how) == Some(None)
    });
    let mut tried: Vec<PathBuf> = missed.map(|(path, _)| path.clone()).collect();
    tried.dedup();
    tried
}
