//! `gg stats`: what became of the calls.

use anyhow::{Context, Result};
use gg_session::{Journal, Stats};

use crate::workplace::Workplace;

pub(crate) fn run(json: bool, last: bool, reset: bool) -> Result<()> {
    let place = Workplace::here()?;
    let journal = Journal::open(&place.gg_dir);
    let reading = || format!("reading the log of calls in {}", place.gg_dir.display());
    if reset {
        return journal.reset().with_context(reading);
    }
    let stats = journal.stats(last).with_context(reading)?;
    match json {
        true => println!("{}", serde_json::to_string(&stats)?),
        false => print(&stats),
    }
    Ok(())
}

fn print(stats: &Stats) {
    let Stats { commands, thunks, memo_hits, audited, .. } = stats;
    println!("commands {commands}, thunks {thunks}, from memo {memo_hits}, audited {audited}");
    for (engine, count) in &stats.executed {
        println!("executed by {engine}: {count}");
    }
    for (reason, count) in &stats.native {
        println!("native, {reason}: {count}");
    }
    for miss in &stats.model_misses {
        println!("model miss: {miss}");
    }
    println!("time in calls {:.2} s, processor time of executed thunks {:.2} s", stats.wall_s, stats.cpu_s);
}
