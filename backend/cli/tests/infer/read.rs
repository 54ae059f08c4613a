//! Programs outside the toolchain that read what the build has made.

use gg_testkit::Tree;

use crate::bench::{Bench, assert_alike, assert_same_tree};

fn project(rules: &str) -> Tree {
    let first = "all: whole prog\nprog: main.o part.o\n\t$(CC) -o $@ $^\n";
    Tree::new()
        .file("Makefile", first.to_owned() + rules)
        .file("main.c", "int part(int);\nint main(void) { return part(2) - 42; }\n")
        .file("part.c", "int part(int n) { return n * 21; }\n")
}

#[test]
fn readers_see_the_output() {
    let rules = "\
whole: prog part.o
\tcat part.o >one
\tcat <part.o >two
\tcmp one two && cmp part.o one && ! cmp -s prog part.o
\ttar cf all.tar --mtime=@0 --owner=0 --group=0 part.o main.o
\tmkdir -p d/e && mv part.o d/e && tar cf deep.tar --mtime=@0 --owner=0 --group=0 d && mv d/e/part.o .
\tnm part.o | grep -q part && nm prog >symbols
\tinstall -m 700 prog installed
\tsha256sum prog main.o >sums
\tgrep -c part prog >count
\thead -c 4 prog >magic; tail -c 9 prog >end; wc -c prog >size
\tod -An -tx1 -N4 main.o >dump
\tgzip -cn part.o >part.gz
\treadelf -h part.o >header && objdump -d part.o >code && strings prog >strings && size prog >sizes
\tsed -n '$$=' prog >lines; awk 'END { print NR }' prog >>lines; base64 main.o >text
\tls -l prog | cut -d' ' -f5 >long; stat -c %s main.o part.o >>long; du -b prog >>long; find part.o -size +1k >found
\ttouch whole
";
    let bench = Bench::new(project(rules));
    bench.alike(&["-j1"]);
}

/// Who reads a thin archive reads its members, which nobody named.
#[test]
fn members_of_thin_archives() {
    let rules = "\
whole: other.o
\tar rcT thin.a other.o
\tnm -s thin.a >map
\ttouch whole
";
    let bench = Bench::new(project(rules).file("other.c", "int other(void) { return 1; }\n"));
    bench.alike(&["-j1"]);
}

/// A program that gg does not know: somebody is told.
#[test]
fn another_program() {
    let reader = "#include <stdio.h>\nint main(void) { int c; while ((c = getchar()) != EOF) putchar(c); puts(\".\"); return 0; }\n";
    let rules = "whole: part.o\n\t../reader <part.o >whole\n";
    let bench = Bench::new(project(rules).file("reader.c", reader));
    bench.shell("gcc -o ../reader reader.c");
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let inferred = bench.infer(&["-j1"]);
    let forced = bench.force(&[]);
    for (ended, what) in [(inferred, "remove it, and use gg-make"), (forced, "remove it, and make it again")] {
        assert_eq!(ended.status, Some(1));
        let lines: Vec<&str> = ended.stderr.lines().collect();
        let [line] = lines[..] else { panic!("{lines:?}") };
        assert!(line.contains("project/whole was made of a file that") && line.ends_with(what), "{line}");
    }
    // which mends it
    bench.shell("rm whole");
    let mended = bench.gg_make(&["-j1"]);
    assert_eq!(mended.status, Some(0), "{}", mended.stderr);
    assert_same_tree(&native, &mended);
}

/// A tool of the toolchain that runs natively gets real files, and what it says is said as ever.
#[test]
fn tools_that_run_natively() {
    let rules = "\
whole: part.o main.o
\tgcc -v -o verbose main.o part.o 2>words
\tld -r -o joined main.o part.o --trace >traced
\tgcc -o mapped main.o part.o -Wl,-Map=map
\tar t x.a 2>/dev/null || ar rc x.a part.o
\tar t x.a
\tar p x.a part.o >printed && cmp printed part.o
\tar x x.a --output=. part.o
\tgcc -E main.c | gcc -xc - -x none part.o -o piped
\ttouch whole
";
    let bench = Bench::new(project(rules));
    let native = bench.native(&["-j1"]);
    assert_eq!(native.status, Some(0), "{}", native.stderr);
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    // what `-v` says names temporary files
    std::fs::remove_file(bench.file("words")).unwrap();
    let differing = native.tree.difference(&gg.tree);
    assert!(differing.iter().all(|line| line.contains("words")), "{differing:?}");
    assert_eq!((gg.stdout, gg.stderr, gg.status), (native.stdout, native.stderr, native.status));
}

/// What looks at the status or at the messages of a call gets them.
#[test]
fn looked_at() {
    let rules = "\
whole:
\t@$(CC) -Wall -c loud.c 2>&1 | grep -c 'unused variable'
\t@$(CC) -Wall -c loud.c 2>said; grep -c 'unused variable' said
\t@if $(CC) -c none.c 2>/dev/null; then echo yes; else echo no; fi
\t@$(CC) -c part.c -o a.o; echo status $$?
\t@$(CC) -c part.c -o b.o && cmp a.o b.o && echo same
\t@x=`$(CC) -c part.c -o c.o && echo well`; echo $$x
\t@touch whole
";
    let bench = Bench::new(project(rules).file("loud.c", "void loud(void) { int x; }\n"));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    assert_alike(&native, &gg);
    assert_eq!(native.status, Some(0), "{}", native.stderr);
}
