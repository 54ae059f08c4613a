//! The commands that stand in the place of gcc, ar, ld and their like: one executable, which acts by the name it is
//! called as.
//!
//! The entry is C's `main`: Rust's own start would ignore SIGPIPE and open closed descriptors, and the real tool is to
//! find both as the caller left them.
#![no_main]

// SAFETY: the name is C's entry and no other item of the program has it
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    gg_shims::run()
}
