//! Leads the commands of one build to a session of its own: a socket to serve on, a directory of shims first on `PATH`, and
//! the variables that tell shims. Knows no build system: whose child the build is, and what is said of it, is for the caller.

mod child;
mod links;
mod signals;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use gg_models::makes_thunks;
use gg_protocol::SOCKET_VARIABLE;
use gg_protocol::real_tool::DEFAULT_PATH;

use crate::readers::is_reader;
use crate::server::{self, Place, Serving};
use crate::{Early, Opening, Session, SessionError};

pub use child::{End, Watch};
pub use signals::{die_by, has_standard_descriptors};

/// What was being done, in the error of a command that could not be started.
pub const RUNNING: &str = "running";

/// More often than this a build is not run again for what failed after it was answered.
const ROUNDS: usize = 100;

/// A session that serves one build, and what leads the build's commands to it.
pub struct Lead {
    session: Arc<Session>,
    serving: Serving,
    env: Vec<(&'static str, OsString)>,
}

impl Lead {
    /// Opens a session and serves it. `own` is the directory of gg's own programs, `works_in` where the build works: what
    /// an earlier one has left there to wait is made first.
    pub fn open(opening: &Opening, own: &Path, works_in: &Path) -> Result<Lead, SessionError> {
        let shim = own.join("gg-shim");
        for file in [&opening.program, &shim] {
            if !file.is_file() {
                return Err(SessionError::Missing(file.clone()));
            }
        }
        let session = Arc::new(opening.session()?);
        session.adopt(works_in)?;
        let place = Place::own(&opening.gg_dir)?;
        let socket = place.socket().to_owned();
        let path = path();
        let run = socket.parent().unwrap_or(&opening.gg_dir);
        let mut names = links::names(&path, &shim, &makes_thunks);
        if opening.lazy.is_some() {
            names.extend(links::names(&path, &shim, &|name| is_reader(name.as_bytes())));
        }
        let links = links::make(run, &shim, &names)?;
        let serving = server::serve_beside(place, Arc::clone(&session))?;
        let env = vec![
            ("PATH", with_first(&links, &path)),
            ("GG_DIR", opening.gg_dir.clone().into_os_string()),
            (SOCKET_VARIABLE, socket.into_os_string()),
        ];
        Ok(Lead { session, serving, env })
    }

    /// Shims find this session from this command on.
    pub fn guide(&self, command: &mut Command) {
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }

    /// Runs the build's command to its end; again, as often as something has failed that was answered before: the command
    /// itself decides what follows, and says so. `settles`: what was answered is made each time the command has ended;
    /// else that is left for later. `again` is told each time.
    pub fn run(
        &self,
        watch: &Watch,
        command: &dyn Fn() -> Command,
        settles: bool,
        again: &dyn Fn(),
    ) -> Result<End, SessionError> {
        if !settles {
            return self.rounds(watch, command, false, again);
        }
        // Also of the time in which the command has ended and its work has not.
        let session = Arc::clone(&self.session);
        let abandon = move || {
            // What cannot be removed now is made by the next build.
            let _ = session.abandon();
        };
        watch.or_undo(abandon, || self.rounds(watch, command, true, again))
    }

    fn rounds(
        &self,
        watch: &Watch,
        command: &dyn Fn() -> Command,
        settles: bool,
        again: &dyn Fn(),
    ) -> Result<End, SessionError> {
        let mut rounds = 0;
        loop {
            let mut command = command();
            self.guide(&mut command);
            let program = PathBuf::from(command.get_program());
            let end = watch.run(command).map_err(|e| SessionError::io(RUNNING, &program, e))?;
            rounds += 1;
            if !matches!(end, End::Exit(_)) || watch.was_signalled() {
                // Whoever ends a build finds what make leaves: nothing that looks made and is not.
                if settles {
                    self.session.abandon()?;
                }
                return Ok(end);
            }
            let well = if settles { self.session.finish()? } else { !self.session.take_late_failure() };
            if well || rounds > ROUNDS {
                return Ok(end);
            }
            again();
        }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How many calls are under way.
    pub fn under_way(&self) -> usize {
        self.serving.under_way()
    }

    /// Ends the serving: who called before is still served, and nobody else.
    pub fn close(self) -> Arc<Session> {
        drop(self.serving);
        self.session
    }
}

/// A build of this process's that works in a directory and is to be answered before its work is done.
#[must_use]
pub fn early(works_in: &Path) -> Early {
    let [_, out, err] = gg_protocol::standard_descriptors();
    Early { streams: [out, err], works_in: works_in.to_owned() }
}

/// This process's `PATH`, or what stands for it where there is none.
pub fn path() -> Vec<u8> {
    std::env::var_os("PATH").map_or_else(|| DEFAULT_PATH.to_vec(), OsString::into_vec)
}

/// The `gg` that goes with a program of gg's: what `GG_PROGRAM` names, else the one beside it.
pub fn program(own: &Path) -> PathBuf {
    match std::env::var_os("GG_PROGRAM").filter(|program| !program.is_empty()) {
        Some(program) => PathBuf::from(program),
        None => own.join("gg"),
    }
}

/// `path` with this directory first; once, also in a build that a build of the same kind started.
fn with_first(dir: &Path, path: &[u8]) -> OsString {
    let dir = dir.as_os_str().as_bytes();
    if path.split(|byte| *byte == b':').next() == Some(dir) {
        return OsStr::from_bytes(path).to_owned();
    }
    OsString::from_vec([dir, path].join(&b':'))
}
