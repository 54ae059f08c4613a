//! The scanner's list against the compiler's own, and against what a hidden header would change.

#[path = "support/live.rs"]
mod live;

use std::collections::BTreeSet;
use std::path::PathBuf;

use gg_models::Input;
use live::{Bench, clean};

fn files(inputs: &[Input]) -> BTreeSet<PathBuf> {
    inputs.iter().filter_map(|input| if let Input::File(path) = input { Some(clean(path)) } else { None }).collect()
}

/// The prerequisites that `-M` prints for the arguments.
fn listed(bench: &Bench, compiler: &str, args: &str) -> BTreeSet<PathBuf> {
    let native = bench.native(&format!("{compiler} -M {args}"));
    assert_eq!(native.status, Some(0), "{}", String::from_utf8_lossy(&native.stderr));
    let text = String::from_utf8(native.stdout).expect("plain names").replace("\\\n", " ");
    let (_, prerequisites) = text.split_once(": ").expect("a rule");
    prerequisites.split_whitespace().map(|name| clean(&bench.cwd.join(name))).collect()
}

#[track_caller]
fn covers(bench: &Bench, compiler: &str, args: &str) {
    let inference = bench.thunk(&format!("{compiler} {args} -c -o x.o"));
    let missing: Vec<_> = listed(bench, compiler, args).difference(&files(&inference.inputs)).cloned().collect();
    assert!(missing.is_empty(), "{args}: {missing:?}");
}

#[test]
fn the_c_library() {
    let headers = [
        "stdio.h",
        "stdlib.h",
        "string.h",
        "unistd.h",
        "errno.h",
        "math.h",
        "tgmath.h",
        "limits.h",
        "stdint.h",
        "inttypes.h",
        "signal.h",
        "pthread.h",
        "sys/stat.h",
        "sys/socket.h",
        "netinet/in.h",
        "fcntl.h",
        "time.h",
        "dirent.h",
        "sys/ioctl.h",
        "linux/types.h",
        "stdatomic.h",
        "immintrin.h",
    ];
    let source: String = headers.iter().map(|header| format!("#include <{header}>\n")).collect();
    let bench = Bench::new(&[("a.c", &source)]);
    for args in ["a.c", "-O2 a.c", "-D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -O2 a.c", "-std=c99 a.c", "-pthread -fopenmp a.c"]
    {
        covers(&bench, "gcc", args);
    }
}

#[test]
fn the_cxx_library() {
    let headers = [
        "algorithm",
        "any",
        "array",
        "atomic",
        "bitset",
        "chrono",
        "cmath",
        "complex",
        "condition_variable",
        "deque",
        "filesystem",
        "fstream",
        "functional",
        "future",
        "iomanip",
        "iostream",
        "list",
        "locale",
        "map",
        "memory",
        "mutex",
        "numeric",
        "optional",
        "random",
        "regex",
        "set",
        "shared_mutex",
        "sstream",
        "string",
        "string_view",
        "thread",
        "tuple",
        "unordered_map",
        "variant",
        "vector",
    ];
    let source: String = headers.iter().map(|header| format!("#include <{header}>\n")).collect();
    let bench = Bench::new(&[("a.cc", &source)]);
    for args in ["a.cc", "-std=c++20 -O2 a.cc", "-std=c++11 -D_GLIBCXX_DEBUG -w -fpermissive a.cc"] {
        if args.contains("c++11") {
            bench.write("a.cc", &source.replace("#include <any>\n", ""));
        }
        covers(&bench, "g++", args);
    }
}

#[test]
fn orders_of_the_search_path() {
    let bench = Bench::new(&[
        (
            "a.c",
            "#include <x.h>\n#include \"x.h\"\n#include \"y.h\"\n#if __has_include(\"z.h\")\n#include \"z.h\"\n#endif\nint a = X + Y;\n",
        ),
        ("one/x.h", "#define X 1\n"),
        ("two/x.h", "#include_next <x.h>\n"),
        ("three/x.h", "#include_next \"x.h\"\n"),
        ("quote/y.h", "#define Y 4\n#include \"inner/in.h\"\n"),
        ("quote/inner/in.h", "#include \"beside.h\"\n"),
        ("quote/inner/beside.h", ""),
        ("one/y.h", "#define Y 1\n"),
        ("three/z.h", "#define Z 5\n"),
    ]);
    for args in [
        "-Ione a.c -iquote quote",
        "-Itwo -Ione a.c",
        "-isystem one -I two -I three a.c",
        "-iquote two -iquote three -isystem one a.c",
        "-idirafter one -Ithree -I two a.c",
        "-Ione -isystem one -Itwo -I./one a.c",
        "-Itwo -Ithree/ -Ione/ a.c -iquote quote",
        "-nostdinc -Ione a.c",
        "-include quote/y.h -Ione a.c",
        "-imacros one/y.h -Itwo -Ione a.c",
        "-iprefix three/../ -iwithprefix one a.c",
        "-Ione --sysroot=/ a.c",
    ] {
        covers(&bench, "gcc", args);
        bench.agrees(&format!("gcc {args} -c -o x.o"));
    }
}

#[test]
fn what_was_not_found_was_looked_for() {
    let bench = Bench::new(&[
        ("a.c", "#include <x.h>\n#if __has_include(<maybe.h>)\n#include <maybe.h>\n#endif\n"),
        ("one/keep", ""),
        ("two/x.h", ""),
    ]);
    bench.thunk("gcc -Ione -Itwo -Inowhere -c a.c");
    let looked_up = bench.world.looked_up.borrow();
    for (path, there) in [
        ("one/x.h", false),
        ("two/x.h", true),
        ("one/maybe.h", false),
        ("two/maybe.h", false),
        ("nowhere", false),
        ("one", true),
    ] {
        assert_eq!(looked_up.get(&bench.cwd.join(path)), Some(&there), "{path}");
    }
    assert_eq!(looked_up.get(&PathBuf::from("/usr/include/maybe.h")), Some(&false));
}

#[test]
fn a_header_that_appears_changes_the_answer() {
    let bench = Bench::new(&[("a.c", "#include <x.h>\nint a = X;\n"), ("two/x.h", "#define X 2\n"), ("keep", "")]);
    let before = bench.agrees("gcc -Ione -Itwo -c a.c");
    bench.write("one/x.h", "#define X 1\n");
    let after = bench.agrees("gcc -Ione -Itwo -c a.c");
    assert!(!files(&before.inputs).contains(&bench.cwd.join("one/x.h")));
    assert!(files(&after.inputs).contains(&bench.cwd.join("one/x.h")));
}

#[test]
fn computed_includes_are_asked_for() {
    let bench = Bench::new(&[
        ("a.c", "#define PICK(x) <x>\n#define NAME PICK(sub/picked.h)\n#include NAME\nint a = PICKED;\n"),
        ("one/keep", ""),
        ("two/sub/picked.h", "#include \"inner.h\"\n#define PICKED INNER\n"),
        ("two/sub/inner.h", "#define INNER 7\n"),
    ]);
    covers(&bench, "gcc", "-Ione -Itwo a.c");
    bench.agrees("gcc -Ione -Itwo -c a.c");
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("one/sub/picked.h")), Some(&false));
}

#[test]
fn includes_by_a_macros_name_are_followed_without_asking() {
    let bench = Bench::new(&[
        (
            "a.c",
            "#include \"names.h\"\n#include SUB_PICKED_H\n#ifdef ABSENT_H\n#include ABSENT_H\n#endif\n#include BY_OPTION\nint a = PICKED + OPTION;\n",
        ),
        (
            "names.h",
            "#ifdef OTHER\n#define SUB_PICKED_H <sub/other.h>\n#else\n#define SUB_PICKED_H <sub/picked.h>\n#endif\n",
        ),
        ("one/keep", ""),
        ("two/sub/picked.h", "#define INNER_H \"inner.h\"\n#include INNER_H\n#define PICKED INNER\n"),
        ("two/sub/other.h", "#define PICKED 8\n"),
        ("two/sub/inner.h", "#define INNER 7\n"),
        ("option.h", "#define OPTION 1\n"),
    ]);
    let args = "-Ione -Itwo -DBY_OPTION='\"option.h\"' a.c";
    covers(&bench, "gcc", args);
    bench.agrees(&format!("gcc {args} -c -o x.o"));
    bench.agrees(&format!("gcc -DOTHER {args} -c -o x.o"));
    let asked = |argv: &Vec<std::ffi::OsString>| argv.iter().any(|arg| arg == "-M");
    assert!(!bench.world.runs.borrow().iter().any(asked));
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("one/sub/picked.h")), Some(&false));
    bench.write("two/sub/picked.h.gch", "");
    bench.write("a.c", "#define H <sub/picked.h>\n#include H\nint a = PICKED;\n");
    let precompiled = gg_models::Input::File(bench.cwd.join("two/sub/picked.h.gch"));
    assert!(bench.agrees("gcc -Winvalid-pch -Itwo -c a.c").inputs.contains(&precompiled));
    // What stands between the brackets is expanded.
    bench.write("a.c", "#define sub one\n#define H <sub/x.h>\n#include H\nint a = X;\n");
    bench.write("one/x.h", "#define X 3\n");
    bench.agrees("gcc -I. -c a.c");
    assert!(!bench.world.runs.borrow().iter().any(asked));
}

#[test]
fn links_and_dots() {
    let bench = Bench::new(&[
        ("a.c", "#include \"inc/../inc/x.h\"\n#include <y.h>\nint a = X + Y;\n"),
        ("real/x.h", "#define X 1\n#include \"./y.h\"\n"),
        ("real/y.h", "#ifndef Y\n#define Y 2\n#endif\n"),
    ]);
    std::os::unix::fs::symlink("real", bench.cwd.join("inc")).expect("make a link");
    bench.agrees("gcc -g -Iinc -c a.c");
    bench.agrees("gcc -I./real/../inc -MD -c a.c");
}

/// The compiler warns of it in every compilation, and the assembler stops at it.
#[test]
fn files_for_directories_and_directories_for_files() {
    let bench = Bench::new(&[("a.c", "int a;\n"), ("file", ""), ("one/b", ""), ("a.s", ".incbin \"b\"\n")]);
    for option in ["-I", "-isystem ", "-iquote ", "-idirafter "] {
        for command in [format!("gcc {option}file -c a.c"), format!("gcc {option}file -Werror -c a.c")] {
            assert_eq!(bench.reason(&command), "input", "{command}");
            assert!(String::from_utf8_lossy(&bench.native(&command).stderr).contains("not a directory"), "{command}");
        }
        bench.agrees(&format!("gcc {option}nothing -c a.c"));
    }
    std::fs::create_dir_all(bench.cwd.join("two/b")).expect("make directories");
    bench.agrees("as -I one -I two a.s -o a.o");
    assert_eq!(bench.reason("as -I two -I one a.s -o a.o"), "input");
    assert_ne!(bench.native("as -I two -I one a.s -o a.o").status, Some(0));
    assert_eq!(bench.with("CPATH", "file").reason("gcc -c a.c"), "input");
}

#[test]
fn files_in_inline_assembly() {
    let bench = Bench::new(&[
        ("a.c", "asm(\".data\\nblob: .incbin \\\"blob.bin\\\"\\n.text\\n\");\n"),
        ("b.s", "\t.include \"part.inc\"\n\t.section .note.GNU-stack,\"\",@progbits\n"),
        ("inc/part.inc", "\t.data\n\t.incbin \"blob.bin\", 1\n"),
        ("blob.bin", "some bytes"),
        ("c.c", "#define S(x) #x\nasm(\".incbin \" S(blob.bin));\n"),
    ]);
    bench.agrees("gcc -c a.c");
    bench.agrees("gcc -Wa,-Iinc -c b.s");
    bench.agrees("as -Iinc b.s -o b.o");
    assert_eq!(bench.reason("gcc -c c.c"), "footprint");
}

#[test]
fn times_of_files() {
    let bench = Bench::new(&[("a.c", "const char *t = __TIMESTAMP__;\n"), ("b.c", "")]);
    assert!(bench.agrees("gcc -c a.c").timestamps);
    assert!(!bench.thunk("gcc -c b.c").timestamps);
}

#[test]
fn nothing_is_asked_twice() {
    let bench = Bench::new(&[("a.c", "#include <stdio.h>\n")]);
    bench.thunk("gcc -c a.c");
    let first = bench.world.runs.borrow().len();
    bench.thunk("gcc -c a.c");
    let again = bench.world.runs.borrow().len() - first;
    // Its plan, its search path, what it defines.
    assert!(first <= 3 && again == 0, "{first} runs, then {again}");
}
