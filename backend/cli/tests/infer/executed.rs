//! Programs that the build makes and runs.

use gg_testkit::Tree;

use crate::bench::{Bench, assert_alike, assert_same_tree};

/// Prints its arguments and the directory it is in.
const GENERATOR: &str = "\
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
  char here[4096];
  for (int i = 1; i < argc; i++) printf(\"// <%s>\\n\", argv[i]);
  printf(\"// %d\\n#define MADE %d\\n\", getcwd(here, sizeof here) != 0, argc);
  return 0;
}
";

fn project(rules: &str) -> Tree {
    Tree::new()
        .file("Makefile", rules)
        .file("gen.c", GENERATOR)
        .file("use.c", "#include \"made.h\"\nint main(void) { return MADE != 3; }\n")
}

#[test]
fn a_generator() {
    let rules = "\
all: prog
gen: gen.c
\t$(CC) -o $@ gen.c
made.h: gen
\t./gen 'a b' \"$$HOME\" >$@
prog: use.o
\t$(CC) -o $@ use.o
use.o: use.c made.h
\t$(CC) -c use.c
";
    let bench = Bench::new(project(rules));
    bench.alike(&["-j1"]);
    assert_eq!(bench.shell("./prog; echo $?"), "0\n");
    assert_eq!(bench.lazy_and_native().1, 0);
}

/// Each by another way to it, and all at once.
#[test]
fn the_same_generator_many_times_at_once() {
    let rules = "\
all: prog 1.h 2.h 3.h 4.h 5.h 6.h 7.h
gen: gen.c
\t$(CC) -o $@ gen.c
\tmkdir -p d
\tln -s ../gen d/link
\tln gen d/hard
made.h: gen
\t./gen 1 2 >$@
1.h: gen
\t./gen 1 >$@
2.h: gen
\td/link 2 >$@
3.h: gen
\tcd d && ./link 3 >../$@
4.h: gen
\td/hard 4 >$@
5.h: gen
\tPATH=$$PWD:$$PATH gen 5 >$@
6.h: gen
\t$(CURDIR)/gen 6 | cat >$@
7.h: gen
\tfor i in 1 2 3; do ./gen $$i || exit 1; done >$@
prog: use.c made.h
\t$(CC) -o $@ use.c
";
    let bench = Bench::new(project(rules));
    for _ in 0..3 {
        bench.fresh();
        let native = bench.native(&["-s", "-j8"]);
        bench.fresh();
        std::fs::remove_dir_all(bench.at("gg")).ok();
        let gg = bench.both(&["-s", "-j8"], &[]);
        assert_alike(&native, &gg);
        assert_eq!(gg.status, Some(0));
        bench.has_nothing_to_do(&[]);
    }
}

#[test]
fn the_interpreter_of_a_script() {
    let rules = "\
all: made.h
gen: gen.c
\t$(CC) -o $@ gen.c
script: gen
\tprintf '#!%s x\\n' $(CURDIR)/gen >$@ && chmod +x $@
made.h: script
\t./script y z >$@
";
    let bench = Bench::new(project(rules));
    bench.alike(&["-j1"]);
    assert!(bench.shell("cat made.h").starts_with("// <x>\n// <./script>\n// <y>\n"));
}

#[test]
fn in_a_directory_with_an_odd_name() {
    let rules = "\
made.h: gen
\t./gen 1 >$@
\t\"$$PWD/gen\" 2 >>$@
gen: gen.c
\t$(CC) -o $@ gen.c
";
    let bench = Bench::named(project(rules), "a b ü $x 'q'");
    bench.alike(&["-j1"]);
}

/// Its status is the build's.
#[test]
fn a_program_that_fails_is_makes_to_judge() {
    let rules = "\
all: prog
\t-./prog 1
\t@./prog 1 2 && echo zero
\t@if ./prog; then echo yes; else echo no $$?; fi
\tkill -l `./prog x >/dev/null; echo $$?`
prog: prog.c
\t$(CC) -o $@ prog.c
";
    let bench =
        Bench::new(project(rules).file("prog.c", "int main(int argc, char **argv) { return argc == 3 ? 0 : argc; }\n"));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let gg = bench.both(&["-j1"], &[]);
    assert_alike(&native, &gg);
    assert!(gg.stderr.contains("Error 2 (ignored)"), "{}", gg.stderr);
}

/// What a program that was just made reads may be a placeholder too: its arguments, and what it loads.
#[test]
fn what_a_program_reads() {
    let count = "\
#include <stdio.h>
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], \"r\");
    long n = 0;
    if (!f) return 1;
    while (getc(f) != EOF) n++;
    printf(\"%s %ld\\n\", argv[i], n);
  }
  return 0;
}
";
    let plug = "\
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  void *plug = dlopen(\"./plug.so\", RTLD_NOW);
  if (!plug) { puts(dlerror()); return 1; }
  return !dlsym(plug, \"plug\");
}
";
    let rules = "\
all: sizes loaded
count: count.c
\t$(CC) -o $@ count.c
sizes: count use.o
\t./count use.o >$@
use.o: use.c
\t$(CC) -DMADE=3 -c use.c
load: load.c
\t$(CC) -o $@ load.c -ldl
plug.so: plug.c
\t$(CC) -shared -fPIC -o $@ plug.c
loaded: load plug.so
\t./load && touch $@
";
    let bench = Bench::new(
        project(rules)
            .file("count.c", count)
            .file("load.c", plug)
            .file("use.c", "int main(void) { return MADE; }\n")
            .file("plug.c", "int plug;\n"),
    );
    bench.alike(&["-j1"]);
}

/// Outside of a build: who runs a placeholder gets the program, and its status.
#[test]
fn after_the_build() {
    let bench = Bench::new(project("gen: gen.c\n\t$(CC) -o $@ gen.c\n"));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    assert_eq!(bench.infer(&["-j1"]).status, Some(0));
    assert_eq!(bench.placeholders(), ["gen"]);
    let own = std::path::Path::new(crate::bench::GG).parent().unwrap();
    let mut run = bench.command(bench.file("gen"));
    let ran = run.env("PATH", format!("{}:/usr/bin:/bin", own.display())).args(["x", "y"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "// <x>\n// <y>\n// 1\n#define MADE 3\n", "{ran:?}");
    assert_same_tree(&native, &bench.force(&[]));
}
