//! What goes wrong late leaves what plain make would have left, and any make goes on from there.

use std::fs;

use gg_testkit::Tree;

use crate::bench::{Bench, Ended, GG, assert_alike, assert_same_tree};

/// A project in which `broken.o` is the one of three objects that cannot be made.
fn broken(source: &str) -> Tree {
    Tree::new()
        .file("Makefile", "prog: first.o broken.o last.o\n\t$(CC) -o $@ $^\n")
        .file("first.c", "int first(void) { return 1; }\n")
        .file("broken.c", source)
        .file("last.c", "int main(void) { return 0; }\n")
}

/// What the tools said: neither make's lines nor gg's, nor an empty one.
fn of_tools(ended: &Ended) -> Vec<&str> {
    let own = |line: &&str| !line.starts_with("make: ") && !line.starts_with("gg ");
    ended.stderr.lines().filter(own).collect()
}

/// Late, with and without `-k`: fails, says once what the tools say, and leaves what plain make leaves; then `mend` is run,
/// and each kind of make comes to what plain make makes of the mended sources.
fn check(project: &Tree, mend: &str) {
    for way in ["make", "gg-make", "infer"] {
        for keep_going in [false, true] {
            let bench = Bench::new(project.clone());
            let (args, force): (&[&str], &[&str]) =
                if keep_going { (&["-j1", "-k"], &["-k"]) } else { (&["-j1"], &["--jobs", "1"]) };
            let native = bench.native(args);
            assert_eq!(native.status, Some(2));
            bench.fresh();
            let inferred = bench.infer(args);
            let forced = bench.force(force);
            let failed = inferred.status != Some(0) || forced.status != Some(0);
            assert!(failed, "{}{}", inferred.stderr, forced.stderr);
            assert_eq!(bench.placeholders(), Vec::<String>::new());
            let all = Ended { stderr: inferred.stderr + &forced.stderr, ..forced };
            assert_eq!(of_tools(&native), of_tools(&all), "{}", all.stderr);
            // Without -k make stops where it knows of the failure; what gg had begun may be there too.
            if keep_going {
                assert_same_tree(&native, &all);
            } else {
                let differing = native.tree.difference(&all.tree);
                assert!(
                    differing.iter().all(|line| line.contains("last.o") || line.contains("other.o")),
                    "{differing:?}"
                );
            }
            // the same again
            let again = bench.both(args, force);
            assert_ne!(again.status, Some(0), "{}", again.stderr);
            assert_eq!(of_tools(&native), of_tools(&again), "{}", again.stderr);
            assert_eq!(bench.placeholders(), Vec::<String>::new());
            bench.shell(mend);
            let gg = match way {
                "make" => bench.native(args),
                "gg-make" => bench.gg_make(args),
                _ => bench.both(args, force),
            };
            assert_eq!(gg.status, Some(0), "{way} {}", gg.stderr);
            bench.fresh();
            bench.shell(mend);
            assert_same_tree(&bench.native(args), &gg);
            assert_eq!(bench.stats()["model_misses"], serde_json::json!([]));
        }
    }
}

#[test]
fn a_syntax_error() {
    check(&broken("int broken(void) { return 1 }\n"), "echo 'int broken;' >broken.c");
}

#[test]
fn a_missing_header() {
    check(&broken("#include \"nowhere.h\"\nint broken;\n"), "echo 'int nowhere;' >nowhere.h");
}

#[test]
fn an_error_in_the_assembly() {
    check(&broken("void broken(void) { __asm__(\"nonsense %eax\"); }\n"), "echo 'int broken;' >broken.c");
}

#[test]
fn an_undefined_symbol() {
    let project = Tree::new()
        .file("Makefile", "all: prog other.o\nprog: main.o\n\t$(CC) -o $@ $^\n")
        .file("main.c", "int nowhere(void);\nint main(void) { return nowhere(); }\n")
        .file("other.c", "int other;\n");
    check(&project, "echo 'int main(void) { return 0; }' >main.c");
}

/// Two that fail, one that needs one of them, and the messages of what goes well beside them.
#[test]
fn several() {
    let project = broken("int broken = ;\n#warning broken\n")
        .file(
            "Makefile",
            "all: prog lib.a other.o\nprog: first.o lib.a\n\t$(CC) -o $@ $^\nlib.a: broken.o last.o\n\tar rc $@ $^\n",
        )
        .file("first.c", "#warning first\nint main(void) { return 0; }\n")
        .file("last.c", "int last = ;\n")
        .file("other.c", "#warning other\nint other;\n");
    let bench = Bench::new(project.clone());
    let native = bench.native(&["-j1", "-k"]);
    bench.fresh();
    let gg = bench.both(&["-j1", "-k"], &["-k"]);
    assert_eq!(gg.status, Some(1));
    let sorted = |ended: &Ended| {
        let mut lines: Vec<String> = of_tools(ended).iter().map(|line| (*line).to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&native), sorted(&gg), "{}", gg.stderr);
    assert_same_tree(&native, &gg);
    assert!(gg.stderr.contains("gg force: 2 commands failed;"), "{}", gg.stderr);
}

/// What is kept of a call may be dropped at any time: its failure stands until it is made again.
#[test]
fn after_what_is_kept_was_dropped() {
    let bench = Bench::new(broken("int broken = ;\n"));
    assert_eq!(bench.both(&["-j1", "-k"], &["-k"]).status, Some(1));
    assert_eq!(bench.force(&[]).status, Some(1));
    let dropped = bench.command(GG).args(["gc", "--max-size", "0"]).output().unwrap();
    assert!(dropped.status.success(), "{dropped:?}");
    let forced = bench.force(&[]);
    assert!(forced.status == Some(1) && forced.stderr.contains("broken.c"), "{}", forced.stderr);
    bench.shell("echo 'int broken;' >broken.c");
    let mended = bench.both(&["-j1"], &[]);
    assert_eq!(mended.status, Some(0), "{}", mended.stderr);
}

/// A failure that make is told to ignore is its business: at the latest when it is run again.
#[test]
fn an_error_that_make_ignores() {
    let makefile = "all: first.o broken last.o\n\t$(CC) -o prog first.o last.o\nbroken:\n\t-$(CC) -c broken.c\n.PHONY: all broken\n";
    let bench = Bench::new(broken("int broken = ;\n").file("Makefile", makefile));
    for args in [&["-j1"][..], &["-j1", "-i"]] {
        bench.fresh();
        let native = bench.native(args);
        bench.fresh();
        let first = bench.both(args, &["-k"]);
        assert_same_tree(&native, &first);
        let second = bench.both(args, &[]);
        assert_eq!(second.status, Some(0), "{}", second.stderr);
        assert_same_tree(&native, &second);
        assert!(second.stderr.contains("Error 1 (ignored)"), "{}", second.stderr);
    }
}

/// What fails late and is needed within the build is run again at once, for make to judge.
#[test]
fn needed_by_a_native_command() {
    let makefile = "all: broken.o\n\tcat broken.o >copy\nbroken.o: broken.c\n\t$(CC) -c broken.c\n";
    let project = broken("int broken = ;\n").file("Makefile", makefile);
    let bench = Bench::new(project);
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let gg = bench.infer(&["-j1"]);
    assert_eq!((native.status, gg.status), (Some(2), Some(2)), "{}", gg.stderr);
    assert_eq!(gg.stderr.matches("error: expected expression").count(), 1, "{}", gg.stderr);
    assert!(gg.stderr.ends_with("make: *** [Makefile:4: broken.o] Error 1\n"), "{}", gg.stderr);
    // The shell has made the file that `cat` was to write, before it was known that nobody should.
    assert_eq!(native.tree.difference(&gg.tree).len(), 1);
    assert_eq!(fs::read(bench.file("copy")).unwrap(), b"");
}

/// A command that does not need what failed goes well: make has no reason to run it again.
#[test]
fn needed_by_nobody() {
    let makefile = "\
all: broken.o text out
broken.o: broken.c
\t$(CC) -c broken.c
text: last.c
\tgcc -E last.c >text
out: gen
\t./gen >out
gen: gen.c
\t$(CC) -o gen gen.c
";
    let generator = "#include <stdio.h>\nint main(void) { return !puts(\"made\"); }\n";
    let bench = Bench::new(broken("int broken = ;\n").file("Makefile", makefile).file("gen.c", generator));
    let native = bench.native(&["-j1", "-k"]);
    bench.fresh();
    let gg = bench.both(&["-j1", "-k"], &["-k"]);
    assert_same_tree(&native, &gg);
    assert_eq!(bench.shell("cat out"), "made\n");
}

/// An object that was made before is gone when it cannot be made anew, where the compiler would have left it: make has no use for
/// what is older than its source.
#[test]
fn an_older_object() {
    let bench = Bench::new(broken("int broken(\n").file("broken.o", "old"));
    bench.shell("touch -d 2020-01-01 broken.o");
    let gg = bench.both(&["-j1", "-k"], &["-k"]);
    assert!(gg.status == Some(1) && gg.tree.get("broken.o").is_none(), "{}", gg.stderr);
    bench.shell("echo 'int broken;' >broken.c");
    let mended = bench.native(&["-j1"]);
    assert_eq!(mended.status, Some(0), "{}", mended.stderr);
}

/// An archive that is there is not lost by an `ar` that fails.
#[test]
fn an_older_archive() {
    let makefile = "lib.a: broken.o first.o\n\tar r $@ $^\n";
    let bench = Bench::new(broken("int broken(\n").file("Makefile", makefile));
    bench.shell("echo 'int x;' >x.c; gcc -c x.c; ar rc lib.a x.o; touch -d 2020-01-01 lib.a; rm x.c x.o");
    let archive = fs::read(bench.file("lib.a")).unwrap();
    let gg = bench.both(&["-j1", "-k"], &["-k"]);
    assert_ne!(gg.status, Some(0));
    assert_eq!(fs::read(bench.file("lib.a")).unwrap(), archive);
    bench.shell("echo 'int broken;' >broken.c");
    let gg = bench.both(&["-j1"], &[]);
    assert_eq!(gg.status, Some(0), "{}", gg.stderr);
    assert_eq!(bench.shell("ar t lib.a"), "x.o\nbroken.o\nfirst.o\n");
}

/// A second build of the whole fails as the first, and says as much.
#[test]
fn not_remembered_as_anything_else() {
    let bench = Bench::new(broken("int broken = ;\n"));
    bench.both(&["-j1"], &[]);
    bench.fresh();
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let gg = bench.infer(&["-j1"]);
    assert_alike(&native, &Ended { tree: native.tree.clone(), ..gg });
}

/// What follows an early answer in its recipe may stand though the command fails: the build has not gone well until the
/// command is called again, its source is another, or its output is there.
#[test]
fn a_stamp_after_what_failed() {
    let makefile = "\
all: x.stamp
x.stamp: x.c
\t$(CC) -c x.c -o x.o
\ttouch x.stamp
";
    let bench = Bench::new(Tree::new().file("Makefile", makefile).file("x.c", "int x = ;\n"));
    assert_eq!(bench.native(&["-j1"]).status, Some(2));
    bench.fresh();
    assert_eq!(bench.infer(&["-j1"]).status, Some(0));
    let forced = bench.force(&[]);
    assert!(forced.status == Some(1) && forced.stderr.contains("error: expected"), "{}", forced.stderr);
    // the stamp stands, so make has nothing to do
    for again in [bench.infer(&["-j1"]), bench.force(&[]), bench.gg_make(&["-j1"])] {
        assert_ne!(again.status, Some(0), "{}", again.stderr);
        assert!(again.stderr.contains("error: expected") && again.stderr.contains("-c x.c -o x.o"), "{}", again.stderr);
    }
    // in a build that settles by itself, too
    bench.fresh();
    let lazy = bench.gg_make(&["-j1", "--gg-lazy"]);
    assert!(lazy.status == Some(2) && lazy.stderr.contains("error: expected"), "{}", lazy.stderr);
    // make sees another source, and that is the end of it
    crate::between::write_later(&bench, "x.c", "int x;\n");
    assert_eq!(bench.force(&[]).status, Some(0), "what failed would be another call");
    assert_eq!(bench.both(&["-j1"], &[]).status, Some(0));
    assert_eq!(bench.gg_make(&["-j1"]).status, Some(0));
}

/// A failure stands while its source is the same, also where that stood as a placeholder when the call was answered.
#[test]
fn of_a_source_that_is_made() {
    let section = |text: &str| format!(".section .source,\"a\"\n.ascii \"{text}\\n\"\n");
    let makefile = "\
made.o: made.c
\t$(CC) -c made.c
made.c: text.o
\t$(OBJCOPY) -O binary -j .source text.o made.c
text.o: text.s
\t$(AS) text.s -o text.o
";
    let bench = Bench::new(Tree::new().file("Makefile", makefile).file("text.s", section("int made = ;")));
    let tools = ["-j1", "AS=as", "OBJCOPY=objcopy"];
    assert_eq!(bench.infer(&tools).status, Some(0));
    for _ in 0..3 {
        let forced = bench.force(&[]);
        assert!(forced.status == Some(1) && forced.stderr.contains("error: expected"), "{}", forced.stderr);
    }
    assert_eq!(fs::read_to_string(bench.file("made.c")).unwrap(), "int made = ;\n");
    crate::between::write_later(&bench, "text.s", &section("int made;"));
    let mended = bench.both(&tools, &[]);
    assert_eq!(mended.status, Some(0), "{}", mended.stderr);
    assert_eq!(bench.stats()["model_misses"], serde_json::json!([]));
}

/// What a status decides is not answered early.
#[test]
fn a_probe_in_a_recipe() {
    let makefile = "\
all: main.o
config.h:
\t-$(CC) -c probe.c -o probe.o && echo '#define HAVE 1' >config.h
\ttest -f config.h || echo '#define HAVE 0' >config.h
main.o: main.c config.h
\t$(CC) -c main.c
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("probe.c", "int probe = ;\n")
        .file("main.c", "#include \"config.h\"\nint have = HAVE;\n");
    let bench = Bench::new(project);
    let native = bench.native(&["-j1"]);
    assert_eq!(native.status, Some(0), "{}", native.stderr);
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    assert_eq!(gg.status, Some(0), "{}", gg.stderr);
    assert_same_tree(&native, &gg);
}

/// A compile with a depfile is answered early where it is sure what the depfile holds. The compiler leaves it though the
/// compile fails.
#[test]
fn depfiles() {
    let makefile = "\
prog: main.o part.o
\t$(CC) -o $@ $^
%.o: %.c
\t$(CC) -MD -MP -MF $*.Td -c -o $@ $< && mv -f $*.Td $*.d
-include main.d part.d
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("part.h", "#ifdef __linux__\n#include \"real.h\"\n#else\n#include \"other.h\"\n#endif\n")
        .file("real.h", "int part(void);\n")
        .file("main.c", "#include \"part.h\"\nint main(void) { return part(); }\n")
        .file("part.c", "#include \"part.h\"\nint part(void) { return 0; }\n");
    let bench = Bench::new(project.clone());
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    assert_same_tree(&native, &gg);
    assert_eq!(bench.lazy_and_native(), (3, 0));
    bench.has_nothing_to_do(&["-j1"]);

    let bench = Bench::new(
        project
            .file("part.c", "#include \"part.h\"\nint part(void) { return ; }}\n")
            .file("Makefile", "part.o: part.c\n\t$(CC) -MD -c -o $@ $<\n"),
    );
    let native = bench.native(&["-j1"]);
    assert!(native.tree.get("part.d").is_some() && native.tree.get("part.o").is_none());
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    assert!(gg.status != Some(0));
    assert_same_tree(&native, &gg);
}
