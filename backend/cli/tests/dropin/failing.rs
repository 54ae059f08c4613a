//! What goes wrong in a build goes wrong as it does under plain make.

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::{Bench, Ended};

/// With `-j1` and with `-k`, twice each through the shims: a failure is not remembered as anything else.
fn both_ways(project: Tree) -> [Ended; 2] {
    let bench = Bench::new(project);
    let ended = [&["-j1"][..], &["-j1", "-k"]].map(|args| {
        bench.alike(args);
        bench.alike(args)
    });
    let stats = bench.stats();
    // a call whose source is not there is left to the compiler at once
    let native: Vec<&String> = stats["native"].as_object().unwrap().keys().collect();
    assert!(
        !native.is_empty()
            && native.iter().all(|why| ["thunk-failed", "fails-as-before", "input"].contains(&why.as_str())),
        "{stats}"
    );
    assert!(stats["executed"]["local"].as_u64() > Some(0), "{stats}");
    assert_eq!(stats["model_misses"], json!([]));
    ended
}

/// A project in which `broken.o` is the one of three objects that cannot be made.
fn broken(source: &str) -> Tree {
    let makefile = "prog: first.o broken.o last.o\n\t$(CC) -o $@ $^\n";
    Tree::new()
        .file("Makefile", makefile)
        .file("first.c", "int first(void) { return 1; }\n")
        .file("broken.c", source)
        .file("last.c", "int main(void) { return 0; }\n")
}

fn assert_broken(ended: &[Ended; 2], message: &str) {
    for (ended, goes_on) in ended.iter().zip([false, true]) {
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert_eq!(ended.status, Some(2));
        assert!(ended.tree.get("first.o").is_some() && ended.tree.get("broken.o").is_none());
        assert_eq!(ended.tree.get("last.o").is_some(), goes_on);
    }
}

#[test]
fn a_syntax_error() {
    assert_broken(&both_ways(broken("int broken(void) { return 1 }\n")), "error: expected ';'");
}

#[test]
fn a_missing_header() {
    let ended = both_ways(broken("#include \"nowhere.h\"\nint broken;\n"));
    assert_broken(&ended, "fatal error: nowhere.h: No such file");
}

#[test]
fn an_error_in_the_assembly() {
    let ended = both_ways(broken("void broken(void) { __asm__(\"nonsense %eax\"); }\n"));
    assert_broken(&ended, "Error: no such instruction");
}

/// What it says has addresses, and what it reads to say so is no input.
#[test]
fn a_compiler_that_crashes() {
    let source = "int __GIMPLE () f (int a)\n{\n  int x;\n  x = a;\n  goto nowhere;\n}\n";
    let makefile = "\
all: last.o
\t@! $(CC) -fgimple -c broken.c 2>said; grep -o 'internal compiler error' said; rm said
\t@! $(CC) -fgimple -c -O0 broken.c 2>/dev/null
";
    for ended in both_ways(broken(source).file("Makefile", makefile)) {
        assert_eq!(
            (ended.stdout.contains("internal compiler error"), ended.status),
            (true, Some(0)),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn an_undefined_symbol_at_link() {
    let project = Tree::new()
        .file("Makefile", "all: prog other.o\nprog: main.o\n\t$(CC) -o $@ $^\n")
        .file("main.c", "int nowhere(void);\nint main(void) { return nowhere(); }\n")
        .file("other.c", "int other;\n");
    let [stops, goes_on] = both_ways(project);
    for ended in [&stops, &goes_on] {
        assert!(ended.stderr.contains("undefined reference to `nowhere'"), "{}", ended.stderr);
        assert_eq!(ended.status, Some(2));
        assert!(ended.tree.get("prog").is_none());
    }
    assert!(stops.tree.get("other.o").is_none() && goes_on.tree.get("other.o").is_some());
}

#[test]
fn an_error_that_make_ignores() {
    let project = broken("int broken = ;\n").file(
        "Makefile",
        "all: first.o broken last.o\n\t$(CC) -o prog first.o last.o\nbroken:\n\t-$(CC) -c broken.c\n.PHONY: all broken\n",
    );
    for ended in both_ways(project) {
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("Error 1 (ignored)"), "{}", ended.stderr);
        assert!(ended.tree.get("prog").is_some());
    }
}

#[test]
fn a_recipe_that_asks_whether_the_compiler_can() {
    let makefile = "\
all:
\t@if ! $(CC) -c broken.c; then echo cannot; else echo can; fi
\t@if ! $(CC) -c last.c; then echo cannot; else echo can; fi
\t@if $(CC) -o prog last.o broken.o; then echo linked; else echo status $$?; fi
";
    for ended in both_ways(broken("#error not here\n").file("Makefile", makefile)) {
        assert_eq!((ended.stdout.as_str(), ended.status), ("cannot\ncan\nstatus 1\n", Some(0)), "{}", ended.stderr);
    }
}

#[test]
fn a_recipe_that_greps_what_the_compiler_says() {
    let makefile = "\
all: says.o
\t@$(CC) -Wall -c broken.c 2>&1 | grep -c 'unused variable'
\t@$(CC) -c none.c 2>errors; grep -o 'No such file' errors
\t@! $(CC) -Wall -c first.c 2>&1 | grep .
says.o: last.c
\t@$(CC) -Wall -Wextra -c -o $@ last.c >says 2>&1
";
    for ended in both_ways(broken("void broken(void) { int x; }\n").file("Makefile", makefile)) {
        assert_eq!(ended.stdout, "1\nNo such file\n", "{}", ended.stderr);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
}

/// What make deletes when a recipe fails, and what a failed compilation leaves of an older object.
#[test]
fn an_older_object_is_treated_as_the_compiler_does() {
    let makefile = "all: broken.o other\nbroken.o:\n\t$(CC) -c broken.c\nother:\n\t-$(CC) -c -o old.o broken.c\n\tls\n";
    let project =
        broken("int broken(\n").file("Makefile", makefile.to_owned() + ".PHONY: broken.o\n").file("old.o", "old");
    for ended in both_ways(project) {
        assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    }
}

/// As redis does before it has built what it includes: the failure is expected, and so it is not run twice each time.
#[test]
fn a_failure_from_before_is_left_to_the_tool_until_something_changes() {
    let makefile =
        "all:\n\t$(CC) -MM broken.c first.c >deps 2>errors || true\n\t$(CC) -MM broken.c first.c >both 2>&1 || true\n";
    let project = broken("#include \"later.h\"\nint broken = LATER;\n").file("Makefile", makefile);
    let bench = Bench::new(project.clone());
    let first = bench.alike(&[]);
    assert_eq!(bench.stats()["native"], json!({"thunk-failed": 1, "fails-as-before": 1}));
    bench.reset_stats();
    assert_eq!(bench.alike(&[]), first);
    let stats = bench.stats();
    assert_eq!((&stats["native"], &stats["executed"]), (&json!({"fails-as-before": 2}), &json!({})));
    std::fs::write(bench.file("later.h"), "#define LATER 1\n").unwrap();
    bench.reset_stats();
    let gg = bench.gg(&[]);
    let stats = bench.stats();
    assert_eq!((&stats["native"], &stats["executed"]), (&json!({}), &json!({"local": 1})));
    let native = bench.native(&[]);
    assert_eq!(gg.tree.difference(&native.tree), Vec::<String>::new());
    assert_ne!(gg.tree.get("deps"), first.tree.get("deps"));
}

/// What is said on two streams into one file stays in its order, also in a call that is audited.
#[test]
fn two_streams_in_one_file() {
    let makefile = "all:\n\t-$(CC) -MM broken.c first.c >both 2>&1\n\t$(CC) -H -M last.c >heard 2>&1\n";
    let project = broken("#include \"later.h\"\n").file("last.c", "#include <stddef.h>\n").file("Makefile", makefile);
    let bench = Bench::new(project);
    for _ in 0..2 {
        assert_eq!(bench.alike(&[]).status, Some(0));
    }
    assert_eq!(bench.stats()["native"]["interleaved-messages"], json!(3));
}

/// With `-pipe` the assembler has no file to name. Without, the thunk is the same and its file's name is any.
#[test]
fn messages_about_what_comes_through_a_pipe() {
    let makefile = "\
all:
\t$(CC) -pipe -c w.c
\t$(CC) @args -c w.c
\t$(CC) -pipe -c k.S
\t$(CC) -pipe -c quiet.c
\t$(CC) -c w.c 2>&1 | sed 's,/tmp/[a-z]*[0-9A-Za-z]*,T,'
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("args", "-pipe\n")
        .file("w.c", "asm(\".warning \\\"hi\\\"\");\nint x;\n")
        .file("k.S", ".warning \"hi\"\n")
        .file("quiet.c", "#warning so it is\nint x;\n");
    let bench = Bench::new(project);
    for _ in 0..2 {
        let ended = bench.alike(&[]);
        assert!(ended.stderr.contains("{standard input}:4: Warning: hi"), "{}", ended.stderr);
    }
    let stats = bench.stats();
    assert_eq!((&stats["native"], &stats["model_misses"]), (&json!({"assembler-messages": 3}), &json!([])));
}
