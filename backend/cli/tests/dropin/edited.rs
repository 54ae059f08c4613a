//! Sources that are edited while they are compiled: the object is of either bytes, and what is remembered of neither is of
//! the other.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Child;

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;
use crate::halt::{PATIENCE, gg_object, halted, kill, native_object, slow};

/// How a file gets other bytes.
#[derive(Clone, Copy, Debug)]
enum Edit {
    InPlace,
    ByRename,
}

impl Edit {
    fn make(self, bench: &Bench, file: &str, text: &str) {
        match self {
            Edit::InPlace => fs::write(bench.file(file), text).unwrap(),
            Edit::ByRename => {
                fs::write(bench.file("edited"), text).unwrap();
                fs::rename(bench.file("edited"), bench.file(file)).unwrap();
            }
        }
    }
}

/// Compiles, halts the compilers by turns, and edits the file while the one of this number is halted.
fn compile(bench: &Bench, args: &[&str], source: &str, audit: &str, number: usize, edit: impl FnOnce()) -> Vec<u8> {
    let mut gg = bench.command(bench.at("bin/gg-cc"));
    let mut build: Child = gg.args(args).args(["-o", "gg.o"]).env("GG_AUDIT", audit).spawn().unwrap();
    let mut seen: Vec<PathBuf> = Vec::new();
    for _ in 0..number {
        let compiler = halted(source, &seen, &mut build).expect("one more compiler");
        kill(&compiler, "CONT");
        seen.push(compiler);
    }
    let compiler = halted(source, &seen, &mut build).expect("a compiler to edit under");
    edit();
    kill(&compiler, "CONT");
    assert!(build.wait().unwrap().success());
    fs::read(bench.file("gg.o")).unwrap()
}

/// The source itself is edited, or a header.
fn edited(name: &str, header: bool) {
    let source = format!("{name}-{}.cc", std::process::id());
    let bench = Bench::new(Tree::new().file("Makefile", ""));
    let file = if header { "part.h" } else { &source };
    if header {
        fs::write(bench.file(&source), "#include \"part.h\"\n").unwrap();
    }
    let args = [PATIENCE[0], PATIENCE[1], "-c", &source];
    // an audit is a second compiler, after the thunk's
    let cases = [("off", 0), ("all", 0), ("all", 1)];
    for (number, (audit, at)) in cases.into_iter().enumerate() {
        let edit = [Edit::InPlace, Edit::ByRename][number % 2];
        // as long as the other
        let texts = [10, 50].map(|value| slow(&(value + number).to_string()));
        let objects = texts.clone().map(|text| {
            fs::write(bench.file(file), text).unwrap();
            native_object(&bench, &args)
        });
        assert_ne!(objects[0], objects[1]);
        fs::write(bench.file(file), &texts[0]).unwrap();
        let made = compile(&bench, &args, &source, audit, at, || edit.make(&bench, file, &texts[1]));
        assert!(objects.contains(&made), "{audit} {at} {edit:?}: an object of neither");
        for (text, object) in [(1, 1), (0, 0), (1, 1)] {
            edit.make(&bench, file, &texts[text]);
            assert!(gg_object(&bench, &args) == objects[object], "{audit} {at} {edit:?}: not the bytes that are there");
        }
    }
    let stats = bench.stats();
    assert_eq!((&stats["model_misses"], &stats["native"]), (&json!([]), &json!({})), "{stats}");
    assert!(stats["memo_hits"].as_u64() > Some(0), "{stats}");
}

#[test]
fn a_source_that_is_edited_while_it_is_compiled() {
    edited("source", false);
}

#[test]
fn a_header_that_is_edited_while_it_is_read() {
    edited("header", true);
}

/// An edit needs a file that the model does not see. That the source has another text than when its model looked at it is no excuse
/// for the model.
#[test]
fn an_edit_that_its_model_misses_something_of() {
    let bench = Bench::new(Tree::new().file("Makefile", "").file("data", "bytes").file("a.c", "int a;\n"));
    let args = ["-c", "a.c"];
    gg_object(&bench, &args);
    // The model does not put strings together.
    fs::write(bench.file("a.c"), "int a; __asm__(\".inc\" \"bin \\\"data\\\"\");\n").unwrap();
    let native = native_object(&bench, &args);
    assert!(gg_object(&bench, &args) == native);
    // A session ends when all its calls have, and what came of them is noted.
    assert!(bench.command(bench.at("bin/gg")).args(["session", "stop"]).status().unwrap().success());
    let stats = bench.stats();
    let misses = stats["model_misses"].as_array().unwrap();
    assert_eq!(misses.len(), 1, "{stats}");
    assert!(misses[0].as_str().unwrap().contains("the thunk failed where the tool does not"), "{stats}");
    assert!(gg_object(&bench, &args) == native);
    assert_eq!(bench.stats()["native"], json!({"thunk-failed": 1, "model-disabled": 1}));
}

/// The private root has a source with its mode.
#[test]
fn a_source_that_becomes_a_program() {
    let bench = Bench::new(Tree::new().file("Makefile", "").file("a.c", "int a;\n"));
    let args = ["-c", "a.c"];
    let object = gg_object(&bench, &args);
    fs::set_permissions(bench.file("a.c"), Permissions::from_mode(0o755)).unwrap();
    assert!(gg_object(&bench, &args) == object);
    assert_eq!(bench.stats()["executed"], json!({"local": 2}), "another root is another thunk");
    assert!(gg_object(&bench, &args) == object);
    assert_eq!((&bench.stats()["executed"], &bench.stats()["memo_hits"]), (&json!({"local": 2}), &json!(1)));
}
