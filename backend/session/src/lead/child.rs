//! The build's command as a child of this process: it gets the signals that are meant for the build, and this process ends
//! as it ends.
//!
//! Knows nothing of gg.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::signals::{self, Pid, Received, Signals};

/// How the command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By itself.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

/// The child, while there is one.
#[derive(Clone, Default)]
struct Child(Arc<Mutex<Option<Pid>>>);

impl Child {
    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is undone before a signal ends this process.
type Undo = Box<dyn Fn() + Send>;

/// Deals with the signals that come to this process, from now on: before and after the command they are for this process.
pub struct Watch {
    signals: Signals,
    child: Child,
    signalled: Arc<AtomicBool>,
    undo: Arc<Mutex<Option<Undo>>>,
}

impl Watch {
    /// Starts to watch; before the process has another thread.
    pub fn start() -> io::Result<Watch> {
        Watch::start_with(|| ())
    }

    /// The same; where a signal ends this process, `last` is done first.
    pub fn start_with(last: impl Fn() + Send + 'static) -> io::Result<Watch> {
        let signals = Signals::take();
        let watch = Watch { signals, child: Child::default(), signalled: Arc::default(), undo: Arc::default() };
        let (child, signalled, undo) = (watch.child.clone(), Arc::clone(&watch.signalled), Arc::clone(&watch.undo));
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            loop {
                let received = signals.wait();
                signalled.store(true, Ordering::SeqCst);
                let child = child.lock();
                match *child {
                    Some(command) => pass_on(command, received),
                    None => {
                        // held to the end: whoever works waits for it, and is not heard any more
                        let undo = undo.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some(undo) = &*undo {
                            undo();
                        }
                        last();
                        std::process::exit(signals::die_by(received.signal))
                    }
                }
            }
        })?;
        Ok(watch)
    }

    /// Does something; where a signal ends this process meanwhile, `undo` is done before, beside what is being done.
    pub fn or_undo<T>(&self, undo: impl Fn() + Send + 'static, work: impl FnOnce() -> T) -> T {
        let set = |undo| *self.undo.lock().unwrap_or_else(PoisonError::into_inner) = undo;
        set(Some(Box::new(undo)));
        let done = work();
        set(None);
        done
    }

    /// Runs the command to its end, also when a signal comes: the command says what follows from that.
    ///
    /// # Errors
    /// It could not be started.
    pub fn run(&self, mut command: Command) -> io::Result<End> {
        self.signals.hand_down(&mut command);
        signals::tie(&mut command);
        let (mut child, pid) = {
            let mut place = self.child.lock();
            let child = command.spawn()?;
            let pid = child.id().cast_signed();
            *place = Some(pid);
            (child, pid)
        };
        signals::wait_for_end(pid)?;
        // from here on its number may become another's
        *self.child.lock() = None;
        let status = child.wait()?;
        Ok(match (status.code(), status.signal()) {
            (_, Some(signal)) => End::Signal(signal),
            (code, None) => End::Exit(code.unwrap_or(1)),
        })
    }

    /// Whether somebody has asked the build to end.
    #[must_use]
    pub fn was_signalled(&self) -> bool {
        self.signalled.load(Ordering::SeqCst)
    }

    /// Lets the command take this process's place; returns only if it cannot.
    pub fn replace(&self, mut command: Command) -> io::Error {
        self.signals.hand_down(&mut command);
        command.exec()
    }
}

/// Passes on what came to this process alone. What the terminal or somebody else has sent to the whole group has reached
/// the command already, and a second one would keep it from clearing up.
fn pass_on(command: Pid, received: Received) {
    let status = std::fs::read_to_string(format!("/proc/{command}/status")).unwrap_or_default();
    if !received.from_terminal && !has_got(&status, received.signal) {
        signals::send(command, received.signal);
    }
}

/// Whether the command has got a signal, from its status in `/proc`: it is pending, or the command is make, which catches
/// both of two signals until it has got the first of them, and now catches the other one only.
fn has_got(status: &str, signal: i32) -> bool {
    let set = |name: &str, signal: i32| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        let bits = line.and_then(|bits| u64::from_str_radix(bits, 16).ok()).unwrap_or(0);
        bits & (1 << (signal - 1)) != 0
    };
    let other = if signal == libc::SIGTERM { libc::SIGINT } else { libc::SIGTERM };
    set("ShdPnd", signal) || set("SigPnd", signal) || (!set("SigCgt", signal) && set("SigCgt", other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_sent_once() {
        let status = |pending: u64, caught: u64| {
            format!("Name:\tmake\nSigPnd:\t0000000000000000\nShdPnd:\t{pending:016x}\nSigCgt:\t{caught:016x}\n")
        };
        let bit = |signal: i32| 1 << (signal - 1);
        let (term, int) = (libc::SIGTERM, libc::SIGINT);
        let usual = bit(term) | bit(int) | bit(libc::SIGHUP);
        // not there yet, or another program
        assert!(!has_got(&status(0, 0), term));
        assert!(!has_got("", term));
        assert!(!has_got(&status(0, usual), term));
        assert!(has_got(&status(bit(term), usual), term));
        assert!(has_got(&status(0, usual & !bit(term)), term));
        assert!(!has_got(&status(0, usual & !bit(int)), term));
        assert!(has_got(&status(0, usual & !bit(int)), int));
    }
}
