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

/// The variable by which a build's shims know the session that serves this build only: its socket's absolute path.
pub const SOCKET_VARIABLE: &str = "GG_SOCKET";

/// The socket on which the session of a `GG_DIR` listens: `run/session-1.sock` in it, or, when that is longer than an
/// address may be, `/tmp/gg-UID/HASH-1.sock` with the hash of the directory's real path.
#[must_use]
pub fn socket_path(gg_dir: &Path) -> PathBuf {
    path_with(gg_dir, &VERSION.to_string())
}

/// The socket of a session that a process holds for itself on a `GG_DIR`, beside the one of all: `session-1-NUMBER.sock`,
/// with a number that no other process of the `GG_DIR` has.
#[must_use]
pub fn own_socket_path(gg_dir: &Path, number: u32) -> PathBuf {
    path_with(gg_dir, &format!("{VERSION}-{number}"))
}

fn path_with(gg_dir: &Path, which: &str) -> PathBuf {
    let path = gg_dir.join(format!("run/session-{which}.sock"));
    if path.as_os_str().len() <= MAX_PATH {
        return path;
    }
    let real = fs::canonicalize(gg_dir).unwrap_or_else(|_| gg_dir.to_path_buf());
    tmp_dir().join(format!("{:016x}-{which}.sock", fnv(real.as_os_str().as_bytes())))
}

/// This user's directory in `/tmp`, for what needs a short or plain path.
fn tmp_dir() -> PathBuf {
    PathBuf::from(format!("/tmp/gg-{}", sys::effective_uid()))
}

/// Makes the directory of the socket, open to its owner only, and returns the socket's path; for who listens. The
/// `GG_DIR` itself is made too, so that its real path is known.
///
/// # Errors
/// A directory cannot be made, or the socket's one belongs to somebody else.
pub fn make_socket_dir(gg_dir: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(gg_dir)?;
    with_dir(socket_path(gg_dir))
}

/// The same for [`own_socket_path`].
///
/// # Errors
/// As those of [`make_socket_dir`].
pub fn make_own_socket_dir(gg_dir: &Path, number: u32) -> Result<PathBuf, Error> {
    fs::create_dir_all(gg_dir)?;
    with_dir(own_socket_path(gg_dir, number))
}

fn with_dir(socket: PathBuf) -> Result<PathBuf, Error> {
    make_private(socket.parent().ok_or(Error::NotOurs)?)?;
    Ok(socket)
}

/// Makes this user's directory in `/tmp`, open to its owner only.
///
/// # Errors
/// It cannot be made, or belongs to somebody else.
pub fn private_tmp() -> Result<PathBuf, Error> {
    let dir = tmp_dir();
    make_private(&dir)?;
    Ok(dir)
}

fn make_private(dir: &Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    check_owner(dir)?;
    Ok(fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?)
}

/// Refuses a socket in a directory that is not the caller's, or into which others may write.
pub(crate) fn check_private(socket: &Path) -> Result<(), Error> {
    if check_owner(socket.parent().ok_or(Error::NotOurs)?)? & 0o022 == 0 { Ok(()) } else { Err(Error::NotOurs) }
}

/// The mode of a directory of the caller's.
fn check_owner(dir: &Path) -> Result<u32, Error> {
    let stat = fs::symlink_metadata(dir)?;
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
        assert_eq!(own_socket_path(Path::new("/h"), 7), Path::new("/h/run/session-1-7.sock"));
        // an address holds 107 bytes
        for length in 60..110 {
            let own = own_socket_path(Path::new(&format!("/{}", "x".repeat(length))), 4_194_304);
            assert!(own.as_os_str().len() <= MAX_PATH, "{}", own.display());
        }
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
