//! make, with the toolchain's commands as thunks.
//!
//! The entry is C's `main`: Rust's own start would ignore SIGPIPE and open closed descriptors, and make is to find both as
//! the caller left them.
#![no_main]

// SAFETY: the name is C's entry and no other item of the program has it
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    gg_make::run()
}
