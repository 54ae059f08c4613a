//! Linker scripts, in each place where one may stand; after them the loader's configuration.
#![no_main]

use gg_models_fuzz::{Machine, parts};
use libfuzzer_sys::fuzz_target;

const CALLS: [&str; 5] = [
    "-T script -o out a.o",
    "-o out a.o script",
    "-o out a.o -L. -lx",
    "-o out a.o --version-script=script --dynamic-list=script",
    "-o out -T script",
];

fuzz_target!(|data: &[u8]| {
    let mut parts = parts(data);
    let Some((which, script)) = parts.next().and_then(<[u8]>::split_first) else { return };
    let mut machine = Machine::default();
    for name in ["/t/script", "/t/libx.so", "/usr/lib/liby.so"] {
        machine.file(name, script);
    }
    if let Some(conf) = parts.next() {
        machine.file("/etc/ld.so.conf", conf);
        machine.file("/etc/ld.so.conf.d/a.conf", conf);
    }
    let args = CALLS[usize::from(*which) % CALLS.len()].split(' ').map(str::as_bytes);
    let _ = machine.infer("ld", args);
});
