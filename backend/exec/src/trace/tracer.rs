//! The tracing thread: waits for events of the command and of all it starts, and keeps them going.
//!
//! It knows which call each thread is in; what the call means is decided in `call`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::call::Call;
use super::log::Log;
use super::ptrace::{self, CallInfo, Event, Resume};
use super::{Exit, Stop, Trace, TraceCommand, TraceError, filter, spawn};
use crate::sys::process;

/// Runs the command. The calling thread must have no other children: all of them are waited for, and the kernel
/// kills what is left when it ends.
pub(super) fn run(cmd: &TraceCommand, stop: &Stop) -> Result<Trace, TraceError> {
    // A stop hands over between tracer and command: on one processor that costs a tenth.
    static TURN: AtomicUsize = AtomicUsize::new(0);
    process::keep_on_one_processor(TURN.fetch_add(1, Ordering::Relaxed));
    let child = spawn::start(cmd)?;
    stop.begin(child.pid);
    let mut tracer = Tracer { root: child.pid, threads: HashMap::from([(child.pid, None)]), log: Log::default() };
    let exit = tracer.until_exit();
    let survivors = tracer.threads.len();
    tracer.kill_all();
    let exit = exit?;
    let (stdout, stderr) = child.finish(cmd)?;
    Ok(Trace { exit, stdout, stderr, accesses: tracer.log.into_accesses(), survivors })
}

struct Tracer {
    root: i32,
    /// Every living thread, with the call it is in.
    threads: HashMap<i32, Option<Call>>,
    log: Log,
}

impl Tracer {
    /// Traces until the command itself has ended.
    fn until_exit(&mut self) -> Result<Exit, TraceError> {
        while let Some((tid, event)) = ptrace::wait().map_err(TraceError::system("wait"))? {
            let exit = match event {
                Event::Exited(code) => Exit::Code(code),
                Event::Killed(signal) => Exit::Signal(signal),
                stop => {
                    self.stopped(tid, stop)?;
                    continue;
                }
            };
            self.threads.remove(&tid);
            if tid == self.root {
                return Ok(exit);
            }
        }
        Err(TraceError::System { step: "wait", source: std::io::Error::other("the command is lost") })
    }

    fn stopped(&mut self, tid: i32, stop: Event) -> Result<(), TraceError> {
        // A new thread's first stop may come before its parent tells of it.
        let call = self.threads.entry(tid).or_default();
        let mut signal = 0;
        match stop {
            Event::Filter => match ptrace::call_info(tid) {
                Ok(CallInfo::Filter { data: filter::FOREIGN, .. }) => return Err(TraceError::ForeignCalls),
                Ok(CallInfo::Filter { number, args, .. }) => {
                    *call = Call::decode(tid, number, args).or_else(unless_gone)?
                }
                Ok(_) => {}
                Err(error) => gone(error)?,
            },
            Event::CallEnd => match ptrace::call_info(tid) {
                Ok(CallInfo::End { result }) => {
                    if let Some(call) = call.take() {
                        call.end(tid, result, &mut self.log);
                    }
                }
                Ok(_) => {}
                Err(error) => gone(error)?,
            },
            Event::Exec => match ptrace::former_tid(tid) {
                // A thread other than the leader ran it; it has the leader's number now, and the leader is no more.
                Ok(former) if former != tid => {
                    let moved = self.threads.remove(&former).flatten();
                    self.threads.insert(tid, moved);
                }
                Ok(_) => {}
                Err(error) => gone(error)?,
            },
            Event::GroupStop => return ptrace::listen(tid).map_err(TraceError::system("resume")),
            Event::Signal(number) => signal = number,
            Event::Note | Event::Exited(_) | Event::Killed(_) => {}
        }
        let in_call = self.threads.get(&tid).is_some_and(Option::is_some);
        let how = if in_call { Resume::ToCallEnd } else { Resume::Run };
        ptrace::resume(tid, how, signal).map_err(TraceError::system("resume"))
    }

    /// Kills what still runs and waits until nothing is left.
    fn kill_all(&mut self) {
        for &tid in self.threads.keys() {
            ptrace::kill(tid);
        }
        self.threads.clear();
        while let Ok(Some((tid, event))) = ptrace::wait() {
            if !matches!(event, Event::Exited(_) | Event::Killed(_)) {
                // Born while the others were killed.
                ptrace::kill(tid);
            }
        }
    }
}

/// A thread may be killed while it is stopped; its end is the next event then.
fn gone(error: std::io::Error) -> Result<(), TraceError> {
    match error.raw_os_error() {
        Some(libc::ESRCH) => Ok(()),
        _ => Err(TraceError::System { step: "look at a system call", source: error }),
    }
}

fn unless_gone(error: TraceError) -> Result<Option<Call>, TraceError> {
    match error {
        TraceError::System { source, .. } if matches!(source.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => {
            Ok(None)
        }
        other => Err(other),
    }
}
