//! Everything that make does stays make's.

use gg_testkit::Tree;

use crate::again;
use crate::bench::{Bench, Ended, assert_alike};

/// Of commands that run at once the order is chance.
fn sorted(mut ended: Ended) -> Ended {
    for text in [&mut ended.stdout, &mut ended.stderr] {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        *text = lines.join("\n");
    }
    ended
}

fn alike_but_for_order(bench: &Bench, args: &[&str]) -> Ended {
    bench.fresh();
    let native = sorted(bench.native(args));
    bench.fresh();
    let gg = sorted(bench.gg(args));
    assert_alike(&native, &gg);
    gg
}

#[test]
fn silence_asking_and_directories() {
    let bench = Bench::new(again::project());
    for args in [&["-s"][..], &["-n"], &["-q"], &["-C", "sub", "-s"], &["-Csub", "libsub.a"], &["-h"]] {
        bench.alike(args);
    }
    assert_eq!(bench.alike(&["--version"]).status, Some(0));
    assert_eq!(bench.alike(&["--no-such-option"]).status, Some(2));
    assert_eq!(bench.alike(&["no-such-target"]).status, Some(2));
}

#[test]
fn many_jobs_share_the_tokens_of_one_jobserver() {
    let bench = Bench::new(again::project());
    for args in [&["-j4"][..], &["-j2", "-Otarget"], &["-j4", "-Oline", "-k"], &["-j"]] {
        let ended = alike_but_for_order(&bench, args);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(!ended.stderr.contains("jobserver"), "{}", ended.stderr);
    }
}

#[test]
fn a_jobserver_in_a_fifo() {
    let bench = Bench::new(again::project());
    let known = bench.command("make").args(["-n", "--jobserver-style=fifo"]).output().unwrap().status.success();
    let args: &[&str] = if known { &["-j4", "--jobserver-style=fifo"] } else { &["--jobserver-style=fifo"] };
    // a make before 4.4 refuses it, also here
    assert_eq!(alike_but_for_order(&bench, args).status, Some(if known { 0 } else { 2 }));
}

#[test]
fn one_shell_and_another_shell() {
    let makefile = "\
SHELL = /bin/bash
.ONESHELL:
.SHELLFLAGS = -euc
all: prog.o
\tset -o pipefail
\tname=$$(printf prog)
\tgcc -o $$name $$name.o
\t[[ -x $$name ]] && ./$$name | tee said
";
    let bench = Bench::new(
        Tree::new()
            .file("Makefile", makefile)
            .file("prog.c", "#include <stdio.h>\nint main(void) { return puts(\"so\") < 0; }\n"),
    );
    let ended = bench.alike(&[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.tree.get("said").is_some() && ended.stdout.ends_with("so\n"));
}

/// make reads itself again when a makefile that it includes was made.
#[test]
fn makefiles_that_are_made() {
    let makefile = "\
prog: main.o
\tgcc -o $@ $^
%.d: %.c
\tgcc -MM -MF $@ -MT '$*.o $@' $<
include main.d
config.h: config.in
\t@echo restarts: $(MAKE_RESTARTS)
\tcp $< $@
";
    let bench = Bench::new(
        Tree::new()
            .file("Makefile", makefile)
            .file("config.in", "#define STATUS 0\n")
            .file("config.h", "#define STATUS 1\n")
            .file("main.c", "#include \"config.h\"\nint main(void) { return STATUS; }\n"),
    );
    let age = |bench: &Bench| {
        let old = std::fs::File::open(bench.file("config.h")).unwrap();
        old.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    };
    age(&bench);
    let native = bench.native(&[]);
    bench.fresh();
    age(&bench);
    let gg = bench.gg(&[]);
    assert_alike(&native, &gg);
    assert_eq!(gg.status, Some(0), "{}", gg.stderr);
    assert!(gg.stdout.contains("restarts: 1"), "{}", gg.stdout);
}

/// What recipes see of the process that started make: nothing but `PATH` and gg's own variables differs.
#[test]
fn environment_and_descriptors() {
    let makefile = "\
all:
\t@env | grep -v -e '^GG_' -e '^PATH=' | sort >env
\t@env | grep -c '^GG_SOCKET='; :
\t@cd /proc/self/fd && for fd in *; do echo $$fd; done
\t@grep -e SigBlk -e SigIgn -e SigCgt /proc/self/status
\t@umask
\t+@echo $(MAKEFLAGS)
";
    let bench = Bench::new(Tree::new().file("Makefile", makefile));
    for ignored in ["", "trap '' PIPE HUP INT CHLD;"] {
        let run = |program: &str| {
            let script = format!("{ignored} umask 027; exec 7<Makefile; exec \"$0\" -j2 A=b");
            bench.fresh();
            let mut command = bench.command("sh");
            bench.ended(command.env("GG_SUMMARY", "no").args(["-c", &script, program]).output().unwrap())
        };
        let (native, mut gg) = (run("make"), run(crate::bench::GG_MAKE));
        assert!(native.stdout.starts_with("0\n") && gg.stdout.starts_with("1\n"), "{native:?} {gg:?}");
        gg.stdout.replace_range(..1, "0");
        assert_alike(&native, &gg);
        assert!(gg.stdout.contains("0027") && gg.stdout.contains("\n7\n"), "{}", gg.stdout);
    }
}

/// gg-make as a part of a larger build: it takes tokens from that build's jobserver.
#[test]
fn below_an_outer_make() {
    let bench = Bench::new(again::project().file("outer.mk", "all:\n\t+$(BELOW) -w\n\t@echo after\n"));
    let run = |below: &str| {
        bench.fresh();
        let mut make = bench.command("make");
        make.env("GG_SUMMARY", "no").env("BELOW", below).args(["-s", "-j3", "-f", "outer.mk"]);
        sorted(bench.ended(make.output().unwrap()))
    };
    let (native, gg) = (run("make"), run(crate::bench::GG_MAKE));
    assert_alike(&native, &gg);
    assert_eq!(gg.status, Some(0), "{}", gg.stderr);
    assert!(!gg.stderr.contains("jobserver"), "{}", gg.stderr);
    assert!(bench.stats()["thunks"].as_u64() > Some(0));
}
