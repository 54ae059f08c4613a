//! One line on a terminal that says how far something has come. Nothing is written where standard error is none.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A line is drawn no more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// The line.
pub(crate) struct Line {
    begun: Instant,
    drawn: Option<Instant>,
    on: bool,
}

impl Line {
    /// A line that is not drawn yet.
    pub fn new() -> Line {
        Line { begun: Instant::now(), drawn: None, on: std::io::stderr().is_terminal() }
    }

    /// How far it is: `done` of `all`, `running` now.
    pub fn draw(&mut self, done: usize, all: usize, running: usize) {
        let now = Instant::now();
        if !self.on || self.drawn.is_some_and(|drawn| now.duration_since(drawn) < PAUSE) {
            return;
        }
        self.drawn = Some(now);
        let text = text(done, all, running, self.begun.elapsed());
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

fn text(done: usize, all: usize, running: usize, took: Duration) -> String {
    let mut text = format!("gg: {done}/{all} forced, {running} running");
    // Too little is known of what is to come before that.
    if done >= 4 && all > done {
        let left = took.as_secs_f64() / done as f64 * (all - done) as f64;
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

    #[test]
    fn the_time_left_is_told_when_something_is_known() {
        let seconds = Duration::from_secs;
        assert_eq!(text(3, 10, 2, seconds(3)), "gg: 3/10 forced, 2 running");
        assert_eq!(text(5, 10, 2, seconds(10)), "gg: 5/10 forced, 2 running, about 10 s left");
        assert_eq!(text(10, 310, 2, seconds(10)), "gg: 10/310 forced, 2 running, about 5 min left");
        assert_eq!(text(10, 10, 0, seconds(10)), "gg: 10/10 forced, 0 running");
    }
}
