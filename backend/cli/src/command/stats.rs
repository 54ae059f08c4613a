//! `gg stats`: what became of the calls.

use anyhow::{Context, Result};
use gg_session::{Details, Journal, Stats};

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
        false => print(&stats, &journal.details(last).with_context(reading)?),
    }
    Ok(())
}

fn print(stats: &Stats, details: &Details) {
    let Stats { commands, thunks, memo_hits, lazy, audited, .. } = stats;
    let is_forced = *commands == 0 && (*memo_hits > 0 || !stats.executed.is_empty());
    match is_forced {
        true => println!("no commands; thunks of earlier ones were forced, from memo {memo_hits}"),
        false => println!("commands {commands}, thunks {thunks}, from memo {memo_hits}, audited {audited}"),
    }
    if *lazy > 0 {
        println!(
            "answered before the work is done (lazily) {lazy}, after it (eagerly) {}",
            commands.saturating_sub(*lazy)
        );
    }
    for (engine, count) in &stats.executed {
        println!("executed by {engine}: {count}");
    }
    for (reason, count) in &stats.native {
        println!("native, {reason}: {count}{}", most_frequent(&details.of(reason)));
    }
    for miss in &stats.model_misses {
        println!("model miss: {miss}");
    }
    if stats.native.contains_key("model-disabled") || !stats.model_misses.is_empty() {
        println!("after a model miss, calls with the same flags run natively; gg audit --forget tries them again");
    }
    match is_forced {
        true => println!("processor time of executed thunks {:.2} s", stats.cpu_s),
        false => {
            println!("time in calls {:.2} s, processor time of executed thunks {:.2} s", stats.wall_s, stats.cpu_s)
        }
    }
}

/// Details that are shown of a reason.
const SHOWN: usize = 3;
/// Characters that are shown of a detail.
const LONGEST: usize = 60;

fn most_frequent(details: &[(&str, u64)]) -> String {
    let shown: Vec<String> =
        details.iter().take(SHOWN).map(|(detail, count)| format!("{} {count}", short(detail))).collect();
    if shown.is_empty() { String::new() } else { format!(" ({})", shown.join(", ")) }
}

/// The beginning of a detail's first line.
pub(super) fn short(detail: &str) -> String {
    let line = detail.lines().next().unwrap_or_default();
    match line.chars().count() > LONGEST || line.len() < detail.trim_end().len() {
        true => line.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_details_with_their_counts() {
        assert_eq!(most_frequent(&[]), "");
        assert_eq!(most_frequent(&[("-flto", 5), ("-save-temps", 3)]), " (-flto 5, -save-temps 3)");
        assert_eq!(most_frequent(&[("a", 4), ("b", 3), ("c", 2), ("d", 1)]), " (a 4, b 3, c 2)");
    }

    #[test]
    fn long_details_are_cut() {
        assert_eq!(short(&"ä".repeat(60)), "ä".repeat(60));
        assert_eq!(short(&"ä".repeat(61)), "ä".repeat(59) + "…");
        assert_eq!(short("first\nsecond"), "first…");
        assert_eq!(short("only\n"), "only");
    }
}
