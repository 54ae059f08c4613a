//! `gg infer`: runs a build and answers what can be answered before the work is done.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gg_session::lead::{End, Lead, Watch, die_by, early};
use gg_session::{Found, STORE_FULL, Stats};

use crate::workplace::Workplace;
use crate::{counted, shown};

pub(crate) fn run(command: &[OsString]) -> Result<ExitCode> {
    let begun = Instant::now();
    let watch = Watch::start().context("taking over signals")?;
    let (name, args) = command.split_first().context("no command is given")?;
    let place = Workplace::named()?;
    let mut opening = place.opening(None)?;
    let here = std::env::current_dir().context("the current directory")?;
    opening.lazy = Some(early(&here));
    let own = std::env::current_exe().context("gg's own path")?;
    let own = own.parent().context("gg's own directory")?.to_owned();
    let build = || {
        let mut command = Command::new(name);
        command.args(args);
        command
    };
    let lead = match place.check().and_then(|()| Ok(Lead::open(&opening, &own, &here)?)) {
        Ok(lead) => lead,
        Err(e) => {
            eprintln!("gg infer: {}; the build runs without gg", crate::said(&e));
            return Err(watch.replace(build())).with_context(|| format!("running {}", shown(Path::new(name))));
        }
    };
    let again = || {
        eprintln!("gg infer: a command failed after it was answered; the build is run again, with that one at once");
    };
    let end = lead.run(&watch, &build, false, &again)?;
    let session = lead.close();
    let status = match end {
        End::Signal(signal) => die_by(signal),
        End::Exit(status) => status,
    };
    let Found { held, remains, .. } = session.placeholders_below(&here)?;
    if std::env::var_os("GG_SUMMARY").is_none_or(|value| value != "no") {
        let elsewhere = session.waiting_elsewhere(&here);
        eprint!("{}", summary(&session.stats(), held.len(), elsewhere, begun.elapsed(), session.unsealed()));
    }
    if let Some(first) = remains.first() {
        bail!(
            "{} was made of a file that is not made yet, by a program that gg does not know{}: remove it, and use gg-make",
            shown(first),
            if remains.len() > 1 { format!(" (and {} more)", remains.len() - 1) } else { String::new() }
        );
    }
    if status == 0 && super::force::tell_pending("gg infer", &session.pending_failures(&here))? {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

fn summary(
    stats: &Stats,
    waiting: usize,
    elsewhere: Option<(PathBuf, usize)>,
    took: Duration,
    unsealed: Option<&str>,
) -> String {
    let native: u64 = stats.native.values().sum();
    let eager = stats.thunks.saturating_sub(stats.lazy);
    let mut text = String::new();
    if stats.commands > 0 {
        text += &format!(
            "gg: {} in {:.1} s: {} answered before the work is done, {eager} after it, {native} native\n",
            counted(stats.commands, "command"),
            took.as_secs_f64(),
            stats.lazy,
        );
    }
    let executed: u64 = stats.executed.values().sum();
    if executed + stats.memo_hits > 0 {
        text += &format!("gg: {} run meanwhile, {} from memo\n", counted(executed, "thunk"), stats.memo_hits);
    }
    let wait = |count| format!("{} {}", counted(count, "file"), if count == 1 { "waits" } else { "wait" });
    if waiting > 0 {
        text += &format!("gg: {} here: gg force\n", wait(waiting as u64));
    }
    if let Some((first, count)) = elsewhere {
        text += &format!("gg: {} elsewhere, as {}: gg force DIRECTORY\n", wait(count as u64), shown(&first));
    }
    if stats.native.contains_key(STORE_FULL) {
        text += "gg: the disk of GG_DIR is full, so what could not be kept there ran natively\n";
    }
    for miss in &stats.model_misses {
        text += &format!("gg: a model missed something: {miss}\n");
    }
    if let Some(why) = unsealed.filter(|_| stats.commands > 0) {
        text += &format!("gg: no private root can be made here, so everything ran natively: {why}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_say_it() {
        let mut stats = Stats { commands: 9, thunks: 7, lazy: 5, ..Stats::default() };
        stats.native.insert("probe-version".to_owned(), 2);
        assert_eq!(
            summary(&stats, 4, Some(("/b/a.o".into(), 2)), Duration::from_millis(1234), None),
            "gg: 9 commands in 1.2 s: 5 answered before the work is done, 2 after it, 2 native\n\
             gg: 4 files wait here: gg force\n\
             gg: 2 files wait elsewhere, as /b/a.o: gg force DIRECTORY\n"
        );
        let mut stats = Stats { commands: 1, thunks: 1, memo_hits: 27, ..Stats::default() };
        stats.executed.insert("local".to_owned(), 24);
        assert_eq!(
            summary(&stats, 1, Some(("/b/a.o".into(), 1)), Duration::ZERO, None),
            "gg: 1 command in 0.0 s: 0 answered before the work is done, 1 after it, 0 native\n\
             gg: 24 thunks run meanwhile, 27 from memo\n\
             gg: 1 file waits here: gg force\n\
             gg: 1 file waits elsewhere, as /b/a.o: gg force DIRECTORY\n"
        );
        assert_eq!(summary(&Stats::default(), 0, None, Duration::ZERO, Some("no namespaces")), "");
    }
}
