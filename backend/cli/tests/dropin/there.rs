//! What stands at a path already counts as it does for the tool alone.

use std::fs;
use std::process::Command;

use gg_testkit::{Entry, Tree};
use serde_json::json;

use crate::bench::{Bench, assert_alike};

/// Builds natively and through the shims, cold and again; the files of each pair differ.
fn alike_twice(bench: &Bench, pairs: &[(&str, &str)]) {
    for _ in 0..2 {
        let ended = bench.alike(&[]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        for (first, second) in pairs {
            assert_ne!(ended.tree.get(*first), ended.tree.get(*second), "{second}");
        }
    }
}

/// An output that is empty, or a link that leads nowhere, is written into; another is replaced.
#[test]
fn outputs_that_are_there() {
    let makefile = "\
all:
\t$(CC) -c a.c -o first.o
\t$(CC) first.o -o first
\tset -e; : >empty; chmod 600 empty; $(CC) first.o -o empty; ./empty
\tset -e; mkdir d; : >d/a.o; ln -s d/a.o link.o; $(CC) -c a.c -o link.o
\tset -e; : >one.o; ln one.o two.o; $(CC) -c a.c -o one.o; cmp one.o two.o
\tset -e; ln -s later.o dangling.o; $(CC) -c a.c -o dangling.o
\tset -e; ln -s later dangling; $(CC) first.o -o dangling; ./later
\tset -e; cp first.o full.o; chmod 640 full.o; ln -s full.o there.o; $(CC) -c a.c -o there.o
\tset -e; : >stripped; $(STRIP) -o stripped first
\tset -e; umask 027; ln -s d/made x.d; $(CC) -MD -MF x.d -c a.c -o x.o; ln -s d/a.s x.s; $(CC) -S a.c -o x.s
\tset -e; umask 027; touch d/there; chmod 604 d/there; ln -s d/there y.d; $(CC) -MD -MF y.d -c a.c -o y.o
";
    let bench = Bench::new(Tree::new().file("Makefile", makefile).file("a.c", "int main(void) { return 0; }\n"));
    for _ in 0..3 {
        let ended = bench.alike(&[]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
    let stats = bench.stats();
    assert!(stats["memo_hits"].as_u64() > Some(0));
    assert_eq!(stats["model_misses"], json!([]));
}

/// What a call wrote, the same call may find when it comes again.
#[test]
fn outputs_that_a_search_finds() {
    let makefile = "\
all:
\t$(CC) -fPIC -c b.c
\t$(CC) -fPIC -c f.c
\t$(AR) rcs libfoo.a f.o
\tset -e; for n in 1 2 3; do $(CC) -fuse-ld=$(LINKER) -shared -o libfoo.so b.o -L$(CURDIR) -lfoo; cp libfoo.so $$n.so; done
\tset -e; for n in 1 2 3; do $(CC) -MMD -c h.c; cp h.o $$n.o; done
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("b.c", "int foo(void);\nint bar(void) { return foo(); }\n")
        .file("f.c", "int foo(void) { return 7; }\n")
        .file("h.c", "#if __has_include(\"h.d\")\nint there;\n#else\nint absent;\n#endif\n");
    let bench = Bench::new(project);
    for linker in ["bfd", "gold", "lld"] {
        let ended = bench.alike(&[&format!("LINKER={linker}")]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert_eq!(ended.tree.get("1.so") == ended.tree.get("2.so"), linker == "bfd", "{linker}");
        assert_ne!(ended.tree.get("1.o"), ended.tree.get("2.o"));
    }
}

/// Remarks on optimizations are appended to those that are there.
#[test]
fn a_report_that_is_there() {
    let makefile = "\
all:
\tset -e; for n in 1 2 3; do $(CC) -O3 -fopt-info-vec=vec.log -c a.c; done
\tset -e; for n in 1 2; do rm vec.log; $(CC) -O3 -fopt-info-vec=vec.log -c a.c; done
\tset -e; for n in 1 2; do rm vec.log; echo old >vec.log; $(CC) -O3 -fopt-info-vec=vec.log -c a.c; done
";
    let source = "void f(int *a, int *b) { for (int i = 0; i < 1024; i++) a[i] += b[i]; }\n";
    let bench = Bench::new(Tree::new().file("Makefile", makefile).file("a.c", source));
    for _ in 0..2 {
        let ended = bench.alike(&[]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(matches!(ended.tree.get("vec.log"), Some(Entry::File { bytes, .. }) if bytes.starts_with(b"old")));
    }
    assert!(bench.stats()["memo_hits"].as_u64() > Some(0));
}

/// Of several calls at once each appends what it has to say.
#[test]
fn a_report_of_several_calls() {
    let makefile = "all: a.o b.o c.o d.o\n%.o: %.c\n\t$(CC) -O3 -fopt-info-vec=vec.log -c $<\n";
    let source = |name: &str| {
        let one =
            |n: usize| format!("void {name}{n}(int *a, int *b) {{ for (int i = 0; i < 1024; i++) a[i] += b[i]; }}\n");
        (0..80).map(one).collect::<String>()
    };
    let project = ["a", "b", "c", "d"]
        .into_iter()
        .fold(Tree::new().file("Makefile", makefile), |tree, name| tree.file(format!("{name}.c"), source(name)));
    let bench = Bench::new(project);
    for round in 0..2 {
        bench.fresh();
        for name in ["a", "b", "c", "d"] {
            // Executed anew, and held against the compiler once.
            fs::write(bench.file(format!("{name}.c")), format!("{}int round = {round};\n", source(name))).unwrap();
        }
        let ended = bench.gg(&["-j4"]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        let log = std::fs::read_to_string(bench.file("vec.log")).unwrap();
        for name in ["a.c", "b.c", "c.c", "d.c"] {
            assert!(log.lines().filter(|line| line.starts_with(name)).count() >= 80, "{name}");
        }
    }
}

/// Directories and programs that appear where the driver is to search first.
#[test]
fn places_that_the_driver_searches_first() {
    let makefile = "\
all:
\tmkdir y d g
\t$(CC) -c one.c
\t$(CC) -c two.c
\t$(AR) rcs y/libl.a one.o
\tset -e; for n in 1 2; do LIBRARY_PATH=$(CURDIR)/stage:$(CURDIR)/y $(CC) m.c -ll -o m; cp m m$$n; \\
\t  mkdir -p stage; $(AR) rcs stage/libl.a two.o; done
\tset -e; for d in d e; do for n in 1 2; do $(CC) -B$$d -c s.c; cp s.o s$$d$$n; \\
\t  mkdir -p $$d/include; cp shadow.h $$d/include/stdio.h; done; done
\tset -e; for d in f g; do for n in 1 2; do COMPILER_PATH=$(CURDIR)/$$d $(CC) -c c.c; cp c.o c$$d$$n; \\
\t  mkdir -p $$d; cp cc1 $$d/cc1; chmod +x $$d/cc1; done; done
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("one.c", "int lv(void) { return 1; }\n")
        .file("two.c", "int lv(void) { return 2; }\n")
        .file("m.c", "int lv(void);\nint main(void) { return lv(); }\n")
        .file("s.c", "#include <stdio.h>\nint a = BUFSIZ;\n")
        .file("shadow.h", "#include_next <stdio.h>\nint shadow;\n")
        .file("c.c", "#ifdef HOOK\nint hooked;\n#else\nint plain;\n#endif\n")
        .file("cc1", "#!/bin/sh\nexec \"$(env -u COMPILER_PATH gcc -print-prog-name=cc1)\" \"$@\" -DHOOK\n");
    let bench = Bench::new(project);
    alike_twice(&bench, &[("m1", "m2"), ("sd1", "sd2"), ("se1", "se2"), ("cf1", "cf2"), ("cg1", "cg2")]);
}

/// What another process has there is not what the tool has.
#[test]
fn directories_of_the_process() {
    let makefile = "\
all:
\t$(CC) -c one/f.c
\t$(AR) rcs one/libl.a f.o
\t$(CC) -c two/f.c
\t$(AR) rcs two/libl.a f.o
\t$(CC) -c a.s -Wa,-I/proc/self/cwd/one -Wa,-Itwo
\t$(CC) -I/proc/self/cwd/one -Itwo -c h.c
\t$(CC) -c m.c
\t$(CC) -L/proc/self/cwd/one -Ltwo m.o -ll -o m; ./m
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("a.s", ".incbin \"f.c\"\n")
        .file("h.c", "#include <f.c>\n")
        .file("m.c", "int f(void);\nint main(void) { return f(); }\n")
        .file("one/f.c", "int f(void) { return 0; }\n")
        .file("two/f.c", "int f(void) { return 1; }\n");
    let bench = Bench::new(project);
    let ended = bench.alike(&[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(bench.stats()["native"], json!({"io": 3}));
}

/// What is passed over where the driver searches, until it is what the driver takes.
#[test]
fn places_with_names_that_lead_to_nothing_yet() {
    let makefile = "\
all:
\tmkdir h m l; ln -s ../stage/include h/include; cp cc1 m/cc1; ln -s ../stage/cc1 l/cc1; chmod -x m/cc1
\tset -e; for n in 1 2; do $(CC) -Bh/ -c s.c; cp s.o h$$n; $(CC) -Bm/ -c c.c; cp c.o m$$n; \\
\t  COMPILER_PATH=$(CURDIR)/l $(CC) -c c.c; cp c.o l$$n; \\
\t  mkdir -p stage/include; cp shadow.h stage/include/stdio.h; cp cc1 stage; chmod +x stage/cc1 m/cc1; done
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("s.c", "#include <stdio.h>\nint a = BUFSIZ;\n")
        .file("shadow.h", "#include_next <stdio.h>\nint shadow;\n")
        .file("c.c", "#ifdef HOOK\nint hooked;\n#else\nint plain;\n#endif\n")
        .file("cc1", "#!/bin/sh\nexec \"$(env -u COMPILER_PATH gcc -print-prog-name=cc1)\" \"$@\" -DHOOK\n");
    let bench = Bench::new(project);
    alike_twice(&bench, &[("h1", "h2"), ("m1", "m2"), ("l1", "l2")]);
}

/// Directories of libraries that appear below a root for the linker.
#[test]
fn directories_below_a_sysroot() {
    let makefile = "\
all:
\t$(CC) -c one.c
\t$(CC) -c two.c
\t$(CC) -c m.c
\tset -e; mkdir -p root/usr/local/lib/x86_64-linux-gnu; $(AR) rcs root/usr/local/lib/x86_64-linux-gnu/libl.a one.o; \\
\t  for n in 1 2 3; do $(CC) $(ROOT)$(CURDIR)/root -nostdlib m.o -ll -o m; cp m m$$n; \\
\t  mkdir -p root/usr/lib/x86_64-linux-gnu; $(AR) rcs root/usr/lib/x86_64-linux-gnu/libl.a two.o; done
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("one.c", "int lv(void) { return 1; }\n")
        .file("two.c", "int lv(void) { return 2; }\n")
        .file("m.c", "int lv(void);\nvoid _start(void) { lv(); }\n");
    let bench = Bench::new(project);
    for sysroot in ["ROOT=--sysroot=", "ROOT=--sysroot "] {
        let ended = bench.alike(&[sysroot]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert_ne!(ended.tree.get("m1"), ended.tree.get("m2"));
        assert_eq!(ended.tree.get("m2"), ended.tree.get("m3"));
    }
    assert!(bench.stats()["native"].as_object().is_some_and(|native| native.is_empty()), "{}", bench.stats());
}

/// `PWD` names the working directory, another one, and then the other way round.
#[test]
fn the_working_directory_by_a_link() {
    let makefile = "\
all:
\tset -e; mkdir r1 r2; for d in 1 2 1; do ln -sfn r$$d cur; for w in 1 2; do \\
\t  (cd r$$w; PWD=$(CURDIR)/cur $(CC) -g -c ../a.c; cp a.o $$d.o); done; done
\tln -s /proc/self/cwd here
\tPWD=$(CURDIR)/here $(CC) -g -c a.c
\tPWD=/proc/self/cwd $(CC) -g -c a.c -o b.o
";
    let bench = Bench::new(Tree::new().file("Makefile", makefile).file("a.c", "int a;\n"));
    alike_twice(&bench, &[("r1/1.o", "r1/2.o"), ("r2/1.o", "r2/2.o"), ("a.o", "b.o")]);
    assert_eq!(bench.stats()["native"]["environment"], 4);
}

/// Of two headers with the same bytes and times, one is read where they are to be read once.
#[test]
fn times_that_decide_what_is_read() {
    let header = "#pragma once\n#ifdef A\n#define B 1\n#else\n#define A 1\n#endif\n";
    let source = "#include \"one/a.h\"\n#include \"two/b.h\"\n#ifdef B\nint twice = 1;\n#else\nint once;\n#endif\n";
    let project = Tree::new()
        .file("Makefile", "a.o: a.c\n\t$(CC) -c a.c\n.PHONY: a.o\n")
        .file("a.c", source)
        .file("one/a.h", header)
        .file("two/b.h", header);
    let bench = Bench::new(project);
    let touch = |name: &str, year: &str| {
        let date = format!("{year}-01-01");
        assert!(Command::new("touch").args(["-d", &date]).arg(bench.file(name)).status().unwrap().success());
    };
    touch("one/a.h", "2020");
    touch("two/b.h", "2020");
    let [same, again] = [bench.gg(&[]), bench.gg(&[])];
    assert_alike(&same, &again);
    touch("two/b.h", "2021");
    let other = bench.gg(&[]);
    assert_alike(&bench.native(&[]), &other);
    assert_ne!(same.tree.get("a.o"), other.tree.get("a.o"));
}

/// Where another directory is mounted, the same path is another file.
#[test]
fn callers_with_mounts_of_their_own() {
    let bench = Bench::new(
        Tree::new().file("a.c", "#include <x.h>\n").file("inc/x.h", "int ours;\n").file("other/x.h", "int theirs;\n"),
    );
    let compile = |script: &str| {
        let mut unshare = bench.command("unshare");
        unshare.args(["-m", "sh", "-ec", script]).status().unwrap()
    };
    if !compile("mount --bind other other").success() {
        // Who may not mount here cannot mount elsewhere either.
        assert!(!Command::new("unshare").args(["-m", "true"]).status().unwrap().success());
        return;
    }
    assert!(bench.command(bench.at("bin/gg-cc")).args(["-Iinc", "-c", "a.c"]).status().unwrap().success());
    let ours = fs::read(bench.file("a.o")).unwrap();
    assert!(compile("mount --bind other inc; gg-cc -Iinc -c a.c -o theirs.o").success());
    assert_ne!(fs::read(bench.file("theirs.o")).unwrap(), ours);
    assert_eq!(bench.stats()["native"]["other-root"], 1);
}
