//! Times that are wrong: in the future, in the past, put back; and a clock that has jumped as far as files show it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;
use crate::halt::{gg_object, native_object};

fn set(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// The same size and the same modification time, whatever it is: bytes are what counts.
#[test]
fn edits_that_no_time_tells_of() {
    let bench = Bench::new(Tree::new().file("a.c", "#include \"a.h\"\nint a = A;\n").file("a.h", "#define A 0\n"));
    let now = SystemTime::now();
    let day = Duration::from_secs(86400);
    let args = ["-c", "a.c"];
    for (number, time) in [now + 3650 * day, now, UNIX_EPOCH + day, now - day].into_iter().enumerate() {
        for value in [number, number + 1, number + 2, number] {
            fs::write(bench.file("a.h"), format!("#define A {value}\n")).unwrap();
            set(&bench.file("a.h"), time);
            set(&bench.file("a.c"), time);
            assert!(gg_object(&bench, &args) == native_object(&bench, &args), "{time:?} {value}");
        }
    }
    let stats = bench.stats();
    assert_eq!((&stats["model_misses"], &stats["native"]), (&json!([]), &json!({})), "{stats}");
}

/// After the clock was set back or on, all that is kept is of the future or of long ago.
#[test]
fn a_clock_that_has_jumped() {
    let project = Tree::new()
        .file("Makefile", "prog: a.o libb.a\n\t$(CC) -o $@ $^\nlibb.a: b.o\n\t$(AR) rcs $@ $^\n")
        .file("a.c", "int b(void);\nint main(void) { return b(); }\n")
        .file("b.c", "int b(void) { return 0; }\n");
    let bench = Bench::new(project);
    assert_eq!(bench.alike(&[]).status, Some(0));
    for date in ["2100-01-01", "1990-01-01", "now"] {
        let touch = ["-exec", "touch", "-h", "-d", date, "{}", "+"];
        assert!(Command::new("find").arg(bench.at("gg")).args(touch).status().unwrap().success());
        bench.reset_stats();
        assert_eq!(bench.alike(&[]).status, Some(0));
        let stats = bench.stats();
        assert_eq!((&stats["thunks"], &stats["memo_hits"], &stats["native"]), (&json!(4), &json!(4), &json!({})));
    }
    // and gc removes what was not used, whatever its time says
    let said = bench.say(&["gc", "--max-size", "0"]);
    assert!(!said.is_empty());
    assert_eq!(bench.alike(&[]).status, Some(0));
}
