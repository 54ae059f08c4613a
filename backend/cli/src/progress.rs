//! One line on a terminal that says how far something has come. Nothing is written where standard error is none.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use gg_force::Progress;

/// A line is drawn no more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// The line.
pub(crate) struct Line {
    pace: Pace,
    drawn: Option<Instant>,
    on: bool,
}

impl Line {
    /// A line that is not drawn yet.
    pub fn new() -> Line {
        Line { pace: Pace::default(), drawn: None, on: std::io::stderr().is_terminal() }
    }

    /// How far it is.
    pub fn draw(&mut self, progress: &Progress) {
        let now = Instant::now();
        if !self.on {
            return;
        }
        let took = self.pace.took(progress, now);
        if self.drawn.is_some_and(|drawn| now.duration_since(drawn) < PAUSE) {
            return;
        }
        self.drawn = Some(now);
        let text = text(progress, took);
        // A terminal that has gone needs no line.
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// How long runs have gone on.
#[derive(Default)]
struct Pace {
    /// When the first of them began.
    since: Option<Instant>,
    settled: usize,
}

impl Pace {
    fn took(&mut self, progress: &Progress, now: Instant) -> Duration {
        // After a failure the rest is asked for anew, and what ran is not counted again.
        if progress.settled < std::mem::replace(&mut self.settled, progress.settled) {
            self.since = None;
        }
        if self.since.is_none() && progress.running > 0 {
            self.since = Some(now);
        }
        self.since.map_or(Duration::ZERO, |since| now.duration_since(since))
    }
}

fn text(progress: &Progress, took: Duration) -> String {
    let Progress { known, settled, running, known_us, ran_us, .. } = progress;
    let mut text = format!("gg: {settled}/{known} forced, {running} running");
    // Too little is known of what is to come before that.
    if *settled >= 4 && *ran_us > 0 && known_us > ran_us {
        let left = took.as_secs_f64() / *ran_us as f64 * (known_us - ran_us) as f64;
        text += &match left {
            left if left < 90.0 => format!(", about {left:.0} s left"),
            left => format!(", about {:.0} min left", left / 60.0),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use gg_force::Event;

    fn progress(settled: usize, running: usize, ran_us: u64) -> Progress {
        let thunk = "TKTuYu7cD2pPNjY2HegsyOZ5IiK7YdcZG4uPh138GO1000000230".parse().unwrap();
        let event = Event::Started { thunk, engine: "local".into() };
        Progress { known: 10, settled, running, known_us: 100, ran_us, event }
    }

    #[test]
    fn the_time_left_is_told_when_something_is_known() {
        let said =
            |settled, running, ran_us, seconds| text(&progress(settled, running, ran_us), Duration::from_secs(seconds));
        assert_eq!(said(3, 2, 20, 3), "gg: 3/10 forced, 2 running");
        assert_eq!(said(4, 2, 0, 3), "gg: 4/10 forced, 2 running");
        // what is slow came first: most of the work is done, though few thunks are
        assert_eq!(said(5, 2, 80, 40), "gg: 5/10 forced, 2 running, about 10 s left");
        assert_eq!(said(5, 2, 5, 30), "gg: 5/10 forced, 2 running, about 10 min left");
        assert_eq!(said(10, 0, 100, 10), "gg: 10/10 forced, 0 running");
    }

    #[test]
    fn the_pace_is_that_of_what_runs() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        let mut took = |settled, running, seconds| pace.took(&progress(settled, running, 0), at(seconds)).as_secs();
        assert_eq!(took(3, 0, 5), 0, "from the memo");
        assert_eq!([took(3, 2, 6), took(4, 1, 8)], [0, 2]);
        // asked for anew
        assert_eq!([took(1, 0, 20), took(4, 1, 21), took(5, 1, 22)], [0, 0, 1]);
    }
}
