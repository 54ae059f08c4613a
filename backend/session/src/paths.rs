//! `PATH` without the shims, kept while its directories are as they were. Knows nothing of what is looked for on it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gg_protocol::real_tool::Finder;

use crate::evidence::{SETTLED_NS, State};
use crate::look::{Look, look};

/// What a link on `PATH` leads to may change elsewhere.
const FRESH: Duration = Duration::from_secs(2);

/// Not many paths are in use at once.
const MOST: usize = 64;

type Key = (Vec<u8>, PathBuf, Vec<u8>);

/// The paths of the calls of late.
#[derive(Default)]
pub(crate) struct Paths {
    kept: Mutex<HashMap<Key, Kept>>,
}

struct Kept {
    since: Instant,
    dirs: Vec<Option<State>>,
    without: Vec<u8>,
}

impl Paths {
    /// `path` as [`Finder::without_shims`] gives it, for a caller in this directory with this shim.
    pub fn without_shims(&self, finder: &Finder<'_>, path: &[u8], cwd: &Path, shim: &[u8]) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        self.at(now, finder, path, cwd, shim)
    }

    fn at(&self, now: i128, finder: &Finder<'_>, path: &[u8], cwd: &Path, shim: &[u8]) -> Vec<u8> {
        let mut settled = true;
        let dirs: Vec<Option<State>> = path
            .split(|byte| *byte == b':')
            .map(|entry| {
                let stat = look(&cwd.join(OsStr::from_bytes(entry)), Look::Followed).ok().flatten()?;
                settled &= now - stat.mtime_ns.max(stat.ctime_ns) > SETTLED_NS;
                Some(State::of(&stat))
            })
            .collect();
        let key = (path.to_vec(), cwd.to_owned(), shim.to_vec());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&key)
            && known.since.elapsed() < FRESH
            && known.dirs == dirs
        {
            return known.without.clone();
        }
        let without = finder.without_shims(path);
        if kept.len() >= MOST {
            kept.clear();
        }
        if settled {
            kept.insert(key, Kept { since: Instant::now(), dirs, without: without.clone() });
        } else {
            kept.remove(&key);
        }
        without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_that_appears_is_seen() {
        let dir = gg_testkit::temp_dir();
        let shim = dir.path().join("gg-shim");
        std::fs::write(&shim, "").unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let path = bin.as_os_str().as_bytes();
        let finder = Finder::new(dir.path(), Some(&shim));
        let paths = Paths::default();
        let changed = look(&bin, Look::Followed).unwrap().unwrap().mtime_ns;
        let without = || paths.at(changed + 2 * SETTLED_NS, &finder, path, dir.path(), b"shim");
        assert_eq!([without(), without()], [path.to_vec(), path.to_vec()]);
        assert_eq!(paths.kept.lock().unwrap().len(), 1);
        std::os::unix::fs::symlink(&shim, bin.join("cc")).unwrap();
        assert_eq!(without(), b"");
    }
}
