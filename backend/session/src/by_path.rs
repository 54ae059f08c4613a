//! Paths by their bytes: maps, and the last part. A path's own hash and its own parts look at each component; a request has
//! thousands of look-ups.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasherDefault, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A map by paths as they are spelled.
pub(crate) type ByPath<V> = HashMap<OsString, V, BuildHasherDefault<PathHasher>>;

/// A set of names or of paths as they are spelled.
pub(crate) type Names = HashSet<OsString, BuildHasherDefault<PathHasher>>;

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

/// Quick, and good enough for names that no enemy chooses: eight bytes at a time, multiplied and folded.
#[derive(Default)]
pub(crate) struct PathHasher(u64);

impl PathHasher {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.add(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn split_as_paths_are() {
        for path in [
            "/", "/a", "/a/b", "/a/b/", "/a//b", "/a/./b", "/a/.", "/a/..", "/a/../b", "a", "a/b", "", "//a", "/a/b/..",
        ] {
            let path = Path::new(path);
            assert_eq!(split(path), path.parent().zip(path.file_name()), "{}", path.display());
        }
    }

    #[test]
    fn paths_spread() {
        let hasher = BuildHasherDefault::<PathHasher>::default();
        let mut hashes = std::collections::HashSet::new();
        let mut low = std::collections::HashSet::new();
        for number in 0..4096 {
            let hash = hasher.hash_one(OsString::from(format!("/usr/include/x86_64-linux-gnu/bits/{number}.h")));
            hashes.insert(hash);
            low.insert(hash & 0xffff);
        }
        assert_eq!(hashes.len(), 4096);
        assert!(low.len() > 3500, "{}", low.len());
    }
}
