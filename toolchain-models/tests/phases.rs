//! Precompiled headers, link-time optimization, the clock, the assembler's own files, kinds of links: each against the real gcc.

#[path = "support/live.rs"]
mod live;

use std::path::Path;

use gg_models::{Inference, Input};
use live::{Bench, Compared, Sealed};

fn reads(inference: &Inference, path: impl AsRef<Path>) -> bool {
    inference.inputs.contains(&Input::File(path.as_ref().to_owned()))
}

fn value<'a>(inference: &'a Inference, name: &str) -> Option<&'a [u8]> {
    inference.env.get(name.as_bytes()).map(Vec::as_slice)
}

const CLOCK: &str = "const char *now = __DATE__ \" \" __TIME__;\n";

/// Holds a thunk with the time in it against the real tool, within the same second.
fn tells_the_time(bench: &Bench, command: &str, pasted: bool) {
    for _ in 0..100 {
        let before = bench.native(command).written;
        let inference = bench.thunk(command);
        // What is pasted may be a file's own time, too.
        assert!(inference.momentary && inference.timestamps == pasted, "{command}");
        let sealed = Sealed::run(&inference);
        assert_eq!(sealed.status, Some(0), "{command}: {}", String::from_utf8_lossy(&sealed.stderr));
        let after = bench.native(command).written;
        if before == after {
            for (path, native) in &after {
                assert_eq!(sealed.made(path).as_ref(), Some(native), "{command}: {}", path.display());
            }
            return;
        }
    }
    panic!("{command}: no two runs within one second");
}

#[test]
fn the_clock_is_local() {
    let files = [("a.c", CLOCK), ("b.c", "const char *b = __TIME__;\n"), ("h.c", "#include \"h.h\"\n"), ("h.h", CLOCK)];
    for zone in [None, Some("XYZ-5:45"), Some("EST5EDT"), Some(":America/New_York"), Some("Asia/Kathmandu"), Some("")] {
        let bench = Bench::new(&files);
        let bench = match zone {
            None => bench,
            Some(zone) => bench.with("TZ", zone),
        };
        tells_the_time(&bench, "gcc -c a.c", false);
        let told = value(&bench.thunk("gcc -c a.c"), "TZ").map(|told| told.to_vec());
        assert_eq!(told, zone.map(|zone| zone.as_bytes().to_vec()));
    }
    let bench = Bench::new(&files);
    for command in ["gcc -S a.c b.c", "gcc -E a.c -o a.i", "g++ -c h.c", "gcc -Wdate-time -c h.c"] {
        tells_the_time(&bench, command, false);
    }
}

/// Names that tell the time need not stand anywhere.
#[test]
fn a_clock_that_is_pasted() {
    let bench = Bench::new(&[
        ("m.h", "#define M(x) __##x##__\n#define P(a, b) a ## b\n#define Q(a, b) P(a, b)\n"),
        ("a.c", "#include \"m.h\"\nconst char d[] = M(DATE) \" \" M(TIME);\n"),
        ("b.c", "#include \"m.h\"\nconst char d[] = P(__TI, ME__);\n"),
        ("c.c", "#define P(a, b) a %:%: b\nconst char d[] = P(__TI, ME__);\n"),
        ("d.c", "#include \"m.h\"\nconst char d[] = Q(Q(__, TIME), __);\n"),
        ("e.c", "const char d[] = N;\n"),
        ("f.c", "#include \"m.h\"\nconst char d[] = M(TIMESTAMP);\n"),
        ("g.c", "#include <math.h>\n#include \"m.h\"\nenum { T, I, E, N };\n"),
        ("h.c", "#include <math.h>\n#define C(a, b) a ## b\nenum { TIME, DATE, C(x, y) };\n"),
        ("i.c", "#define _GNU_SOURCE\n#include <sys/socket.h>\nenum { TIME, ME, DATE };\n"),
    ]);
    let stamp = std::fs::File::options().write(true).open(bench.cwd.join("f.c")).expect("open a source");
    stamp.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).expect("set its time");
    for option in ["", "-std=c++20 "] {
        for source in ["a.c", "b.c", "c.c", "d.c", "'-DP(a,b)=a##b' '-DN=P(__DATE,__)' e.c"] {
            tells_the_time(&bench, &format!("gcc -w {option}-c {source}"), true);
        }
        assert!(bench.agrees(&format!("gcc -w {option}-c f.c")).timestamps);
        // The scan that takes in every word finds some letters in the headers.
        for source in if option.is_empty() { &["g.c", "h.c"][..] } else { &["h.c"] } {
            let inference = bench.agrees(&format!("gcc -w {option}-c {source}"));
            assert!(!inference.momentary && !inference.timestamps, "{option}{source}");
        }
    }
    // A header of the system's pastes `__##type##__`, for itself.
    assert!(!bench.agrees("gcc -c i.c").momentary);
}

#[test]
fn a_given_time_is_no_moment() {
    let bench = Bench::new(&[("a.c", CLOCK)]).with("SOURCE_DATE_EPOCH", "1000000000").with("TZ", "XYZ-5:45");
    assert!(!bench.agrees("gcc -c a.c").momentary);
}

#[test]
fn a_files_own_time_is_local() {
    for zone in [None, Some("XYZ-5:45"), Some("America/New_York"), Some("EST5EDT"), Some(""), Some(":nowhere")] {
        let bench = Bench::new(&[
            ("a.c", "#include \"h.h\"\nconst char *a = __TIMESTAMP__;\n"),
            ("h.h", "const char *h = __TIMESTAMP__;\n"),
        ]);
        let bench = match zone {
            None => bench,
            Some(zone) => bench.with("TZ", zone),
        };
        for (name, seconds) in [("a.c", 1_000_000_000), ("h.h", 1_720_000_000)] {
            let file = std::fs::File::options().write(true).open(bench.cwd.join(name)).expect("open a source");
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).expect("set its time");
        }
        let inference = bench.agrees("gcc -c a.c");
        assert!(inference.timestamps && !inference.momentary);
    }
    let bench = Bench::new(&[("a.c", "const char *a = __TIMESTAMP__;\n")]).with("TZDIR", "/somewhere");
    assert_eq!(bench.reason("gcc -c a.c"), "environment");
}

#[test]
fn whether_a_file_is_newer() {
    let bench = Bench::new(&[
        ("a.c", "#pragma GCC dependency \"b.h\"\n"),
        ("b.h", ""),
        ("c.c", "_Pragma(\"GCC dependency \\\"b.h\\\"\")\n"),
    ]);
    assert_eq!(bench.reason("gcc -c a.c"), "times");
    assert_eq!(bench.reason("gcc -c c.c"), "times");
}

const HEADER: &str = "#include <stdio.h>\n#include \"deep/inner.h\"\n#define ANSWER 42\nstatic inline int twice(int x) { return 2 * x; }\n";

fn precompiled() -> Bench {
    Bench::new(&[
        ("pre.h", HEADER),
        ("deep/inner.h", "#define INNER 7\nint inner(void);\n"),
        (
            "use.c",
            "#include \"pre.h\"\n#include \"late.h\"\nint main(void) { printf(\"%d\", twice(ANSWER) + INNER); return LATE; }\n",
        ),
        ("late.h", "#define LATE 3\n"),
        ("first.c", "#include \"late.h\"\n#include \"pre.h\"\nint f = ANSWER;\n"),
        ("plain.c", "int plain = ANSWER;\n"),
        ("clash.c", "#include \"pre.h\"\nlong inner(void);\n"),
        ("plus.hpp", "#include <vector>\ntemplate <typename T> T id(T x) { return x; }\n"),
        ("plus.cc", "#include \"plus.hpp\"\nint f() { return id(3) + (int)std::vector<int>(4).size(); }\n"),
        ("other/keep", ""),
    ])
}

#[test]
fn precompiled_headers_are_made() {
    let bench = precompiled();
    for (command, made) in [
        ("gcc pre.h", "pre.h.gch"),
        // again, over what is there
        ("gcc pre.h", "pre.h.gch"),
        ("gcc -c pre.h -o other/pre.h.gch", "other/pre.h.gch"),
        ("gcc -O2 -g -Wall -x c-header pre.h -o other/o2.h.gch", "other/o2.h.gch"),
        ("g++ -O1 -x c++-header plus.hpp", "plus.hpp.gch"),
        ("g++ -MD -MF other/plus.d plus.hpp", "plus.hpp.gch"),
    ] {
        let inference = bench.agrees_but(command, &[made]);
        assert!(!reads(&inference, bench.cwd.join(made)), "{command}");
    }
}

/// Makes a precompiled header by its thunk and puts it in its place.
fn place(bench: &Bench, command: &str, name: &str) {
    let sealed = Sealed::run(&bench.thunk(command));
    let (bytes, _) = sealed.made(&bench.cwd.join(name)).expect("a precompiled header");
    std::fs::write(bench.cwd.join(name), bytes).expect("place it");
}

#[test]
fn precompiled_headers_are_used() {
    let bench = precompiled();
    place(&bench, "gcc -O1 pre.h", "pre.h.gch");
    let native = bench.native("gcc -O1 -H -Winvalid-pch -c use.c");
    assert!(native.stderr.starts_with(b"! pre.h.gch\n"), "{}", String::from_utf8_lossy(&native.stderr));
    for command in [
        "gcc -O1 -c use.c",
        "gcc -O1 -H -c use.c",
        "gcc -O1 -MD -c use.c",
        "gcc -O1 -MD -fpch-deps -c use.c",
        "gcc -O1 -S use.c",
        "gcc -O1 -include pre.h -c plain.c",
        "gcc -O1 -save-temps -c use.c",
        // not as it was made
        "gcc -O2 -Winvalid-pch -H -c use.c",
        "gcc -O1 -g -Winvalid-pch -c use.c",
        "gcc -O1 -DANSWER=1 -Winvalid-pch -c use.c",
        "g++ -O1 -Winvalid-pch -x c++ -c use.c",
    ] {
        let inference = bench.agrees(command);
        assert!(reads(&inference, bench.cwd.join("pre.h.gch")), "{command}");
        assert!(reads(&inference, bench.cwd.join("deep/inner.h")), "{command}");
    }
    assert_eq!(bench.reason("gcc -O1 -c clash.c"), "a thunk");
    let sealed = Sealed::run(&bench.thunk("gcc -O1 -c clash.c"));
    let native = bench.native("gcc -O1 -c clash.c");
    assert_eq!(native.status, Some(1));
    // The message quotes the header that was precompiled.
    assert_eq!(String::from_utf8_lossy(&sealed.stderr), String::from_utf8_lossy(&native.stderr));
    for command in ["gcc -O1 -E use.c -o use.i", "gcc -O1 -M use.c", "gcc -O1 -no-integrated-cpp -c use.c"] {
        assert!(!reads(&bench.agrees(command), bench.cwd.join("pre.h.gch")), "{command}");
    }
    place(&bench, "g++ -O2 plus.hpp", "plus.hpp.gch");
    bench.agrees("g++ -O2 -H -Winvalid-pch -c plus.cc");
}

#[test]
fn a_precompiled_header_of_another_making() {
    let bench = Bench::new(&[
        ("a.c", "#include \"pre.h\"\n#include NEXT\n#include \"guarded.h\"\nint a = A + GUARDED;\n"),
        ("pre.h", "#define NEXT \"next.h\"\n"),
        ("next.h", "#define A 1\n"),
        ("guarded.h", "#if __has_include(\"hidden.h\")\n#define GUARDED 1\n#else\n#define GUARDED 2\n#endif\n"),
    ]);
    assert_eq!(bench.native("gcc pre.h").status, Some(0));
    assert!(reads(&bench.agrees("gcc -H -c a.c"), bench.cwd.join("next.h")));
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("hidden.h")), Some(&false));
    // older than its header: what it defines is not what the header says
    let header = std::fs::File::options().write(true).open(bench.cwd.join("pre.h")).expect("open the header");
    header.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(3600)).expect("set its time");
    assert_eq!(bench.reason("gcc -c a.c"), "pch");
}

#[test]
fn a_directory_of_precompiled_headers() {
    let bench = precompiled();
    std::fs::create_dir(bench.cwd.join("pre.h.gch")).expect("make a directory");
    assert_eq!(bench.reason("gcc -c use.c"), "pch");
    assert_eq!(bench.native("gcc pre.h -o pre.h.gch/one").status, Some(0));
    assert!(reads(&bench.agrees("gcc -H -c use.c"), bench.cwd.join("pre.h.gch/one")));
    assert_eq!(bench.native("gcc -O2 pre.h -o pre.h.gch/two").status, Some(0));
    assert_eq!(bench.reason("gcc -c use.c"), "pch");
}

fn parts() -> Bench {
    Bench::new(&[
        (
            "main.c",
            "#include <stdio.h>\nint one(int), two(int);\nint main(int n, char **v) { printf(\"%d %s\\n\", one(n) + two(n), v[0]); return 0; }\n",
        ),
        ("one.c", "static int helper(int x) { return x * 3; }\nint one(int x) { return helper(x) + 1; }\n"),
        ("two.c", "static int helper(int x) { return x * 5; }\nint two(int x) { return helper(x) + 2; }\n"),
        ("plus.cc", "#include <string>\nextern \"C\" int two(int x) { return (int)std::to_string(x).size(); }\n"),
        ("plain.s", "\t.globl plain\nplain:\tret\n\t.section .note.GNU-stack,\"\",@progbits\n"),
    ])
}

#[test]
fn intermediate_code_is_compiled() {
    let bench = parts();
    for (command, varying) in [
        ("gcc -O2 -flto -c one.c", &["one.o"][..]),
        ("gcc -O2 -flto=auto -ffat-lto-objects -c one.c two.c", &["one.o", "two.o"]),
        ("gcc -O2 -flto -S one.c", &["one.s"]),
        ("gcc -O2 -flto -frandom-seed=one.c -c one.c", &[]),
        ("gcc -O2 -flto -g -frandom-seed=1 -ffat-lto-objects -c two.c", &[]),
        ("gcc -O2 -flto -fno-lto -c one.c", &[]),
        // they are kept with the code
        ("gcc -O2 -flto -frandom-seed=1 -Wa,--noexecstack,-L -Xassembler -W -c one.c", &[]),
        ("gcc -O2 -flto -no-integrated-cpp -c one.c", &["one.o"]),
        ("gcc -O2 -flto -save-temps -c one.c", &["one.o", "one.s"]),
        ("gcc --coverage -c one.c", &["one.o", "one.gcno"]),
        ("gcc -ftest-coverage -c one.c", &["one.gcno"]),
        ("gcc -fprofile-generate -c one.c two.c", &["one.o", "two.o"]),
    ] {
        bench.agrees_but(command, varying);
    }
}

#[test]
fn intermediate_code_is_linked() {
    // make takes over all of the locale
    let bench = parts().with("LANG", "C.UTF-8");
    for (name, flags) in [("main", ""), ("one", "-fPIC"), ("two", "-fPIC -ffat-lto-objects -g")] {
        assert_eq!(bench.native(&format!("gcc -O2 -flto {flags} -c {name}.c")).status, Some(0));
    }
    assert_eq!(bench.native("gcc-ar rcs libparts.a one.o two.o").status, Some(0));
    for command in [
        "gcc -O2 -flto main.o one.o two.o -o prog",
        "gcc -O2 -flto=auto main.o one.o two.o -o prog",
        "gcc -O2 -flto=2 -flto-partition=max main.o one.o two.o -o prog",
        "gcc -O2 -flto -flto-partition=max main.o one.o two.o -o prog",
        "gcc -O2 -flto-partition=none -flto main.o one.o two.o -o prog",
        // the plugin is there without it, too
        "gcc main.o one.o two.o -o prog",
        "gcc -O2 -g -flto main.o -L. -lparts -o prog",
        "gcc -O2 -flto -shared one.o two.o -o libparts.so",
        "gcc -O2 -flto -static main.o one.o two.o -o prog",
        "gcc -O2 -flto -r -frandom-seed=1 one.o two.o -o both.o",
        "gcc -O2 -flto -r -flinker-output=nolto-rel one.o two.o -o both.o",
        "gcc -O2 -flto main.c one.c two.c -o prog",
        "g++ -O2 -flto=auto main.o one.o plus.cc -o prog",
        "gcc -O2 -flto=2 -flto-partition=max -fopenmp -pg main.c one.o two.c -o prog",
        "gcc -O2 -flto=auto -fsanitize=undefined main.c one.c two.c -o prog",
        "gcc -O1 -g -flto -static-pie -fPIE main.c one.c two.o -o prog",
        "gcc -O2 -fno-lto main.c two.o one.c -o prog",
        "gcc -O2 -flto -fuse-linker-plugin main.c plain.s one.c two.o -o prog",
    ] {
        bench.agrees(command);
    }
    bench.agrees_but("gcc -O2 -flto -r one.o two.o -o both.o", &["both.o"]);
    bench.agrees_but("gcc -O2 -flto=auto -fsanitize=address,undefined main.c one.c two.c -o prog", &["prog"]);
    for command in [
        "gcc -flto=jobserver main.o one.o two.o -o prog",
        "gcc -flto -march=native main.o one.o two.o -o prog",
        "gcc -flto -fno-use-linker-plugin main.o one.o two.o -o prog",
    ] {
        assert_eq!(bench.reason(command), "lto", "{command}");
    }
    assert_eq!(bench.reason("gcc -flto main.o one.o two.o -o prog -Wl,-Map,prog.map"), "unmodelled-option");
}

#[test]
fn assembler_listings() {
    let bench = parts();
    bench.write(
        "asm.s",
        "\t.data\n\t.include \"part.inc\"\n\t.incbin \"blob\"\n\t.section .note.GNU-stack,\"\",@progbits\n",
    );
    bench.write(
        "caps.s",
        "\t.data\n\t.INCLUDE \"part.inc\"\n\t.IncBin \"blob\"\n\t.section .note.GNU-stack,\"\",@progbits\n",
    );
    bench.write("caps.c", "#define CAPS asm(\".INCBIN \\\"inc/blob\\\"\")\nCAPS;\n");
    bench.write(
        "cpp.S",
        "#include \"inc/part.inc\"\n\t.data\n\t.INCBIN \"blob\"\n\t.section .note.GNU-stack,\"\",@progbits\n",
    );
    bench.write("inc/part.inc", "\t.long 5\n");
    bench.write("inc/blob", "bytes");
    bench.write("told.s", "\t.file \"told.c\"\n\t.text\nf:\tret\n");
    for command in [
        "gcc -Wa,-Iinc -c asm.s",
        "gcc -Wa,-Iinc,--MD,asm.d -c asm.s",
        "gcc -Wa,-Iinc,--gdwarf-5 -c asm.s",
        "gcc -Wa,-Iinc,-al=asm.lst -c asm.s",
        "gcc -Wa,-Iinc,-aln=asm.lst,--listing-lhs-width=2 -c asm.s",
        "gcc -Wa,-Iinc,-a -c asm.s",
        "gcc -Wa,-Iinc,-adhln=asm.lst -c asm.s",
        "gcc -Wa,-Iinc -c caps.s",
        "gcc -c caps.c",
        "gcc -g -Wa,-Iinc,-ahln=cpp.lst -c cpp.S",
        "as -Iinc -als=asm.lst asm.s -o asm.o",
        "as --MD asm.d -Iinc asm.s -o asm.o",
        "gcc -Wa,-al=told.lst -c told.s",
        // no page heads: no name of a temporary file
        "gcc -g -Wa,-adhln=one.lst -c one.c",
        "gcc -O2 -g -Wa,-ahln=main.lst -c main.c",
        "gcc -O2 -Wa,-aln -c two.c",
    ] {
        bench.agrees(command);
    }
    for command in ["gcc -Wa,-ag=x.lst,-Iinc -c asm.s", "gcc -Wa,-Iinc,-aq=x -c asm.s"] {
        assert_eq!(bench.reason(command), "unmodelled-option", "{command}");
    }
    for command in ["gcc -pipe -g -Iinc -Wa,-Iinc -c cpp.S", "gcc -pipe -P -Wa,-Iinc -c cpp.S", "gcc -pipe -g -c one.c"]
    {
        bench.agrees(command);
    }
    // A pipe has another name than a file.
    for option in [
        "-Wa,-aln=one.lst -c one.c",
        "-P -g -c cpp.S",
        "-P -Wa,--gdwarf-4 -c cpp.S",
        "-Wa,-g -c one.c",
        "-ggdb0 -Wa,-g -c one.c",
        "-Wa,--gstabs -c cpp.S",
        "-g -Wa,--gstabs+ -c one.c",
    ] {
        assert_eq!(bench.reason(&format!("gcc -pipe -Wa,-Iinc {option}")), "unmodelled-option", "{option}");
    }
    assert_eq!(bench.reason("gcc -Wa,-ah=told.lst -c told.s"), "footprint");
    assert_eq!(bench.reason("gcc -g -ffile-prefix-map=/a=/b -Wa,-ah=one.lst -c one.c"), "footprint");
}

#[test]
fn links_of_all_kinds() {
    let bench = parts();
    bench.write("omp.c", "#include <omp.h>\nint main(void) { int n = 0;\n#pragma omp parallel reduction(+:n)\nn += omp_get_thread_num();\nreturn n; }\n");
    bench.write("start.c", "void _start(void) { for (;;); }\n");
    bench.write("thread.c", "#include <pthread.h>\nint main(void) { return !pthread_self(); }\n");
    for name in ["main", "one", "two", "omp", "start"] {
        assert_eq!(bench.native(&format!("gcc -fPIC -fopenmp -c {name}.c")).status, Some(0));
    }
    for command in [
        "gcc -fsanitize=address main.o one.o two.o -o prog",
        "gcc -fsanitize=undefined,thread main.o one.o two.o -o prog",
        "gcc -fsanitize=leak -static-liblsan main.o one.o two.o -o prog",
        "gcc -fsanitize=address -static-libasan main.c one.c two.c -o prog",
        "gcc -pg main.c one.o two.o -o prog",
        "gcc -fopenmp omp.o -o prog",
        "gcc -fopenmp -O2 omp.c -o prog",
        "gcc -pthread thread.c -o prog",
        "gcc -static main.o one.o two.o -o prog",
        "gcc -static-pie -fPIE main.c one.o two.o -o prog",
        "gcc -nostdlib start.o -o prog",
        "gcc -nostartfiles start.o -o prog",
        "gcc -nodefaultlibs start.o -o shared.so -shared",
        "gcc -r one.o two.o -o both.o",
        "gcc -shared one.o two.o -o libboth.so -Wl,-soname,libboth.so.1",
        "gcc -shared -static-libgcc one.o -o libone.so",
        "gcc -no-pie main.o one.o two.o -o prog -s",
        "gcc -pie -rdynamic main.o one.o two.o -o prog -Wl,--as-needed -lm",
        "gcc main.o one.o two.o -o prog -Wl,-Map,prog.map",
        "gcc main.o one.o two.o -o prog -Wl,-Map=prog.map,--cref",
        "gcc main.o one.o two.o -o prog -Wl,--dependency-file=prog.dep",
        "gcc main.o one.o two.o -o prog -Wl,--trace",
        "gcc main.o one.o two.o -o prog -Wl,--print-memory-usage",
        "gcc main.o one.o two.o -Xlinker --build-id=sha1 -z now -o prog",
        "g++ -x c++ thread.c -x none plus.cc -o prog",
        "g++ -static-libstdc++ main.o one.o plus.cc -o prog",
        "gcc main.c one.c two.c -o prog",
        "gcc -MD main.c one.c two.c",
        "gcc main.c one.o plain.s two.c -o prog",
        "gcc -x c main.c -x none one.o two.o -o prog",
        "gcc -B. main.o one.o two.o -o prog",
        "gcc -B/usr/bin main.o one.o two.o -o prog",
        "gcc -fuse-ld=bfd main.o one.o two.o -o prog",
        "gcc -S main.c one.c",
        "gcc -E main.c -o main.i",
        "gcc -c main.c one.c two.c",
        "gcc -g3 -Og -c main.c one.c",
    ] {
        bench.agrees(command);
    }
    assert_eq!(bench.reason("gcc -fuse-ld=mold main.o one.o two.o -o prog"), "unmodelled-option");
    for option in ["-Map=prog.map", "--dependency-file=prog.dep", "-t"] {
        // It would tell the name of a temporary object.
        let command = format!("gcc main.c one.o two.o -o prog -Wl,{option}");
        assert_eq!(bench.reason(&command), "unmodelled-option", "{command}");
    }
}

#[test]
fn other_linkers() {
    let bench = parts();
    assert_eq!(bench.native("gcc -fPIC -g -ffunction-sections -c main.c one.c two.c").status, Some(0));
    assert_eq!(bench.native("gcc -O2 -flto -c one.c -o one.lto.o").status, Some(0));
    assert_eq!(bench.native("ar rcs libboth.a one.o two.o").status, Some(0));
    assert_eq!(bench.native("gcc -shared one.o two.o -o libshared.so").status, Some(0));
    bench.write("exports", "{ global: main; local: *; };\n");
    bench.write("list", "{ main; };\n");
    bench.write("as/libboth.so/keep", "");
    bench.write("scripts/libx.so", "INPUT(one.o)\n");
    for linker in ["gold", "lld"] {
        for rest in [
            "main.o one.o two.o -o prog",
            "main.o -L. -lboth -lm",
            "main.o -L. -lshared -Wl,-rpath,'$ORIGIN' -o prog",
            "-shared one.o two.o -o libtwo.so",
            "-static main.o libboth.a -o prog",
            "-no-pie main.o one.o two.o -o prog",
            "-r one.o two.o -o both.o",
            "-nostdlib -shared one.o -o bare.so",
            "main.o one.o two.o -o prog -Wl,--gc-sections,--icf=all,--build-id,-O1,--as-needed -lm -ldl",
            "main.o one.o two.o -o prog -Wl,--version-script=exports -Wl,--dynamic-list=list",
            "main.o -Wl,--whole-archive libboth.a -Wl,--no-whole-archive -z now -s -o prog",
            "main.o -Wl,-Bstatic -L. -lboth -Wl,-Bdynamic -o prog",
            "main.c one.c two.c -g -o prog",
            "-fopenmp -pthread main.o one.o two.o -o prog",
            "-fsanitize=address main.o one.o two.o -o prog",
        ] {
            bench.agrees(&format!("gcc -fuse-ld={linker} {rest}"));
        }
        bench.agrees(&format!("gcc -fuse-ld=bfd -fuse-ld={linker} main.o one.o two.o -o prog"));
        bench.agrees(&format!("g++ -fuse-ld={linker} main.o one.o plus.cc -o prog"));
        let reason = |rest: &str| bench.reason(&format!("gcc -fuse-ld={linker} {rest}"));
        assert_eq!(reason("main.o one.lto.o two.o"), "lto");
        assert_eq!(reason("main.o one.o two.o -Wl,-Map=prog.map"), "unmodelled-option");
        for rest in ["-Wl,-T,script.ld", "-Wl,-plugin-opt=save-temps", "-Wl,-v", "-Wl,-V", "-Wl,-fuse-ld=mold"] {
            assert_eq!(reason(&format!("main.o one.o two.o {rest}")), "unmodelled-option", "{rest}");
        }
        assert_eq!(reason("main.o -Las -lboth"), "input");
    }
    // Where linkers differ in what they take, both are there, and the linker itself decides.
    bench.write("apart/one.o", "");
    std::fs::copy(bench.cwd.join("two.o"), bench.cwd.join("apart/one.o")).expect("copy a file");
    std::fs::copy(bench.cwd.join("libshared.so"), bench.cwd.join("libboth.so")).expect("copy a file");
    for command in [
        "gcc -fuse-ld=gold main.o two.o -Lapart -L. -Lscripts -lx",
        "gcc -fuse-ld=lld main.o one.o -Lapart -L. -Lscripts -lx",
        "gcc -fuse-ld=gold -static main.o -Wl,-Bdynamic -L. -lboth",
        "gcc -fuse-ld=lld main.o -Wl,-Bstatic -L. -lboth -Wl,-Bdynamic",
        // They refuse a shared object there.
        "gcc -fuse-ld=gold -r main.o -L. -lboth -o all.o",
        "gcc -fuse-ld=lld -r main.o -L. -lboth -o all.o",
    ] {
        let compared = bench.compare(command).unwrap_or_else(|what| panic!("{command}: {what}"));
        assert!(!matches!(compared, Compared::Native(_)), "{command}");
    }
    bench.agrees("gcc -fuse-ld=lld -static-pie main.o libboth.a -o prog");
    let bench = bench.with("LLD_REPRODUCE", "all.tar");
    assert_eq!(bench.reason("gcc -fuse-ld=lld main.o one.o two.o -o prog"), "environment");
}

#[test]
fn what_a_link_begins_with_may_come_from_elsewhere() {
    let bench = parts();
    bench.write("first/keep", "");
    assert_eq!(bench.native("gcc -c main.c one.c two.c").status, Some(0));
    bench.agrees("gcc -Bfirst/ main.o one.o two.o -o prog");
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("first/crti.o")), Some(&false));
    let crti = bench.native("gcc -print-file-name=crti.o").stdout;
    let crti = String::from_utf8(crti).expect("a path");
    std::fs::copy(crti.trim_end(), bench.cwd.join("first/crti.o")).expect("copy a file");
    assert!(reads(&bench.agrees("gcc -Bfirst/ main.o one.o two.o -o prog"), bench.cwd.join("first/crti.o")));
    bench.write("uses.c", "#include <own.h>\nint own = OWN;\n");
    bench.write("first/include/own.h", "#define OWN 1\n");
    bench.agrees("gcc -Bfirst -c uses.c");
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("first/specs")), Some(&false));
    bench.write("first/specs", "*self_spec:\n+ %{!O*:-O3}\n");
    for command in ["gcc -Bfirst/ -c uses.c", "gcc -Bfirst/ main.c one.o two.o -o prog"] {
        let inference = bench.agrees(command);
        assert!(reads(&inference, bench.cwd.join("first/specs")), "{command}");
        assert!(inference.steps[0].argv.contains(&b"-O3".to_vec()), "{command}");
    }
    // Another linker than the model knows.
    std::os::unix::fs::symlink("/usr/bin/ld.gold", bench.cwd.join("first/ld")).expect("make a link");
    assert_eq!(bench.reason("gcc -Bfirst/ main.o one.o two.o -o prog"), "plan");
}

#[test]
fn specs() {
    let bench = parts();
    bench.write("plain.specs", "*self_spec:\n+ %{!O*:-O3}\n");
    bench.write("asks.specs", "*self_spec:\n+ %{!O*:%:if-exists(-O3)}\n");
    let path = |name: &str| bench.cwd.join(name).display().to_string();
    let command = format!("gcc -specs={} -c one.c", path("plain.specs"));
    let inference = bench.agrees(&command);
    assert!(reads(&inference, path("plain.specs")));
    assert!(inference.steps[0].argv.contains(&b"-O3".to_vec()));
    // What they say counts, not only how they are called.
    bench.write("plain.specs", "*self_spec:\n+ %{!O*:-O1}\n");
    assert!(bench.agrees(&command).steps[0].argv.contains(&b"-O1".to_vec()));
    bench.agrees(&format!("gcc -specs {} main.c one.c two.c -o prog", path("plain.specs")));
    for specs in ["plain.specs".to_owned(), path("asks.specs")] {
        assert_eq!(bench.reason(&format!("gcc -specs={specs} -c one.c")), "unmodelled-option", "{specs}");
    }
}
