//! The second clean build comes from the memo.

use gg_testkit::{Entry, Tree};
use serde_json::json;

use crate::bench::{Bench, assert_alike};

const MAKEFILE: &str = "\
CFLAGS = -O2 -g -Wall -MMD
all: prog small
prog: main.o libpart.a
\t$(CC) -o $@ main.o -L. -lpart
small: prog
\tcp prog small
\t$(STRIP) small
libpart.a: part.o other.o
\t$(AR) rcs $@ $^
clean:
\trm -f *.o *.d *.a prog small
.PHONY: all clean
";

fn project() -> Tree {
    Tree::new()
        .file("Makefile", MAKEFILE)
        .file("part.h", "int part(int);\nint other(void);\n")
        .file("main.c", "#include \"part.h\"\nint main(void) { int unused; return part(2) - other(); }\n")
        .file("part.c", "#include \"part.h\"\nstatic void idle(void) {}\nint part(int n) { return n * 21; }\n")
        .file("other.c", "#include \"part.h\"\n#warning so it is\nint other(void) { return 42; }\n")
}

#[test]
fn a_second_clean_build_executes_nothing() {
    let bench = Bench::new(project());
    let first = bench.alike(&["-j1"]);
    assert_eq!(first.status, Some(0));
    for warning in ["unused variable", "'idle' defined but not used", "so it is"] {
        assert!(first.stderr.contains(warning), "{}", first.stderr);
    }
    assert!(matches!(first.tree.get("prog"), Some(Entry::File { mode: 0o755, .. })));
    let stats = bench.stats();
    // three compilations, an archive, a link, a strip
    assert_eq!(
        (&stats["commands"], &stats["thunks"], &stats["executed"]),
        (&json!(6), &json!(6), &json!({"local": 6}))
    );
    assert_eq!((&stats["native"], &stats["model_misses"]), (&json!({}), &json!([])));

    bench.reset_stats();
    assert_eq!(bench.gg(&["clean"]).status, Some(0));
    let second = bench.gg(&["-j1"]);
    assert_alike(&first, &second);
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["memo_hits"], &stats["executed"]), (&json!(6), &json!(6), &json!({})));
    assert!(bench.command(bench.file("small")).status().unwrap().success());
}

/// Also in another session, and with several calls at once.
#[test]
fn the_memo_outlives_its_session() {
    let bench = Bench::new(project());
    let first = bench.gg(&["-s", "-j4"]);
    assert_eq!(first.status, Some(0), "{}", first.stderr);
    assert!(bench.command(bench.at("bin/gg")).args(["session", "stop"]).status().unwrap().success());
    bench.reset_stats();
    bench.fresh();
    let second = bench.gg(&["-s", "-j4"]);
    assert_eq!(second.status, Some(0));
    assert_eq!(first.tree.difference(&second.tree), Vec::<String>::new());
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["memo_hits"], &stats["executed"]), (&json!(6), &json!(6), &json!({})));
}
