//! Files with the digest of what they hold in front: it finds what a power cut left half written, or what a disk made of it.
//! Knows nothing of what they hold.

use std::io;
use std::path::Path;

use gg_thunk::ValueName;

use crate::sys;

/// How long a digest's text is.
const DIGEST: usize = 52;

/// What a file holds; none if it is not there, cannot be read, or is not what was written.
pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let (sum, value) = bytes.split_at_checked(DIGEST)?;
    if ValueName::of(value).to_string().as_bytes() != sum {
        return None;
    }
    bytes.drain(..DIGEST);
    Some(bytes)
}

/// Writes a file that nobody misses: who reads it meanwhile finds nothing.
pub(crate) fn write(path: &Path, value: &[u8]) -> io::Result<()> {
    sys::write_missable(path, &[ValueName::of(value).to_string().as_bytes(), value].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_not_there() {
        let dir = std::env::temp_dir().join(format!("gg-checked-{}", std::process::id()));
        let path = dir.join("deep/file");
        assert_eq!(read(&path), None);
        for value in [&b"value"[..], b"another", b"", b"longer than the others", b"as long as the others."] {
            write(&path, value).unwrap();
            assert_eq!(read(&path).as_deref(), Some(value));
            assert_eq!(std::fs::read_dir(dir.join("deep")).unwrap().count(), 1, "nothing is left beside it");
        }
        write(&path, b"value and more").unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(read(&path), None, "cut at {end}");
            let mut zeros = whole.clone();
            zeros[end..].fill(0);
            std::fs::write(&path, zeros).unwrap();
            assert_eq!(read(&path), None, "zeros from {end}");
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
