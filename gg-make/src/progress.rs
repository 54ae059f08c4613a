//! The progress line: when it is shown. Knows neither how a row is drawn nor what is counted.
//!
//! Make and the tools write to the same terminal, at any moment. So the line has a row to which nothing else comes: the
//! terminal scrolls the rows above it only ([`screen`]). Tools see nothing of that: they have the terminal itself, of its full
//! size. A program that takes the terminal for itself – it reads keys, or runs a job of its own – gets it whole.

mod screen;
mod suspend;
mod terminal;
mod text;

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use gg_session::Stats;

use screen::Screen;
use suspend::{Event, Events};
use terminal::{Terminal, Use};

/// A build that takes less has no line.
const DELAY: Duration = Duration::from_secs(1);
/// How soon it is seen that the terminal has another size, or is another program's.
const TICK: Duration = Duration::from_millis(50);

/// The line, where there is a terminal for it.
pub(crate) struct Progress {
    terminal: Option<Terminal>,
    screen: Mutex<Screen>,
}

impl Progress {
    /// `wanted`: whether the user lets there be a line.
    pub(crate) fn new(wanted: bool) -> Progress {
        let terminal = if wanted && is_outermost() && is_capable() { Terminal::of_this_process() } else { None };
        Progress { terminal, screen: Mutex::default() }
    }

    /// Shows the line while something is done. `counts` says what became of calls so far, and how many are under way.
    pub(crate) fn during<T>(
        &self,
        begun: Instant,
        counts: impl Fn() -> (Stats, usize) + Sync,
        work: impl FnOnce() -> T,
    ) -> T {
        let Some(terminal) = &self.terminal else { return work() };
        let Ok(events) = Events::catch() else { return work() };
        thread::scope(|scope| {
            let ended = events.end_with();
            let shown = || self.show(terminal, &events, begun, &counts);
            // Without a thread there is no line.
            let _ = thread::Builder::new().name("progress".to_owned()).spawn_scoped(scope, shown);
            let done = work();
            drop(ended);
            done
        })
    }

    /// Gives the row back because this process ends at once, unless it is just being drawn on a terminal that stands still.
    pub(crate) fn abandon(&self) {
        if let Some(terminal) = &self.terminal {
            let screen = match self.screen.try_lock() {
                Ok(screen) => screen,
                Err(TryLockError::Poisoned(screen)) => screen.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            if terminal.takes_output() {
                give_back(screen, terminal);
            }
        }
    }

    fn show(&self, terminal: &Terminal, events: &Events, begun: Instant, counts: &impl Fn() -> (Stats, usize)) {
        terminal::let_this_thread_write();
        loop {
            match events.wait(TICK) {
                Event::None => {}
                Event::Suspend => {
                    give_back(self.screen(), terminal);
                    events.suspend();
                    continue;
                }
                Event::End => break,
            }
            let took = begun.elapsed();
            if took < DELAY || !terminal.takes_output() {
                continue;
            }
            if terminal.used() != Use::Output {
                give_back(self.screen(), terminal);
                continue;
            }
            let Some(size) = terminal.size() else { continue };
            let (stats, under_way) = counts();
            if stats.commands > 0 || under_way > 0 {
                let text = text::line(&stats, under_way, took);
                terminal.write(&self.screen().draw(size, &text));
            }
        }
        give_back(self.screen(), terminal);
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_back(mut screen: MutexGuard<'_, Screen>, terminal: &Terminal) {
    terminal.write(&match terminal.used() {
        Use::Output | Use::Lines => screen.give_back(terminal.size()),
        Use::Keys => screen.lend(),
    });
}

/// Whether no other make is above this one: a line above may be its gg-make's, and the row is its then.
fn is_outermost() -> bool {
    std::env::var_os("MAKELEVEL").is_none_or(|level| level.is_empty() || level == "0")
}

/// Whether the terminal says it is one that can do more than print.
fn is_capable() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !["", "dumb", "unknown", "emacs"].iter().any(|none| term == *none))
}
