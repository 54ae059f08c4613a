//! The coordinator on engines that do nothing but what their thunks' arguments say, and on the local one.

mod cancel;
mod dynamic;
mod failure;
mod fake;
mod graph;
mod local;
mod memo;
mod progress;
mod scale;
