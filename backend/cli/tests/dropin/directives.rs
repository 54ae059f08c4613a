//! Sources that are edited between two calls: what is kept of a call serves on while their directives are as they were, and gives
//! the thunk that a session which knows nothing would make.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use gg_testkit::Tree;
use serde_json::{Value, json};

use crate::bench::Bench;

/// Before, and what is changed.
const PLAIN: &str = "#include \"part.h\"\n#define N 1\n#if N\nint a = PART;\n#endif\nint f(void) { return 1; }\n";

fn bench(source: &str) -> Bench {
    let bench = Bench::new(Tree::new().file("part.h", "#define PART 1\n").file("a.c", source).file("far/part.h", ""));
    symlink("a.c", bench.file("link.c")).unwrap();
    bench
}

/// Compiles natively and through the shim, holds them against each other, and tells why what was kept did not serve. A session with
/// a `GG_DIR` of its own makes the same thunk.
fn compile(bench: &Bench, source: &str) -> Value {
    let args = ["-O1", "-c", source, "-o", "a.o"];
    let run = |program: &str, log: &str| -> (Output, Option<Vec<u8>>) {
        let _ = fs::remove_file(bench.file("a.o"));
        let output = bench.command(program).args(args).env("GG_AUDIT", "off").env("GG_LOG", log).output().unwrap();
        (output, fs::read(bench.file("a.o")).ok())
    };
    let log = bench.at("lines");
    let native = run("cc", "off");
    assert_eq!(run("gg-cc", log.to_str().unwrap()), native);
    let lines = fs::read_to_string(log).unwrap();
    let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let named = |gg_dir: &str| -> Value {
        let mut describe = bench.command(bench.at("bin/gg"));
        let gg_dir = bench.at(gg_dir);
        let args = ["describe", "--json", "gg-cc"].iter().chain(&args);
        let described = describe.args(args).env("GG_DIR", gg_dir).output().unwrap();
        assert!(described.status.success(), "{described:?}");
        serde_json::from_slice::<Value>(&described.stdout).unwrap()["name"].clone()
    };
    assert_eq!(named("gg"), named(&format!("other-{}", lines.lines().count())));
    line["anew"].clone()
}

fn path(bench: &Bench, file: &str) -> String {
    bench.file("").canonicalize().unwrap().join(file).display().to_string()
}

#[test]
fn text_between_directives() {
    for source in ["a.c", "link.c", "far/../a.c"] {
        let bench = bench(PLAIN);
        assert_eq!(compile(&bench, source), json!("not known"));
        let edited = json!(format!("edited: {}", path(&bench, source)));
        for text in [
            PLAIN.replace("return 1", "return 2"),
            PLAIN.replace("#include", "/* lines move */\n\n#include"),
            PLAIN.replace("int f(void) {", "int f(void) { not C,"),
            PLAIN.replace("int f", "const char *g(void) { return \"#define N 2\"; }\nint f"),
        ] {
            fs::write(bench.file("a.c"), &text).unwrap();
            assert_eq!(compile(&bench, source), edited, "{text}");
        }
        // as editors do that write a new file
        fs::write(bench.file("new"), PLAIN).unwrap();
        fs::rename(bench.file("new"), bench.file("a.c")).unwrap();
        assert_eq!(compile(&bench, source), edited);
        assert_eq!(compile(&bench, source), Value::Null);
    }
}

#[test]
fn directives_and_what_counts_like_them() {
    let bench = bench(PLAIN);
    compile(&bench, "a.c");
    let changed = json!(format!("changed: {}", path(&bench, "a.c")));
    for text in [
        PLAIN.replace("part.h", "far/part.h"),
        PLAIN.replace("#define N 1", "#define N 2"),
        PLAIN.replace("int f", "#error here\nint f"),
        PLAIN.replace("return 1;", "__asm__(\".incbin \\\"part.h\\\"\"); return 1;"),
        PLAIN.to_owned(),
    ] {
        fs::write(bench.file("a.c"), &text).unwrap();
        assert_eq!(compile(&bench, "a.c"), changed, "{text}");
    }
    fs::write(bench.file("a.c"), PLAIN.replace("return 1", "return 3")).unwrap();
    fs::write(bench.file("part.h"), "#define PART 2\n").unwrap();
    assert_eq!(compile(&bench, "a.c"), json!(format!("changed: {}", path(&bench, "part.h"))));
}

/// The source is compared with a header that is read once, and becomes a copy of it.
#[test]
fn a_source_that_becomes_a_copy() {
    let text = "#ifdef P\n#pragma once\n#endif\n#ifndef A\n#define A\n#define P\n#include \"part.h\"\n#undef P\n#include \"a.c\"\nint x;\n#else\n\
        #ifndef P\nint second = 7;\n#endif\n#endif\n";
    let bench = bench(&format!("{text}/* one */\n"));
    fs::write(bench.file("part.h"), format!("{text}/* two */\n")).unwrap();
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::open(bench.file("part.h")).unwrap().set_modified(earlier).unwrap();
    compile(&bench, "a.c");
    fs::write(bench.file("a.c"), format!("{text}/* two */\n")).unwrap();
    assert_eq!(compile(&bench, "a.c"), json!(format!("changed: {}", path(&bench, "a.c"))));
}

/// The assembler reads the source, too.
#[test]
fn a_source_that_is_read_by_more_than_the_preprocessor() {
    let text = |name: &str| format!("#if 0\n.incbin \"{name}\"\n.end\n#endif\n__asm__(\".include \\\"a.c\\\"\");\n");
    let bench = bench(&text("part.h"));
    compile(&bench, "a.c");
    fs::write(bench.file("a.c"), text("far/part.h")).unwrap();
    assert_eq!(compile(&bench, "a.c"), json!(format!("changed: {}", path(&bench, "a.c"))));
}

/// Where more than the directives counts.
#[test]
fn lines_and_files_that_are_read_once() {
    for before in
        ["#if __LINE__ > 1\n#include \"part.h\"\n#endif\nint f;\n", "#pragma once\n#include \"part.h\"\nint f;\n"]
    {
        let bench = bench(before);
        compile(&bench, "a.c");
        fs::write(bench.file("a.c"), before.replace("int f", "int g")).unwrap();
        assert_eq!(compile(&bench, "a.c"), json!(format!("changed: {}", path(&bench, "a.c"))));
        fs::write(bench.file("a.c"), format!("\n{before}")).unwrap();
        assert_eq!(compile(&bench, "a.c"), json!(format!("changed: {}", path(&bench, "a.c"))));
    }
}
