//! Who serves shims, and for how long: the background process of a `GG_DIR`, until it is idle, or a process that leads a
//! build, until that ends. The threads, the end.
//!
//! The background process is started by a shim that found none, holds none of its starter's descriptors, and says with one
//! byte on its standard output that it listens.

mod place;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gg_protocol::{Error, Reply, read_ran, read_request, socket_path, write_reply};

use crate::session::Session;
use crate::{SessionError, sys};
pub use place::Place;
use place::lock_path;

/// How long a session waits for another call before it goes.
pub const IDLE: Duration = Duration::from_secs(300);

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
    let desk = Desk { place, session, calls: Arc::default() };
    let step = Duration::from_millis(500).min(idle);
    let mut quiet = Duration::ZERO;
    loop {
        if sys::readable([place.listener.as_raw_fd()], step) == [true] {
            desk.accept();
            quiet = Duration::ZERO;
            continue;
        }
        quiet = if desk.calls.is_none() { quiet + step } else { Duration::ZERO };
        if !place.socket.exists() || quiet >= idle {
            break;
        }
    }
    desk.close();
    Ok(())
}

/// A session that is served by a thread of this process until this is dropped.
pub struct Serving {
    end: UnixStream,
    thread: Option<JoinHandle<()>>,
    calls: Arc<Calls>,
}

impl Serving {
    /// How many calls are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        *self.calls.lock()
    }
}

/// Serves by a thread of this process. Whoever called before the end is still served.
pub fn serve_beside(place: Place, session: Arc<Session>) -> Result<Serving, SessionError> {
    let at = |e| SessionError::io("serving on", &place.socket, e);
    let (end, ended) = UnixStream::pair().map_err(at)?;
    let serving = std::thread::Builder::new().name("serving".to_owned());
    let path = place.socket.clone();
    let calls = Arc::<Calls>::default();
    let counted = Arc::clone(&calls);
    let thread = serving.spawn(move || {
        let desk = Desk { place: &place, session: &session, calls: counted };
        loop {
            let [called, over] =
                sys::readable([place.listener.as_raw_fd(), ended.as_raw_fd()], Duration::from_secs(3600));
            if called {
                desk.accept();
            } else if over {
                break;
            }
        }
        desk.close();
    });
    Ok(Serving { end, thread: Some(thread.map_err(|e| SessionError::io("serving on", &path, e))?), calls })
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.end.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where calls are taken.
struct Desk<'a> {
    place: &'a Place,
    session: &'a Arc<Session>,
    calls: Arc<Calls>,
}

impl Desk<'_> {
    /// Takes a call that waits.
    fn accept(&self) {
        let Ok((stream, _)) = self.place.listener.accept() else { return };
        let (session, counted) = (Arc::clone(self.session), Calls::begin(&self.calls));
        let spawned = std::thread::Builder::new().name("call".to_owned()).spawn(move || {
            let _counted = counted;
            // Dropped before the call counts as ended: who waits for that then has the only other one.
            let session = session;
            converse(&session, stream);
        });
        // Without a thread the stream is dropped: that shim works on its own.
        drop(spawned);
    }

    /// Serves who has called already, and nobody else: new shims find no socket.
    fn close(&self) {
        let _ = std::fs::remove_file(&self.place.socket);
        while sys::readable([self.place.listener.as_raw_fd()], Duration::ZERO) == [true] {
            self.accept();
        }
        self.calls.wait_for_none();
    }
}

/// How many calls are under way.
#[derive(Default)]
struct Calls {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Calls {
    fn begin(calls: &Arc<Calls>) -> Counted {
        *calls.lock() += 1;
        Counted(Arc::clone(calls))
    }

    fn is_none(&self) -> bool {
        *self.lock() == 0
    }

    fn wait_for_none(&self) {
        let none = self.fewer.wait_while(self.lock(), |count| *count > 0);
        drop(none.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call under way; it ends with this, however its thread ends.
struct Counted(Arc<Calls>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.fewer.notify_all();
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
