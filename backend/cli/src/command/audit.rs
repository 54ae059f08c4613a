//! `gg audit CMD…`: one call both ways.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use gg_force::trace::{AccessKind, Exit, Trace};
use gg_protocol::Request;

use crate::workplace::Workplace;

/// The request that a shim of this name would send.
pub(crate) fn request(command: &[OsString]) -> Result<Request> {
    let (tool, rest) = command.split_first().context("no command")?;
    let argv0 = tool.clone().into_vec();
    // `gg audit gg-cc …` means the same tool as `gg audit cc …`.
    let name = Path::new(tool).file_name().unwrap_or(tool).to_owned().into_vec();
    let (tool, argv0) = match name.strip_prefix(b"gg-") {
        Some(plain) => (plain.to_vec(), plain.to_vec()),
        None => (argv0.clone(), argv0),
    };
    let mut argv = vec![argv0];
    argv.extend(rest.iter().map(|arg| arg.clone().into_vec()));
    let shim = std::env::current_exe().context("finding gg's own executable")?.with_file_name("gg-shim");
    Request::of_this_process(tool, argv, shim.into_os_string()).context("looking at this process")
}

pub(crate) fn run(command: &[OsString]) -> Result<ExitCode> {
    let request = request(command)?;
    let audited = Workplace::here()?.session(None)?.audit(&request)?;
    if let Some(trace) = &audited.trace {
        std::io::stdout().write_all(&trace.stdout)?;
        std::io::stderr().write_all(&trace.stderr)?;
    }
    if let Some(reason) = audited.native {
        eprintln!("gg audit: no thunk to hold against the tool: {reason}");
        return Ok(ExitCode::from(2));
    }
    for difference in &audited.finding.differences {
        eprintln!("gg audit: {difference}");
    }
    if !audited.finding.differences.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    if let Some(trace) = &audited.trace {
        let (read, written) = counts(trace);
        eprintln!("gg audit: no difference: {read} files read, {written} written");
    }
    Ok(match audited.trace.map(|trace| trace.exit) {
        Some(Exit::Code(code)) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Some(Exit::Signal(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        None => ExitCode::SUCCESS,
    })
}

/// How many files the tool read, or ran, and how many it wrote.
fn counts(trace: &Trace) -> (usize, usize) {
    let count = |of: fn(&AccessKind) -> bool| {
        let found = trace.accesses.iter().filter(|access| access.found && of(&access.kind));
        found.map(|access| &access.path).collect::<HashSet<_>>().len()
    };
    let read = |kind: &AccessKind| matches!(kind, AccessKind::Read | AccessKind::Exec);
    (count(read), count(|kind| matches!(kind, AccessKind::Write)))
}

/// `gg audit --forget`.
pub(crate) fn forget() -> Result<()> {
    let place = Workplace::here()?;
    let gg_dir = place.gg_dir.display();
    let gone = gg_session::forget_verdicts(&place.gg_dir)
        .with_context(|| format!("forgetting the verdicts of audits in {gg_dir}"))?;
    println!("forgot {} verdicts in {gg_dir}, {} of them against a model", gone.sound + gone.disabled, gone.disabled);
    Ok(())
}
