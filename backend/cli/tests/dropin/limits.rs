//! Calls under other limits (`ulimit`) than those of the session that they come to.

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;

#[test]
fn a_call_ends_where_its_caller_has_it_end() {
    let makefile = "\
all:
\t$(CC) -c a.c -o first.o
\t-ulimit -f 1; $(CC) -g -c a.c -o large.o
\tulimit -t 1000; $(CC) -c a.c -o timed.o
\tulimit -n 100; $(CC) -c a.c -o files.o
";
    let source: String = (0..40).map(|number| format!("int f{number}(int a) {{ return a; }}\n")).collect();
    let bench = Bench::new(Tree::new().file("Makefile", makefile).file("a.c", source));
    let ended = bench.alike(&[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("File size limit exceeded"), "{}", ended.stderr);
    let stats = bench.stats();
    assert_eq!((&stats["native"], &stats["thunks"]), (&json!({"limits": 2}), &json!(2)), "{stats}");
}
