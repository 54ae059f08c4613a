//! Sessions that are killed in the middle of builds by many processes.

use std::fs;
use std::process::Stdio;

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::{Bench, Ended, assert_alike};
use crate::halt::{kill, processes_with, until};

fn project() -> Tree {
    let names: Vec<String> = (0..24).map(|number| format!("part{number}")).collect();
    let objects: String = names.iter().map(|name| format!(" {name}.o")).collect();
    let makefile = format!(
        "CFLAGS = -O2 -g\nprog: libparts.a main.o\n\t$(CC) -o $@ main.o libparts.a\nlibparts.a:{objects}\n\t$(AR) rcs $@ $^\n"
    );
    let call: String = names.iter().map(|name| format!("int {name}(void);\n")).collect();
    let sum = names.iter().map(|name| format!("{name}()")).collect::<Vec<_>>().join(" + ");
    let tree = Tree::new()
        .file("Makefile", makefile)
        .file("parts.h", &call)
        .file("main.c", format!("#include \"parts.h\"\nint main(void) {{ return {sum}; }}\n"));
    let part = |name: &String| {
        format!("#include <stdio.h>\n#include \"parts.h\"\nint {name}(void) {{ return puts(\"{name}\"); }}\n")
    };
    names.iter().fold(tree, |tree, name| tree.file(format!("{name}.c"), part(name)))
}

#[test]
fn sessions_that_are_killed_in_the_middle() {
    let bench = Bench::new(project());
    let args = ["-s", "-j4"];
    let native = bench.native(&args);
    assert_eq!(native.status, Some(0), "{}", native.stderr);
    let store = bench.at("gg");
    let store = store.as_os_str().as_encoded_bytes();
    // one a build, after this many objects: one that does not come to listen is not started again for a while
    for objects in [1, 3, 9, 20] {
        bench.fresh();
        let mut make = bench.command("make");
        make.args(args).args(["CC=gg-cc", "AR=gg-ar"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut build = make.spawn().unwrap();
        let session = until(&format!("a session after {objects} objects"), || {
            let made = fs::read_dir(bench.file("")).unwrap().flatten();
            let made = made.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "o"));
            if made.count() < objects {
                assert!(build.try_wait().unwrap().is_none(), "ended before {objects} objects");
                return None;
            }
            let serving = |(pid, _): &(std::path::PathBuf, String)| {
                fs::read(pid.join("cmdline")).is_ok_and(|args| args.split(|byte| *byte == 0).any(|arg| arg == b"serve"))
            };
            processes_with(store).into_iter().find(serving)
        });
        kill(&session.0, "KILL");
        let output = build.wait_with_output().unwrap();
        let gg = Ended {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            tree: Tree::read(bench.file("")).unwrap(),
        };
        assert_alike(&native, &gg);
    }
    bench.reset_stats();
    bench.fresh();
    assert_alike(&native, &bench.gg(&args));
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["thunks"], &stats["model_misses"]), (&json!(27), &json!(27), &json!([])));
}
