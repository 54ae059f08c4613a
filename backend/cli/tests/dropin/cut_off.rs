//! An edit that changes no object stops there: what depends on the objects comes from the memo.

use std::fs::{self, File};
use std::time::Duration;

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;

fn project() -> Tree {
    Tree::new()
        .file("Makefile", "CFLAGS = -O2\nprog: a.o b.o c.o\n\t$(CC) -o $@ $^\na.o b.o: part.h\n")
        .file("part.h", "/* the one */\nint part(void);\n")
        .file("a.c", "#include \"part.h\"\nint main(void) { return part(); }\n")
        .file("b.c", "#include \"part.h\"\nint zero(void);\nint part(void) { return zero(); }\n")
        .file("c.c", "int zero(void) { return 0; }\n")
}

/// Writes a file that make holds for newer than all it made, however coarse the clock is.
fn edit(bench: &Bench, name: &str, text: &str) {
    fs::write(bench.file(name), text).unwrap();
    let made = fs::metadata(bench.file("prog")).unwrap().modified().unwrap();
    File::options().write(true).open(bench.file(name)).unwrap().set_modified(made + Duration::from_nanos(1)).unwrap();
}

#[test]
fn after_an_edit_in_a_comment_only_compilations_are_executed() {
    let bench = Bench::new(project());
    let first = bench.gg(&["-s"]);
    assert_eq!((first.status, first.stderr.as_str()), (Some(0), ""));
    bench.reset_stats();
    // of the same size
    edit(&bench, "part.h", "/* another */\nint part(void);\n".replace("another", "the two").as_str());
    let second = bench.gg(&["-s"]);
    assert_eq!((second.status, second.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        first.tree.difference(&second.tree).len(),
        1,
        "only the header: {:?}",
        first.tree.difference(&second.tree)
    );
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["thunks"], &stats["memo_hits"]), (&json!(3), &json!(3), &json!(1)));
    assert_eq!(stats["executed"], json!({"local": 2}));

    // An edit that matters goes all the way.
    bench.reset_stats();
    edit(&bench, "part.h", "#define zero() 3\nint part(void);\n");
    edit(&bench, "b.c", "#include \"part.h\"\nint part(void) { return zero(); }\n");
    assert_eq!(bench.gg(&["-s"]).status, Some(0));
    assert_eq!(bench.stats()["executed"], json!({"local": 3}));
    assert_eq!(bench.command(bench.file("prog")).status().unwrap().code(), Some(3));

    // The way back is remembered.
    bench.reset_stats();
    bench.fresh();
    let back = bench.gg(&["-s"]);
    assert_eq!(first.tree.difference(&back.tree), Vec::<String>::new());
    assert_eq!(bench.stats()["executed"], json!({}));
}
