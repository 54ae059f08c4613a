//! The machine's processor, as far as a compiler resolves `-march=native` by it. A `GG_DIR` may be carried to another machine.
//!
//! Knows no options: whatever a call says, what is kept of it is kept for one processor.

use std::path::Path;

/// The lines of `/proc/cpuinfo` that are the same for all cores and at all times, on x86, Arm, POWER, RISC-V and s390x.
const LASTING: &[&str] = &[
    "vendor_id",
    "cpu family",
    "model",
    "model name",
    "stepping",
    "cache size",
    "flags",
    "Features",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "CPU revision",
    "cpu",
    "isa",
    "mmu",
    "features",
    "machine",
    "revision",
];

/// What identifies the processor of this machine; empty where the kernel tells nothing.
pub(crate) fn identity() -> Vec<u8> {
    of(&std::fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default()).into_bytes()
}

/// The lasting lines of every kind of core, each once: there may be large and small ones.
fn of(cpuinfo: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in cpuinfo.lines() {
        let lasting = line.split_once(':').is_some_and(|(name, _)| LASTING.contains(&name.trim()));
        if lasting && !kept.contains(&line) {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_moments_do_not_count_features_do() {
        let core = |number: u32, mhz: &str, flags: &str| {
            format!("processor\t: {number}\nmodel name\t: X\ncpu MHz\t\t: {mhz}\nflags\t\t: {flags}\n\n")
        };
        let one = of(&core(0, "800.1", "fpu sse"));
        assert_eq!(one, "model name\t: X\nflags\t\t: fpu sse");
        assert_eq!(of(&(core(0, "900.2", "fpu sse") + &core(1, "1.0", "fpu sse"))), one);
        assert_ne!(of(&core(0, "800.1", "fpu sse avx")), one);
        assert!(!identity().is_empty(), "this machine has a processor");
    }
}
