//! The `gg` command: each subcommand in a module of its own below [`command`], all from one clap definition.

mod args;
mod command;
mod message;
mod pages;
mod progress;
mod workplace;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

pub use command::force::force_in_place;
pub(crate) use message::counted;
pub use message::said;

/// Runs `gg` with this process's arguments.
pub fn main() -> ExitCode {
    // A slot is this same program; it comes before everything else.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == gg_exec::slot::SLOT_ARGS[0]) {
        return gg_exec::slot::main();
    }
    let args = args::Args::parse();
    match command::run(args) {
        Ok(code) => code,
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("gg: {}", said(&e));
            ExitCode::FAILURE
        }
    }
}

/// Who reads the output may have seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref::<std::io::Error>().is_some_and(broken)
}

/// A path, for messages.
fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}
