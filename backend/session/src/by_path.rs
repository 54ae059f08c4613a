//! Maps by a path's bytes. A path's own hash looks at each component; a request has thousands of look-ups.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by paths as they are spelled.
pub(crate) type ByPath<V> = HashMap<OsString, V, BuildHasherDefault<PathHasher>>;

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
