//! Where the session of a `GG_DIR` listens.
//!
//! Knows nothing of who listens there.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, VERSION, sys};

/// The longest path that is surely accepted as a socket's address.
const MAX_PATH: usize = 100;

/// The socket on which the session of a `GG_DIR` listens: `run/session-1.sock` in it, or, when that is longer than an
/// address may be, `/tmp/gg-UID/HASH-1.sock` with the hash of the directory's real path.
#[must_use]
pub fn socket_path(gg_dir: &Path) -> PathBuf {
    let path = gg_dir.join(format!("run/session-{VERSION}.sock"));
    if path.as_os_str().len() <= MAX_PATH {
        return path;
    }
    let real = fs::canonicalize(gg_dir).unwrap_or_else(|_| gg_dir.to_path_buf());
    PathBuf::from(format!("/tmp/gg-{}/{:016x}-{VERSION}.sock", sys::effective_uid(), fnv(real.as_os_str().as_bytes())))
}

/// Makes the directory of the socket, open to its owner only, and returns the socket's path; for who listens. The
/// `GG_DIR` itself is made too, so that its real path is known.
///
/// # Errors
/// A directory cannot be made, or the socket's one belongs to somebody else.
pub fn make_socket_dir(gg_dir: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(gg_dir)?;
    let socket = socket_path(gg_dir);
    if let Some(dir) = socket.parent() {
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        check_owner(&socket)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(socket)
}

/// Refuses a socket in a directory that is not the caller's, or into which others may write.
pub(crate) fn check_private(socket: &Path) -> Result<(), Error> {
    if check_owner(socket)? & 0o022 == 0 { Ok(()) } else { Err(Error::NotOurs) }
}

fn check_owner(socket: &Path) -> Result<u32, Error> {
    let stat = fs::symlink_metadata(socket.parent().ok_or(Error::NotOurs)?)?;
    if stat.is_dir() && stat.uid() == sys::effective_uid() { Ok(stat.mode()) } else { Err(Error::NotOurs) }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_pinned() {
        assert_eq!(socket_path(Path::new("/home/u/.cache/gg")), Path::new("/home/u/.cache/gg/run/session-1.sock"));
        let long = PathBuf::from(format!("/nowhere/{}", "x".repeat(80)));
        let uid = sys::effective_uid();
        assert_eq!(
            socket_path(&long),
            PathBuf::from(format!("/tmp/gg-{uid}/{:016x}-1.sock", fnv(long.as_os_str().as_bytes())))
        );
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
