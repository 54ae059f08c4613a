//! Runs a real tool natively under a tracer and reports every path that it, or a process it started,
//! read, looked up or changed. This is the evidence that an audit holds a model's footprint against.
//!
//! The tool runs in the live tree, as its caller would have run it, but with `/dev/null` as standard input
//! and its output captured. Tracing is `ptrace` with a seccomp filter, so that only calls that name files
//! (or reach for the network) stop the tool; see [`run`] for what that leaves out.
//! The module knows nothing of thunks, models or stores, and judges nothing: it reports what happened.

mod call;
mod filter;
mod image;
mod log;
mod memory;
mod ptrace;
mod spawn;
mod stop;
mod syscall;
mod tracer;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

pub use crate::status::Exit;
pub use stop::Stop;

/// A command to run under the tracer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceCommand {
    /// The program's file; it is not searched for on `PATH`. A relative path counts from `cwd`.
    pub exe: PathBuf,
    /// The arguments, `argv[0]` included.
    pub argv: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// The directory the command starts in.
    pub cwd: PathBuf,
    /// The file mode creation mask the command starts with.
    pub umask: u32,
}

/// What a traced command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How the command itself (not a process it started) ended.
    pub exit: Exit,
    /// All that was written to standard output.
    pub stdout: Vec<u8>,
    /// All that was written to standard error.
    pub stderr: Vec<u8>,
    /// Every access, once, in the order of their first occurrence.
    pub accesses: Vec<Access>,
    /// How many processes and threads still ran when the command ended. They were killed: an audit
    /// leaves nothing behind that it does not see.
    pub survivors: usize,
}

/// One path that was used, in one way, with one result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The absolute path: joined to the process's directory or to that of the descriptor it gave, but with
    /// symbolic links and `..` as they were; `a/.` and `a` count as one path, as [`PathBuf`] compares them. For [`AccessKind::Network`] it may be a name instead.
    pub path: PathBuf,
    /// How the path was used.
    pub kind: AccessKind,
    /// Whether the call succeeded. A call that failed on something that *is* there (an `access` for writing on a
    /// read-only file, an `open` without permission, an `mkdir` of a directory) is a [`AccessKind::Lookup`] that found it.
    pub found: bool,
}

/// How a path was used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// Run as a program, or as the interpreter that a script names.
    Exec,
    /// Opened for reading, or loaded by the kernel as a program's dynamic loader.
    Read,
    /// Its existence, attributes or link target were asked for, or it was opened as a directory or as a bare path.
    Lookup,
    /// Its entries were listed.
    List,
    /// Opened for writing, created, or truncated. A file opened for both without truncation is also a [`Self::Read`].
    Write,
    /// Unlinked, or removed as a directory.
    Remove,
    /// Renamed.
    Rename {
        /// The new name, absolute.
        to: PathBuf,
    },
    /// Given a second name by a hard link.
    Link {
        /// The new name, absolute.
        to: PathBuf,
    },
    /// Created as a symbolic link.
    Symlink {
        /// The link's text.
        target: PathBuf,
    },
    /// Created as a directory.
    Mkdir,
    /// Its mode, owner, times or extended attributes were changed.
    Chmod,
    /// A socket was used. The path is that of a Unix socket, or a name: `socket:FAMILY` for one that was
    /// created in another family, `inet:ADDRESS:PORT` and the like for an address connected to.
    Network,
}

/// Why a command could not be traced. What the command itself did wrong is never an error: see [`Trace::exit`].
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is no system call table for this machine.
    #[error("tracing is not supported on this machine")]
    Unsupported,
    /// An argument, a variable or a path holds a NUL byte.
    #[error("{0} holds a NUL byte")]
    Nul(&'static str),
    /// The command could not be started.
    #[error("cannot start {}: {step}: {source}", exe.display())]
    Start {
        /// The program that was to be started.
        exe: PathBuf,
        /// What failed: `chdir`, `execve`, …
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process made a system call of another instruction set (as a 32-bit program does), which is not understood.
    #[error("a traced process uses another machine's system calls")]
    ForeignCalls,
    /// A call of the tracer itself failed; everything it started was killed.
    #[error("tracing: {step}: {source}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl TraceError {
    /// For `map_err`: names the step that failed.
    fn system(step: &'static str) -> impl FnOnce(io::Error) -> TraceError {
        move |source| TraceError::System { step, source }
    }
}

/// Runs a command to its end and reports what it did.
///
/// It may be called from any thread of a process with many, and many times at once: each run has a tracing
/// thread of its own, which waits for its own children only. Everything that was started is dead when it returns,
/// also when it returns an error, and dies with this process.
///
/// Seen are all calls that take a path or list a directory, on descriptors too where they change a file. Not seen
/// are reads through descriptors and mappings whose opening was seen, and `io_uring`, which is refused as if the
/// kernel had none. A process that changes its root is reported with the paths it used.
///
/// The command is kept on one processor of those it may use.
///
/// When `stop` is asked for, the command gets SIGTERM, as if from outside.
pub fn run(cmd: &TraceCommand, stop: &Stop) -> Result<Trace, TraceError> {
    if !syscall::SUPPORTED {
        return Err(TraceError::Unsupported);
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("trace".into())
            .spawn_scoped(scope, || tracer::run(cmd, stop))
            .map_err(TraceError::system("start of a thread"))?
            .join()
            .unwrap_or_else(|_| {
                Err(TraceError::System { step: "tracing thread", source: io::Error::other("panicked") })
            })
    })
}
