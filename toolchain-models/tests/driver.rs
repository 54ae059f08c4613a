//! The driver's model against the real gcc: outputs made in a root of the declared inputs alone are the native ones.

#[path = "support/live.rs"]
mod live;

use live::Bench;

const MAIN: &str = "#include <stdio.h>\n#include \"a.h\"\nint main(void) { printf(\"%d\\n\", A); return 0; }\n";

fn bench() -> Bench {
    Bench::new(&[
        ("main.c", MAIN),
        ("a.h", "#define A 1\n"),
        ("second.c", "int second(void) { return 2; }\n"),
        ("warn.c", "int f(int unused) { int x; return x; }\n"),
        ("sub/deep.c", "#include \"../a.h\"\n#include \"near.h\"\nint deep(void) { return A + NEAR; }\n"),
        ("sub/near.h", "#define NEAR 2\n"),
        ("inc/a.h", "#define A 3\n"),
        (
            "plus.cc",
            "#include <vector>\n#include <string>\nint size(const std::vector<std::string> &v) { return (int)v.size(); }\n",
        ),
        ("plain.s", "\t.text\n\t.globl plain\nplain:\n\tret\n\t.section .note.GNU-stack,\"\",@progbits\n"),
        (
            "cpp.S",
            "#include \"a.h\"\n\t.data\n\t.globl cpp\ncpp:\t.long A\n\t.section .note.GNU-stack,\"\",@progbits\n",
        ),
        ("obj/keep", ""),
    ])
}

#[test]
fn compiles() {
    let bench = bench();
    for command in [
        "gcc -c main.c",
        "gcc -c main.c -o obj/main.o",
        "gcc -O2 -g -Wall -Wextra -c main.c -o main.o",
        "gcc -O2 -Wall -Wextra -c warn.c",
        "gcc -std=gnu99 -pedantic -W -DX='a b' -D 'Y=\"q\"' -UZ -c main.c",
        "gcc -pipe -fPIC -pthread -c main.c second.c",
        "gcc -march=native -O3 -c second.c",
        "gcc -m32 -c second.c",
        "gcc -c sub/deep.c",
        "gcc -g -c sub/../sub/deep.c -o obj/deep.o",
        "gcc -Iinc -I nowhere -c main.c",
        "gcc -iquote inc -isystem /usr/include -idirafter inc -c sub/deep.c",
        "gcc -include a.h -imacros inc/a.h -c second.c",
        "gcc -Wmissing-include-dirs -Inowhere -Iinc -c second.c",
        "gcc -S main.c",
        "gcc -S -g -O1 main.c -o obj/main.s",
        "gcc -E main.c -o main.i",
        "gcc -E -dM main.c -o obj/macros",
        "gcc -c plain.s",
        "gcc -g -c cpp.S -o cpp.o",
        "gcc -c -x assembler-with-cpp -DQ cpp.S",
        "gcc -x c -c main.c -o main.o",
        "g++ -x c++ -c second.c",
        "g++ -O1 -g -std=c++17 -c plus.cc",
        "gcc -c main.c -fsanitize=address,undefined -g3",
        "gcc -Wa,--noexecstack -c second.c",
        "gcc -g -gz -c second.c",
        "gcc -ffreestanding -nostdinc -c second.c",
        "gcc -fdiagnostics-color=always -Wall -Wextra -c warn.c",
        "x86_64-linux-gnu-gcc-12 -c second.c",
        "cpp main.c -o cpp.i",
        "cpp main.c cpp.i",
    ] {
        if command.contains("-m32") && bench.native(command).status != Some(0) {
            continue;
        }
        bench.agrees(command);
    }
}

/// A compiler of which nothing is kept in the tables: its macros, directories, options and programs are its own.
#[test]
fn another_machines() {
    let bench = bench();
    for command in [
        "aarch64-linux-gnu-gcc -O2 -g -Wall -MD -c main.c",
        "aarch64-linux-gnu-gcc -O2 -fPIC -c second.c",
        "aarch64-linux-gnu-gcc -mcpu=cortex-a53 -mfix-cortex-a53-843419 -mabi=lp64 -c sub/deep.c",
        "aarch64-linux-gnu-gcc -S warn.c -Wextra",
        "aarch64-linux-gnu-gcc -c -x assembler-with-cpp cpp.S",
    ] {
        bench.agrees(command);
    }
    for command in [
        "aarch64-linux-gnu-gcc -c main.c",
        "aarch64-linux-gnu-gcc -fPIC -c second.c",
        "aarch64-linux-gnu-ar rcs libsecond.a second.o",
    ] {
        assert_eq!(bench.native(command).status, Some(0), "{command}");
    }
    for command in [
        "aarch64-linux-gnu-gcc main.o -L. -lsecond -lm -o prog",
        "aarch64-linux-gnu-gcc -static -mfix-cortex-a53-835769 main.o second.o -o prog",
        "aarch64-linux-gnu-gcc -shared second.o -o libsecond.so",
        "aarch64-linux-gnu-ld -r main.o second.o -o both.o",
        "aarch64-linux-gnu-ar rcs libboth.a main.o second.o",
        "aarch64-linux-gnu-strip -g main.o -o small.o",
        "aarch64-linux-gnu-objcopy -O binary main.o raw",
    ] {
        bench.agrees(command);
    }
}

#[test]
fn depfiles() {
    let bench = bench();
    for command in [
        "gcc -MD -c main.c",
        "gcc -MMD -MP -c main.c -o obj/main.o",
        "gcc -MD -MF obj/x.d -MT target -MQ 'a$b' -c sub/deep.c",
        "gcc -Wp,-MD,obj/y.d -c main.c",
        "gcc -Wp,-MMD,obj/.main.o.d -Wp,-MT,x -c main.c -o obj/main.o",
        "gcc -MMD -MF obj/x.d -Wp,-MMD,x.d -c main.c -o obj/main.o",
        "gcc -MMD -Wp,-MMD,x.d -Wp,-MF,obj/x.d -c main.c -o obj/main.o",
        "gcc -MMD -MF.deps -c main.c",
        "gcc -MD -E main.c -o main.i",
        "g++ -MD -c plus.cc",
        "gcc -M -MF only.d main.c",
        "gcc -MM main.c -o mm.d",
        "gcc -M main.c",
        "gcc -MM -MT x -MP main.c second.c",
    ] {
        bench.agrees(command);
    }
}

#[test]
fn links() {
    let bench = bench();
    for command in [
        "gcc main.c",
        "gcc main.c second.c -o prog -lm",
        "gcc -g -O2 -MD main.c -o obj/prog",
        "gcc -shared -fPIC second.c -o libsecond.so",
        "gcc -static main.c -o static",
        "gcc main.c plain.s cpp.S -o mixed",
    ] {
        bench.agrees(command);
    }
    bench.agrees("gcc -c main.c");
    bench.agrees("gcc main.o -L. -lsecond -o uses -Wl,-rpath,.");
}

#[test]
fn response_files() {
    let bench = bench();
    bench.write("args", "-c 'main.c'\n-DX=\"a b\" @more");
    bench.write("more", "-o obj/r.o");
    bench.agrees("gcc @args");
}

#[test]
fn environment() {
    let inc = |bench: &Bench| bench.cwd.join("inc");
    let first = bench();
    let path = inc(&first);
    let bench = first
        .with("C_INCLUDE_PATH", &path)
        .with("CPATH", "nowhere:inc")
        .with("LC_ALL", "C.UTF-8")
        .with("TMPDIR", "/var/tmp");
    bench.write("inc/other.h", "#define OTHER 1\n");
    bench.write("uses.c", "#include <other.h>\nint x = OTHER;\n");
    let inference = bench.agrees("gcc -Wall -c uses.c");
    assert!(inference.env.contains_key(&b"CPATH"[..]));
    bench.agrees("gcc -Wall -Wextra -c warn.c");
    for name in ["DEPENDENCIES_OUTPUT", "LD_PRELOAD", "GCONV_PATH"] {
        let bench = Bench::new(&[("a.c", "")]).with(name, "x");
        assert_eq!(bench.reason("gcc -c a.c"), "environment", "{name}");
    }
    let linked = "gcc -fuse-ld=lld -shared -nostdlib a.c -o a.so";
    for (name, command) in
        [("DEPENDENCIES_OUTPUT", "gcc -c a.c"), ("LLD_REPRODUCE", linked), ("SUNPRO_DEPENDENCIES", "gcc -c a.c")]
    {
        let bench = Bench::new(&[("a.c", "")]).with(name, "");
        assert_eq!((bench.native(command).status, bench.reason(command)), (Some(1), "environment"), "{name}");
    }
    let others = ["GCC_COMPARE_DEBUG", "LD_AUDIT", "LD_PRELOAD", "LLD_IN_TEST", "LLD_VERSION", "LOCPATH"];
    others.iter().fold(Bench::new(&[("a.c", "")]), |bench, name| bench.with(name, "")).agrees(linked);
    assert_eq!(Bench::new(&[("a.c", "")]).with("LANG", "de_DE.ISO-8859-1").reason("gcc -c a.c"), "locale");
}

#[test]
fn thunks_do_not_differ_by_what_is_not_read() {
    let bench = bench();
    let plain = bench.thunk("gcc -c main.c");
    let mut request = bench.request("gcc -c main.c");
    request.env.push(("MAKEFLAGS".into(), "-j2".into()));
    request.env.push(("SECRET_TOKEN".into(), "x".into()));
    request.env.push(("LANG".into(), "C".into()));
    let gg_models::Verdict::Thunk(other) = bench.models.infer(&request, &bench.world) else { panic!("no thunk") };
    assert_eq!((plain.env, plain.steps, plain.inputs), (other.env, other.steps, other.inputs));
}

#[test]
fn shapes() {
    let bench = bench();
    let shape = |command: &str| bench.thunk(command).shape;
    assert_eq!(shape("gcc -O2 -DA=1 -c main.c -o obj/x.o"), shape("gcc -O2 -DB=2 -c second.c -o obj/y.o"));
    assert_ne!(shape("gcc -O2 -c main.c"), shape("gcc -O1 -c main.c"));
    assert_ne!(shape("gcc -c main.c"), shape("gcc -c plain.s"));
}

#[test]
fn reasons() {
    let bench = bench();
    bench.write("conftest.c", "");
    bench.write("time.c", "const char *t = __TIME__;\n");
    bench.write("newer.c", "#pragma GCC dependency \"a.h\"\n");
    bench.write("pre.h.gch", "");
    bench.write("pre.c", "#include \"pre.h\"\n");
    bench.write("x.m", "");
    for (command, reason) in [
        ("gcc --version", "probe-version"),
        ("gcc -v", "probe-version"),
        ("gcc -v -c main.c", "unmodelled-option"),
        ("gcc -V", "probe-version"),
        ("gcc -qversion", "probe-version"),
        ("gcc -### -c main.c", "probe-print"),
        ("gcc -print-prog-name=ld", "probe-print"),
        ("gcc -dumpmachine", "probe-print"),
        ("gcc -c conftest.c", "probe-configure"),
        ("gcc -E main.c", "preprocess-to-stdout"),
        ("gcc -x c -c - -o a.o", "stdin"),
        ("gcc -S main.c -o -", "stdout"),
        ("gcc -c main.c -o /dev/null", "output-kind"),
        ("gcc -c main.c -o nowhere/main.o", "output-kind"),
        ("gcc -c missing.c", "input"),
        ("gcc", "usage"),
        ("gcc -c main.c plain.o -o x.o", "usage"),
        ("gcc -qmystery -c main.c", "unknown-option"),
        ("gcc -fnot-an-option -c main.c", "unknown-option"),
        ("gcc -fno-stack-usage -c main.c", "usage"),
        ("gcc -flto-report -flto -c main.c", "lto"),
        ("gcc -fpreprocessed -fdirectives-only -c main.c", "unmodelled-option"),
        ("gcc -Wp,-fdump-tree-all -c main.c", "unmodelled-option"),
        ("gcc -Wa,-ag=list -c main.c", "unmodelled-option"),
        ("gcc -specs=x -c main.c", "unmodelled-option"),
        ("gcc -c pre.c", "pch"),
        ("gcc -c newer.c", "times"),
        ("gcc -fsyntax-only main.c", "output-kind"),
    ] {
        assert_eq!(bench.reason(command), reason, "{command}");
    }
    assert!(["language", "usage", "plan"].contains(&bench.reason("gcc -c x.m")));
    bench.with("SOURCE_DATE_EPOCH", "1000000000").agrees("gcc -c time.c");
}

#[test]
fn a_driver_that_warns_itself_runs_natively() {
    let bench = bench();
    bench.agrees("gcc -c second.c");
    assert_eq!(bench.reason("gcc -c main.c second.o"), "plan");
}

/// A compiler with options that the kept inventory has not: gcc, told of two of them by a script.
#[test]
fn a_compiler_never_seen_is_asked_for_its_options() {
    use std::os::unix::fs::PermissionsExt;
    let bench = bench();
    let script = "#!/bin/sh\nfor arg; do\n  shift\n  case $arg in\n  --help=optimizers) echo '  -fnovelty    Improve code.'\n    echo '  -fnovel-log  Write a log file.' ;;\n  -fnovelty) ;;\n  *) set -- \"$@\" \"$arg\" ;;\n  esac\ndone\nexec /usr/bin/gcc \"$@\"\n";
    bench.write("bin/gcc", script);
    let gcc = bench.cwd.join("bin/gcc");
    std::fs::set_permissions(&gcc, std::fs::Permissions::from_mode(0o755)).expect("make the script executable");
    let gcc = gcc.display();
    let asked = || {
        let runs = bench.world.runs.borrow();
        runs.iter().filter(|run| run.iter().any(|word| word == "--help=optimizers")).count()
    };
    bench.agrees(&format!("{gcc} -O2 -fno-common -c second.c"));
    assert_eq!(asked(), 0);
    assert_eq!(bench.reason(&format!("{gcc} -fnovelty -c main.c")), "a thunk");
    assert_ne!(asked(), 0);
    assert_eq!(bench.reason(&format!("{gcc} -fno-novelty -c main.c")), "usage");
    assert_eq!(bench.reason(&format!("{gcc} -fnovel-log -c main.c")), "unknown-option");
    assert_eq!(bench.reason(&format!("{gcc} -fmystery -c main.c")), "unknown-option");
}
