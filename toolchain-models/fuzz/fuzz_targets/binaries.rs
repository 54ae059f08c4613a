//! Objects, archives, shared libraries, executables and the loader's cache, in each place where one may stand.
#![no_main]

use gg_models_fuzz::Machine;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    let mut machine = Machine::default();
    let (path, tool, args) = match which % 9 {
        0 => ("/usr/bin/ld", "ld", "a.o -o out"),
        1 => ("/t/a.o", "ld", "a.o -o out -L. -lx"),
        2 => ("/t/libx.so", "ld", "a.o -o out -L. -lx -rpath-link /t"),
        3 => ("/t/lib.a", "ld", "a.o -o out lib.a --whole-archive lib.a"),
        4 => ("/t/lib.a", "ar", "rcs lib.a a.o"),
        5 => ("/t/lib.a", "ranlib", "lib.a"),
        6 => ("/t/a.o", "strip", "a.o"),
        7 => ("/t/a.o", "objcopy", "-O binary a.o b"),
        _ => ("/etc/ld.so.cache", "ar", "rcs new.a a.o"),
    };
    machine.file(path, bytes);
    let _ = machine.infer(tool, args.split(' ').map(str::as_bytes));
});
