//! Which `GG_DIR` a call belongs to.
//!
//! Knows nothing of what such a directory holds.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys;

/// Why a call belongs to none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoGgDir {
    /// The variable is set to this, which is no absolute path: every directory would have a store of its own.
    NotAbsolute(OsString),
    /// Nothing names one.
    Nowhere,
}

impl fmt::Display for NoGgDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute(value) if value.is_empty() => {
                f.write_str("GG_DIR is set but empty: set it to an absolute path, or unset it")
            }
            Self::NotAbsolute(value) => {
                let value = value.to_string_lossy();
                write!(f, "GG_DIR is {value:?}, not an absolute path: set it to one, or unset it")
            }
            Self::Nowhere => f.write_str("no place to work: set GG_DIR to an absolute path, or HOME, or run gg init"),
        }
    }
}

impl std::error::Error for NoGgDir {}

/// The directory with store, memo, configuration and logs: `GG_DIR`, which has to be absolute, else the nearest `.gg/`
/// from `cwd` upward, else `$XDG_CACHE_HOME/gg`, else `$HOME/.cache/gg`.
///
/// A `.gg/` of another user is passed over: whoever owns it says which programs run. The result need not exist.
/// `cwd` is absolute; `env` looks a variable up.
///
/// # Errors
/// `GG_DIR` is relative or empty, or nothing names a directory.
pub fn gg_dir(cwd: &Path, env: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, NoGgDir> {
    if let Some(value) = env("GG_DIR") {
        let dir = PathBuf::from(value);
        return if dir.is_absolute() { Ok(dir) } else { Err(NoGgDir::NotAbsolute(dir.into_os_string())) };
    }
    let owned = |path: &PathBuf| {
        std::fs::symlink_metadata(path).is_ok_and(|stat| stat.is_dir() && stat.uid() == sys::effective_uid())
    };
    cwd.ancestors().map(|dir| dir.join(".gg")).find(owned).or_else(|| default_dir(&env)).ok_or(NoGgDir::Nowhere)
}

/// The directory of a user for whom nothing names another, if it is this user's and nobody else writes there, or would be when it
/// is made: root with another user's `HOME` leaves nothing there, and believes nothing. `env` looks a variable up.
pub fn user_dir(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let dir = default_dir(env)?;
    let stat = dir.ancestors().find_map(|dir| std::fs::metadata(dir).ok())?;
    (stat.is_dir() && stat.uid() == sys::effective_uid() && stat.mode() & 0o022 == 0).then_some(dir)
}

/// `$XDG_CACHE_HOME/gg`, else `$HOME/.cache/gg`.
fn default_dir(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let cache = |name: &str| env(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let cached = cache("XDG_CACHE_HOME").map(|dir| dir.join("gg"));
    cached.or_else(|| cache("HOME").map(|dir| dir.join(".cache/gg")))
}
