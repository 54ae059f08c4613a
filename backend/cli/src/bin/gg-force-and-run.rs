//! The interpreter that a placeholder names: forces it, puts the result in its place, runs that.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// How often a program is tried that somebody still has open for writing.
const MOST_TRIES: usize = 200;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(file) = args.next().map(PathBuf::from) else {
        eprintln!("gg-force-and-run: usage: gg-force-and-run PLACEHOLDER [ARG...]");
        return ExitCode::from(2);
    };
    let rest: Vec<OsString> = args.collect();
    if let Err(e) = gg_cli::force_in_place(&file, &rest) {
        eprintln!("gg-force-and-run: {}: {}", file.display(), gg_cli::said(&e));
        return ExitCode::from(126);
    }
    // The kernel handed over a path that may lack a slash only if the file was named so: never look on PATH.
    let program = if file.components().count() == 1 { PathBuf::from(".").join(&file) } else { file.clone() };
    let mut command = Command::new(program);
    command.args(rest);
    let mut error = command.exec();
    // Whoever has just written it may have started a process at that moment, which holds the file until it runs another program.
    for _ in 0..MOST_TRIES {
        if error.kind() != ErrorKind::ExecutableFileBusy {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        error = command.exec();
    }
    eprintln!("gg-force-and-run: {}: {error}", file.display());
    ExitCode::from(126)
}
