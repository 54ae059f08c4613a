//! What happens between `gg infer` and `gg force`: what was inferred is made, and the next make sees the rest.

use std::fs;

use crate::bench::{Bench, assert_same_tree};
use crate::chains::project;

/// Later than anything of the build by the clock of the file system too.
pub fn write_later(bench: &Bench, name: &str, text: &str) {
    fs::write(bench.file(name), text).unwrap();
    bench.shell(&format!("touch -d '+1 minute' {name}"));
}

/// An edit between both: what was inferred is made of the old text, and each kind of make makes the new one.
fn check(name: &str, text: &str) {
    for way in ["make", "gg-make", "infer"] {
        let bench = Bench::new(project(""));
        let before = bench.native(&["-j1"]);
        bench.fresh();
        assert_eq!(bench.infer(&["-j1"]).status, Some(0));
        write_later(&bench, name, text);
        let forced = bench.force(&[]);
        assert_eq!(forced.status, Some(0), "{}", forced.stderr);
        let differing = before.tree.difference(&forced.tree);
        assert!(differing.len() == 1 && differing[0].contains(name), "{differing:?}");
        let again = match way {
            "make" => bench.native(&["-j1"]),
            "gg-make" => bench.gg_make(&["-j1"]),
            _ => bench.both(&["-j1"], &[]),
        };
        assert_eq!(again.status, Some(0), "{way}: {}", again.stderr);
        bench.fresh();
        fs::write(bench.file(name), text).unwrap();
        let native = bench.native(&["-j1"]);
        assert_same_tree(&native, &again);
    }
}

#[test]
fn a_source_edited() {
    check("part.c", "#include \"part.h\"\nint part(int n) { return n * 20 + 2; }\n");
}

#[test]
fn a_header_edited() {
    check("part.h", "int part(int);\nextern int more;\n");
}

/// `gg infer` again after an edit, before anything was forced.
#[test]
fn inferred_again() {
    let bench = Bench::new(project(""));
    assert_eq!(bench.infer(&["-j1"]).status, Some(0));
    let text = "#include \"part.h\"\nint part(int n) { return n * 20 + 2; }\n";
    write_later(&bench, "part.c", text);
    let again = bench.infer(&["-j1"]);
    assert!(again.status == Some(0) && again.stdout.lines().count() == 3, "{}", again.stdout);
    let forced = bench.force(&[]);
    assert_eq!(forced.status, Some(0), "{}", forced.stderr);
    bench.fresh();
    fs::write(bench.file("part.c"), text).unwrap();
    assert_same_tree(&bench.native(&["-j1"]), &forced);
}

/// gg-make makes what waits before it begins, and goes on from there.
#[test]
fn another_front_end_goes_on() {
    let bench = Bench::new(project("more: prog\n\tcp prog more\n\tstrip more\n"));
    let native = bench.native(&["-j1", "more"]);
    bench.fresh();
    assert_eq!(bench.infer(&["-j1", "libpart.a"]).status, Some(0));
    let made = bench.gg_make(&["-j1", "prog"]);
    assert_eq!(made.status, Some(0), "{}", made.stderr);
    assert_eq!(bench.placeholders(), Vec::<String>::new());
    let last = bench.both(&["-j1", "more"], &[]);
    assert_eq!(last.status, Some(0), "{}", last.stderr);
    assert_same_tree(&native, &last);
}

#[test]
fn a_placeholder_removed() {
    for removed in ["prog", "part.o", "libpart.a", "*.o *.a prog"] {
        let bench = Bench::new(project(""));
        let native = bench.native(&["-j1"]);
        bench.fresh();
        assert_eq!(bench.infer(&["-j1"]).status, Some(0));
        bench.shell(&format!("rm {removed}"));
        let forced = bench.force(&[]);
        assert_eq!(forced.status, Some(0), "{removed}: {}", forced.stderr);
        assert_eq!(bench.placeholders(), Vec::<String>::new());
        let again = bench.native(&["-j1"]);
        assert_same_tree(&native, &again);
    }
}

/// A file that took a placeholder's place is left alone.
#[test]
fn a_placeholder_overwritten() {
    let bench = Bench::new(project(""));
    assert_eq!(bench.infer(&["-j1"]).status, Some(0));
    bench.shell("echo mine >prog; echo mine >new && mv new part.o; ln -sf nowhere main.o");
    let forced = bench.force(&[]);
    assert_eq!(forced.status, Some(0), "{}", forced.stderr);
    assert_eq!(bench.shell("cat prog part.o; readlink main.o"), "mine\nmine\nnowhere\n");
    assert_eq!(bench.placeholders(), Vec::<String>::new());
}

/// Another `GG_DIR` has not issued them.
#[test]
fn another_gg_dir() {
    let bench = Bench::new(project(""));
    assert_eq!(bench.infer(&["-j1"]).status, Some(0));
    let held = bench.placeholders();
    let elsewhere = |args: &[&str]| {
        bench.ended(bench.command(crate::bench::GG).args(args).env("GG_DIR", bench.at("elsewhere")).output().unwrap())
    };
    let named = elsewhere(&["force", "prog"]);
    assert!(named.status == Some(1) && named.stderr.contains("this GG_DIR never issued"), "{}", named.stderr);
    let below = elsewhere(&["force"]);
    assert_eq!((below.status, below.stderr.as_str()), (Some(0), ""));
    assert_eq!(bench.placeholders(), held);
    assert_eq!(bench.force(&[]).status, Some(0));
}

/// What a store needs for what it has promised may be evicted only by force: then it says so, and the next make goes on.
#[test]
fn collected() {
    for target in [".", "prog"] {
        let bench = Bench::new(project(""));
        let native = bench.native(&["-j1"]);
        bench.fresh();
        assert_eq!(bench.infer(&["-j1"]).status, Some(0));
        let gc = bench.command(crate::bench::GG).args(["gc", "--max-size", "0"]).output().unwrap();
        assert!(gc.status.success(), "{gc:?}");
        let forced = bench.force(&[target]);
        assert_eq!(forced.status, Some(1), "{target}: {}", forced.stderr);
        assert!(forced.stderr.contains("not in the store"), "{}", forced.stderr);
        assert!(!bench.file("prog").exists());
        bench.force(&[]);
        assert_eq!(bench.placeholders(), Vec::<String>::new());
        let again = bench.both(&["-j1"], &[]);
        assert_eq!(again.status, Some(0), "{}", again.stderr);
        assert_same_tree(&native, &again);
        bench.has_nothing_to_do(&["-j1"]);
    }
}
