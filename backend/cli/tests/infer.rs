//! `gg infer make` and then `gg force`, held against plain make at the same place.

#[path = "infer/bench.rs"]
mod bench;
#[path = "infer/between.rs"]
mod between;
#[path = "infer/chains.rs"]
mod chains;
#[path = "infer/executed.rs"]
mod executed;
#[path = "infer/failing.rs"]
mod failing;
#[path = "infer/missed.rs"]
mod missed;
#[path = "infer/moved.rs"]
mod moved;
#[path = "infer/places.rs"]
mod places;
#[path = "infer/read.rs"]
mod read;
#[path = "infer/targets.rs"]
mod targets;
