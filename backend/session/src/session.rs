//! One call, from request to reply.

mod audited;
mod doubt;
mod edited;
mod found;
mod known;
mod late;
mod lazy;
mod pending;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gg_force::{Cancel, Coordinator, Event, ForceOptions, Forced, Outcome, trace};
use gg_models::{Models, ReasonKind};
use gg_protocol::{FdKind, Reply, Request};
use gg_store::{DigestCache, Lease, LocalStore, Memo, Record, Store as _, StoreError};
use gg_thunk::{OutputName, Thunk, ThunkName};

use crate::audit::{self, AuditPolicy, ThunkEnd};
use crate::calls::Calls;
use crate::foresight::Foresight;
use crate::hangup::Hangups;
use crate::ingest::Contents;
use crate::issued::Issued;
use crate::journal::{Journal, Line, Log, Stats};
use crate::limits::Limits;
use crate::listings::Listings;
use crate::paths::Paths;
use crate::place::{is_denied, place};
use crate::recall::Recall;
use crate::shapes::{Shapes, Standing};
use crate::world::{Explained, Outputs};
use crate::{SessionError, sys};

pub use audited::Audited;
pub(crate) use doubt::Doubt;
pub(crate) use edited::Source;
pub use found::Found;
use known::{Known, finder, path_of, real_env};
pub use late::{Late, LateFailure, OverHost, Unsealed};
pub use lazy::Early;
use lazy::Lazy;

/// The reason for which calls run natively while the disk of the `GG_DIR` is full.
pub const STORE_FULL: &str = "store-full";

/// How the system's ENOSPC reads in a message.
const NO_SPACE: &str = "(os error 28)";

/// The reason for which calls fail because what they need was answered for, and has failed since.
pub const LATE_FAILURE: &str = "late-failure";

/// Why a call is refused: its shim then says what a shell would.
const NO_TOOL: &str = "the real tool is not on PATH";

/// Messages longer than this come from the real tool: a reply has a limit.
const MOST_MESSAGES: u64 = gg_protocol::MAX_REPLY as u64 - 4096;

/// Where a session works and with what.
pub struct Options {
    /// The `GG_DIR`.
    pub gg_dir: PathBuf,
    /// Forces thunks.
    pub coordinator: Coordinator,
    /// The store the coordinator works on.
    pub store: LocalStore,
    /// Its memo.
    pub memo: Memo,
    /// The user's own directory, for what all stores of one user may share.
    pub user_dir: Option<PathBuf>,
    /// Why thunks cannot be run sealed here, if they cannot: then every call is native.
    pub unsealed: Option<String>,
    /// Runs a thunk over a read-only view of the host, where that can be.
    pub over_host: Option<Box<OverHost>>,
    /// The build whose calls are to be answered before their work is done, if they are.
    pub lazy: Option<Early>,
    /// Paths that models are shown as absent; for the tests of the audit.
    pub hidden: Vec<PathBuf>,
}

/// Everything that calls share.
pub struct Session {
    models: Models,
    foresight: Foresight,
    contents: Contents,
    memo: Memo,
    coordinator: Coordinator,
    recall: Recall,
    listings: Listings,
    paths: Paths,
    calls: Calls,
    shapes: Shapes,
    journal: Journal,
    tally: Mutex<Stats>,
    hangups: Arc<Hangups>,
    unsealed: Option<String>,
    limits: Limits,
    issued: Issued,
    lazy: Option<Lazy>,
    /// When a session began that answers before the work is done, in nanoseconds since 1970.
    begun: Option<i128>,
    over_host: Option<Box<OverHost>>,
    /// Thunks of calls answered before that were counted when they were forced.
    counted: Mutex<HashSet<ThunkName>>,
    hidden: Vec<PathBuf>,
    name: String,
    _lease: Lease,
}

/// What a call came to, and what has to be noted when the caller reports how its native run ended.
pub(crate) struct Answer {
    pub reply: Reply,
    pub doubt: Option<Doubt>,
}

/// What the thunk of a call is, for `gg describe` and the tests.
pub struct Described {
    /// The thunk's name.
    pub name: ThunkName,
    /// The thunk.
    pub thunk: Thunk,
    /// Its flag shape.
    pub shape: String,
    /// How long its model took; none if what was kept of the call held.
    pub inferred: Option<Duration>,
}

enum Stop {
    Native {
        kind: String,
        detail: String,
    },
    /// What the call needs was answered for, and has failed since; what its caller is told.
    Late(String),
    NoTool,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Native { kind, detail } => write!(f, "{kind}: {detail}"),
            Stop::Late(said) => f.write_str(said),
            Stop::NoTool => f.write_str(NO_TOOL),
        }
    }
}

impl From<SessionError> for Stop {
    fn from(e: SessionError) -> Stop {
        let full = matches!(e, SessionError::Store(StoreError::Full { .. }));
        native(if full { STORE_FULL } else { "session-error" }, e.to_string())
    }
}

/// What an engine says comes as text.
fn could_not_run(why: &str) -> Stop {
    let full = why.contains(StoreError::NO_ROOM) || why.contains(NO_SPACE);
    native(if full { STORE_FULL } else { "engine" }, why)
}

fn native(kind: &str, detail: impl Into<String>) -> Stop {
    Stop::Native { kind: kind.to_owned(), detail: detail.into() }
}

impl Session {
    /// A session on a `GG_DIR`.
    pub fn new(options: Options) -> Result<Session, SessionError> {
        let at = |e| SessionError::io("opening", &options.gg_dir, e);
        let system = options.user_dir.as_ref().map(|dir| dir.join("system-digests"));
        let digests = DigestCache::sharing(&options.store, system.as_deref())?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Ok(Session {
            models: Models::new(),
            foresight: Foresight::default(),
            contents: Contents::new(digests, options.store.clone()),
            memo: options.memo,
            coordinator: options.coordinator,
            recall: Recall::new(&options.gg_dir),
            listings: Listings::default(),
            paths: Paths::default(),
            calls: Calls::new(&options.gg_dir),
            shapes: Shapes::open(&options.gg_dir).map_err(at)?,
            journal: Journal::open(&options.gg_dir),
            tally: Mutex::default(),
            hangups: Hangups::start().map_err(at)?,
            unsealed: options.unsealed,
            limits: Limits::own().map_err(at)?,
            issued: Issued::open(&options.gg_dir),
            begun: options.lazy.as_ref().map(|_| i128::try_from(since * 1000).unwrap_or(0)),
            lazy: options.lazy.map(Lazy::new),
            over_host: options.over_host,
            counted: Mutex::default(),
            hidden: options.hidden,
            name: format!("{since:020}-{}", std::process::id()),
            _lease: options.store.lease()?,
        })
    }

    /// What became of this session's calls so far.
    pub fn stats(&self) -> Stats {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why thunks cannot be run sealed here, if they cannot.
    pub fn unsealed(&self) -> Option<&str> {
        self.unsealed.as_deref()
    }

    fn write(&self, line: Line) {
        self.journal.write(&line);
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(line);
    }

    /// Answers one call. Whatever goes wrong here, the real tool runs.
    pub(crate) fn answer(&self, request: &Request, caller: Option<&UnixStream>) -> Answer {
        if let Some(reply) = self.serve_placeholder(request).or_else(|| self.serve_reader(request, caller)) {
            return Answer { reply, doubt: None };
        }
        let begun = Instant::now();
        let mut line = Line {
            session: self.name.clone(),
            tool: String::from_utf8_lossy(&request.tool).into_owned(),
            at_us: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64),
            ..Line::default()
        };
        let mut doubt = None;
        let reply = match self.serve(request, caller, &mut line, &mut doubt) {
            Ok(reply) => reply,
            Err(Stop::NoTool) => Reply::Refused { message: NO_TOOL.to_owned() },
            Err(Stop::Late(said)) => {
                line.native = Some(LATE_FAILURE.to_owned());
                refusal(said)
            }
            Err(Stop::Native { kind, detail }) => match self.before_native(request, None, &kind) {
                Ok(()) => {
                    line.native = Some(kind);
                    line.detail = Some(detail).filter(|text| !text.is_empty());
                    match self.run_real(request, doubt.is_some()) {
                        Some(reply) => reply,
                        None => Reply::Refused { message: NO_TOOL.to_owned() },
                    }
                }
                Err(said) => {
                    doubt = None;
                    line.native = Some(LATE_FAILURE.to_owned());
                    refusal(said)
                }
            },
        };
        line.wall_us = begun.elapsed().as_micros() as u64;
        // Nothing came of a call whose caller went away.
        if line.native.as_deref() != Some("cancelled") {
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(line.clone());
            self.journal.write_call(line, Log::of(request));
        }
        Answer { reply, doubt }
    }

    /// The thunk of a call, or the reason why it has none.
    pub fn describe(&self, request: &Request) -> Result<Described, String> {
        match self.known(request, None, false) {
            Ok(known) => {
                Ok(Described { name: known.name, thunk: known.thunk, shape: known.shape, inferred: known.inferred })
            }
            Err(stop) => Err(stop.to_string()),
        }
    }

    /// For how long models have scanned headers in this session, in all threads together.
    pub fn scanned(&self) -> Duration {
        self.models.scanned()
    }

    /// How the model of a call came to its verdict; nothing where the call has none.
    pub fn explain(&self, request: &Request) -> Explained {
        self.explained(request).unwrap_or_default()
    }

    fn serve(
        &self,
        request: &Request,
        caller: Option<&UnixStream>,
        line: &mut Line,
        doubt: &mut Option<Doubt>,
    ) -> Result<Reply, Stop> {
        if let Some(why) = &self.unsealed {
            return Err(native("unsealed", why.clone()));
        }
        if let Some(what) = caller.and_then(|caller| self.limits.differ(caller)) {
            return Err(native("limits", what));
        }
        let begun = Instant::now();
        let passed = || begun.elapsed().as_micros() as u64;
        let mut known = self.known(request, caller, false)?;
        line.known_us = passed();
        line.anew = known.anew.take();
        let standing = self.shapes.standing(&known.shape);
        if let Some(Standing::Disabled(why)) = standing {
            self.has_spoken(&known.name);
            return Err(native("model-disabled", why));
        }
        for output in &known.thunk.outputs {
            let dir = Path::new(OsStr::from_bytes(&output.path)).parent();
            if let Some(dir) = dir.filter(|dir| sys::has_default_acl(dir)) {
                return Err(native("default-acl", dir.display().to_string()));
            }
            if is_denied(output, known.in_place) {
                return Err(native(ReasonKind::OutputKind.name(), String::from_utf8_lossy(&output.path)));
            }
        }
        if known.fails {
            self.has_spoken(&known.name);
            *doubt = Some(Doubt::new(request, known, String::new(), true));
            return Err(native("fails-as-before", ""));
        }
        let policy = policy(request);
        let mut name = known.name;
        if let Some(record) = self.remembered(&name)? {
            line.memo_us = passed();
            // Who remembered it may not have audited.
            if standing.is_none() && policy != AuditPolicy::Off {
                return self.deliver_audited(request, caller, &known, &ThunkEnd::Done(&record), line);
            }
            let reply = self.deliver(request, caller, &known, &record)?;
            line.placed_us = passed();
            (line.thunk, line.memo) = (true, true);
            return Ok(reply);
        }
        if let Some(lazy) = &self.lazy
            && self.may_wait(request, caller, &known, standing.is_some())
        {
            return self.answer_lazily(lazy, request, &known, standing.as_ref(), line);
        }
        self.has_spoken(&name);
        let audited = policy.wants(&known.thunk, standing.is_some());
        // Noted first: whatever is in the memo can be dropped from it.
        self.note(&known.shape, &name)?;
        let mut forced = self.force(&known.thunk, caller, false)?;
        if matches!(forced.outcome, Outcome::CouldNotRun(_)) {
            // What the record of look-ups rests on may have been evicted from the store: look anew, once.
            known = self.known(request, caller, true)?;
            line.anew = Some("its thunk could not be run".to_owned());
            name = known.name;
            self.note(&known.shape, &name)?;
            forced = self.force(&known.thunk, caller, false)?;
        }
        if let Some(reduced) = forced.reduced.filter(|reduced| *reduced != name) {
            self.note(&known.shape, &reduced)?;
        }
        match &forced.outcome {
            Outcome::Done(record) => {
                line.engine = Some(forced.engine.to_string()).filter(|engine| !engine.is_empty());
                line.cpu_us = record.user_us + record.sys_us;
                if audited {
                    return self.deliver_audited(request, caller, &known, &ThunkEnd::Done(record), line);
                }
                let reply = self.deliver(request, caller, &known, record)?;
                line.thunk = true;
                Ok(reply)
            }
            Outcome::Failed { exit, stderr, .. } => {
                line.engine = Some(forced.engine.to_string());
                if audited {
                    let end = ThunkEnd::Failed { exit: exit.to_string(), stderr };
                    return self.deliver_audited(request, caller, &known, &end, line);
                }
                if matches!(exit, trace::Exit::Signal(_)) {
                    // Killed for want of memory, as like as not: that says nothing of the model.
                    return Err(native("thunk-killed", exit.to_string()));
                }
                let said = String::from_utf8_lossy(stderr).lines().next().unwrap_or_default().to_owned();
                *doubt = Some(Doubt::new(request, known, said, false));
                Err(native("thunk-failed", ""))
            }
            Outcome::CouldNotRun(why) => Err(could_not_run(why)),
            Outcome::Cancelled => Err(native("cancelled", "")),
            Outcome::DependencyFailed(_) => Err(self.needs_failed(&known.thunk)),
            Outcome::NotMemoized => Err(native("engine", "only the memo was asked")),
        }
    }

    fn note(&self, shape: &str, thunk: &ThunkName) -> Result<(), SessionError> {
        let noted = self.shapes.remembered(shape, thunk);
        noted.map_err(|e| StoreError::at(&self.contents.store.root().join("audit"), e).into())
    }

    /// What the memo has, if all it names is in the store.
    fn remembered(&self, name: &ThunkName) -> Result<Option<Record>, SessionError> {
        let Some(record) = self.memo.get(name)? else { return Ok(None) };
        for object in record.objects() {
            if object.len() > 0 && !self.contents.store.contains(&object)? {
                return Ok(None);
            }
        }
        Ok(Some(record))
    }

    fn force(&self, thunk: &Thunk, caller: Option<&UnixStream>, anew: bool) -> Result<Forced, SessionError> {
        let name = self.contents.store.put_thunk(thunk)?;
        let cancel = Cancel::new();
        let gone = cancel.clone();
        let _watch = caller.map(|socket| self.hangups.on_hangup(socket, move || gone.cancel()));
        let mut options = ForceOptions::default();
        options.no_memo = anew;
        options.cancel = cancel;
        if !self.issued.any() {
            return Ok(self.coordinator.force(&name, options));
        }
        // What it needs may have been answered for and not been made yet; that counts by itself.
        Ok(self.coordinator.force_watched(&name, options, &mut |progress| {
            if let Event::Settled { thunk, forced } = &progress.event
                && let Some(record) = forced.record().filter(|_| *thunk != name)
            {
                self.settled_late(thunk, forced, record);
            }
        }))
    }

    fn deliver(
        &self,
        request: &Request,
        caller: Option<&UnixStream>,
        known: &Known,
        record: &Record,
    ) -> Result<Reply, Stop> {
        let store = &self.contents.store;
        // On a terminal the tool cuts, colours and links its messages to fit: it says them itself.
        if known.request.stderr_is_tty && record.stderr.len() > 0 {
            return Err(native("terminal-messages", ""));
        }
        if one_file(request) && record.stdout.len() > 0 && record.stderr.len() > 0 {
            return Err(native("interleaved-messages", ""));
        }
        if record.stdout.len().saturating_add(record.stderr.len()) > MOST_MESSAGES {
            return Err(native("long-messages", ""));
        }
        let (stdout, stderr) = (audit::text(store, &record.stdout)?, audit::text(store, &record.stderr)?);
        // Of what it reads from a pipe the assembler says another name.
        if may_pipe(&known.request.argv) && [&stdout, &stderr].into_iter().any(|text| audit::names_temporaries(text)) {
            return Err(native("assembler-messages", ""));
        }
        if caller.is_some_and(sys::is_hung_up) {
            return Err(native("cancelled", ""));
        }
        // Such a report is appended to what another call has made meanwhile.
        let path = |output: &gg_thunk::Output| PathBuf::from(OsStr::from_bytes(&output.path));
        if let Some(made) =
            known.thunk.outputs.iter().filter(|output| output.optional).map(path).find(|path| path.exists())
        {
            return Err(native(ReasonKind::OutputKind.name(), format!("{}: is there by now", made.display())));
        }
        if self.issued.any() {
            self.shed_modes(&known.thunk, record)?;
        }
        place(store, &known.thunk.outputs, record)?;
        Ok(Reply::Done { status: 0, stdout, stderr })
    }

    /// The reply by which the real tool runs.
    pub(crate) fn natively(&self, request: &Request) -> Option<Reply> {
        self.run_real(request, false)
    }

    fn run_real(&self, request: &Request, report: bool) -> Option<Reply> {
        let cwd = PathBuf::from(OsStr::from_bytes(&request.cwd));
        let exe = finder(request, &cwd).find(&request.tool, path_of(request))?;
        Some(Reply::RunReal {
            exe: exe.into_os_string().into_vec(),
            argv: request.argv.clone(),
            env: real_env(request, &cwd),
            report,
        })
    }
}

/// Whether `-pipe` is given, perhaps in a file of arguments.
fn may_pipe(argv: &[OsString]) -> bool {
    argv.iter().any(|arg| arg == "-pipe" || arg.as_bytes().starts_with(b"@"))
}

impl Outputs for Session {
    fn issued(&self) -> &Issued {
        &self.issued
    }

    fn bytes(&self, object: &OutputName) -> io::Result<Arc<[u8]>> {
        let forced = self.force_dependency(&object.thunk);
        let made = forced.record().and_then(|record| record.outputs.get(&object.tag));
        let made = made.ok_or_else(|| io::Error::other(format!("{object} cannot be made: {:?}", forced.outcome)))?;
        let bytes = self.contents.store.get(&made.object).map_err(io::Error::other)?;
        Ok(bytes.ok_or_else(|| io::Error::other(format!("{object} has gone from the store")))?.into())
    }
}

/// The reply to a call that needs what could not be made.
fn refusal(said: String) -> Reply {
    Reply::Done { status: 1, stdout: Vec::new(), stderr: (said + "\n").into_bytes() }
}

/// Whether standard output and standard error are one file: only the tool itself knows in which order it spoke.
fn one_file(request: &Request) -> bool {
    let [_, out, err] = &request.fds;
    out.kind != FdKind::Null && (out.dev, out.ino) == (err.dev, err.ino)
}

fn policy(request: &Request) -> AuditPolicy {
    request.var(b"GG_AUDIT").and_then(AuditPolicy::parse).unwrap_or(AuditPolicy::First)
}
