//! A call that the real tool makes too, under the tracer, and what follows from a difference.
//!
//! Knows nothing of how a thunk came about.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use gg_force::{Outcome, trace};
use gg_protocol::{Reply, Request};
use gg_thunk::{Thunk, ValueName};

use super::known::{Known, real_env};
use super::{MOST_MESSAGES, Session, Stop, native, one_file};
use crate::audit::{self, Difference, Finding, ThunkEnd};
use crate::journal::Line;
use crate::{SessionError, sys};

/// The time that a source asks for: a thunk has it where the caller sets none.
const TIME: &[u8] = b"SOURCE_DATE_EPOCH";

/// What `gg audit` tells.
pub struct Audited {
    /// The reason, if the call runs natively and there is nothing to hold against it.
    pub native: Option<String>,
    /// The differences.
    pub finding: Finding,
    /// What the real tool did, if it was run.
    pub trace: Option<trace::Trace>,
}

impl Session {
    /// Runs a call both ways and tells the differences. The real tool's result is what stays.
    pub fn audit(&self, request: &Request) -> Result<Audited, SessionError> {
        let known = match self.known(request, None, false) {
            Ok(known) => known,
            Err(stop) => {
                return Ok(Audited { native: Some(stop.to_string()), finding: Finding::default(), trace: None });
            }
        };
        self.note(&known.shape, &known.name)?;
        let forced = self.force(&known.thunk, None, true)?;
        let end = match &forced.outcome {
            Outcome::Done(record) => ThunkEnd::Done(record),
            Outcome::Failed { exit, stderr, .. } => ThunkEnd::Failed { exit: exit.to_string(), stderr },
            other => {
                let native = Some(format!("engine: {other:?}"));
                return Ok(Audited { native, finding: Finding::default(), trace: None });
            }
        };
        let before = audit::Before::look(&known.thunk);
        let mut trace = match self.trace(request, None, &known) {
            Ok(trace) => trace,
            Err(stop) => {
                return Ok(Audited { native: Some(stop.to_string()), finding: Finding::default(), trace: None });
            }
        };
        let (store, exe) = (&self.contents.store, &known.request.exe);
        let mut finding = audit::compare(store, &known.thunk, &known.holds, &end, &trace, exe, &before)?;
        if let Err(stop) = self.forgive_chance(request, None, &known, &mut finding, &mut trace) {
            return Ok(Audited { native: Some(stop.to_string()), finding: Finding::default(), trace: None });
        }
        if !finding.differences.is_empty() {
            self.disable(&known.shape, &finding.to_string(), &String::from_utf8_lossy(&request.tool));
        }
        Ok(Audited { native: None, finding, trace: Some(trace) })
    }

    /// Runs the real tool under the tracer; its result is what stands. Once it has run, nothing may make it run again
    /// that would not give the same: an archive would hold the member twice.
    pub(super) fn deliver_audited(
        &self,
        request: &Request,
        caller: Option<&UnixStream>,
        known: &Known,
        end: &ThunkEnd<'_>,
        line: &mut Line,
    ) -> Result<Reply, Stop> {
        let repeatable = !self.changes_inputs(&known.thunk)?;
        if caller.is_some_and(sys::is_hung_up) {
            return Err(native("cancelled", ""));
        }
        self.before_native(request, Some(&known.thunk), "audit").map_err(Stop::Late)?;
        let before = audit::Before::look(&known.thunk);
        let mut finding = None;
        let traced = self.trace(request, caller, known).and_then(|mut trace| {
            if !caller.is_some_and(sys::is_hung_up) {
                let (store, exe) = (&self.contents.store, &known.request.exe);
                let mut found = audit::compare(store, &known.thunk, &known.holds, end, &trace, exe, &before);
                if let Ok(found) = &mut found
                    && repeatable
                {
                    self.forgive_chance(request, caller, known, found, &mut trace)?;
                }
                finding = Some(found);
            }
            Ok(trace)
        });
        if caller.is_some_and(sys::is_hung_up) {
            // The run was cut short, or make has removed what it made: nothing can be held against that.
            if !traced.is_ok_and(|trace| trace.exit.success()) {
                before.remove_changed();
            }
            return Err(native("cancelled", ""));
        }
        let trace = traced?;
        let Some(finding) = finding else { return Err(native("cancelled", "")) };
        line.audited = true;
        line.thunk = matches!(end, ThunkEnd::Done(_));
        line.native = (!line.thunk).then(|| "thunk-failed".to_owned());
        let tool = String::from_utf8_lossy(&request.tool).into_owned();
        match finding {
            // Of a call with the time in it nothing is kept by which that could be told.
            Ok(finding) if !finding.differences.is_empty() => {
                match (!known.momentary).then(|| self.says_nothing(&known.key, &known.thunk)).flatten() {
                    None => self.disable(&known.shape, &finding.to_string(), &tool),
                    Some(why) => line.detail = Some(format!("the audit says nothing: {why}")),
                }
            }
            // A run that failed shows too little of the model to call it sound.
            Ok(_) if matches!(end, ThunkEnd::Done(_)) && trace.exit.success() => {
                if let Err(e) = self.shapes.sound(&known.shape) {
                    line.detail = Some(format!("the audit is not kept: {e}"));
                }
            }
            Ok(_) => {}
            Err(e) => line.detail = Some(format!("not compared: {e}")),
        }
        if matches!(end, ThunkEnd::Failed { .. }) && matches!(trace.exit, trace::Exit::Code(status) if status != 0) {
            let _ = self.calls.note(&known.key, &known.name, true);
        }
        let messages = known.request.stderr_is_tty && !trace.stderr.is_empty();
        let long = trace.stdout.len().saturating_add(trace.stderr.len()) as u64 > MOST_MESSAGES;
        let mixed = one_file(request) && !trace.stdout.is_empty() && !trace.stderr.is_empty();
        match trace.exit {
            _ if repeatable && mixed => Err(native("interleaved-messages", "")),
            _ if repeatable && (messages || long) => Err(native("terminal-messages", "")),
            // The caller has to die of it too.
            trace::Exit::Signal(_) if repeatable => Err(native("signal", "")),
            trace::Exit::Code(status) => Ok(Reply::Done { status, stdout: trace.stdout, stderr: trace.stderr }),
            // As a shell puts it.
            trace::Exit::Signal(signal) => {
                Ok(Reply::Done { status: 128 + signal, stdout: trace.stdout, stderr: trace.stderr })
            }
        }
    }

    /// Takes out of a finding the outputs that the tool makes another way each time, as where they hold the time or an
    /// address: the thunk's are from one run of it, as good as any. The tool is run once more to learn that.
    fn forgive_chance(
        &self,
        request: &Request,
        caller: Option<&UnixStream>,
        known: &Known,
        finding: &mut Finding,
        trace: &mut trace::Trace,
    ) -> Result<(), Stop> {
        let made = |path: &PathBuf| std::fs::read(path).ok().map(|bytes| ValueName::of(&bytes));
        let bytes = |difference: &Difference| match difference {
            Difference::Bytes(path) => Some((path.clone(), made(path))),
            _ => None,
        };
        let differing: Vec<_> = finding.differences.iter().filter_map(bytes).collect();
        // What else is run twice may do its work twice: an archiver appends.
        if differing.is_empty() || !compiles(&known.thunk) {
            return Ok(());
        }
        let again = self.trace(request, caller, known)?;
        if again.exit == trace.exit {
            for (path, first) in differing {
                if made(&path) != first {
                    finding.differences.remove(&Difference::Bytes(path));
                }
            }
        }
        *trace = again;
        Ok(())
    }

    /// Whether a file that the thunk writes is one that it reads: then it cannot be run twice.
    fn changes_inputs(&self, thunk: &Thunk) -> Result<bool, SessionError> {
        let inputs = audit::flatten(&self.contents.store, &thunk.root)?;
        let path = |output: &gg_thunk::Output| PathBuf::from(OsStr::from_bytes(&output.path));
        Ok(thunk.outputs.iter().any(|output| inputs.contains_key(&path(output))))
    }

    /// Runs the real tool under the tracer, while its caller is there.
    fn trace(&self, request: &Request, caller: Option<&UnixStream>, known: &Known) -> Result<trace::Trace, Stop> {
        let mut env = real_env(request, &known.request.cwd);
        if let Some(time) = known.thunk.env.get(TIME).filter(|_| request.var(TIME).is_none()) {
            // Both at the same time.
            env.push((TIME.to_vec(), time.clone()));
        }
        let command = trace::TraceCommand {
            exe: known.request.exe.clone(),
            argv: known.request.argv.clone(),
            env: env.into_iter().map(|(k, v)| (OsString::from_vec(k), OsString::from_vec(v))).collect(),
            cwd: known.request.cwd.clone(),
            umask: known.request.umask,
        };
        let stop = trace::Stop::new();
        let gone = stop.clone();
        let _watch = caller.map(|socket| self.hangups.on_hangup(socket, move || gone.stop()));
        let traced = trace::run(&command, &stop).map_err(|e| native("tracer", e.to_string()))?;
        // It was killed for its caller's sake: that says nothing of the model.
        if stop.is_asked() { Err(native("cancelled", "")) } else { Ok(traced) }
    }

    /// The model is no longer believed for this shape, nor is what it gave.
    pub(super) fn disable(&self, shape: &str, why: &str, tool: &str) {
        let miss = match self.shapes.disable(shape, why) {
            Ok(thunks) => {
                for thunk in thunks {
                    if let Err(e) = self.memo.remove(&thunk) {
                        self.miss(format!("{tool}: cannot drop {thunk} from the memo: {e}"));
                    }
                }
                format!("{tool}: {why}")
            }
            Err(e) => format!("{tool}: {why} (not kept: {e})"),
        };
        self.miss(miss);
    }

    fn miss(&self, miss: String) {
        self.write(Line { session: self.name.clone(), miss: Some(miss), ..Line::default() });
    }
}

/// Whether the call is one of a compiler's: it makes what it makes anew, whatever is there.
fn compiles(thunk: &Thunk) -> bool {
    let programs: [&[u8]; 3] = [b"/cc1", b"/cc1plus", b"/collect2"];
    thunk.steps.iter().any(|step| programs.iter().any(|program| step.exe.ends_with(program)))
}
