//! `CC=gg-cc make`: the real make, the real shims and a session of their own on small projects, held against plain make.

#[path = "dropin/again.rs"]
mod again;
#[path = "dropin/alone.rs"]
mod alone;
#[path = "dropin/bench.rs"]
mod bench;
#[path = "dropin/cut_off.rs"]
mod cut_off;
#[path = "dropin/directives.rs"]
mod directives;
#[path = "dropin/edited.rs"]
mod edited;
#[path = "dropin/failing.rs"]
mod failing;
#[path = "dropin/halt.rs"]
mod halt;
#[path = "dropin/killed.rs"]
mod killed;
#[path = "dropin/limits.rs"]
mod limits;
#[path = "dropin/telling.rs"]
mod telling;
#[path = "dropin/there.rs"]
mod there;
#[path = "dropin/times.rs"]
mod times;
#[path = "dropin/upgraded.rs"]
mod upgraded;
#[path = "dropin/varying.rs"]
mod varying;
