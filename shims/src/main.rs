//! The commands that stand in the place of gcc, ar, ld and their like.
fn main() {}
