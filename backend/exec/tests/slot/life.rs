//! Slots and runs that end before their time.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gg_exec::{Cancel, Exit};

use crate::fixture::Fixture;

/// Processes, zombies aside, with this word among their arguments.
fn running(word: &str) -> usize {
    let mut found = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let own = entry.file_name().to_str() == Some(&std::process::id().to_string());
        if !own && line.split(|b| *b == 0).any(|arg| arg == word.as_bytes()) {
            found += 1;
        }
    }
    found
}

/// Waits until that many run; fails if it does not come to that.
fn wait_for(word: &str, count: usize) {
    let begun = Instant::now();
    while running(word) != count {
        assert!(begun.elapsed() < Duration::from_secs(60), "{word}: {}", running(word));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[test]
fn cancelling_kills_what_runs_and_the_slot_goes_on() {
    let mut f = Fixture::new();
    let word = unique("cancel");
    let cancel = Cancel::new().unwrap();
    let thunk = f.thunk(&[&["put", "a", "x"], &["hang", &word]], &["a"]);
    let pid = f.slot.pid();
    let evidence = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(&word, 2);
            cancel.cancel();
        });
        f.slot.run(&thunk, &cancel)
    });
    assert_eq!(evidence.exit, Err("cancelled".to_owned()));
    assert!(evidence.outputs.is_empty());
    wait_for(&word, 0);
    // Not even begun.
    assert_eq!(f.slot.run(&thunk, &cancel).exit, Err("cancelled".to_owned()));
    let evidence = f.run(&[&["exit", "7"]], &[]);
    assert_eq!(evidence.exit, Ok(Exit::Code(7)));
    assert_eq!(f.slot.pid(), pid);
}

#[test]
fn a_slot_that_was_killed_is_replaced() {
    let mut f = Fixture::new();
    let word = unique("killed");
    let thunk = f.thunk(&[&["hang", &word]], &[]);
    let pid = f.slot.pid().unwrap();
    let evidence = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(&word, 2);
            let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
            assert!(killed.unwrap().success());
        });
        f.run_thunk(&thunk)
    });
    assert!(evidence.exit.unwrap_err().contains("the slot was lost"));
    if f.slot.kind() == gg_exec::RootKind::Namespaces {
        wait_for(&word, 0);
    } else {
        // Only the step itself is tied to the slot there.
        wait_for(&word, 1);
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if line.split(|b| *b == 0).any(|arg| arg == word.as_bytes()) {
                let pid = entry.file_name();
                assert!(Command::new("kill").arg("-9").arg(pid).status().unwrap().success());
            }
        }
    }
    let evidence = f.run(&[&["exit", "7"]], &[]);
    assert_eq!(evidence.exit, Ok(Exit::Code(7)));
    assert_ne!(f.slot.pid(), Some(pid));
}

#[test]
fn steps_end_with_the_slots_owner() {
    let word = unique("owner");
    // The owner is this test binary again, in the next test.
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::owner_for_another_test", "--nocapture"])
        .env("GG_TEST_HANG", &word)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&word, 2);
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_for(&word, 0);
}

/// Hangs in a thunk if asked by `steps_end_with_the_slots_owner`; by itself, a thunk's own end.
#[test]
fn owner_for_another_test() {
    let mut f = Fixture::new();
    match std::env::var("GG_TEST_HANG") {
        Ok(word) => drop(f.run(&[&["hang", &word]], &[])),
        Err(_) => assert_eq!(f.run(&[&["exit", "2"]], &[]).exit, Ok(Exit::Code(2))),
    }
}

#[test]
fn what_a_step_leaves_running_ends_with_the_thunk() {
    let mut f = Fixture::new();
    let word = unique("left");
    let thunk = f.thunk(&[&["leave", &word]], &[]);
    let evidence = f.run_thunk(&thunk);
    assert!(evidence.succeeded(), "{evidence:?}");
    wait_for(&word, 0);
}

#[test]
fn nothing_is_left_in_scratch() {
    let mut f = Fixture::new();
    f.say(&["put", "a", "x"]);
    let scratch = f.dir.parent().unwrap().join("scratch");
    drop(f.slot);
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        assert!(name == "root", "{name:?}");
        assert_eq!(fs::read_dir(entry.path()).unwrap().count(), 0, "{name:?}");
    }
}

#[test]
fn the_best_kind_of_root_is_made_and_the_others_refusal_is_told() {
    let f = Fixture::new();
    let kind = f.slot.kind().to_string();
    if let Ok(expected) = std::env::var("GG_TEST_KIND") {
        assert_eq!(kind, expected, "{:?}", f.slot.refusals());
    }
    let refused: Vec<&str> = f.slot.refusals().iter().filter_map(|r| r.split(':').next()).collect();
    let all = ["namespaces", "chroot", "native"];
    assert_eq!(refused, all[..all.iter().position(|k| *k == kind).unwrap()]);
}
