//! The `gg` command.
fn main() {}
