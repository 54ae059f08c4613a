//! The lines at the end. Knows what was counted, not how.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use gg_session::{STORE_FULL, Stats};

/// What became of a build's commands, for a reader; `None` if there were none.
pub(crate) fn text(stats: &Stats, unsealed: Option<&str>, took: Duration) -> Option<String> {
    if stats.commands == 0 {
        return None;
    }
    let native: u64 = stats.native.values().sum();
    let mut thunks = vec![format!("{} from memo", stats.memo_hits)];
    for (engine, count) in &stats.executed {
        thunks.push(if engine == "local" { format!("{count} run here") } else { format!("{count} run on {engine}") });
    }
    if stats.executed.is_empty() {
        thunks.push("none run".to_owned());
    }
    if stats.audited > 0 {
        thunks.push(format!("{} audited", stats.audited));
    }
    let mut text = String::new();
    let command = if stats.commands == 1 { "command" } else { "commands" };
    let (commands, seconds) = (stats.commands, took.as_secs_f64());
    let as_thunks = if stats.thunks == 1 { "1 as a thunk" } else { &format!("{} as thunks", stats.thunks) };
    let _ = writeln!(text, "gg: {commands} {command} in {seconds:.1} s: {as_thunks}, {native} native");
    let _ = writeln!(text, "gg: {}; {}", thunks.join(", "), reasons(&stats.native));
    let mut misses: Vec<&String> = stats.model_misses.iter().collect();
    misses.sort_unstable();
    misses.dedup();
    for miss in misses {
        let _ = writeln!(text, "gg: a model missed something: {miss}");
    }
    if stats.native.contains_key(STORE_FULL) {
        let _ = writeln!(text, "gg: the disk of GG_DIR is full, so what could not be kept there ran natively");
    }
    if let Some(why) = unsealed {
        let _ = writeln!(text, "gg: no private root can be made here, so everything ran natively: {why}");
    }
    Some(text)
}

fn reasons(native: &BTreeMap<String, u64>) -> String {
    if native.is_empty() {
        return "nothing native".to_owned();
    }
    let mut reasons: Vec<(&String, &u64)> = native.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    format!("native: {}", reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn two_lines_say_it() {
        let mut stats = Stats { commands: 9, thunks: 7, memo_hits: 3, audited: 1, ..Stats::default() };
        stats.executed = counts(&[("lambda", 3), ("local", 1)]);
        stats.native = counts(&[("probe-version", 1), ("stdin", 2)]);
        assert_eq!(
            text(&stats, None, Duration::from_millis(1234)).unwrap(),
            "gg: 9 commands in 1.2 s: 7 as thunks, 3 native\n\
             gg: 3 from memo, 3 run on lambda, 1 run here, 1 audited; native: stdin 2, probe-version 1\n"
        );
        let stats = Stats { commands: 1, thunks: 1, memo_hits: 1, ..Stats::default() };
        assert_eq!(
            text(&stats, None, Duration::ZERO).unwrap(),
            "gg: 1 command in 0.0 s: 1 as a thunk, 0 native\ngg: 1 from memo, none run; nothing native\n"
        );
    }

    #[test]
    fn trouble_is_told_once() {
        let misses = ["gcc: b.h", "gcc: a.h", "gcc: b.h"].map(str::to_owned).to_vec();
        let mut stats = Stats { commands: 3, model_misses: misses, ..Stats::default() };
        stats.native = counts(&[(STORE_FULL, 3)]);
        let text = text(&stats, Some("no namespaces"), Duration::ZERO).unwrap();
        let trouble: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            trouble,
            [
                "gg: a model missed something: gcc: a.h",
                "gg: a model missed something: gcc: b.h",
                "gg: the disk of GG_DIR is full, so what could not be kept there ran natively",
                "gg: no private root can be made here, so everything ran natively: no namespaces",
            ]
        );
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(text(&Stats::default(), Some("no namespaces"), Duration::ZERO), None);
    }
}
