//! The background process of a `GG_DIR`: its socket, its threads, its end when idle.
//!
//! It is started by a shim that found none, holds none of its starter's descriptors, and says with one
//! byte on its standard output that it listens.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gg_protocol::{Error, Reply, make_socket_dir, read_ran, read_request, socket_path, write_reply};

use crate::session::Session;
use crate::{SessionError, sys};

/// How long a session waits for another call before it goes.
pub const IDLE: Duration = Duration::from_secs(300);

/// The right to serve a `GG_DIR`; held until dropped.
pub struct Place {
    _lock: File,
    listener: UnixListener,
    socket: PathBuf,
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
        let listener = UnixListener::bind(&socket).map_err(|e| SessionError::io("binding", &socket, e))?;
        Ok(Some(Place { _lock: lock, listener, socket }))
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
pub fn serve(place: &Place, session: &Arc<Session>, idle: Duration) -> Result<(), SessionError> {
    let busy = Arc::new(AtomicUsize::new(0));
    let step = Duration::from_millis(500).min(idle);
    let mut quiet = Duration::ZERO;
    loop {
        if accept(place, session, &busy, step) {
            quiet = Duration::ZERO;
            continue;
        }
        quiet = if busy.load(Ordering::SeqCst) == 0 { quiet + step } else { Duration::ZERO };
        if !place.socket.exists() || quiet >= idle {
            break;
        }
    }
    // New shims find no socket and start another session; who connected before that is still served.
    let _ = std::fs::remove_file(&place.socket);
    while accept(place, session, &busy, Duration::ZERO) {}
    while busy.load(Ordering::SeqCst) > 0 {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

/// Takes one call, waiting for it so long; whether there was one.
fn accept(place: &Place, session: &Arc<Session>, busy: &Arc<AtomicUsize>, wait: Duration) -> bool {
    if !sys::readable(place.listener.as_raw_fd(), i32::try_from(wait.as_millis()).unwrap_or(500)) {
        return false;
    }
    let Ok((stream, _)) = place.listener.accept() else { return true };
    let (session, counted) = (Arc::clone(session), Busy::begin(busy));
    let spawned = std::thread::Builder::new().name("call".to_owned()).spawn(move || {
        let _counted = counted;
        converse(&session, stream);
    });
    // Without a thread the stream is dropped: that shim works on its own.
    drop(spawned);
    true
}

/// One call under way; it ends with this, however its thread ends.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn begin(count: &Arc<AtomicUsize>) -> Busy {
        count.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends the session of a `GG_DIR`, if there is one, and waits until it is gone.
pub fn stop(gg_dir: &Path) -> std::io::Result<()> {
    let lock = match OpenOptions::new().write(true).open(lock_path(gg_dir)) {
        Ok(lock) => lock,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    match std::fs::remove_file(socket_path(gg_dir)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    sys::lock(&lock)
}

fn lock_path(gg_dir: &Path) -> PathBuf {
    gg_dir.join("run").join(format!("session-{}.lock", gg_protocol::VERSION))
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
    let mut written = write_reply(&mut stream, &answer.reply);
    if let Err(Error::TooLong { .. }) = written {
        // Nothing was written: messages over the protocol's limit come from the real tool.
        written = match session.natively(&request) {
            Some(reply) => write_reply(&mut stream, &reply),
            None => return,
        };
    }
    if written.is_ok()
        && let Some(doubt) = answer.doubt
        && let Ok(ran) = read_ran(&mut stream)
    {
        session.reported(&doubt, &ran);
    }
}
