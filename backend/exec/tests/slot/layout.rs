//! What stands in the root: it is the tree, whatever tree stood there before.

use gg_exec::{Limits, RootKind};
use gg_thunk::{Node, ObjectName, OutputName, Tag, ThunkName, Timestamp};

use crate::fixture::Fixture;

/// A fixture with a private root; without one nothing is laid out.
fn sealed(limits: Limits) -> Option<Fixture> {
    let f = Fixture::with(None, limits);
    if f.slot.kind().sealed() {
        return Some(f);
    }
    assert_eq!(f.slot.kind(), RootKind::Native);
    None
}

#[test]
fn one_kind_of_entry_becomes_another() {
    for pool_bytes in [0, 1 << 30] {
        let Some(mut f) = sealed(Limits { pool_bytes }) else {
            return;
        };
        let large = vec![b'L'; 2 << 20];
        // Each round puts the next kind at the same place.
        for round in 0..3 {
            f.put_in_tree("x", b"file", 0o644, None);
            assert_eq!(f.say(&["cat", "x"]), "file", "round {round}");
            f.remove("x");
            f.put_in_tree("x/y/z", b"deep", 0o600, None);
            assert_eq!(f.say(&["cat", "x/y/z"]), "deep");
            assert!(f.say(&["stat", "x/y/z"]).starts_with("100600 4 "));
            f.remove("x/y/z");
            f.put_link("x", "tool");
            assert!(f.say(&["stat", "x"]).starts_with("120777 4 "));
            f.put_in_tree("x", &large, 0o644, None);
            assert_eq!(f.say(&["cat", "x"]).len(), large.len());
            f.put_in_tree("x", b"other", 0o755, None);
            assert!(f.say(&["stat", "x"]).starts_with("100755 5 "));
            assert_eq!(f.say(&["cat", "x"]), "other");
            f.put_in_tree("x", b"other", 0o640, None);
            assert!(f.say(&["stat", "x"]).starts_with("100640 5 "));
            f.remove("x");
            f.put_dir("x");
            assert!(f.say(&["stat", "x"]).starts_with("40755 "));
            assert_eq!(f.say(&["ls", "x"]), "");
            f.remove("x");
            assert_eq!(f.say(&["stat", "x"]), "x: ENOENT\n");
        }
    }
}

#[test]
fn equal_files_are_files_of_their_own() {
    let Some(mut f) = sealed(Limits::default()) else {
        return;
    };
    for name in ["a", "b", "c/d"] {
        f.put_in_tree(name, b"same", 0o644, None);
    }
    for name in ["a", "b", "c/d"] {
        let said = f.say(&["stat", name]);
        assert!(said.ends_with(" 1\n"), "one link: {said}");
    }
}

#[test]
fn a_time_that_the_tree_gives_is_the_files() {
    let Some(mut f) = sealed(Limits::default()) else {
        return;
    };
    let time = |sec| Some(Timestamp { sec, nsec: 5 });
    let large = vec![b'L'; 2 << 20];
    f.put_in_tree("a", b"text", 0o644, time(1_234_567_890));
    f.put_in_tree("large", &large, 0o751, time(7));
    f.put_in_tree("none", b"text", 0o644, None);
    assert_eq!(f.say(&["stat", "a"]), "100644 4 1234567890 1\n");
    assert_eq!(f.say(&["stat", "large"]), "100751 2097152 7 1\n");
    let without = f.say(&["stat", "none"]);
    f.put_in_tree("a", b"text", 0o644, time(99));
    assert_eq!(f.say(&["stat", "a"]), "100644 4 99 1\n");
    f.put_in_tree("a", b"text", 0o644, None);
    assert_eq!(f.say(&["stat", "a"]), without);
}

#[test]
fn large_executables_run_and_large_inputs_cannot_be_written() {
    let Some(mut f) = sealed(Limits::default()) else {
        return;
    };
    let mut program = std::fs::read(f.dir.join("tool")).unwrap();
    program.resize(3 << 20, 0);
    f.put_in_tree("large-tool", &program, 0o711, None);
    f.put_in_tree("large.a", &vec![b'L'; 2 << 20], 0o644, None);
    let mut thunk = f.thunk(&[&["stat", "large-tool"]], &[]);
    thunk.steps[0].exe = f.path("large-tool").into_bytes();
    let evidence = f.run_thunk(&thunk);
    let mode = if f.slot.kind() == RootKind::Namespaces { "100555" } else { "100711" };
    let said = String::from_utf8_lossy(&evidence.stdout);
    assert!(said.starts_with(&format!("{mode} 3145728 ")), "{evidence:?}");
    if f.slot.kind() == RootKind::Namespaces {
        let said = f.say(&["put", "large.a", "x"]);
        assert!(said == "large.a: EROFS\n" || said == "large.a: EACCES\n", "{said}");
    }
    assert_eq!(f.say(&["cat", "large.a"]).len(), 2 << 20);
}

#[test]
fn what_cannot_be_laid_out_is_said_and_harms_no_later_thunk() {
    let Some(mut f) = sealed(Limits::default()) else {
        return;
    };
    f.put("a", b"text", 0o644);
    assert_eq!(f.say(&["cat", "a"]), "text");
    let output = OutputName { thunk: ThunkName::of(b"thunk"), tag: Tag::new("o").unwrap() };
    let mut broken = f.nodes.clone();
    if let Some(Some(Node::File(leaf))) = broken.get_mut(&f.path("a")[1..]) {
        leaf.object = ObjectName::Output(output.clone());
    }
    let whole = std::mem::replace(&mut f.nodes, broken);
    let why = f.run(&[&["cat", "a"]], &[]).exit.unwrap_err();
    assert!(why.contains("not reduced") && why.contains(&output.to_string()), "{why}");
    f.nodes = whole.clone();
    assert_eq!(f.say(&["cat", "a"]), "text");

    f.put_in_tree("gone", b"soon gone", 0o644, None);
    if let Some(Some(Node::File(leaf))) = f.nodes.get(&f.path("gone")[1..])
        && let ObjectName::Value(name) = &leaf.object
    {
        std::fs::remove_file(f.store.object_path(name)).unwrap();
    }
    let why = f.run(&[&["cat", "a"]], &[]).exit.unwrap_err();
    assert!(why.contains("does not hold") && why.contains("gone"), "{why}");
    f.nodes = whole;
    assert_eq!(f.say(&["cat", "a"]), "text");
}

#[test]
fn a_corrupt_object_is_not_laid_out() {
    let Some(mut f) = sealed(Limits::default()) else {
        return;
    };
    for bytes in [b"text".to_vec(), vec![b'L'; 2 << 20]] {
        f.put_in_tree("a", &bytes, 0o644, None);
        if let Some(Some(Node::File(leaf))) = f.nodes.get(&f.path("a")[1..])
            && let ObjectName::Value(name) = &leaf.object
        {
            let path = f.store.object_path(name);
            let mut wrong = bytes.clone();
            wrong[0] ^= 1;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, wrong).unwrap();
        }
        let evidence = f.run(&[&["cat", "a"]], &[]);
        assert!(evidence.exit.is_err(), "{:?}", evidence.exit);
        f.remove("a");
        assert_eq!(f.say(&["stat", "a"]), "a: ENOENT\n");
    }
}

#[test]
fn links_lead_on_inside_the_root() {
    let Some(mut f) = sealed(Limits::default()) else {
        return;
    };
    let large = vec![b'L'; 2 << 20];
    f.put_in_tree("real/lib.a", &large, 0o644, None);
    f.put_link("abs", &f.path("real"));
    f.put_link("up", "abs/../real/../abs");
    f.put_link("circle", "circle");
    assert_eq!(f.say(&["cat", "up/lib.a"]).len(), large.len());
    // An output behind links is the large file itself: the step gets a copy.
    let evidence = f.run(&[&["append", "up/lib.a", "+"]], &["up/lib.a"]);
    assert_eq!(f.made(&evidence, "up/lib.a").0.len(), large.len() + 1);
    let evidence = f.run(&[&["exit", "0"]], &["circle", "circle/x"]);
    assert_eq!(evidence.missing.len(), 2, "{evidence:?}");
}
