//! gg's own options, and the lines at the end.

use gg_testkit::Tree;

use crate::again;
use crate::bench::{Bench, GG_MAKE, assert_alike};

#[test]
fn the_summary_is_two_lines_and_can_be_left_out() {
    let bench = Bench::new(again::project());
    let native = bench.native(&["-s"]);
    bench.fresh();
    let ended = bench.ended(bench.command(GG_MAKE).args(["-s", "--gg-jobs=1", "--gg-audit=off"]).output().unwrap());
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let said = ended.stderr.strip_prefix(&native.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].starts_with("gg: 7 commands in ")
            && lines[0].ends_with(" s: 7 as thunks, 0 native")
            && lines[1] == "gg: 0 from memo, 7 run here; nothing native",
        "{said}"
    );
    for args in [&["-q"][..], &["-n", "-B"], &["--version"], &["--gg-summary=no", "-B"]] {
        let output = bench.command(GG_MAKE).args(args).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("gg:"), "{args:?} {output:?}");
    }
}

#[test]
fn options_that_are_wrong_build_nothing() {
    let bench = Bench::new(again::project());
    let wrong = |args: &[&str], part: &str| {
        let ended = bench.gg(args);
        assert_eq!(ended.status, Some(2));
        assert!(ended.stderr.starts_with("gg-make: ") && ended.stderr.contains(part), "{}", ended.stderr);
        assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""));
        assert!(ended.tree.get("main.o").is_none());
    };
    wrong(&["--gg-engin=local"], "--gg-engin=local; known are --gg-audit");
    wrong(&["--gg-lazy=maybe"], "yes|no");
    wrong(&["all", "--gg-engine=lambda"], "--gg-engine=lambda");
    let help = bench.gg(&["--gg-help"]);
    assert!(help.status == Some(0) && help.stdout.contains("--gg-summary=yes|no"), "{}", help.stdout);
    assert!(bench.gg(&["--gg-version"]).stdout.starts_with("gg-make "));
}

#[test]
fn the_gg_dir_that_is_named() {
    let bench = Bench::new(again::project());
    let other = bench.at("other");
    let run = |args: &[&str]| {
        let mut command = bench.gg_make();
        bench.ended(command.env_remove("GG_DIR").env("HOME", bench.at("home")).args(args).output().unwrap())
    };
    assert_eq!(run(&["-s", &format!("--gg-dir={}", other.display())]).status, Some(0));
    // of the user's own there is only what all stores share
    let own: Vec<_> = bench.at("home/.cache/gg").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(other.join("log/calls.jsonl").is_file() && own == ["system-digests"], "{own:?}");
    assert_eq!(run(&["-s", "-B", "main.o"]).status, Some(0));
    assert!(bench.at("home/.cache/gg/log/calls.jsonl").is_file());
    // where make works, not where it is called
    std::fs::create_dir(bench.file("sub/.gg")).unwrap();
    assert_eq!(run(&["-s", "-B", "-Csub", "part.o"]).status, Some(0));
    assert!(bench.file("sub/.gg/log/calls.jsonl").is_file());
    // as it is typed, from where it is typed
    assert_eq!(run(&["-s", "-B", "-Csub", "part.o", "--gg-dir=here"]).status, Some(0));
    assert!(bench.file("here/log/calls.jsonl").is_file());
}

/// One rule for gg, the shims and gg-make, in the same words.
#[test]
fn a_gg_dir_variable_that_is_not_absolute() {
    let bench = Bench::new(again::project());
    for value in ["here", "./here", ""] {
        let refused = |mut command: std::process::Command| {
            let output = command.env("GG_DIR", value).output().unwrap();
            assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
            String::from_utf8(output.stderr).unwrap().split_once(": ").unwrap().1.to_owned()
        };
        let mut stats = bench.gg_command();
        stats.arg("stats");
        assert_eq!(refused(bench.gg_make()), refused(stats));
    }
    assert!(!bench.file("here").exists() && !bench.file("main.o").exists());
}

#[test]
fn another_make_and_never_itself() {
    let bench = Bench::new(Tree::new().file("Makefile", "all:\n\t@echo $(MAKE)\n"));
    let said = |make: &str| {
        let output = bench.gg_make().env("MAKE", make).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said("/usr/bin/make"), "/usr/bin/make\n");
    assert_eq!(said(GG_MAKE), "make\n");
    std::fs::create_dir(bench.at("bin")).unwrap();
    std::os::unix::fs::symlink(GG_MAKE, bench.at("bin/make")).unwrap();
    let mut command = bench.gg_make();
    command.env("PATH", format!("{}:/usr/bin:/bin", bench.at("bin").display()));
    assert_eq!(command.output().unwrap().stdout, b"make\n");
    assert_eq!(command.env("MAKE", "make").output().unwrap().stdout, b"make\n");
}

/// The makefiles that CMake writes name the compiler by its path, so that gg sees nothing of it: that is said.
#[test]
fn a_build_that_goes_by_is_told() {
    let makefile = "all: a.o\na.o: a.c\n\t/usr/bin/gcc -c a.c\nfail:\n\tfalse\n";
    let cache = "CMAKE_C_COMPILER:FILEPATH=/usr/bin/cc\n";
    let project = Tree::new().file("b/Makefile", makefile).file("b/a.c", "int a;\n").file("b/CMakeCache.txt", cache);
    let bench = Bench::new(project);
    let native = bench.native(&["-C", "b"]);
    let run = |args: &[&str]| {
        bench.fresh();
        bench.ended(bench.command(GG_MAKE).args(["-C", "b"]).args(args).output().unwrap())
    };
    let mut ended = run(&[]);
    let said = "gg: no command of the toolchain was seen: CMake names tools by their path; \
                configure with -DCMAKE_C_COMPILER=gg-cc -DCMAKE_CXX_COMPILER=gg-c++\n";
    assert_eq!(std::mem::take(&mut ended.stderr), native.stderr.clone() + said);
    assert_alike(&ended, &crate::bench::Ended { stderr: String::new(), ..native });
    for quiet in [&["-n"][..], &["--gg-summary=no"], &["fail"], &["-q"]] {
        let ended = run(quiet);
        assert!(!ended.stderr.contains("gg:"), "{quiet:?} {}", ended.stderr);
    }
    // what is seen is counted instead
    std::fs::write(bench.file("b/Makefile"), "a.o: a.c\n\tgcc -c a.c\n").unwrap();
    let seen = bench.ended(bench.command(GG_MAKE).args(["-C", "b"]).output().unwrap());
    assert!(seen.stderr.starts_with("gg: 1 command in ") && !seen.stderr.contains("CMake"), "{}", seen.stderr);
}
