//! A build tree of CMake's whose tools gg does not see. Knows CMake's cache, and nothing of its makefiles.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// What CMake's cache is called.
const CACHE: &str = "CMakeCache.txt";
const COMPILERS: [&[u8]; 2] = [b"CMAKE_C_COMPILER:", b"CMAKE_CXX_COMPILER:"];

/// What is said where a build went by.
pub(crate) const HINT: &str = "gg: no command of the toolchain was seen: CMake names tools by their path; \
     configure with -DCMAKE_C_COMPILER=gg-cc -DCMAKE_CXX_COMPILER=gg-c++\n";

/// Whether make's working directory was configured by CMake, and not with gg's own compilers.
pub(crate) fn goes_by(directory: &Path) -> bool {
    let Ok(cache) = File::open(directory.join(CACHE)) else { return false };
    !BufReader::new(cache).split(b'\n').map_while(Result::ok).any(|line| {
        let of_gg =
            |value: &[u8]| value.rsplit(|byte| *byte == b'/').next().is_some_and(|name| name.starts_with(b"gg-"));
        COMPILERS.iter().any(|name| line.starts_with(name))
            && line.split(|byte| *byte == b'=').nth(1).is_some_and(of_gg)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_stand_in_the_cache() {
        let dir = gg_testkit::temp_dir();
        assert!(!goes_by(dir.path()));
        let with = |text: &str| {
            std::fs::write(dir.path().join(CACHE), text).unwrap();
            goes_by(dir.path())
        };
        assert!(with(""));
        assert!(with("# gg-\nCMAKE_CXX_COMPILER:FILEPATH=/usr/bin/c++\nCMAKE_AR:FILEPATH=/usr/bin/gg-ar\n"));
        assert!(!with("CMAKE_AR:FILEPATH=/usr/bin/ar\nCMAKE_CXX_COMPILER:STRING=/opt/bin/gg-c++\n"));
        assert!(!with("CMAKE_C_COMPILER:UNINITIALIZED=gg-cc\n"));
    }
}
