//! Calls that are answered before the work is done, and what must be there before a native command may run.
//!
//! A call is answered so only where nobody but make looks at its status, and where what it writes is machine code, which
//! nobody looks at but tools that this session sees. Knows nothing of how placeholders become their outputs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use gg_models::Holds;
use gg_protocol::{FdInfo, FdKind, Reply, Request};
use gg_store::Record;
use gg_thunk::{Node, ObjectName, Output, OutputName, Thunk, ValueName, Writes};

use super::known::Known;
use super::{Late, Session, Stop, native, policy, refusal};
use crate::issued::Issue;
use crate::journal::Line;
use crate::place::{Content, put};
use crate::placeholders::{Held, held_by, stand_in};
use crate::shapes::Standing;
use crate::{SessionError, audit, caller, readers, sys};

/// A build whose calls are to be answered before their work is done.
#[derive(Clone, Debug)]
pub struct Early {
    /// Its standard output and standard error: a call that speaks elsewhere is heard by somebody else.
    pub streams: [FdInfo; 2],
    /// Where it works: what it moves is looked for at and below this directory.
    pub works_in: PathBuf,
}

/// What a session knows that answers before the work is done.
pub(crate) struct Lazy {
    build: Early,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Placeholders that were written and not made real since.
    held: Vec<Held>,
    /// Flag shapes that are to be audited when their first thunk is forced.
    audits: HashSet<String>,
    /// Whether a thunk has failed whose call was answered.
    failed: bool,
    /// Whether one could not be begun: then no other call is answered before its work is done.
    could_not_run: bool,
}

impl Lazy {
    pub fn new(build: Early) -> Lazy {
        Lazy { build, waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Whether a call was answered whose thunk has failed since this was asked last.
    pub fn take_late_failure(&self) -> bool {
        self.lazy.as_ref().is_some_and(|lazy| std::mem::take(&mut lazy.waiting().failed))
    }

    /// A placeholder that this session has written outside a directory and that still stands, and how many there are.
    pub fn waiting_elsewhere(&self, dir: &Path) -> Option<(PathBuf, usize)> {
        let waiting = self.lazy.as_ref()?.waiting();
        let mut elsewhere = waiting
            .held
            .iter()
            .filter(|held| !held.path.starts_with(dir) && self.holder(&held.path).as_ref() == Some(&held.object));
        let first = elsewhere.next()?.path.clone();
        Some((first, elsewhere.count() + 1))
    }

    /// Whether a call may be answered before its work is done.
    pub(super) fn may_wait(&self, request: &Request, caller: Option<&UnixStream>, known: &Known, seen: bool) -> bool {
        let Some(lazy) = &self.lazy else { return false };
        let same = |ours: &FdInfo, theirs: &FdInfo| (ours.dev, ours.ino) == (theirs.dev, theirs.ino);
        let [_, out, err] = &request.fds;
        let heard_elsewhere = !same(&lazy.build.streams[0], out) || !same(&lazy.build.streams[1], err);
        let looked_at = known.holds.len() != known.thunk.outputs.len()
            || known.holds.iter().all(|holds| *holds == Holds::Text)
            || known.holds.iter().enumerate().any(|(at, holds)| *holds == Holds::Text && depfile(known, at).is_none())
            || known.thunk.outputs.iter().any(|output| output.optional);
        // What was held against a run over the host would differ from it in any case.
        let varies = known.holds.contains(&Holds::Varying) || known.momentary;
        let late = self.has_failed_late(&known.name) || lazy.waiting().could_not_run;
        if heard_elsewhere || looked_at || varies || late {
            return false;
        }
        // What changes a file that is there would leave nothing to go back to.
        if known.in_place && !known.thunk.outputs.iter().all(|output| self.holder(&path_of(output)).is_some()) {
            return false;
        }
        // Where nothing can be run over the host, the first of a shape is held against the tool at once.
        if self.over_host.is_none() && policy(request).wants(&known.thunk, seen) {
            return false;
        }
        caller.and_then(sys::peer).is_some_and(|peer| caller::is_make_alone(peer, &request.tool))
    }

    /// Answers a call whose thunk is known and not yet forced.
    pub(super) fn answer_lazily(
        &self,
        lazy: &Lazy,
        request: &Request,
        known: &Known,
        standing: Option<&Standing>,
        line: &mut Line,
    ) -> Result<Reply, Stop> {
        let audit = {
            let mut waiting = lazy.waiting();
            let seen = standing.is_some() || waiting.audits.contains(&known.shape);
            let audit = policy(request).wants(&known.thunk, seen);
            if audit {
                waiting.audits.insert(known.shape.clone());
            }
            audit
        };
        let thunk = known.name;
        self.note(&known.shape, &thunk)?;
        let at_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        let tag = |at: usize| known.thunk.outputs[at].tag.to_string();
        let depfiles = known.depfiles.iter().filter(|(at, _)| *at < known.thunk.outputs.len());
        let depfiles: Vec<(String, String)> =
            depfiles.map(|(at, text)| (tag(*at), ValueName::of(text).to_string())).collect();
        for (at, (output, holds)) in known.thunk.outputs.iter().zip(&known.holds).enumerate() {
            if let Some(text) = depfile(known, at) {
                let path = path_of(output);
                let put = put(&mut Content::Text(text), &path, output.writes, 0o666 & !request.umask);
                put.map_err(|e| SessionError::io("writing", &path, e))?;
                continue;
            }
            let object = OutputName { thunk, tag: output.tag.clone() };
            // It can be executed if its output may be: then executing it forces it.
            let mode = if *holds == Holds::Binary { 0o777 } else { 0o666 } & !request.umask;
            let path = path_of(output);
            let issue = Issue {
                holds: *holds,
                at_ns,
                mode,
                shape: known.shape.clone(),
                call: known.key.to_string(),
                depfiles: depfiles.clone(),
                audit,
                argv: request.argv.clone(),
            };
            let noted = self.issued.note_known(&object, &issue);
            noted.map_err(|e| SessionError::io("noting a placeholder for", &path, e))?;
            let untouched = self.is_untouched(&path);
            stand_in(output, &object, mode)?;
            if untouched {
                // What was written into another placeholder has that one's mode, which is nobody's wish.
                let set = std::fs::set_permissions(&path, Permissions::from_mode(mode));
                set.map_err(|e| SessionError::io("writing", &path, e))?;
            }
            let path = path.canonicalize().unwrap_or(path);
            lazy.waiting().held.push(Held { path, object });
        }
        self.issued.note_new(&thunk);
        (line.thunk, line.lazy) = (true, true);
        Ok(Reply::Done { status: 0, stdout: Vec::new(), stderr: Vec::new() })
    }

    /// Whether a placeholder stands at a path, with the mode that it was given.
    fn is_untouched(&self, path: &Path) -> bool {
        let issue = self.holder(path).and_then(|object| self.issued.get(&object));
        let mode = path.metadata().map(|stat| stat.mode() & 0o7777).ok();
        issue.is_some_and(|issue| Some(issue.mode) == mode)
    }

    /// What is written into a placeholder does not keep its mode, which is nobody's wish.
    pub(super) fn shed_modes(&self, thunk: &Thunk, record: &Record) -> Result<(), SessionError> {
        for output in thunk.outputs.iter().filter(|output| output.writes == Writes::Through) {
            let path = path_of(output);
            if let Some(made) = record.outputs.get(&output.tag).filter(|_| self.is_untouched(&path)) {
                let set = std::fs::set_permissions(&path, Permissions::from_mode(made.mode));
                set.map_err(|e| SessionError::io("writing", &path, e))?;
            }
        }
        Ok(())
    }

    /// The output that the file at a path stands for, if it is a placeholder.
    fn holder(&self, path: &Path) -> Option<OutputName> {
        let stat = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        held_by(&self.issued, path, stat.len()).ok().flatten()
    }

    /// Answers a call of a program that reads what it is given, whatever that is; `None` of any other.
    pub(super) fn serve_reader(&self, request: &Request, caller: Option<&UnixStream>) -> Option<Reply> {
        self.lazy.as_ref()?;
        if !readers::is_reader(&request.tool) {
            return None;
        }
        let mut held = self.named(request);
        let mut open = None;
        if request.fds[0].kind == FdKind::File
            && let Some(path) =
                caller.and_then(sys::peer).and_then(|peer| std::fs::read_link(format!("/proc/{peer}/fd/0")).ok())
            && let Some(object) = self.holder(&path)
        {
            held.push(Held { path: path.clone(), object });
            open = Some(path);
        }
        let others = if readers::may_read_more(&request.tool) { self.waiting() } else { Vec::new() };
        let mut made = self.make_real_and(&held, &others, open.as_deref());
        if made.is_ok() && others.is_empty() && names_thin_archive(request) {
            // Its members stand in files that nobody named.
            made = self.make_real(&[], &self.waiting());
        }
        Some(match made {
            Ok(()) => self.run_real(request, false)?,
            Err(said) => refusal(said),
        })
    }

    /// Answers `gg-force-and-run FILE ARG…`; `None` of any other call. What the program reads is not known: its arguments, what
    /// it loads, or anything.
    pub(super) fn serve_placeholder(&self, request: &Request) -> Option<Reply> {
        if request.tool != b"gg-force-and-run" {
            return None;
        }
        let path = Path::new(OsStr::from_bytes(&request.cwd)).join(OsStr::from_bytes(request.argv.get(1)?));
        let path = path.canonicalize().ok()?;
        let mut held: Vec<Held> = self.holder(&path).map(|object| Held { path, object }).into_iter().collect();
        held.extend(self.named(request));
        Some(match self.make_real(&held, &self.waiting()) {
            Ok(()) => Reply::Done { status: 0, stdout: Vec::new(), stderr: Vec::new() },
            Err(said) => refusal(said),
        })
    }

    /// Makes everything real that a native command may look at; the error is what is said in its place.
    pub(super) fn before_native(&self, request: &Request, thunk: Option<&Thunk>, reason: &str) -> Result<(), String> {
        if !self.issued.any() {
            return Ok(());
        }
        let mut held = self.named(request);
        if let Some(thunk) = thunk {
            held.extend(self.inputs(thunk));
        }
        let others = if reason.starts_with("probe") { Vec::new() } else { self.waiting() };
        self.make_real(&held, &others)
    }

    /// The same for a command whose thunk could not be forced, since one that it needs has failed.
    pub(super) fn needs_failed(&self, thunk: &Thunk) -> Stop {
        let held: Vec<Held> = self.inputs(thunk).collect();
        match self.make_real(&held, &[]) {
            Err(said) => Stop::Late(said),
            Ok(()) => native("engine", "what it needs failed, and then did not"),
        }
    }

    /// The placeholders that a call names, and those below the directories that it names.
    fn named(&self, request: &Request) -> Vec<Held> {
        let cwd = Path::new(OsStr::from_bytes(&request.cwd));
        let mut held = Vec::new();
        for part in request.argv.iter().skip(1).flat_map(|arg| readers::paths_in(arg)) {
            let path = cwd.join(OsStr::from_bytes(part));
            let Ok(path) = path.canonicalize() else { continue };
            if path.is_dir() {
                let waiting = self.lazy.as_ref().map(Lazy::waiting);
                let below = waiting.iter().flat_map(|waiting| &waiting.held);
                held.extend(below.filter(|held| held.path.starts_with(&path)).cloned());
            } else if let Some(object) = self.holder(&path) {
                held.push(Held { path, object });
            }
        }
        held
    }

    /// What must be made for the program in a placeholder to run: itself, and the libraries that it was linked with.
    pub fn to_run(&self, program: Held) -> Vec<Held> {
        let mut held = vec![program];
        let mut at = 0;
        while let Some(one) = held.get(at) {
            at += 1;
            let Ok(Some(thunk)) = self.contents.store.get_thunk(&one.object.thunk) else { continue };
            let is_library =
                |held: &Held| self.issued.get(&held.object).is_some_and(|issue| issue.holds == Holds::Binary);
            let libraries: Vec<Held> =
                self.inputs(&thunk).filter(|one| is_library(one) && !held.contains(one)).collect();
            held.extend(libraries);
        }
        held
    }

    /// The placeholders among a thunk's inputs.
    pub(super) fn inputs(&self, thunk: &Thunk) -> impl Iterator<Item = Held> + use<> {
        // A tree that cannot be read holds none that could be forced.
        let inputs = audit::flatten(&self.contents.store, &thunk.root).unwrap_or_default();
        inputs.into_iter().filter_map(|(path, node)| match node {
            Node::File(file) => match file.object {
                ObjectName::Output(object) => Some(Held { path, object }),
                ObjectName::Value(_) => None,
            },
            _ => None,
        })
    }

    /// What this session has answered for, as far as is known.
    fn waiting(&self) -> Vec<Held> {
        self.lazy.as_ref().map_or_else(Vec::new, |lazy| lazy.waiting().held.clone())
    }

    /// Takes over what an earlier build has left to wait at or below a directory: it is made at once, or, where this
    /// session answers early itself, with all else.
    pub fn adopt(&self, dir: &Path) -> Result<(), SessionError> {
        let waits = self.issued.may_wait_below(dir);
        if let Some(lazy) = &self.lazy {
            let root = &lazy.build.works_in;
            self.issued.note_root(root).map_err(|e| SessionError::io("noting", root, e))?;
        }
        if !waits {
            return Ok(());
        }
        let found = self.placeholders_below(dir)?.held;
        match &self.lazy {
            Some(lazy) => lazy.waiting().held.extend(found),
            None => {
                self.settle(&found, true, None)?;
                self.issued.forget_roots(dir);
            }
        }
        Ok(())
    }

    /// Notes that all is made which waited at or below a directory.
    pub fn nothing_waits_below(&self, dir: &Path) {
        self.issued.forget_roots(dir);
    }

    /// Makes everything real that was answered for, wherever it was moved to below the build's directory; whether all went
    /// well since this was asked last. What failed is said by the tools themselves, when the build is run again.
    pub fn finish(&self) -> Result<bool, SessionError> {
        let Some(lazy) = &self.lazy else { return Ok(true) };
        self.settle(&self.waiting(), false, None)?;
        self.settle(&self.placeholders_below(&lazy.build.works_in)?.held, false, None)?;
        let well = !self.take_late_failure();
        if well {
            self.issued.forget_roots(&lazy.build.works_in);
        }
        Ok(well)
    }

    /// Removes everything that was answered for and is not made: the next make makes it.
    pub fn abandon(&self) -> Result<(), SessionError> {
        let Some(lazy) = &self.lazy else { return Ok(()) };
        let mut late = Late::default();
        for held in self.waiting().into_iter().chain(self.placeholders_below(&lazy.build.works_in)?.held) {
            self.remove_held(&held, &mut late)?;
        }
        self.issued.forget_roots(&lazy.build.works_in);
        Ok(())
    }

    /// Forces what a command names, and others that it may look at. The error is what it is told if something that it names
    /// could not be made; where it needs one of the others it finds nothing, as it would under make.
    fn make_real(&self, named: &[Held], others: &[Held]) -> Result<(), String> {
        self.make_real_and(named, others, None)
    }

    /// The same, where the command has the file `open` open already.
    fn make_real_and(&self, named: &[Held], others: &[Held], open: Option<&Path>) -> Result<(), String> {
        let late = self.settle(&[named, others].concat(), true, open).map_err(|e| e.to_string())?;
        if !named.iter().any(|held| late.removed.contains(&held.path)) {
            return Ok(());
        }
        Err(match late.failures.first() {
            Some(failure) => {
                format!("gg: {} failed ({}); what was made of it is removed", failure.command, failure.exit)
            }
            None => "gg: what it needs could not be made".to_owned(),
        })
    }

    /// Forces placeholders, as far as they still stand, and lets what was answered for them be said.
    fn settle(&self, held: &[Held], keep_going: bool, open: Option<&Path>) -> Result<Late, SessionError> {
        let held = self.standing(held)?;
        if held.is_empty() {
            return Ok(Late::default());
        }
        let late = self.force_held_and(&held, keep_going, open, &mut |_| {})?;
        for (stdout, stderr) in &late.messages {
            // The build's own streams; that nobody can read them changes nothing.
            let _ = std::io::stdout().write_all(stdout);
            let _ = std::io::stderr().write_all(stderr);
        }
        if let Some(lazy) = &self.lazy {
            let mut waiting = lazy.waiting();
            let settled: HashSet<&Held> = held.iter().collect();
            waiting.held.retain(|one| !settled.contains(one));
            waiting.failed |= !late.failures.is_empty();
            waiting.could_not_run |= late.could_not_run;
        }
        Ok(late)
    }

    /// Those that still stand, and where: some were made, replaced or removed since they were answered, or moved.
    fn standing(&self, held: &[Held]) -> Result<Vec<Held>, SessionError> {
        let (mut standing, mut gone) = (Vec::new(), HashSet::new());
        for one in held {
            let path = one.path.canonicalize().unwrap_or_else(|_| one.path.clone());
            match self.holder(&path) {
                Some(object) if object == one.object => standing.push(Held { path, object }),
                _ => drop(gone.insert(one.object.clone())),
            }
        }
        if let Some(lazy) = self.lazy.as_ref().filter(|_| !gone.is_empty()) {
            let found = self.placeholders_below(&lazy.build.works_in)?.held;
            let moved: Vec<Held> = found.into_iter().filter(|one| gone.contains(&one.object)).collect();
            let mut waiting = lazy.waiting();
            waiting.held.retain(|one| !gone.contains(&one.object) || moved.contains(one));
            let known: HashSet<Held> = waiting.held.iter().cloned().collect();
            waiting.held.extend(moved.iter().filter(|one| !known.contains(one)).cloned());
            standing.extend(moved);
        }
        Ok(standing)
    }
}

/// What an output holds that is a depfile, where that is sure.
fn depfile(known: &Known, place: usize) -> Option<&[u8]> {
    known.depfiles.iter().find(|(at, _)| *at == place).map(|(_, text)| text.as_slice())
}

/// Whether a file that the call names holds nothing but the names of others.
fn names_thin_archive(request: &Request) -> bool {
    let cwd = Path::new(OsStr::from_bytes(&request.cwd));
    request.argv.iter().skip(1).flat_map(|arg| readers::paths_in(arg)).any(|part| {
        let path = cwd.join(OsStr::from_bytes(part));
        let mut magic = [0; 8];
        let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
        is_file && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"!<thin>\n"
    })
}

fn path_of(output: &Output) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&output.path))
}
