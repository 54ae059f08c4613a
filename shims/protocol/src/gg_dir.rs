//! Which `GG_DIR` a call belongs to.
//!
//! Knows nothing of what such a directory holds.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys;

/// The directory with store, memo, configuration and logs: `GG_DIR` (from `cwd` when relative), else the nearest `.gg/`
/// from `cwd` upward, else `$XDG_CACHE_HOME/gg`, else `$HOME/.cache/gg`; `None` where nothing names one.
///
/// A `.gg/` of another user is passed over: whoever owns it says which programs run. The result need not exist.
/// `cwd` is absolute; `env` looks a variable up.
pub fn gg_dir(cwd: &Path, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let owned = |path: &PathBuf| {
        std::fs::symlink_metadata(path).is_ok_and(|stat| stat.is_dir() && stat.uid() == sys::effective_uid())
    };
    env("GG_DIR")
        .map(|dir| cwd.join(dir))
        .or_else(|| cwd.ancestors().map(|dir| dir.join(".gg")).find(owned))
        .or_else(|| env("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join("gg")))
        .or_else(|| env("HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join(".cache/gg")))
}
