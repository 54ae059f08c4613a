//! What gg says about calls: their reasons, an audit by hand, what is forgotten.

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;

fn project() -> Tree {
    let makefile = "\
all: a.o b.o
\t$(CC) -fdump-tree-original -c a.c
\t$(CC) -fdump-tree-original -c b.c
\t$(CC) -fdump-rtl-expand -c b.c
\t$(CC) --version
";
    Tree::new().file("Makefile", makefile).file("a.c", "int a;\n").file("b.c", "int b;\n")
}

#[test]
fn reasons_come_with_what_they_are_about() {
    let bench = Bench::new(project());
    assert_eq!(bench.alike(&[]).status, Some(0));
    let said = bench.say(&["stats"]);
    assert!(said.contains("native, unmodelled-option: 3 (-fdump-tree-original 2, -fdump-rtl-expand 1)\n"), "{said}");
    assert!(said.contains("native, probe-version: 1 (--version 1)\n"), "{said}");
    assert_eq!(bench.stats()["native"], json!({"unmodelled-option": 3, "probe-version": 1}));
}

#[test]
fn an_audit_without_a_difference_says_so() {
    let bench = Bench::new(project());
    let output = bench.command(bench.at("bin/gg")).args(["audit", "cc", "-c", "a.c"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), Vec::new()));
    let said = String::from_utf8(output.stderr).unwrap();
    let counts: Vec<u32> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(said.starts_with("gg audit: no difference: "), "{said}");
    // cc1, as, what they load, the source; the object and the temporary assembly
    assert!(counts[0] > 3 && (1..5).contains(&counts[1]), "{said}");
}

#[test]
fn what_was_forgotten_is_audited_again_by_the_same_session() {
    let bench = Bench::new(project());
    let make = ["a.o", "b.o"];
    assert_eq!(bench.alike(&make).status, Some(0));
    // one flag shape
    assert_eq!(bench.stats()["audited"], json!(1));
    bench.reset_stats();
    let kept = std::fs::read_dir(bench.at("gg/audit")).unwrap().map(|entry| entry.unwrap().path());
    let verdicts = kept.into_iter().find(|path| path.is_file()).unwrap();
    let text = std::fs::read_to_string(&verdicts).unwrap();
    let (shape, _) = text.split_once(' ').unwrap();
    std::fs::write(&verdicts, format!("{shape} disabled something\n")).unwrap();
    assert_eq!(bench.alike(&make).status, Some(0));
    let stats = bench.stats();
    assert_eq!((&stats["native"], &stats["thunks"]), (&json!({"model-disabled": 2}), &json!(0)));
    let said = bench.say(&["stats"]);
    assert!(said.contains("native, model-disabled: 2 (something 2)\n") && said.contains("gg audit --forget"), "{said}");
    let said = bench.say(&["audit", "--forget"]);
    assert!(said.starts_with("forgot 1 verdicts in ") && said.ends_with(", 1 of them against a model\n"), "{said}");
    bench.reset_stats();
    assert_eq!(bench.alike(&make).status, Some(0));
    let stats = bench.stats();
    assert_eq!((&stats["native"], &stats["audited"]), (&json!({}), &json!(1)), "{stats}");
    assert!(!bench.say(&["stats"]).contains("--forget"));
}

#[test]
fn what_a_session_holds_is_freed_by_its_end() {
    let bench = Bench::new(project());
    assert_eq!(bench.alike(&["a.o"]).status, Some(0));
    let said = bench.say(&["gc", "--max-size", "0"]);
    assert!(said.contains("held by a running session; gg session stop ends it and frees them\n"), "{said}");
    bench.say(&["session", "stop"]);
    assert!(!bench.say(&["gc", "--max-size", "0"]).contains("held"));
}

/// What a call's own `GG_LOG` says holds for that call.
#[test]
fn a_line_a_call_where_gg_log_says() {
    let bench = Bench::new(project().file("a.h", "").file("a.c", "#include \"a.h\"\nint a;\n"));
    let log = bench.at("lines");
    let call = |value: &str| {
        let mut command = bench.command("gg-cc");
        let status = command.args(["-c", "a.c"]).env("GG_AUDIT", "off").env("GG_LOG", value).status();
        assert!(status.unwrap().success());
    };
    let lines = || -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let file = log.to_str().unwrap();
    call("off");
    call(file);
    std::fs::write(bench.file("a.h"), "int changed;\n").unwrap();
    call(file);
    call("info");
    let lines = lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[0]["memo"], &lines[0]["anew"]), (&json!(true), &json!(null)), "{lines:?}");
    let header = bench.file("a.h").canonicalize().unwrap();
    assert_eq!(lines[1]["anew"], json!(format!("changed: {}", header.display())));
    assert_eq!(bench.stats()["commands"], json!(3), "all but the first");
    let kept = std::fs::read_to_string(bench.at("gg/log/calls.jsonl")).unwrap();
    assert_eq!(kept.matches("\"anew\"").count(), 1, "{kept}");
}
