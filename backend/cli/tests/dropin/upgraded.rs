//! A compiler that is replaced between and during builds.

use std::fs;
use std::path::Path;
use std::process::Command;

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;
use crate::halt::{PATIENCE, gg_object, halted, kill, native_object, slow};

/// The compiler, and where in it stands who has packed it, which is found in all that it makes.
fn compiler() -> (Vec<u8>, usize) {
    let say = |arg: &str| String::from_utf8(Command::new("cc").arg(arg).output().unwrap().stdout).unwrap();
    let compiler = fs::read(Path::new(say("-print-prog-name=cc1plus").trim())).unwrap();
    let version = say("--version");
    let packed = version.split_inclusive(['(', ')']).nth(1).unwrap();
    let at = compiler.windows(packed.len()).position(|part| part == packed.as_bytes()).unwrap();
    (compiler, at)
}

/// Puts a compiler that leaves this mark in what it makes there, as a package manager does: by a rename.
fn upgrade(bench: &Bench, (compiler, at): &(Vec<u8>, usize), mark: &[u8]) {
    let mut compiler = compiler.clone();
    compiler[*at..*at + mark.len()].copy_from_slice(mark);
    let new = bench.at("toolchain/new");
    fs::write(&new, compiler).unwrap();
    assert!(Command::new("chmod").arg("755").arg(&new).status().unwrap().success());
    fs::rename(new, bench.at("toolchain/cc1plus")).unwrap();
}

#[test]
fn a_compiler_that_is_upgraded() {
    let source = format!("upgraded-{}.cc", std::process::id());
    let bench = Bench::new(Tree::new().file(&source, slow("7")));
    fs::create_dir(bench.at("toolchain")).unwrap();
    let compiler = compiler();
    let toolchain = format!("-B{}/", bench.at("toolchain").display());
    let args = [PATIENCE[0], PATIENCE[1], toolchain.as_str(), "-c", &source];
    let marks: [&[u8]; 2] = [b"ONE", b"TWO"];
    let objects = marks.map(|mark| {
        upgrade(&bench, &compiler, mark);
        native_object(&bench, &args)
    });
    assert!(objects[0] != objects[1], "the mark shows");
    // between builds, forth and back
    for (mark, object) in marks.iter().zip(&objects) {
        upgrade(&bench, &compiler, mark);
        assert!(gg_object(&bench, &args) == *object, "made by the one that is there");
    }
    upgrade(&bench, &compiler, marks[0]);
    assert!(gg_object(&bench, &args) == objects[0], "what the old one made is remembered as its own");
    assert_eq!(bench.stats()["executed"], json!({"local": 2}));
    // in the middle of the work, under the audit of a new shape
    let args = [PATIENCE[0], PATIENCE[1], toolchain.as_str(), "-fno-exceptions", "-c", &source];
    let objects = marks.map(|mark| {
        upgrade(&bench, &compiler, mark);
        native_object(&bench, &args)
    });
    upgrade(&bench, &compiler, marks[0]);
    let mut gg = bench.command(bench.at("bin/gg-cc"));
    let mut build = gg.args(args).args(["-o", "gg.o"]).spawn().unwrap();
    let halted = halted(&source, &[], &mut build).expect("a compiler to replace");
    upgrade(&bench, &compiler, marks[1]);
    kill(&halted, "CONT");
    assert!(build.wait().unwrap().success());
    assert!(objects.contains(&fs::read(bench.file("gg.o")).unwrap()));
    for at in [1, 0, 1] {
        upgrade(&bench, &compiler, marks[at]);
        assert!(gg_object(&bench, &args) == objects[at], "made by the one that is there");
    }
    let stats = bench.stats();
    assert_eq!((&stats["model_misses"], &stats["native"]), (&json!([]), &json!({})), "{stats}");
}
