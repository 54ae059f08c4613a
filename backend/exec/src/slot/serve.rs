//! The slot's own process: one thread that prepares a root, forks a runner, and stores what it hands
//! over, until its owner closes the socket.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use gg_store::LocalStore;
use gg_thunk::{Thunk, Tree};

use crate::error::{Doing, ExecError};
use crate::evidence::{Evidence, Made, RootKind, Usage};
use crate::root::{Entry, Root};
use crate::runner::{self, Report, Streams};
use crate::sys::channel::{self, Packets};
use crate::sys::file;
use crate::sys::process::{self, Fork};
use crate::wire::{self, Order, Reply, Setup};

/// Why a cancelled run has no exit status.
pub(super) const CANCELLED: &str = "cancelled";

/// The main function of a slot's process, whose standard input is its owner's socket. To be called
/// before the process has a second thread.
pub fn main() -> ExitCode {
    process::close_from(3);
    process::reset_signals();
    process::set_umask(0);
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let Some(Order::Setup(setup)) = next(&mut socket)? else {
        return Ok(());
    };
    let mut server = match Server::make(&setup, socket.try_clone()?) {
        Ok(server) => server,
        Err(e) => return wire::send(&mut socket, &Reply::Refused(e.to_string()).encode()),
    };
    process::hide();
    wire::send(&mut socket, &Reply::Ready.encode())?;
    while let Some(order) = next(&mut socket)? {
        // An order to cancel may come when the run that it is about has ended.
        if let Order::Run(thunk, vouched) = order {
            server.store.vouch(vouched);
            let Some(ran) = server.run(&thunk) else {
                break;
            };
            wire::send(&mut socket, &Reply::Ran(Box::new(ran)).encode())?;
            server.clean()?;
        }
    }
    server.clean()
}

fn next(socket: &mut UnixStream) -> io::Result<Option<Order>> {
    let body = wire::receive(socket)?;
    body.map(|body| Order::decode(&body)).transpose()
}

struct Server {
    store: LocalStore,
    socket: UnixStream,
    root: Root,
    stdin: OwnedFd,
    /// The last runner, until it was waited for.
    runner: Option<libc::pid_t>,
}

/// What came of waiting for a runner.
enum Outcome {
    Ended(Box<Evidence>),
    OwnerGone,
}

impl Server {
    fn make(setup: &Setup, socket: UnixStream) -> Result<Server, ExecError> {
        let store = LocalStore::open(&PathBuf::from(std::ffi::OsString::from_vec(setup.store.clone())))?;
        let null = File::open("/dev/null").doing(|| "cannot open /dev/null".to_owned())?;
        let mut server =
            Server { root: Root::make(setup, store.clone())?, store, socket, stdin: null.into(), runner: None };
        if setup.kind != RootKind::Native {
            server.rehearse()?;
        }
        Ok(server)
    }

    /// Runs nothing in an empty root, to know that a root can be made.
    fn rehearse(&mut self) -> Result<(), ExecError> {
        let nothing = Thunk {
            steps: Vec::new(),
            env: BTreeMap::new(),
            cwd: b"/".to_vec(),
            umask: 0o022,
            root: self.store.put_tree(&Tree::new())?,
            outputs: Vec::new(),
        };
        let outcome = self.try_run(&nothing)?;
        let cleaned = self.clean();
        match outcome {
            Outcome::Ended(evidence) => match evidence.exit {
                Err(why) => Err(ExecError::Lost(why)),
                Ok(_) => cleaned.doing(|| "cannot clean the root".to_owned()),
            },
            Outcome::OwnerGone => Err(ExecError::Lost("its owner is gone".to_owned())),
        }
    }

    /// Runs a thunk; `None` if the owner is gone.
    fn run(&mut self, thunk: &Thunk) -> Option<Evidence> {
        match self.try_run(thunk) {
            Ok(Outcome::Ended(evidence)) => Some(*evidence),
            Ok(Outcome::OwnerGone) => None,
            Err(e) => Some(Evidence::not_run(self.root.kind(), e)),
        }
    }

    fn try_run(&mut self, thunk: &Thunk) -> Result<Outcome, ExecError> {
        let begun = Instant::now();
        let entry = self.root.prepare(thunk)?;
        let layout_us = micros(begun);
        let shown = || "cannot start a runner".to_owned();
        let (result, theirs) = Packets::pair().doing(shown)?;
        let stdout = file::memory_file(c"gg-stdout").doing(shown)?;
        let stderr = file::memory_file(c"gg-stderr").doing(shown)?;
        let slot = process::own_pid();
        let runner = match process::fork(entry.namespaces()).doing(shown)? {
            Fork::Child => {
                let streams = Streams {
                    stdin: self.stdin.as_fd(),
                    stdout: stdout.as_fd(),
                    stderr: stderr.as_fd(),
                    result: theirs.fd(),
                };
                runner::main(thunk, &entry, slot, &streams)
            }
            Fork::Parent(pid) => pid,
        };
        drop(theirs);
        self.runner = Some(runner);
        let mut evidence = Evidence::not_run(self.root.kind(), "");
        let alive = self.attend(&result, thunk, &mut evidence);
        stop(runner, &entry);
        if !alive? {
            return Ok(Outcome::OwnerGone);
        }
        if evidence.exit.is_ok() && !self.root.still_holds(&entry)? {
            evidence = Evidence::not_run(self.root.kind(), "a file of the system's changed while it was used");
        }
        evidence.usage.layout_us = layout_us;
        evidence.stdout = contents(stdout).doing(|| "cannot read standard output".to_owned())?;
        evidence.stderr = contents(stderr).doing(|| "cannot read standard error".to_owned())?;
        Ok(Outcome::Ended(Box::new(evidence)))
    }

    /// Takes what the runner reports until its last word; false if the owner is gone.
    fn attend(&mut self, result: &Packets, thunk: &Thunk, evidence: &mut Evidence) -> Result<bool, ExecError> {
        let shown = || "cannot hear the runner".to_owned();
        loop {
            let fds = [result.fd(), self.socket.as_fd()];
            let [reported, ordered] = channel::wait_readable(fds).doing(shown)?;
            if ordered {
                match next(&mut self.socket).doing(|| "cannot hear the owner".to_owned())? {
                    None => return Ok(false),
                    Some(_) => {
                        *evidence = Evidence::not_run(self.root.kind(), CANCELLED);
                        return Ok(true);
                    }
                }
            }
            if !reported {
                continue;
            }
            let Some((packet, carried)) = result.receive().doing(shown)? else {
                *evidence = Evidence::not_run(self.root.kind(), "the runner was killed");
                return Ok(true);
            };
            match (Report::decode(&packet).doing(shown)?, carried) {
                (Report::Made(index), Some(open)) => self.collect(thunk, index, open, evidence)?,
                (Report::Made(index), None) | (Report::Missing(index), _) => {
                    miss(thunk, index, evidence);
                }
                (Report::LeftOut(what), _) => evidence.left_out.push(what),
                (Report::Ended { exit, failed_step, usage }, _) => {
                    end(evidence, exit, failed_step, usage);
                    return Ok(true);
                }
            }
        }
    }

    /// Puts an output into the store.
    fn collect(&self, thunk: &Thunk, index: usize, open: OwnedFd, evidence: &mut Evidence) -> Result<(), ExecError> {
        let begun = Instant::now();
        let file = File::from(open);
        let metadata = file.metadata().doing(|| "cannot look at an output".to_owned())?;
        let Some(output) = thunk.outputs.get(index).filter(|_| metadata.is_file()) else {
            miss(thunk, index, evidence);
            return Ok(());
        };
        let made = Made { name: self.store.put_open_file(&file)?, mode: metadata.permissions().mode() & 0o7777 };
        evidence.outputs.insert(output.tag.clone(), made);
        evidence.usage.collect_us += micros(begun);
        Ok(())
    }

    /// Waits for the last runner's end and removes what its steps left.
    fn clean(&mut self) -> io::Result<()> {
        if let Some(runner) = self.runner.take() {
            process::wait(runner)?;
        }
        self.root.clean().map_err(io::Error::other)
    }
}

fn miss(thunk: &Thunk, index: usize, evidence: &mut Evidence) {
    if let Some(output) = thunk.outputs.get(index).filter(|output| !output.optional) {
        evidence.missing.push(output.tag.clone());
    }
}

fn end(evidence: &mut Evidence, exit: Result<crate::status::Exit, String>, failed_step: Option<usize>, usage: Usage) {
    evidence.exit = exit;
    evidence.failed_step = failed_step;
    evidence.usage = Usage { collect_us: evidence.usage.collect_us, ..usage };
    if evidence.exit.is_err() {
        evidence.outputs.clear();
        evidence.missing.clear();
    }
}

/// Ends a runner and all that it started: process 1 takes its namespace with it, else its group goes.
fn stop(runner: libc::pid_t, entry: &Entry) {
    process::kill(runner);
    if entry.namespaces() == 0 {
        process::kill(-runner);
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn contents(memory: OwnedFd) -> io::Result<Vec<u8>> {
    let mut file = File::from(memory);
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
