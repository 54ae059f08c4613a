//! A build by recursive makes, twice: the first as plain make makes it, the second from the memo.

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::{Bench, assert_alike};

pub fn project() -> Tree {
    Tree::new()
        .file(
            "Makefile",
            "\
CFLAGS = -O2 -g -Wall -MMD -Isub
all: prog small
prog: main.o sub/libsub.a
\t$(CC) -o $@ main.o -Lsub -lsub
small: prog
\tcp prog small
\tstrip small
sub/libsub.a:
\t$(MAKE) -C sub
check: all
\t./small
install: all
\tinstall -D -s prog $(DESTDIR)/bin/prog
clean:
\trm -f *.o *.d prog small
\t$(MAKE) -C sub clean
.PHONY: all check install clean
",
        )
        .file("main.c", "#include \"part.h\"\nint main(void) { int unused; return part(2) - 42; }\n")
        .file("sub/Makefile", "libsub.a: part.o other.o\n\tar rcs $@ $^\n\tranlib $@\nclean:\n\trm -f *.o *.a\n")
        .file("sub/part.h", "int part(int);\n")
        .file("sub/part.c", "#include \"part.h\"\n#warning so it is\nint part(int n) { return n * 21; }\n")
        .file("sub/other.c", "int other;\n")
}

#[test]
fn a_second_clean_build_executes_nothing() {
    let bench = Bench::new(project());
    let first = bench.alike(&["-j1"]);
    assert_eq!(first.status, Some(0), "{}", first.stderr);
    assert!(first.stderr.contains("unused variable") && first.stderr.contains("so it is"), "{}", first.stderr);
    let stats = bench.stats();
    // three compilations, archive and index, a link, a strip
    assert_eq!((&stats["commands"], &stats["thunks"]), (&json!(7), &json!(7)), "{stats}");
    assert_eq!((&stats["native"], &stats["model_misses"]), (&json!({}), &json!([])));

    assert_eq!(bench.gg(&["clean"]).status, Some(0));
    bench.reset_stats();
    let second = bench.gg(&["-j1"]);
    assert_alike(&first, &second);
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["memo_hits"], &stats["executed"]), (&json!(7), &json!(7), &json!({})));

    // there is nothing to do, for plain make too
    assert_eq!(bench.native(&["-q"]).status, Some(0));
    assert_eq!(bench.gg(&["-q"]).status, Some(0));
}

#[test]
fn checks_and_installations_are_makes() {
    let bench = Bench::new(project());
    let destination = format!("DESTDIR={}", bench.file("image").display());
    for args in [&["check"][..], &["-j1", "install", &destination]] {
        let ended = bench.alike(args);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
    assert!(bench.file("image/bin/prog").exists());
}

#[test]
fn gg_stats_knows_the_last_build() {
    let bench = Bench::new(project());
    assert_eq!(bench.gg(&["-s"]).status, Some(0));
    assert_eq!(bench.gg(&["-s", "-B", "main.o"]).status, Some(0));
    let output = bench.gg_command().args(["stats", "--json", "--last"]).output().unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&stats["commands"], &stats["memo_hits"]), (&json!(1), &json!(1)));
}
