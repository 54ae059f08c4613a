//! Whether times decide which of the reached files are read: cpplib takes files of the same size, time and bytes for one
//! where one of them is to be read once.
//!
//! Knows nothing of how the files were reached.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use crate::verdict::Reason;
use crate::world::{Stat, World, real_path};

/// The files that one preprocessor run may open, each once whatever its names.
#[derive(Default, Debug)]
pub(crate) struct Bodies {
    files: HashMap<(u64, u64), Body>,
    /// Any of them may be read once.
    any_once: bool,
}

#[derive(Debug)]
struct Body {
    path: PathBuf,
    /// Its other names.
    also: Vec<PathBuf>,
    size: u64,
    once: bool,
}

impl Bodies {
    /// Any file may be read once, if so.
    pub(crate) fn any_once(&mut self, any_once: bool) {
        self.any_once |= any_once;
    }

    pub(crate) fn add(&mut self, path: &Path, stat: Stat, once: bool, any_once: bool) {
        self.any_once |= any_once;
        match self.files.entry((stat.dev, stat.ino)) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.once |= once;
                if known.path != path {
                    known.also.push(path.to_owned());
                }
            }
            Entry::Vacant(free) => {
                free.insert(Body { path: path.to_owned(), also: Vec::new(), size: stat.size, once });
            }
        }
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.any_once |= others.any_once;
        for (id, other) in others.files {
            match self.files.entry(id) {
                Entry::Occupied(mut known) => {
                    known.get_mut().once |= other.once;
                    known.get_mut().also.extend(other.also.into_iter().chain([other.path]));
                }
                Entry::Vacant(free) => _ = free.insert(other),
            }
        }
    }

    /// Whether two files, or two links to one, have the same bytes and one of them may be read once.
    pub(crate) fn may_be_taken_for_one(&self, cwd: &Path, world: &dyn World) -> Result<bool, Reason> {
        if !self.any_once && !self.files.values().any(|body| body.once) {
            return Ok(false);
        }
        for body in self.files.values().filter(|body| (body.once || self.any_once) && !body.also.is_empty()) {
            let real = real_path(&cwd.join(&body.path), world)?;
            for also in &body.also {
                if real_path(&cwd.join(also), world)? != real {
                    return Ok(true);
                }
            }
        }
        let mut by_size: HashMap<u64, Vec<&Body>> = HashMap::new();
        for body in self.files.values() {
            by_size.entry(body.size).or_default().push(body);
        }
        for bodies in by_size.values() {
            if bodies.len() < 2 || !(self.any_once || bodies.iter().any(|body| body.once)) {
                continue;
            }
            let mut seen = HashMap::new();
            for body in bodies {
                let path = cwd.join(&body.path);
                let bytes = world.read(&path).map_err(|error| Reason::io(&path, &error))?;
                if let Some(once) = seen.insert(bytes, body.once)
                    && (once || body.once || self.any_once)
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
