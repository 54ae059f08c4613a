//! What the progress line says.

use std::fmt::Write as _;
use std::time::Duration;

use gg_session::Stats;

/// The line, of characters that are one byte and one column each.
pub(crate) fn line(stats: &Stats, under_way: usize, took: Duration) -> String {
    let (hours, minutes, seconds) = (took.as_secs() / 3600, took.as_secs() / 60 % 60, took.as_secs() % 60);
    let mut text = String::from("gg ");
    let _ = match hours {
        0 => write!(text, "{minutes}:{seconds:02}"),
        _ => write!(text, "{hours}:{minutes:02}:{seconds:02}"),
    };
    let (run, native) = (stats.executed.values().sum::<u64>(), stats.native.values().sum::<u64>());
    let (done, from_memo) = (stats.commands, stats.memo_hits);
    let _ = write!(text, "  {under_way} running, {done} done: {from_memo} from memo, {run} run, {native} native");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_counts_calls() {
        let count = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let stats = Stats {
            commands: 148,
            memo_hits: 120,
            executed: count(&[("lambda", 20), ("local", 7)]),
            native: count(&[("stdin", 1)]),
            ..Stats::default()
        };
        let said = "2 running, 148 done: 120 from memo, 27 run, 1 native";
        assert_eq!(line(&stats, 2, Duration::from_millis(65_900)), format!("gg 1:05  {said}"));
        assert_eq!(line(&stats, 2, Duration::from_secs(7 * 3600 + 9)), format!("gg 7:00:09  {said}"));
    }
}
