//! What an inference rests on, where a second look at the same tree must give another answer than the first.

#[path = "support/live.rs"]
mod live;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gg_models::{Inference, Input, Verdict};
use live::Bench;

fn reads(inference: &Inference, path: PathBuf) -> bool {
    inference.inputs.contains(&Input::File(path))
}

#[test]
fn a_header_that_hides_a_computed_one() {
    let bench = Bench::new(&[
        ("a.c", "#define NAME <foo.h>\n#include NAME\nint a = FOO;\n"),
        ("a/keep", ""),
        ("b/foo.h", "#define FOO 1\n"),
    ]);
    for (dirs, hiding) in [("-Ia -Ib", "a/foo.h"), ("-I. -I./b", "foo.h"), ("-isystem a -isystem b", "a/foo.h")] {
        let command = format!("gcc {dirs} -c a.c");
        bench.agrees(&command);
        assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join(hiding)), Some(&false), "{command}");
        bench.write(hiding, "#define FOO 2\n");
        let after = bench.agrees(&command);
        let spelled = [bench.cwd.join(hiding), bench.cwd.join(".").join(hiding)];
        assert!(spelled.into_iter().any(|path| reads(&after, path)), "{command}");
        std::fs::remove_file(bench.cwd.join(hiding)).expect("remove a header");
        bench.world.looked_up.borrow_mut().clear();
    }
}

#[test]
fn a_header_that_hides_a_computed_one_beside_its_includer() {
    let bench = Bench::new(&[
        ("a.c", "#include \"sub/by.h\"\nint a = FOO;\n"),
        ("sub/by.h", "#define NAME \"foo.h\"\n#include NAME\n"),
        ("b/foo.h", "#define FOO 1\n"),
    ]);
    bench.agrees("gcc -Ib -c a.c");
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("sub/foo.h")), Some(&false));
    bench.write("sub/foo.h", "#define FOO 2\n");
    assert!(reads(&bench.agrees("gcc -Ib -c a.c"), bench.cwd.join("sub/foo.h")));
}

#[test]
fn files_that_are_read_once_are_told_apart_by_time() {
    let same = "#pragma once\nstatic int x;\n";
    let bench = Bench::new(&[
        ("a.c", "#include \"one/x.h\"\n#include \"two/x.h\"\n"),
        ("one/x.h", same),
        ("two/x.h", same),
        ("b.c", "#include \"one/x.h\"\n#include \"two/y.h\"\n"),
        ("two/y.h", "#pragma once\nstatic int y;\n"),
        ("c.c", "#import \"three/x.h\"\n#import \"four/x.h\"\n"),
        ("three/x.h", "extern int z;\n"),
        ("four/x.h", "extern int z;\n"),
        ("d.c", "#include \"three/x.h\"\n#include \"four/x.h\"\n"),
    ]);
    let time = |name: &str, seconds: u64| {
        let file = std::fs::File::options().write(true).open(bench.cwd.join(name)).expect("open a header");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).expect("set its time");
    };
    let reads_both = || {
        let native = bench.native("gcc -E a.c -o a.i");
        let text = String::from_utf8(native.written[&bench.cwd.join("a.i")].0.clone()).expect("plain text");
        text.matches("static int x;").count() == 2
    };
    // What makes the time count: gcc itself reads one of the two or both.
    time("one/x.h", 1_000_000_000);
    time("two/x.h", 1_000_000_000);
    assert!(!reads_both());
    time("two/x.h", 1_000_000_001);
    assert!(reads_both());
    assert!(bench.thunk("gcc -c a.c").timestamps);
    assert!(!bench.thunk("gcc -c b.c").timestamps);
    assert!(bench.thunk("gcc -w -c c.c").timestamps);
    assert!(!bench.thunk("gcc -c d.c").timestamps);
}

/// Names of one file may become two files; a symbolic link, or another spelling, is the same file as long as it stands.
#[test]
fn links_to_one_file_that_is_read_once() {
    let bench = Bench::new(&[
        ("a.c", "#include \"one/x.h\"\n#include \"two/x.h\"\n"),
        ("b.c", "#import \"one/y.h\"\n#import \"two/y.h\"\n"),
        ("c.c", "#include \"one/x.h\"\n#include \"two/../one/x.h\"\n#include \"one/s.h\"\n#include \"l/x.h\"\n"),
        ("d.c", "#include \"one/y.h\"\n#include \"two/y.h\"\n"),
        ("one/x.h", "#pragma once\n#ifdef ONE\nint two = 2;\n#else\n#define ONE\nint one = 1;\n#endif\n"),
        ("one/y.h", "extern int y;\n"),
        ("two/keep", ""),
    ]);
    for name in ["x.h", "y.h"] {
        let [one, two] = ["one", "two"].map(|dir| bench.cwd.join(dir).join(name));
        std::fs::hard_link(one, two).expect("link a header");
    }
    std::os::unix::fs::symlink("x.h", bench.cwd.join("one/s.h")).expect("link a header");
    std::os::unix::fs::symlink("one", bench.cwd.join("l")).expect("link a directory");
    // The exact scan, and the other one.
    for option in ["", " -std=c++20"] {
        let times = |source: &str| {
            let inference = bench.agrees(&format!("gcc -w{option} -c {source}"));
            assert_eq!(inference.unsure.is_empty(), option.is_empty(), "{option}");
            inference.timestamps
        };
        assert_eq!(["a.c", "b.c", "c.c", "d.c"].map(times), [true, true, false, false], "{option}");
    }
    let apart = |name: &str| {
        let script = format!("cp two/{name} t; touch -d '1 hour ago' t; mv t two/{name}");
        let done = std::process::Command::new("sh").args(["-ec", &script]).current_dir(&bench.cwd).status();
        assert!(done.expect("run sh").success());
    };
    let before = bench.native("gcc -S a.c").written;
    apart("x.h");
    assert_ne!(before, bench.native("gcc -S a.c").written);
    bench.agrees("gcc -c a.c");
}

#[test]
fn precompiled_headers_anywhere_on_the_way() {
    let bench = Bench::new(&[
        ("a.c", "#include <foo.h>\nint a = FOO;\n"),
        ("q.c", "#include \"foo.h\"\nint a = FOO;\n"),
        ("m.c", "#define NAME <foo.h>\n#include NAME\nint a = FOO;\n"),
        ("a/keep", ""),
        ("b/foo.h", "#define FOO 1\n"),
        ("c/foo.h", "#define FOO 2\n"),
    ]);
    let commands =
        ["gcc -Ia -Ib -c a.c", "gcc -Ia -Ib -c q.c", "gcc -Ia -Ib -c m.c", "gcc -Ia -Ib -include foo.h -c a.c"];
    for command in commands {
        bench.agrees(command);
        let looked_up = bench.world.looked_up.take();
        for path in ["a/foo.h.gch", "b/foo.h.gch"] {
            assert_eq!(looked_up.get(&bench.cwd.join(path)), Some(&false), "{command}: {path}");
        }
    }
    // gcc itself takes the one in `a`, where there is no such header.
    assert_eq!(bench.native("gcc c/foo.h -o a/foo.h.gch").status, Some(0));
    let native = bench.native("gcc -Ia -Ib -S a.c");
    let assembly = String::from_utf8_lossy(&native.written[&bench.cwd.join("a.s")].0).into_owned();
    assert!(assembly.contains(".long\t2"), "{assembly}");
    for command in commands {
        assert_eq!(bench.reason(command), "pch", "{command}");
    }
}

#[test]
fn paths_like_temporary_ones() {
    let bench = Bench::new(&[("args", "-I/tmp/gg0000"), ("a.c", ""), ("a.s", "")]);
    for command in
        ["gcc -c a.c -o /tmp/gg0000.o", "gcc -c @args a.c", "gcc -c -Wa,-I/tmp/gg1 a.c", "as a.s -o /tmp/gg2x"]
    {
        assert_eq!(bench.reason(command), "plan", "{command}");
    }
    bench.thunk("gcc -c a.c -o /tmp/ggx.o");
}

#[test]
fn paths_that_are_no_text() {
    let bench = Bench::new(&[
        ("a.s", ""),
        ("dep.c", "int dep(void) { return 0; }\n"),
        ("tool.c", "int dep(void);\nint main(void) { return dep(); }\n"),
    ]);
    assert_eq!(bench.native("gcc -shared -fPIC dep.c -o libdep.so").status, Some(0));
    assert_eq!(bench.native("gcc tool.c -L. -ldep -Wl,-rpath,$ORIGIN/. -o as").status, Some(0));
    for name in [&b"\xfe"[..], b"\xff"] {
        let dir = bench.cwd.join(OsStr::from_bytes(name));
        std::fs::create_dir(&dir).expect("make a directory");
        for file in ["as", "libdep.so"] {
            std::fs::copy(bench.cwd.join(file), dir.join(file)).expect("copy a file");
        }
        let run = std::process::Command::new(dir.join("as")).status().expect("run the tool");
        assert!(run.success(), "the loader itself finds the library");
        let mut request = bench.request("as a.s -o a.o");
        request.exe = dir.join("as");
        let Verdict::Thunk(inference) = bench.models.infer(&request, &bench.world) else {
            panic!("no thunk for {}", dir.display())
        };
        assert!(reads(&inference, dir.join("as")) && reads(&inference, dir.join("libdep.so")), "{inference:?}");
    }
}

#[test]
fn libraries_for_the_processor_where_the_caller_has_the_loader_search() {
    for below in ["glibc-hwcaps/x86-64-v2", "tls"] {
        let bench = Bench::new(&[("a.c", "int a;\n"), ("x/glibc-hwcaps/x86-64-v2/libother.so", "")]);
        let dir = bench.cwd.join("x");
        let bench = bench.with("LD_LIBRARY_PATH", &dir);
        bench.agrees("gcc -c a.c");
        let library = dir.join(below).join("libmpc.so.3");
        let looked_up = |path: &std::path::Path| bench.world.looked_up.borrow().get(path) == Some(&false);
        assert!(looked_up(&library) || looked_up(&dir.join(below)), "{below}");
        bench.write(library.to_str().expect("plain text"), "garbage");
        assert_ne!(bench.native("gcc -c a.c").status, Some(0), "{below}");
        assert_eq!(bench.reason("gcc -c a.c"), "environment", "{below}");
    }
}

/// In a mount name space of its own this has the loader's cache name such libraries.
#[test]
fn libraries_for_the_processor_in_the_loaders_cache() {
    const CACHE: &str = "/etc/ld.so.cache";
    let unshare = |words: &[&str]| {
        let mut unshare = std::process::Command::new("unshare");
        unshare.arg("-m").args(words);
        unshare
    };
    let Some(dir) = std::env::var_os("LIBRARIES") else {
        let bench = Bench::new(&[("conf", "include /etc/ld.so.conf\n")]);
        let own = std::env::current_exe().expect("the test itself");
        let script = "set -e; for v in 2 4; do mkdir -p lib/glibc-hwcaps/x86-64-v$v
            cp /usr/lib/x86_64-linux-gnu/libmpc.so.3 lib/glibc-hwcaps/x86-64-v$v; done
            pwd | sed 's,$,/lib,' >>conf; /sbin/ldconfig -X -f conf -C cache; mount --bind cache /etc/ld.so.cache
            LIBRARIES=$PWD exec \"$0\" --exact libraries_for_the_processor_in_the_loaders_cache";
        let status = unshare(&["sh", "-c", script]).arg(own).current_dir(&bench.cwd).status().expect("run unshare");
        assert!(status.success() || !unshare(&["true"]).status().expect("run unshare").success());
        return;
    };
    let bench = Bench::new(&[("a.c", "int a;\n")]);
    let inference = bench.agrees("gcc -c a.c");
    let dir = PathBuf::from(dir).join("lib/glibc-hwcaps");
    for path in [CACHE.into(), dir.join("x86-64-v2/libmpc.so.3"), dir.join("x86-64-v4/libmpc.so.3")] {
        assert!(reads(&inference, path), "{:?}", inference.inputs);
    }
    let bench = bench.with("LD_DEBUG", "libs");
    let said = String::from_utf8_lossy(&bench.native("gcc -c a.c").stderr).into_owned();
    assert!(said.contains(dir.to_str().expect("plain text")), "{said}");
}
