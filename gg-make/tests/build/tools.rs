//! Which calls are seen, and what a recipe sees of the tools.

use gg_testkit::Tree;
use serde_json::json;

use crate::again;
use crate::bench::Bench;

#[test]
fn a_tool_by_its_path_is_left_alone() {
    let bench = Bench::new(again::project());
    let native = bench.alike(&["CC=/usr/bin/gcc", "main.o"]);
    assert_eq!(native.status, Some(0));
    assert_eq!(bench.stats()["commands"], json!(0));
    bench.alike(&["CC=/usr/bin/gcc"]);
    // archive, index and strip go by their names
    assert_eq!(bench.stats()["thunks"], json!(3));
}

#[test]
fn names_with_versions_and_triplets() {
    let bench = Bench::new(again::project());
    let machine = bench.command("gcc").arg("-dumpmachine").output().unwrap().stdout;
    let machine = String::from_utf8(machine).unwrap();
    let version = bench.command("gcc").arg("-dumpversion").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let names = [format!("{}-gcc", machine.trim()), format!("gcc-{}", version.trim())];
    for name in &names {
        let ended = bench.alike(&[&format!("CC={name}"), "main.o"]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
    assert_eq!(bench.stats()["thunks"], json!(2));
}

#[test]
fn tools_that_only_read_and_pipes() {
    let makefile = "\
symbols: part.o
\tnm $< | awk '$$2 == \"T\" { print $$3 }' >$@
\tobjdump -d $< | wc -l >lines
\tsize $< >>lines
";
    let bench = Bench::new(again::project().file("sub/Makefile", makefile));
    let ended = bench.alike(&["-C", "sub"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    // nm and the others were not even asked about
    assert_eq!(bench.stats()["commands"], json!(1));
}

/// What is not on `PATH` is not there, and what is there is a shim only if gg can do something with it.
#[test]
fn what_a_recipe_can_find() {
    let makefile = "\
all:
\t@for tool in gcc-99 ld.none c99 nm awk; do command -v $$tool || echo no $$tool; done
\t@command -v gcc | sed 's,.*/,,'
\t@gcc -print-prog-name=as
\t@gcc --version | head -n 1
\t@PATH=/usr/bin:/bin command -v gcc
";
    let bench = Bench::new(Tree::new().file("Makefile", makefile));
    let ended = bench.alike(&[]);
    assert!(ended.stdout.contains("no gcc-99\n"), "{}", ended.stdout);
    assert_eq!(ended.status, Some(0));
}

/// gcc searches `PATH` for `as`, and a native run must not come back to gg by it.
#[test]
fn native_runs_find_the_real_tools() {
    let bench = Bench::new(Tree::new().file(
        "Makefile",
        "all:\n\techo 'int main(void) { return 0; }' | gcc -x c -o prog -\n\tCOMPILER_PATH= gcc -v -c -o a.o -x c /dev/null 2>/dev/null\n",
    ));
    let ended = bench.alike(&[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["thunks"]), (&json!(2), &json!(0)), "{stats}");
}
