//! The sockets to serve on: one for each `GG_DIR`, and those of processes that serve a build of their own. Knows nothing of
//! what is served.

use std::fs::{File, OpenOptions};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use gg_protocol::{make_own_socket_dir, make_socket_dir};

use crate::{SessionError, sys};

/// A socket to serve on, held until dropped.
pub struct Place {
    _lock: Option<File>,
    pub(super) listener: UnixListener,
    pub(super) socket: PathBuf,
}

impl Place {
    /// Takes the place of the session of this `GG_DIR`; `None` if another process has it.
    pub fn take(gg_dir: &Path) -> Result<Option<Place>, SessionError> {
        let at = |e| SessionError::io("opening", gg_dir, e);
        std::fs::create_dir_all(gg_dir.join("run")).map_err(at)?;
        let path = lock_path(gg_dir);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(at)?;
        if !sys::try_lock(&lock) {
            return Ok(None);
        }
        let socket = make_socket_dir(gg_dir).map_err(|e| at(std::io::Error::other(e.to_string())))?;
        // Whoever made it no longer holds the lock.
        let _ = std::fs::remove_file(&socket);
        let listener = bind(&socket)?;
        Ok(Some(Place { _lock: Some(lock), listener, socket }))
    }

    /// A place of this process's own on this `GG_DIR`, beside that of its background session and those of others. Shims
    /// are led there by [`gg_protocol::SOCKET_VARIABLE`].
    pub fn own(gg_dir: &Path) -> Result<Place, SessionError> {
        let mut number = std::process::id();
        loop {
            let socket = make_own_socket_dir(gg_dir, number)
                .map_err(|e| SessionError::io("opening", gg_dir, std::io::Error::other(e.to_string())))?;
            sweep(&socket, number);
            match UnixListener::bind(&socket) {
                Ok(listener) => return Ok(Place { _lock: None, listener, socket }),
                // Another process of this number, in another container.
                Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && number < 16 * PAST_ALL => number += PAST_ALL,
                Err(e) => return Err(SessionError::io("binding", &socket, e)),
            }
        }
    }

    /// The socket's path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

fn bind(socket: &Path) -> Result<UnixListener, SessionError> {
    UnixListener::bind(socket).map_err(|e| SessionError::io("binding", socket, e))
}

/// No process has a number from here on.
const PAST_ALL: u32 = 1 << 22;

/// Removes the sockets of processes that were killed, of all numbers: nobody listens, and no other process has the number.
fn sweep(socket: &Path, number: u32) {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (Some(dir), ours) = (socket.parent(), name(socket)) else { return };
    let before = ours.strip_suffix(&format!("{number}.sock")).unwrap_or(&ours);
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let theirs = name(&path);
        let Some(theirs) = theirs.strip_prefix(before).and_then(|rest| rest.strip_suffix(".sock")) else { continue };
        let refused = |e: std::io::Error| e.kind() == std::io::ErrorKind::ConnectionRefused;
        if theirs.parse::<u32>().is_ok_and(|theirs| theirs == number || !Path::new(&format!("/proc/{theirs}")).exists())
            && UnixStream::connect(&path).is_err_and(refused)
        {
            // It is only litter.
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Who holds this lock serves the `GG_DIR`.
pub(super) fn lock_path(gg_dir: &Path) -> PathBuf {
    gg_dir.join("run").join(format!("session-{}.lock", gg_protocol::VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_ones_own_are_beside_each_other() {
        let dir = gg_testkit::temp_dir();
        let background = Place::take(dir.path()).unwrap().unwrap();
        let first = Place::own(dir.path()).unwrap();
        let second = Place::own(dir.path()).unwrap();
        assert!(first.socket() != second.socket() && first.socket() != background.socket());
        assert!([&background, &first, &second].iter().all(|place| UnixStream::connect(place.socket()).is_ok()));
    }

    #[test]
    fn what_killed_processes_left_is_removed() {
        let dir = gg_testkit::temp_dir();
        let left = [PAST_ALL + 7, std::process::id()].map(|number| make_own_socket_dir(dir.path(), number).unwrap());
        for socket in &left {
            drop(UnixListener::bind(socket).unwrap());
        }
        // as if it were of a process that is about to listen
        let living = make_own_socket_dir(dir.path(), 1).unwrap();
        drop(UnixListener::bind(&living).unwrap());
        let place = Place::own(dir.path()).unwrap();
        assert_eq!(place.socket(), left[1]);
        assert!(!left[0].exists() && living.exists());
    }
}
