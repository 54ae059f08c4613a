//! `--gg-lazy`: answers before the work is done, and what make leaves is the same.

use gg_testkit::Tree;

use crate::bench::{Bench, assert_alike};

fn project() -> Tree {
    let makefile = "\
all: prog out
prog: main.o libparts.a
\t$(CC) -o $@ $^
libparts.a: part.o other.o
\t$(AR) rc $@ part.o
\t$(AR) rc $@ other.o
\tranlib $@
out: gen
\t./gen 3 > $@
gen: gen.c
\tcc -o $@ gen.c && strip $@
";
    Tree::new()
        .file("Makefile", makefile)
        .file("main.c", "int part(void), other(void);\nint main(void) { return part() - other(); }\n")
        .file("part.c", "int part(void) { int unused; return 7; }\n")
        .file("other.c", "int other(void) { return 7; }\n")
        .file("gen.c", "#include <stdio.h>\nint main(int n, char **v) { return !printf(\"%s\\n\", v[n - 1]); }\n")
}

#[test]
fn the_same_is_left() {
    let bench = Bench::new(project());
    let args = ["CFLAGS=-Wall", "-j2", "--gg-lazy"];
    let native = bench.native(&args[..2]);
    bench.fresh();
    let lazy = bench.gg(&args);
    assert_eq!(lazy.tree.difference(&native.tree), Vec::<String>::new());
    assert_eq!((lazy.status, &lazy.stderr), (Some(0), &native.stderr), "{lazy:?}");
    let stats = bench.stats();
    assert_eq!(stats["commands"], stats["lazy"], "{stats}");
    assert_eq!(stats["native"], serde_json::json!({}));
    // nothing is left to do, also as make sees it
    let again = bench.native(&args[..2]);
    assert_eq!(again.stdout, "make: Nothing to be done for 'all'.\n");
}

#[test]
fn what_fails_is_said_by_make() {
    for (args, source) in [
        (&["-j1"][..], "int part(void) { return undeclared; }\n"),
        (&["-j1", "-k"], "int part(void) { return undeclared; }\n"),
        // the link fails, and in it nothing but that
        (&["-j1"], "int missing(void);\nint part(void) { return missing(); }\n"),
    ] {
        let bench = Bench::new(project().file("part.c", source));
        let native = bench.native(args);
        bench.fresh();
        let lazy = bench.gg(&[args, &["--gg-lazy"]].concat());
        assert_eq!((lazy.status, native.status), (Some(2), Some(2)));
        // make was run twice, and has said the same at its end
        assert!(lazy.stderr.ends_with(&native.stderr), "{}\n{}", lazy.stderr, native.stderr);
        let first = native.stderr.lines().next().unwrap();
        assert_eq!(lazy.stderr.matches(first).count(), 1, "{}", lazy.stderr);
        assert!(lazy.tree.get("prog").is_none() && lazy.tree.get("part.o").is_some() == source.contains("missing"));
        // and any make goes on from there
        std::fs::write(bench.file("part.c"), "int part(void) { return 7; }\n").unwrap();
        let mended = bench.native(args);
        assert_eq!(mended.status, Some(0), "{mended:?}");
        let whole = Bench::new(project().file("part.c", "int part(void) { return 7; }\n"));
        assert_eq!(mended.tree.difference(&whole.native(args).tree), Vec::<String>::new());
    }
}

#[test]
fn without_it_nothing_is_answered_early() {
    let bench = Bench::new(project());
    let native = bench.native(&[]);
    bench.fresh();
    assert_alike(&native, &bench.gg(&["--gg-lazy=no"]));
    assert_eq!(bench.stats()["lazy"], 0);
}
