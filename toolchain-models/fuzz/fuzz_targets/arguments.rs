//! Command lines of every tool, a word a line; after the first the plan that the driver is said to have.
#![no_main]

use gg_models_fuzz::{Machine, PLAN, parts};
use libfuzzer_sys::fuzz_target;

const TOOLS: [&str; 14] =
    ["gcc", "g++", "cpp", "cc1", "cc1plus", "as", "ld", "ar", "ranlib", "strip", "objcopy", "nm", "gcc-ar", "dwp"];

fuzz_target!(|data: &[u8]| {
    let mut parts = parts(data);
    let Some((tool, args)) = parts.next().and_then(<[u8]>::split_first) else { return };
    let mut machine = Machine::default();
    machine.plan(parts.next().unwrap_or(PLAN));
    // a response file, too
    machine.file("/t/r", parts.next().unwrap_or(b"-O2 a.c"));
    let _ = machine.infer(TOOLS[usize::from(*tool) % TOOLS.len()], args.split(|byte| *byte == b'\n'));
});
