//! Sources and headers, in several languages.
#![no_main]

use gg_models_fuzz::{Machine, parts};
use libfuzzer_sys::fuzz_target;

const CALLS: [(&str, &str); 6] = [
    ("cc1", "-quiet a.c -o a.s -MD a.d -MQ a.o"),
    ("cc1plus", "-quiet a.cc -D X=1 -std=gnu++20 -o a.s -MMD a.d -MP"),
    ("cc1", "-quiet a.c -std=c99 -trigraphs -include b.h -o a.s"),
    ("cc1", "-E -quiet -lang-asm a.S -o a.s"),
    ("as", "a.s -o a.o"),
    ("cc1", "-E -quiet -M a.c -o a.d -MG"),
];

fuzz_target!(|data: &[u8]| {
    let mut parts = parts(data);
    let Some((which, source)) = parts.next().and_then(<[u8]>::split_first) else { return };
    let mut machine = Machine::default();
    for name in ["/t/a.c", "/t/a.cc", "/t/a.S", "/t/a.s"] {
        machine.file(name, source);
    }
    for (header, text) in ["/t/b.h", "/usr/include/b.h", "/t/inc/c.h"].into_iter().zip(parts) {
        machine.file(header, text);
    }
    let (tool, args) = CALLS[usize::from(*which) % CALLS.len()];
    let _ = machine.infer(tool, args.split(' ').map(str::as_bytes));
});
