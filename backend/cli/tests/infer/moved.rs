//! Placeholders that the build moves, copies, links, changes and touches.

use std::fs;
use std::os::unix::fs::MetadataExt;

use gg_testkit::Tree;

use crate::bench::{Bench, assert_same_tree};

fn project(makefile: &str) -> Tree {
    Tree::new()
        .file("Makefile", makefile)
        .file("main.c", "int part(int);\nint main(void) { return part(2) - 42; }\n")
        .file("part.c", "int part(int n) { return n * 21; }\n")
}

#[test]
fn links_copies_and_other_names() {
    let makefile = "\
all: prog second third fourth
prog: main.o part.o
\t$(CC) -o $@ $^
main.o: main.c
\t$(CC) -c -o main.tmp main.c
\tmv main.tmp main.o
second: prog
\tln -f prog hard
\tln -sf prog soft
\tcp prog second
third: prog
\tcp -a prog third
\tmkdir -p deep/er
\tcp -al deep deeper
\tmv third deep/er/third
\tcp -a deep/er/third third
fourth: part.o
\tdd if=part.o of=$@ status=none
";
    let bench = Bench::new(project(makefile));
    bench.alike(&["-j1"]);
    let same =
        |a: &str, b: &str| fs::metadata(bench.file(a)).unwrap().ino() == fs::metadata(bench.file(b)).unwrap().ino();
    assert!(same("prog", "hard") && !same("prog", "second"));
}

/// All names of a placeholder get the result, and remain names of one file.
#[test]
fn hard_links() {
    let bench = Bench::new(project(
        "all:\n\t$(CC) -c part.c\n\tln part.o one.o\n\tmkdir d\n\tln one.o d/two.o\n\t$(CC) -o prog main.c d/two.o\n",
    ));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let inferred = bench.infer(&["-j1"]);
    assert_eq!(inferred.status, Some(0), "{}", inferred.stderr);
    assert_eq!(bench.placeholders(), ["d/two.o", "one.o", "part.o", "prog"]);
    let forced = bench.force(&["d/two.o"]);
    assert_eq!((forced.status, forced.stderr.as_str()), (Some(0), ""));
    let inode = |name: &str| fs::metadata(bench.file(name)).unwrap().ino();
    assert!(inode("part.o") == inode("one.o") && inode("one.o") == inode("d/two.o"));
    assert_eq!(bench.placeholders(), ["prog"]);
    assert_same_tree(&native, &bench.force(&[]));
}

#[test]
fn modes() {
    let makefile = "\
all: prog plain.o
prog: main.c part.c
\t$(CC) -o prog main.c part.c
\tchmod 700 prog
\tcp -p prog kept
\tcp prog other
\tchmod a-x other
plain.o: part.c
\t$(CC) -c part.c -o $@
\tchmod 600 $@
\tcp $@ x.o
\tchmod +x x.o
\tchmod a-w x.o
";
    let bench = Bench::new(project(makefile));
    bench.alike(&["-j1"]);
    for umask in ["umask 077; exec \"$@\"", "umask 002; exec \"$@\"", "umask 0; exec \"$@\""] {
        let bench = Bench::new(project(makefile)).in_shell(umask);
        bench.alike(&["-j1"]);
    }
}

/// A program that is not made yet can be asked for like one that is.
#[test]
fn tests_of_files() {
    let makefile = "\
all: prog
\ttest -x prog && test -s prog && test -f part.o && test ! -x part.o
\ttest prog -nt part.o
prog: part.o
\t$(CC) -o $@ main.c part.o
";
    let bench = Bench::new(project(makefile));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let inferred = bench.infer(&["-j1"]);
    assert_eq!((inferred.status, bench.placeholders()), (Some(0), vec!["part.o".to_owned(), "prog".to_owned()]));
    assert_same_tree(&native, &bench.force(&[]));
}

/// What was touched later is later, so that make sees the same order after it.
#[test]
fn touched() {
    let makefile = "\
all: prog stamp
prog: main.o part.o
\t$(CC) -o $@ $^
stamp: prog
\t$(CC) -c -o old part.c
\ttouch part.o
\ttouch -d 2020-01-01 old
\ttouch prog stamp
";
    let bench = Bench::new(project(makefile));
    bench.alike(&["-j1"]);
    assert_eq!(bench.shell("stat -c %y old | cut -c1-10"), "2020-01-01\n");
}

/// Times are those at which make saw the work done, and a directory's is that of its last entry.
#[test]
fn times() {
    let bench = Bench::new(project("all: prog\nprog: main.o part.o\n\t$(CC) -o $@ $^\n"));
    assert_eq!(bench.infer(&[]).status, Some(0));
    let times = || bench.shell("stat -c '%n %y' . *.o prog");
    let before = times();
    assert_eq!(bench.force(&[]).status, Some(0));
    assert_eq!(times(), before);
}

/// Outputs that are written over something that is there.
#[test]
fn what_stood_there_before() {
    let makefile = "\
all:
\trm -rf d && mkdir d && cd d && : >old.o && ln old.o second.o && $(CC) -c ../part.c -o old.o
\tcd d && ln -s target.o link.o && $(CC) -c ../part.c -o link.o
\tcd d && ln -s nowhere dangling && $(CC) -o dangling ../main.c ../part.c
\tcd d && : >prog && chmod 600 prog && $(CC) -o prog ../main.c ../part.c
\tcd d && echo junk >lib.a && rm lib.a && ar rc lib.a old.o && chmod 640 lib.a && ar r lib.a link.o
";
    let bench = Bench::new(project(makefile));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    assert_same_tree(&native, &gg);
    assert_eq!((native.status, gg.status), (Some(0), Some(0)), "{}", gg.stderr);
}

/// What was moved, linked to, or is open already becomes its output too, also by gg-make that settles by itself.
#[test]
fn found_where_it_went() {
    let makefile = "\
all: prog size
part.o: part.c
\t$(CC) -c -o part.tmp part.c && mv part.tmp part.o
libx.so.1: other.c
\t$(CC) -shared -fPIC -o libx.so other.c
\tmv libx.so libx.so.1
\tln -s libx.so.1 libx.so
prog: main.o part.o libx.so.1
\t$(CC) -o prog main.o part.o -L. -lx -Wl,-rpath,$(CURDIR)
size: first.o
\twc -c <first.o >size
first.o: part.c
\t$(CC) -c -o first.o part.c
";
    let bench = Bench::new(project("").file("Makefile", makefile).file("other.c", "int other(void) { return 1; }\n"));
    let native = bench.native(&["-j1"]);
    assert_eq!(native.status, Some(0), "{}", native.stderr);
    bench.fresh();
    assert_same_tree(&native, &bench.both(&["-j1"], &[]));
    bench.fresh();
    let lazy = bench.gg_make(&["-j1", "--gg-lazy"]);
    assert_eq!(lazy.status, Some(0), "{}", lazy.stderr);
    assert_same_tree(&native, &lazy);
    bench.has_nothing_to_do(&["-j1"]);
}

/// An archive that is written into what stood for an earlier one has a file's mode, whoever writes it.
#[test]
fn an_archive_into_a_placeholder() {
    let makefile = "\
lib.a: part.o first.o
\t$(AR) rc lib.a $^
again: lib.a
\tif $(AR) rc lib.a first.o; then :; fi
first.o: part.c
\t$(CC) -c -o first.o part.c
";
    let bench = Bench::new(project("").file("Makefile", makefile));
    let native = bench.native(&["-j1", "part.o", "lib.a", "again"]);
    bench.fresh();
    // a real member: then the archive is not known to hold nothing but a compiler's objects
    assert_eq!(bench.native(&["part.o"]).status, Some(0));
    assert_eq!(bench.infer(&["-j1", "lib.a"]).status, Some(0));
    assert_same_tree(&native, &bench.both(&["-j1", "again"], &[]));
}
