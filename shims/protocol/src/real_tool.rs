//! Where the real tool is: on `PATH`, the shims left out.
//!
//! Knows nothing of sessions; a shim without one works by this alone.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The `PATH` of a process that has none, as the C library searches it.
pub const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The file name of the executable to which all shims are links.
const SHIM: &str = "gg-shim";

/// Plain names by which a directory on `PATH` is known to hold shims.
const NAMES: [&str; 12] = ["cc", "c++", "gcc", "g++", "cpp", "as", "ar", "ranlib", "ld", "strip", "nm", "objcopy"];

/// Tells shims from real tools.
pub struct Finder<'a> {
    cwd: &'a Path,
    shim: Option<(u64, u64)>,
}

impl<'a> Finder<'a> {
    /// A finder for a caller in this directory whose own executable is `shim`.
    #[must_use]
    pub fn new(cwd: &'a Path, shim: Option<&Path>) -> Self {
        Self { cwd, shim: shim.and_then(|shim| fs::metadata(shim).ok()).map(|stat| identity(&stat)) }
    }

    /// The real tool of this name: the first on `path` that can be executed and is no shim. A name with a slash is the
    /// file itself.
    #[must_use]
    pub fn find(&self, tool: &[u8], path: &[u8]) -> Option<PathBuf> {
        let real = |file: &PathBuf| {
            fs::metadata(file)
                .is_ok_and(|stat| stat.is_file() && stat.mode() & 0o111 != 0 && !self.is_shim(file, &stat))
        };
        if tool.contains(&b'/') {
            return Some(self.cwd.join(OsStr::from_bytes(tool))).filter(real);
        }
        self.entries(path).map(|(_, dir)| dir.join(OsStr::from_bytes(tool))).find(real)
    }

    /// `path` without the directories that hold shims under plain names, so that a real gcc finds the real `as`.
    #[must_use]
    pub fn without_shims(&self, path: &[u8]) -> Vec<u8> {
        let holds_shims = |dir: &Path| {
            NAMES.iter().any(|name| {
                let file = dir.join(name);
                fs::metadata(&file).is_ok_and(|stat| self.is_shim(&file, &stat))
            })
        };
        let kept: Vec<&[u8]> =
            self.entries(path).filter(|(_, dir)| !holds_shims(dir)).map(|(entry, _)| entry).collect();
        kept.join(&b':')
    }

    /// The entries of `path` as they are written, each with the directory that is meant; an empty one is the working
    /// directory.
    fn entries<'p>(&self, path: &'p [u8]) -> impl Iterator<Item = (&'p [u8], PathBuf)> {
        path.split(|byte| *byte == b':').map(|entry| (entry, self.cwd.join(OsStr::from_bytes(entry))))
    }

    fn is_shim(&self, file: &Path, stat: &Metadata) -> bool {
        if self.shim == Some(identity(stat)) {
            return true;
        }
        // only the last name of each link counts: the directories on the way need no look
        let mut file = file.to_path_buf();
        for _ in 0..40 {
            let Ok(target) = fs::read_link(&file) else { break };
            file = file.parent().unwrap_or(self.cwd).join(target);
        }
        file.file_name() == Some(OsStr::new(SHIM))
    }
}

fn identity(stat: &Metadata) -> (u64, u64) {
    (stat.dev(), stat.ino())
}
