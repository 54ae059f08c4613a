//! A worker slot: a process that runs one thunk after the other, as its owner sees it.
//!
//! The process is lost without harm: a run that was under way says so in its evidence, and the next
//! run starts a new process.

mod serve;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gg_store::LocalStore;
use gg_thunk::Thunk;

use crate::cancel::Cancel;
use crate::error::{Doing, ExecError};
use crate::evidence::{Evidence, RootKind};
use crate::sys::channel;
use crate::wire::{self, Order, Reply, Setup};

pub use serve::main;

/// The arguments that make [`SlotOptions::program`] call [`main`] before anything else.
pub const SLOT_ARGS: &[&str] = &["__slot"];

/// How a slot is started.
#[derive(Clone, Debug)]
pub struct SlotOptions {
    /// An executable that, run with [`SLOT_ARGS`], calls [`main`].
    pub program: PathBuf,
    /// The only kind of root that will do; else the best that can be made is taken.
    pub force_kind: Option<RootKind>,
    /// A directory, made if absent, on a file system that allows execution, for this and other slots.
    /// It must not be the store's.
    pub scratch: PathBuf,
}

/// What a slot may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of files that are not part of the laid-out tree but kept for later ones.
    pub pool_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { pool_bytes: 512 << 20 }
    }
}

/// A slot, seen by its owner.
#[derive(Debug)]
pub struct Slot {
    options: SlotOptions,
    limits: Limits,
    store: LocalStore,
    kind: RootKind,
    refusals: Vec<String>,
    process: Option<Process>,
}

impl Slot {
    /// Starts a slot on this store with the usual limits.
    pub fn start(store: &LocalStore, options: &SlotOptions) -> Result<Slot, ExecError> {
        Slot::start_with(store, options, Limits::default())
    }

    /// Starts a slot on this store.
    pub fn start_with(store: &LocalStore, options: &SlotOptions, limits: Limits) -> Result<Slot, ExecError> {
        let mut slot = Slot {
            options: SlotOptions { scratch: absolute(&options.scratch)?, ..options.clone() },
            limits,
            store: store.clone(),
            kind: RootKind::Native,
            refusals: Vec::new(),
            process: None,
        };
        let all = [RootKind::Namespaces, RootKind::Chroot, RootKind::Native];
        let forced = options.force_kind.as_ref().map(std::slice::from_ref);
        for kind in forced.unwrap_or(&all) {
            match slot.launch(*kind) {
                Ok(process) => {
                    slot.kind = *kind;
                    slot.process = Some(process);
                    return Ok(slot);
                }
                Err(ExecError::Refused { kind, why }) => {
                    slot.refusals.push(format!("{kind}: {why}"));
                }
                Err(e) => return Err(e),
            }
        }
        Err(ExecError::Refused { kind: options.force_kind.unwrap_or(RootKind::Native), why: slot.refusals.join("; ") })
    }

    /// The kind of root that the slot makes.
    pub fn kind(&self) -> RootKind {
        self.kind
    }

    /// The better kinds of root that could not be made, each with the reason.
    pub fn refusals(&self) -> &[String] {
        &self.refusals
    }

    /// The slot's process, if it is there.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.child.id())
    }

    /// Runs a reduced thunk to its end, or until `cancel`. Whatever happens is in the evidence.
    pub fn run(&mut self, thunk: &Thunk, cancel: &Cancel) -> Evidence {
        match self.try_run(thunk, cancel) {
            Ok(evidence) => evidence,
            Err(e) => {
                if !matches!(e, ExecError::Thunk(_)) {
                    self.process = None;
                }
                Evidence::not_run(self.kind, e)
            }
        }
    }

    fn try_run(&mut self, thunk: &Thunk, cancel: &Cancel) -> Result<Evidence, ExecError> {
        thunk.validate()?;
        if cancel.is_cancelled() {
            return Ok(Evidence::not_run(self.kind, serve::CANCELLED));
        }
        let alive = |process: &mut Process| matches!(process.child.try_wait(), Ok(None));
        let mut process = match self.process.take_if(alive) {
            Some(process) => process,
            None => self.launch(self.kind)?,
        };
        let vouched = self.store.vouched(process.vouched);
        process.vouched += vouched.len();
        process.send(&Order::Run(Box::new(thunk.clone()), vouched))?;
        let mut told = false;
        let reply = loop {
            let fds = [process.socket.as_fd(), cancel.flag()];
            let ready = if told {
                let [answered] =
                    channel::wait_readable([process.socket.as_fd()]).doing(|| "cannot wait for the slot".to_owned())?;
                [answered, false]
            } else {
                channel::wait_readable(fds).doing(|| "cannot wait for the slot".to_owned())?
            };
            if ready[0] {
                break process.receive()?;
            }
            process.send(&Order::Cancel)?;
            told = true;
        };
        match reply {
            Reply::Ran(evidence) => {
                self.process = Some(process);
                Ok(*evidence)
            }
            other => Err(ExecError::Lost(format!("it said {other:?}"))),
        }
    }

    fn launch(&self, kind: RootKind) -> Result<Process, ExecError> {
        let shown = || format!("cannot start {}", self.options.program.display());
        let (ours, theirs) = UnixStream::pair().doing(shown)?;
        let child = Command::new(&self.options.program)
            .args(SLOT_ARGS)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // What the terminal sends to its owner's group is the owner's to deal with.
            .process_group(0)
            .spawn()
            .doing(shown)?;
        let mut process = Process { child, socket: ours, vouched: 0 };
        process.send(&Order::Setup(Setup {
            kind,
            store: absolute(self.store.root())?.into_os_string().into_vec(),
            scratch: self.options.scratch.as_os_str().as_bytes().to_vec(),
            limits: self.limits,
        }))?;
        match process.receive()? {
            Reply::Ready => Ok(process),
            Reply::Refused(why) => Err(ExecError::Refused { kind, why }),
            Reply::Ran(_) => Err(ExecError::Lost("it ran before it was asked".to_owned())),
        }
    }
}

/// The slot's working directory is another.
fn absolute(path: &Path) -> Result<PathBuf, ExecError> {
    std::path::absolute(path).doing(|| format!("cannot find {}", path.display()))
}

#[derive(Debug)]
struct Process {
    child: Child,
    socket: UnixStream,
    /// So many of the store's checked objects it has been told.
    vouched: usize,
}

impl Process {
    fn send(&mut self, order: &Order) -> Result<(), ExecError> {
        wire::send(&mut self.socket, &order.encode()).map_err(|e| ExecError::Lost(e.to_string()))
    }

    fn receive(&mut self) -> Result<Reply, ExecError> {
        match wire::receive(&mut self.socket) {
            Ok(Some(body)) => Reply::decode(&body).map_err(|e| ExecError::Lost(e.to_string())),
            Ok(None) => Err(ExecError::Lost("its process has ended".to_owned())),
            Err(e) => Err(ExecError::Lost(e.to_string())),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process ends, with all it runs, when its socket does.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        let _ = self.child.wait();
    }
}
