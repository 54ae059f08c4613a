//! What goes wrong in a build goes wrong as it does under plain make.

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::{Bench, Ended};

/// Stopping at the failure, going on, and ignoring it; twice each: a failure is not remembered as anything else.
fn each_way(project: Tree) -> [Ended; 3] {
    let bench = Bench::new(project);
    let ended = [&["-j1"][..], &["-k"], &["-i"]].map(|args| {
        bench.alike(args);
        bench.alike(args)
    });
    assert_eq!(bench.stats()["model_misses"], json!([]));
    ended
}

/// A project in which `broken.o` is the one of three objects that cannot be made.
fn broken(source: &str) -> Tree {
    Tree::new()
        .file("Makefile", "prog: first.o broken.o last.o\n\t$(CC) -o $@ $^\n")
        .file("first.c", "int first(void) { return 1; }\n")
        .file("broken.c", source)
        .file("last.c", "int main(void) { return 0; }\n")
}

fn assert_broken(source: &str, message: &str) {
    for (ended, (status, goes_on)) in each_way(broken(source)).iter().zip([(2, false), (2, true), (0, true)]) {
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert_eq!(ended.status, Some(status));
        assert!(ended.tree.get("first.o").is_some() && ended.tree.get("broken.o").is_none());
        assert_eq!(ended.tree.get("last.o").is_some(), goes_on);
    }
}

#[test]
fn a_syntax_error() {
    assert_broken("int broken(void) { return 1 }\n", "error: expected ';'");
}

#[test]
fn a_missing_header() {
    assert_broken("#include \"nowhere.h\"\nint broken;\n", "fatal error: nowhere.h: No such file");
}

#[test]
fn an_undefined_symbol() {
    let project = Tree::new()
        .file("Makefile", "all: prog other.o\nprog: main.o\n\t$(CC) -o $@ $^\n")
        .file("main.c", "int nowhere(void);\nint main(void) { return nowhere(); }\n")
        .file("other.c", "int other;\n");
    let [stops, goes_on, _] = each_way(project);
    for ended in [&stops, &goes_on] {
        assert!(ended.stderr.contains("undefined reference to `nowhere'"), "{}", ended.stderr);
        assert!(ended.status == Some(2) && ended.tree.get("prog").is_none());
    }
    assert!(stops.tree.get("other.o").is_none() && goes_on.tree.get("other.o").is_some());
}

#[test]
fn an_error_in_the_assembly() {
    assert_broken("void broken(void) { __asm__(\"nonsense %eax\"); }\n", "Error: no such instruction");
}

/// What is found missing at the very end: the messages are the linker's, the driver's, the assembler's.
#[test]
fn a_library_or_a_directory_that_is_not_there() {
    let makefile = "\
all: prog none/first.o inside
prog: last.o
\t$(CC) -o $@ $^ -lnowhere
none/first.o: first.c
\t$(CC) -c -o $@ $<
inside: last.o
\t$(CC) -c -o last.o/inside.o last.c
";
    let [stops, goes_on, ignores] = each_way(broken("").file("Makefile", makefile));
    assert!(stops.status == Some(2) && !stops.stderr.contains("none/first.o"), "{}", stops.stderr);
    assert!(goes_on.status == Some(2) && ignores.status == Some(0), "{}", ignores.stderr);
    for ended in [&goes_on, &ignores] {
        for said in
            ["cannot find -lnowhere", "can't create none/first.o: No such file", "last.o/inside.o: Not a directory"]
        {
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
        assert!(ended.tree.get("last.o").is_some() && ended.tree.get("prog").is_none());
    }
}

#[test]
fn warnings_and_warnings_that_are_errors() {
    let source = "int broken(void) { int unused; return \"no\"; }\n";
    for flags in ["CFLAGS=-Wall -Wextra", "CFLAGS=-Wall -Werror", "CFLAGS=-Wall -Werror=unused-variable -w"] {
        let bench = Bench::new(broken(source));
        let works = !flags.contains("-Werror") || flags.contains("-w");
        for _ in 0..2 {
            let ended = bench.alike(&["-k", flags, "broken.o"]);
            assert_eq!(ended.status, Some(if works { 0 } else { 2 }), "{}", ended.stderr);
            assert_eq!(ended.tree.get("broken.o").is_some(), works);
            assert_eq!(ended.stderr.contains("unused variable"), !flags.contains("-w"), "{}", ended.stderr);
        }
        assert_eq!(bench.stats()["model_misses"], json!([]));
    }
}

/// What make deletes when a recipe fails, and what a failed compilation leaves of an older object.
#[test]
fn an_older_object_is_treated_as_the_compiler_does() {
    let makefile = "\
all: broken.o other
broken.o:
\t$(CC) -c broken.c
other:
\t-$(CC) -c -o old.o broken.c
\tls
.PHONY: broken.o
";
    let project = broken("int broken(\n").file("Makefile", makefile).file("old.o", "old");
    let [stops, ..] = each_way(project.clone());
    assert_eq!(stops.status, Some(2), "{}", stops.stderr);
    each_way(project.file("Makefile", format!("{makefile}.DELETE_ON_ERROR:\n")));
}

#[test]
fn the_last_of_k_and_s_counts() {
    let bench = Bench::new(broken("int broken = ;\n"));
    for (args, goes_on) in [(&["-k", "-S"][..], false), (&["-S", "-k"], true), (&["-kS", "--keep-going"], true)] {
        let ended = bench.alike(args);
        assert_eq!((ended.status, ended.tree.get("last.o").is_some()), (Some(2), goes_on), "{}", ended.stderr);
    }
}

#[test]
fn recipes_that_look_at_the_compilers_end() {
    let makefile = "\
all: ignored.o says.o
\t@if ! gcc -c broken.c; then echo cannot; else echo can; fi
\t@gcc -Wall -c first.c 2>&1 | grep -c 'unused variable'
\t@gcc -c none.c 2>errors; grep -o 'No such file' errors
\t@gcc -c broken.c 2>/dev/null || echo status $$?
ignored.o:
\t-gcc -c broken.c
\t-cc -c -o $@ nowhere.c
says.o: last.c
\t@$(CC) -Wall -Wextra -c -o $@ $< >says 2>&1
";
    let project = broken("#error not here\n")
        .file("first.c", "void first(void) { int x; }\n")
        .file("last.c", "static int x;\n")
        .file("Makefile", makefile);
    for ended in each_way(project) {
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("Error 1 (ignored)"), "{}", ended.stderr);
        assert!(ended.stdout.ends_with("cannot\n1\nNo such file\nstatus 1\n"), "{}", ended.stdout);
        assert!(ended.tree.get("says").is_some());
    }
}
