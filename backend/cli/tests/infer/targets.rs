//! What `gg force` is given.

use std::fs;

use crate::bench::{Bench, GG, assert_same_tree};
use crate::chains::project;

fn inferred() -> (Bench, crate::bench::Ended) {
    let bench = Bench::new(project(""));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    assert_eq!(bench.infer(&["-j1"]).status, Some(0));
    (bench, native)
}

#[test]
fn one_target() {
    let (bench, native) = inferred();
    let forced = bench.force(&["libpart.a"]);
    assert_eq!(forced.status, Some(0), "{}", forced.stderr);
    assert_eq!(forced.tree.get("libpart.a"), native.tree.get("libpart.a"));
    assert_eq!(bench.placeholders(), ["main.o", "other.o", "part.o", "prog"]);
    // what the tools of what it is made of have said is said once
    let rest = bench.force(&[]);
    assert_eq!(rest.status, Some(0));
    assert_same_tree(&native, &rest);
    assert_eq!((forced.stderr + &rest.stderr).matches("so it is").count(), 2, "the message and the line it quotes");
    // a file that is no placeholder is no target
    let real = bench.force(&["prog"]);
    assert!(
        real.status == Some(1) && real.stderr == "gg: prog is an ordinary file, no placeholder\n",
        "{}",
        real.stderr
    );
}

#[test]
fn a_program_needs_only_what_is_in_it() {
    let (bench, native) = inferred();
    assert_eq!(bench.force(&["./prog"]).status, Some(0));
    assert_eq!(bench.placeholders(), ["libpart.a", "main.o", "other.o", "part.o"]);
    assert_eq!(bench.shell("./prog; echo $?"), "0\n");
    bench.reset_stats();
    assert_same_tree(&native, &bench.force(&["."]));
    let stats = bench.stats();
    assert_eq!(stats["executed"], serde_json::json!({}), "all of it was made for the program");
}

#[test]
fn a_directory_and_nothing_and_twice() {
    let (bench, native) = inferred();
    fs::create_dir(bench.at("empty")).unwrap();
    for nothing in ["../empty", "../gg"] {
        let ended = bench.force(&[nothing]);
        assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
    }
    assert_eq!(bench.placeholders().len(), 5);
    // from elsewhere, by a link, with others
    std::os::unix::fs::symlink(bench.file(""), bench.at("link")).unwrap();
    let place = bench.at("link").to_str().unwrap().to_owned();
    let first =
        bench.ended(bench.command(GG).current_dir("/").args(["force", "--jobs", "1", &place]).output().unwrap());
    assert_eq!(first.status, Some(0), "{}", first.stderr);
    assert_same_tree(&native, &first);
    let second = bench.force(&[]);
    assert_eq!((second.status, second.stdout.as_str(), second.stderr.as_str()), (Some(0), "", ""));
    let absent = bench.force(&["nowhere"]);
    assert_eq!(absent.status, Some(1));
    assert!(absent.stderr.contains("nowhere"), "{}", absent.stderr);
}

/// Of what was inferred elsewhere nothing is forced; that which is named is, wherever it stands.
#[test]
fn outside_the_current_directory() {
    let bench = Bench::new(project(
        "out: main.c\n\tmkdir -p ../out && $(CC) -c main.c -o ../out/main.o && $(CC) -c part.c -o part.o\n",
    ));
    assert_eq!(bench.infer(&["-s", "-j1", "out"]).status, Some(0));
    assert_eq!(bench.force(&[]).status, Some(0));
    assert_eq!(bench.placeholders(), Vec::<String>::new());
    let text = || fs::read(bench.at("out/main.o")).unwrap();
    assert!(text().starts_with(b"#!"));
    assert_eq!(bench.force(&["../out/main.o"]).status, Some(0));
    bench.shell("gcc -O1 -g -Wall -c main.c -o native.o || true");
    assert!(text().starts_with(b"\x7fELF"));
}

/// The line at the end.
#[test]
fn what_is_said_at_the_end() {
    let (bench, _) = inferred();
    let said = |args: &[&str]| {
        let output = bench.command(GG).args(args).env_remove("GG_SUMMARY").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let force = said(&["force"]);
    let last = force.lines().last().unwrap();
    assert!(
        last.starts_with("gg: 5 files, 0.0 MiB, in ") && last.ends_with(" s: 5 thunks run, 0 from memo"),
        "{force}"
    );
    bench.shell("touch part.c");
    let infer = said(&["infer", "make", "-s"]);
    assert!(
        infer.contains("gg: 3 commands in ") && infer.contains(": 0 answered before the work is done, 3 after it"),
        "{infer}"
    );
    assert!(infer.contains("gg: 1 thunk run meanwhile, 2 from memo\n"), "{infer}");
    assert_eq!(said(&["infer", "make", "-s"]), "", "no command was seen");
    let nothing = said(&["force"]);
    assert!(nothing.starts_with("gg: 0 files, "), "{nothing}");
}

/// Every call is one command; what is forced later is counted as run, once.
#[test]
fn counting() {
    let (bench, _) = inferred();
    let stats = bench.stats();
    assert_eq!([&stats["commands"], &stats["thunks"], &stats["lazy"], &stats["memo_hits"]], [5, 5, 5, 0], "{stats}");
    assert_eq!((&stats["executed"], &stats["native"]), (&serde_json::json!({}), &serde_json::json!({})));
    for args in [&["main.o"][..], &["libpart.a"], &[], &[]] {
        assert_eq!(bench.force(args).status, Some(0));
    }
    let stats = bench.stats();
    assert_eq!([&stats["commands"], &stats["thunks"], &stats["lazy"]], [5, 5, 5], "{stats}");
    assert_eq!(stats["executed"], serde_json::json!({"local": 5}), "{stats}");
    // Those that were made for the archive are found when they are forced themselves.
    assert!(stats["memo_hits"].as_u64() <= Some(2), "{stats}");
    // in one run nothing is found that the run has made
    bench.fresh();
    fs::remove_dir_all(bench.at("gg")).unwrap();
    assert_eq!(bench.both(&["-j1"], &[]).status, Some(0));
    let stats = bench.stats();
    assert_eq!([&stats["commands"], &stats["memo_hits"], &stats["executed"]["local"]], [5, 0, 5], "{stats}");
}

/// What a force alone has done, after the calls themselves are forgotten.
#[test]
fn stats_of_a_force_alone() {
    let (bench, _) = inferred();
    bench.reset_stats();
    assert_eq!(bench.force(&[]).status, Some(0));
    let said = String::from_utf8(bench.command(GG).arg("stats").output().unwrap().stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..2], ["no commands; thunks of earlier ones were forced, from memo 0", "executed by local: 5"]);
    assert!(lines.len() == 3 && lines[2].starts_with("processor time of executed thunks "), "{said}");
}
