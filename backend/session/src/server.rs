//! The background process of a `GG_DIR`: its socket, its threads, its end when idle.
//!
//! It is started by a shim that found none, holds none of its starter's descriptors, and says with one
//! byte on its standard output that it listens.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gg_protocol::{Reply, make_socket_dir, read_ran, read_request, socket_path, write_reply};

use crate::session::Session;
use crate::{SessionError, sys};

/// How long a session waits for another call before it goes.
pub const IDLE: Duration = Duration::from_secs(300);

/// The right to serve a `GG_DIR`; held until dropped.
pub struct Place {
    _lock: File,
    listener: UnixListener,
}

impl Place {
    /// Takes the place of the session of this `GG_DIR`; `None` if another process has it.
    pub fn take(gg_dir: &Path) -> Result<Option<Place>, SessionError> {
        let at = |e| SessionError::io("opening", gg_dir, e);
        std::fs::create_dir_all(gg_dir.join("run")).map_err(at)?;
        let path = gg_dir.join("run").join(format!("session-{}.lock", gg_protocol::VERSION));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(at)?;
        if !sys::try_lock(&lock) {
            return Ok(None);
        }
        make_socket_dir(gg_dir).map_err(|e| at(std::io::Error::other(e.to_string())))?;
        let socket = socket_path(gg_dir);
        // Whoever made it no longer holds the lock.
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).map_err(|e| SessionError::io("binding", &socket, e))?;
        Ok(Some(Place { _lock: lock, listener }))
    }
}

/// Tells the starter that a session listens, and lets go of the pipe it listens on.
pub fn ready() {
    let mut out = std::io::stdout();
    // The starter may have given up.
    let _ = out.write_all(b"r").and_then(|()| out.flush());
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        sys::replace_descriptor(&null, 1);
    }
}

/// Serves until no call has come for `idle`, or the socket's file is gone (`gg session stop`).
pub fn serve(place: &Place, session: &Arc<Session>, idle: Duration, socket: &Path) -> Result<(), SessionError> {
    let busy = Arc::new(AtomicUsize::new(0));
    let step = Duration::from_secs(1).min(idle);
    let mut quiet = Duration::ZERO;
    loop {
        if !sys::readable(place.listener.as_raw_fd(), i32::try_from(step.as_millis()).unwrap_or(1000)) {
            quiet = if busy.load(Ordering::SeqCst) == 0 { quiet + step } else { Duration::ZERO };
            if !socket.exists() || quiet >= idle {
                break;
            }
            continue;
        }
        quiet = Duration::ZERO;
        let Ok((stream, _)) = place.listener.accept() else { continue };
        let (session, busy) = (Arc::clone(session), Arc::clone(&busy));
        busy.fetch_add(1, Ordering::SeqCst);
        let counted = Arc::clone(&busy);
        let spawned = std::thread::Builder::new().name("call".to_owned()).spawn(move || {
            converse(&session, stream);
            counted.fetch_sub(1, Ordering::SeqCst);
        });
        if spawned.is_err() {
            // The stream is dropped: that shim works on its own.
            busy.fetch_sub(1, Ordering::SeqCst);
        }
    }
    // New shims find no socket and start another session; calls under way are finished.
    let _ = std::fs::remove_file(socket);
    while busy.load(Ordering::SeqCst) > 0 {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

/// One call. A caller that goes away in the middle needs no answer.
fn converse(session: &Session, mut stream: UnixStream) {
    let request = match read_request(&mut stream) {
        Ok(request) => request,
        Err(e) => {
            let _ = write_reply(&mut stream, &Reply::Refused { message: e.to_string() });
            return;
        }
    };
    let answer = session.answer(&request, Some(&stream));
    if write_reply(&mut stream, &answer.reply).is_ok()
        && let Some(doubt) = answer.doubt
        && let Ok(ran) = read_ran(&mut stream)
    {
        session.reported(&doubt, &ran);
    }
}
