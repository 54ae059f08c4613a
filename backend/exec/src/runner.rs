//! The process that enters a root, runs the steps in it, opens what they made, and tells the slot.
//!
//! It is forked by the slot for one thunk and is process number 1 where there is a pid namespace. It
//! does not know where its root came from, nor the store.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use gg_thunk::{Step, Thunk};

use crate::evidence::Usage;
use crate::root::Entry;
use crate::status::Exit;
use crate::sys::channel::Packets;
use crate::sys::{file, process};
use crate::wire::{In, Out};

/// What a runner tells, in packets.
#[derive(Debug)]
pub(crate) enum Report {
    /// The output with this index is there; the packet carries it, open.
    Made(usize),
    /// The output with this index is not there, or is no file.
    Missing(usize),
    /// Something of the host's that should be seen and is not.
    LeftOut(String),
    /// The last packet.
    Ended { exit: Result<Exit, String>, failed_step: Option<usize>, usage: Usage },
}

/// Longest message about what went wrong, so that a packet holds it.
const MAX_WHY: usize = 2048;
/// So many of the things that are left out are named.
const MAX_LEFT_OUT: usize = 100;

impl Report {
    fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        match self {
            Report::Made(index) => {
                out.number(0);
                out.number(*index as u64);
            }
            Report::Missing(index) => {
                out.number(1);
                out.number(*index as u64);
            }
            Report::LeftOut(what) => {
                out.number(3);
                out.bytes(what.as_bytes());
            }
            Report::Ended { exit, failed_step, usage } => {
                out.number(2);
                out.exit(exit);
                out.step(*failed_step);
                out.usage(usage);
            }
        }
        out.0
    }

    pub fn decode(packet: &[u8]) -> io::Result<Report> {
        let mut input = In(packet);
        let kind = input.number()?;
        if kind == 2 {
            return Ok(Report::Ended { exit: input.exit()?, failed_step: input.step()?, usage: input.usage()? });
        }
        if kind == 3 {
            return Ok(Report::LeftOut(input.text()?));
        }
        let index = usize::try_from(input.number()?).unwrap_or(usize::MAX);
        Ok(if kind == 0 { Report::Made(index) } else { Report::Missing(index) })
    }
}

/// The runner's descriptors as the slot holds them before the fork.
pub(crate) struct Streams<'a> {
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    pub result: BorrowedFd<'a>,
}

/// The whole life of the runner.
pub(crate) fn main(thunk: &Thunk, entry: &Entry, slot: libc::pid_t, streams: &Streams<'_>) -> ! {
    process::new_session();
    if !process::die_with_parent(slot) {
        process::exit_now(1);
    }
    let standard = [streams.stdin, streams.stdout, streams.stderr];
    if process::arrange_descriptors(standard, streams.result).is_err() {
        process::exit_now(1);
    }
    let result = Packets::at_three();
    let mut run = Run { usage: Usage::default(), failed_step: None };
    let exit = match enter(thunk, entry) {
        Ok(left_out) => {
            let told = left_out
                .into_iter()
                .take(MAX_LEFT_OUT)
                .try_for_each(|what| result.send(&Report::LeftOut(shortened(what)).encode(), None));
            told.map_err(|e| format!("cannot tell what is left out: {e}")).and_then(|()| run.steps(thunk, entry))
        }
        Err(e) => Err(format!("cannot enter the private root: {e}")),
    };
    let exit = exit.and_then(|exit| {
        if exit.success() {
            offer(thunk, &result)?;
        }
        Ok(exit)
    });
    let ended = Report::Ended { exit: exit.map_err(shortened), failed_step: run.failed_step, usage: run.usage };
    let sent = result.send(&ended.encode(), None);
    process::exit_now(i32::from(sent.is_err()));
}

fn shortened(mut why: String) -> String {
    if why.len() > MAX_WHY {
        let end = (0..=MAX_WHY).rev().find(|end| why.is_char_boundary(*end));
        why.truncate(end.unwrap_or(0));
    }
    why
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn enter(thunk: &Thunk, entry: &Entry) -> io::Result<Vec<String>> {
    process::set_umask(0);
    let left_out = entry.enter()?;
    let cwd = path_of(&thunk.cwd);
    if entry.private() {
        make_temporary(Path::new("/tmp"), true)?;
        for name in ["TMPDIR", "TMP", "TEMP"] {
            if let Some(dir) = thunk.env.get(name.as_bytes())
                && dir.starts_with(b"/")
            {
                make_temporary(path_of(dir), false)?;
            }
        }
        fs::DirBuilder::new().recursive(true).mode(0o755).create(cwd)?;
        process::keep_file_capabilities();
    }
    std::env::set_current_dir(cwd).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", cwd.display())))?;
    process::set_umask(thunk.umask);
    Ok(left_out)
}

/// Makes a directory for temporary files; one that is there already is opened to all if `open` says so.
fn make_temporary(path: &Path, open: bool) -> io::Result<()> {
    if !path.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    } else if !open {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o1777))
}

struct Run {
    usage: Usage,
    failed_step: Option<usize>,
}

impl Run {
    /// Runs the steps until one fails.
    fn steps(&mut self, thunk: &Thunk, entry: &Entry) -> Result<Exit, String> {
        let begun = Instant::now();
        let mut exit = Ok(Exit::Code(0));
        for (index, step) in thunk.steps.iter().enumerate() {
            exit = self.step(thunk, step, entry);
            if exit != Ok(Exit::Code(0)) {
                self.failed_step = Some(index);
                break;
            }
        }
        self.usage.wall_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        exit
    }

    fn step(&mut self, thunk: &Thunk, step: &Step, entry: &Entry) -> Result<Exit, String> {
        let exe = path_of(&step.exe);
        let mut command = Command::new(exe);
        let mut args = step.argv.iter().map(|arg| OsStr::from_bytes(arg));
        command.arg0(args.next().unwrap_or_default()).args(args);
        let env = thunk.env.iter();
        command.env_clear().envs(env.map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))));
        if entry.namespaces() == 0 {
            process::tie_to_parent(&mut command);
        }
        let failed = |e: io::Error| format!("cannot execute {}: {e}", exe.display());
        let child = command.spawn().map_err(failed)?;
        loop {
            // As process 1 this also meets the orphans of the step's own children.
            let waited = process::wait(-1).map_err(failed)?;
            if u32::try_from(waited.pid) != Ok(child.id()) {
                continue;
            }
            self.usage.user_us += waited.user_us;
            self.usage.sys_us += waited.sys_us;
            self.usage.max_rss_kb = self.usage.max_rss_kb.max(waited.max_rss_kb);
            return Ok(Exit::from(ExitStatus::from_raw(waited.status)));
        }
    }
}

/// Opens the outputs, as the root's links lead to them, and hands them over.
fn offer(thunk: &Thunk, result: &Packets) -> Result<(), String> {
    for (index, output) in thunk.outputs.iter().enumerate() {
        let lost = |e: io::Error| format!("cannot hand over {}: {e}", path_of(&output.path).display());
        let sent = match file::open_for_reading(&output.path) {
            Ok(open) => result.send(&Report::Made(index).encode(), Some(open.as_fd())),
            Err(e) => match e.raw_os_error() {
                // ENXIO: a socket or a FIFO without a reader.
                Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENXIO) => {
                    result.send(&Report::Missing(index).encode(), None)
                }
                _ => return Err(lost(e)),
            },
        };
        sent.map_err(lost)?;
    }
    Ok(())
}
