//! Commands of which two native runs give other bytes: the clock, precompiled headers, link-time optimization.

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;

const MAKEFILE: &str = "\
all: prog
pre.h.gch: pre.h
\t$(CC) pre.h
%.o: %.c pre.h.gch
\t$(CC) -flto=auto -Winvalid-pch -c $<
clock.o: clock.c
\t$(CC) -Wa,-al=clock.lst -c clock.c
prog: main.o part.o clock.o
\t$(CC) -flto=auto -o prog main.o part.o clock.o
clean:
\trm -f *.o *.gch *.lst prog
";

fn project() -> Tree {
    Tree::new()
        .file("Makefile", MAKEFILE)
        .file("pre.h", "int part(int);\nextern const char *const built;\n")
        .file("main.c", "#include \"pre.h\"\nint main(void) { return part(*built); }\n")
        .file("part.c", "#include \"pre.h\"\nint part(int n) { return n * 0 + 42; }\n")
        .file("clock.c", "const char *const built = __DATE__ \" \" __TIME__;\n")
}

#[test]
fn audits_know_what_varies() {
    let bench = Bench::new(project());
    let make = |audit: &str| bench.gg(&["-j1", &format!("GG_AUDIT={audit}")]);
    let first = make("all");
    assert_eq!(first.status, Some(0), "{}", first.stderr);
    let stats = bench.stats();
    assert_eq!((&stats["audited"], &stats["model_misses"]), (&json!(5), &json!([])), "{stats}");
    assert_eq!((&stats["thunks"], &stats["native"]), (&json!(5), &json!({})), "{stats}");
    assert_eq!(bench.command(bench.file("prog")).status().unwrap().code(), Some(42));

    // The time of a call is its own: no later one is answered from what is kept of it, or is audited wrongly for it.
    bench.reset_stats();
    assert_eq!(bench.gg(&["clean"]).status, Some(0));
    let second = make("all");
    assert_eq!(second.status, Some(0), "{}", second.stderr);
    let stats = bench.stats();
    assert_eq!((&stats["thunks"], &stats["model_misses"]), (&json!(5), &json!([])), "{stats}");
    assert_eq!(bench.command(bench.file("prog")).status().unwrap().code(), Some(42));
}

#[test]
fn a_moment_is_not_remembered() {
    let bench = Bench::new(project());
    let built = || {
        assert_eq!(bench.gg(&["clock.o", "GG_AUDIT=off", "-B"]).status, Some(0));
        let object = std::fs::read(bench.file("clock.o")).unwrap();
        assert!(String::from_utf8_lossy(&object).contains(" 20"), "a year");
        object
    };
    let first = built();
    // Within one second it is the same call.
    let mut tries = 0;
    while built() == first {
        tries += 1;
        assert!(tries < 10_000, "the clock stands still");
    }
}
