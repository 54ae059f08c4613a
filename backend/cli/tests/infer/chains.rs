//! Recipes that make one thing of another: objects, archives, programs, what is stripped of them.

use gg_testkit::Tree;

use crate::bench::{Bench, assert_alike, assert_same_tree};

/// Three objects, an archive, a program; `extra` goes on from there.
pub fn project(extra: &str) -> Tree {
    let makefile = "\
CFLAGS = -O1 -g -Wall
all: prog
prog: main.o libpart.a
\t$(CC) -o $@ $^
libpart.a: part.o other.o
\tar rcs $@ $^
main.o part.o other.o: part.h
";
    Tree::new()
        .file("Makefile", makefile.to_owned() + extra)
        .file("main.c", "#include \"part.h\"\nint main(void) { return part(2) - 42; }\n")
        .file("part.h", "int part(int);\n")
        .file("part.c", "#include \"part.h\"\nint part(int n) { int unused; return n * 21; }\n")
        .file("other.c", "#include \"part.h\"\n#warning so it is\nint other;\n")
}

#[test]
fn plain_recipes() {
    let bench = Bench::new(project(""));
    bench.fresh();
    let inferred = bench.infer(&[]);
    assert_eq!((inferred.status, inferred.stderr.as_str()), (Some(0), ""));
    assert_eq!(bench.placeholders(), ["libpart.a", "main.o", "other.o", "part.o", "prog"]);
    assert_eq!(bench.lazy_and_native(), (5, 0));
    // what is a placeholder is as new as what was made of it is to be
    assert!(bench.native(&["-q"]).status == Some(0) && bench.placeholders().len() == 5);
    let forced = bench.alike(&[]);
    assert!(forced.stderr.contains("unused variable") && forced.stderr.contains("so it is"), "{}", forced.stderr);
    assert_eq!(bench.shell("./prog; echo $?"), "0\n");
}

/// From the memo all is made at once.
#[test]
fn a_second_time_nothing_waits() {
    let bench = Bench::new(project(""));
    let first = bench.alike(&["-j1"]);
    bench.fresh();
    bench.reset_stats();
    let second = bench.infer(&["-j1"]);
    assert_alike(&first, &second);
    let stats = bench.stats();
    assert_eq!([&stats["lazy"], &stats["memo_hits"], &stats["commands"]], [0, 5, 5], "{stats}");
    assert_eq!(stats["executed"], serde_json::json!({}));
}

#[test]
fn shells_with_simple_commands() {
    let makefile = "\
CFLAGS = -O1
all: prog one two three
prog: main.o sub/part.o
\t$(CC) -o $@ $^ && touch stamp
main.o: main.c
\tX=1 $(CC) $(CFLAGS) -DX='\"a b\"' -c -o main.tmp main.c && mv -f main.tmp main.o
sub/part.o: part.c
\tmkdir -p sub && cd sub && $(CC) $(CFLAGS) -I.. -c ../part.c -o part.o
one two: part.c
\t$(CC) $(CFLAGS) -c part.c -o $@ \\
\t  && :
three: part.c
\tif $(CC) -c part.c -o three; then :; fi
";
    let bench = Bench::new(project("").file("Makefile", makefile));
    bench.alike(&[]);
    // the one in `if` is answered after its work, and the one that a `touch` follows
    let stats = bench.stats();
    assert_eq!([&stats["lazy"], &stats["thunks"]], [4, 6], "{stats}");
}

#[test]
fn one_shell_for_all_lines() {
    let makefile = "\
.ONESHELL:
prog: main.c part.c
\tcd .
\t$(CC) -c main.c
\t$(CC) -c part.c
\t$(CC) -o $@ main.o part.o
";
    // without -e the shell goes on after a failure
    for (flags, lazy) in [("", 0), (".SHELLFLAGS = -ec\n", 3)] {
        let bench = Bench::new(project("").file("Makefile", [flags, makefile].concat()));
        let ended = bench.alike(&[]);
        assert!(ended.stderr.contains("unused") == ended.stderr.contains("-Wall"), "{}", ended.stderr);
        assert_eq!(bench.lazy_and_native(), (lazy, 0));
    }
}

/// Members are added, replaced and removed; the index is made again.
#[test]
fn archives_in_several_calls() {
    let makefile = "\
all: prog whole.a
libpart.a: main.o part.o other.o
\tar rc $@ part.o
\tar r $@ main.o other.o
\tar d $@ main.o
\tranlib $@
whole.a: libpart.a main.o
\tcp libpart.a $@
\tar q $@ main.o
\tar s $@
prog: main.o libpart.a
\t$(CC) -o $@ main.o -L. -lpart
";
    let bench = Bench::new(project("").file("Makefile", makefile));
    let native = bench.native(&[]);
    bench.fresh();
    let gg = bench.both(&[], &[]);
    // `ar` says that it creates an archive
    assert_same_tree(&native, &gg);
    assert_eq!((native.status, gg.status), (Some(0), Some(0)), "{}", gg.stderr);
    bench.has_nothing_to_do(&[]);
}

#[test]
fn strip_and_objcopy() {
    let makefile = "\
all: small prog.debug raw.bin part.stripped.o renamed.o
prog: main.o part.o
\t$(CC) -g -o $@ $^
prog.debug: prog
\tobjcopy --only-keep-debug prog prog.debug
small: prog prog.debug
\tcp prog small
\tstrip --strip-debug small
\tobjcopy --add-gnu-debuglink=prog.debug small
part.stripped.o: part.o
\tstrip -g -o $@ part.o
renamed.o: part.o
\tobjcopy --redefine-sym part=teil part.o $@
raw.bin: part.o
\tobjcopy -O binary -j .text part.o $@
";
    let bench = Bench::new(project("").file("Makefile", makefile));
    bench.alike(&["CFLAGS=-g"]);
}

#[test]
fn shared_libraries() {
    let makefile = "\
LDFLAGS = -Wl,-rpath,'$$ORIGIN'
all: prog
libfar.so: other.c
\t$(CC) -shared -fPIC -Wl,-soname,libfar.so.1 -o libfar.so.1.0 other.c
\tln -sf libfar.so.1.0 libfar.so.1
\tln -sf libfar.so.1 $@
libnear.so: part.c libfar.so
\t$(CC) -shared -fPIC -o $@ part.c -L. -lfar
prog: main.o libnear.so
\t$(CC) $(LDFLAGS) -o $@ main.o -L. -lnear
check: prog
\tLD_LIBRARY_PATH=. ./prog
";
    let bench = Bench::new(
        project("")
            .file("Makefile", makefile)
            .file("other.c", "int other(void) { return 1; }\n")
            .file("part.c", "int other(void);\nint part(int n) { return n * 21 + other() - 1; }\n"),
    );
    bench.alike(&["-j1"]);
    assert_eq!(bench.shell("LD_LIBRARY_PATH=. ./prog; echo $?"), "0\n");
    // a program that is run in the build finds its libraries
    bench.fresh();
    let native = bench.native(&["-j1", "check"]);
    bench.fresh();
    fs_clear(&bench);
    let gg = bench.both(&["-j1", "check"], &[]);
    assert_alike(&native, &gg);
    assert_eq!(gg.status, Some(0));
}

/// All that was kept.
fn fs_clear(bench: &Bench) {
    std::fs::remove_dir_all(bench.at("gg")).unwrap();
}

#[test]
fn linker_scripts_that_name_a_placeholder() {
    let makefile = "\
all: prog
libpart.a: part.o
\tar rcs $@ $^
prog: main.o other.o libpart.a libscript.a names.ld
\t$(CC) -o $@ main.o -L. -lscript -Wl,names.ld
";
    let bench = Bench::new(
        project("")
            .file("Makefile", makefile)
            .file("libscript.a", "GROUP ( libpart.a )\n")
            .file("names.ld", "INPUT ( other.o )\n"),
    );
    bench.alike(&["-j1"]);
    assert_eq!(bench.shell("./prog; echo $?"), "0\n");
}

#[test]
fn recursive_makes_in_series() {
    let top = "all:\n\t$(MAKE) -C one\n\tfor d in two three; do $(MAKE) -C $$d || exit 1; done\n\t$(CC) -o prog one/a.o two/a.o three/a.o\n";
    let sub = "a.o: a.c\n\t$(CC) -c a.c\n";
    let bench = Bench::new(
        Tree::new()
            .file("Makefile", top)
            .file("one/Makefile", sub)
            .file("two/Makefile", sub)
            .file("three/Makefile", sub)
            .file("one/a.c", "int one(void) { return 0; }\n")
            .file("two/a.c", "int two;\n")
            .file("three/a.c", "int one(void);\nint main(void) { return one(); }\n"),
    );
    let native = bench.native(&["-j2"]);
    bench.fresh();
    let gg = bench.both(&["-j2"], &[]);
    assert_same_tree(&native, &gg);
    assert_eq!((gg.status, native.stdout == gg.stdout), (Some(0), true), "{}{}", gg.stdout, gg.stderr);
    assert_eq!(bench.lazy_and_native(), (4, 0));
}

/// `make clean && make` in one run, and a rule whose intermediate files make deletes.
#[test]
fn what_the_build_deletes() {
    let bench = Bench::new(
        project("clean:\n\trm -f *.o *.a prog gone\n.PHONY: clean\nwhole: clean\n\t$(MAKE) all\n")
            .file("chain.c", "int main(void) { return 0; }\n"),
    );
    bench.alike(&[]);
    let native = bench.native(&["-j1", "whole"]);
    let gg = bench.both(&["-j1", "whole"], &[]);
    assert_alike(&native, &gg);
    // `chain` by way of `chain.o`, which make removes
    std::fs::write(bench.file("Makefile"), "all: chain\n%: %.o\n\t$(CC) -o $@ $<\n%.o: %.c\n\t$(CC) -c $<\n%: %.c\n")
        .unwrap();
    let native = bench.native(&["-j1"]);
    assert!(native.stdout.contains("rm chain.o"), "{}", native.stdout);
    std::fs::remove_file(bench.file("chain")).unwrap();
    let gg = bench.both(&["-j1"], &[]);
    assert_alike(&native, &gg);
}

#[test]
fn an_installation() {
    let extra = "\
install: prog libpart.a
\tinstall -d image/bin image/lib
\tinstall -s -m 755 prog image/bin
\tinstall -m 640 libpart.a image/lib/
\tranlib image/lib/libpart.a
\tcp -p prog image/copy
";
    let bench = Bench::new(project(extra));
    let native = bench.native(&["-j1", "install"]);
    bench.fresh();
    let gg = bench.both(&["-j1", "install"], &[]);
    assert_same_tree(&native, &gg);
    assert_eq!((gg.status, &gg.stdout), (Some(0), &native.stdout), "{}", gg.stderr);
    let lines = |ended: &crate::bench::Ended| {
        let mut lines: Vec<String> = ended.stderr.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&native), lines(&gg), "each message once");
}
