//! `gg-make`: the real make and the real tools on small projects, held against plain make.

#[path = "build/again.rs"]
mod again;
#[path = "build/bench.rs"]
mod bench;
#[path = "build/elsewhere.rs"]
mod elsewhere;
#[path = "build/failing.rs"]
mod failing;
#[path = "build/lazy.rs"]
mod lazy;
#[path = "build/makes_own.rs"]
mod makes_own;
#[path = "build/options.rs"]
mod options;
#[path = "build/places.rs"]
mod places;
#[path = "build/progress.rs"]
mod progress;
#[path = "build/pty.rs"]
mod pty;
#[path = "build/signals.rs"]
mod signals;
#[path = "build/together.rs"]
mod together;
#[path = "build/tools.rs"]
mod tools;
#[path = "build/vt.rs"]
mod vt;
