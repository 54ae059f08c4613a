//! Paths by their bytes: maps, and the last part. A path's own hash and its own parts look at each component; a request has
//! thousands of look-ups.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

/// A map by paths as they are spelled.
pub(crate) type ByPath<V> = FxHashMap<OsString, V>;

/// A set of names or of paths as they are spelled.
pub(crate) type Names = FxHashSet<OsString>;

/// The directory of a path and the name in it; none where the path has no name of its own.
pub(crate) fn split(path: &Path) -> Option<(&Path, &OsStr)> {
    let bytes = path.as_os_str().as_bytes();
    let slash = bytes.iter().rposition(|byte| *byte == b'/').filter(|slash| *slash > 0);
    let plain =
        |bytes: &[u8]| !matches!(bytes, b"" | b"." | b"..") && !bytes.ends_with(b"/") && !bytes.ends_with(b"/.");
    match slash.map(|slash| (&bytes[..slash], &bytes[slash + 1..])) {
        Some((dir, name)) if plain(dir) && plain(name) => {
            Some((Path::new(OsStr::from_bytes(dir)), OsStr::from_bytes(name)))
        }
        _ => path.parent().zip(path.file_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_as_paths_are() {
        for path in [
            "/", "/a", "/a/b", "/a/b/", "/a//b", "/a/./b", "/a/.", "/a/..", "/a/../b", "a", "a/b", "", "//a", "/a/b/..",
        ] {
            let path = Path::new(path);
            assert_eq!(split(path), path.parent().zip(path.file_name()), "{}", path.display());
        }
    }
}
