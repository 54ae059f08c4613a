//! Many builds on one `GG_DIR`, and a background session beside them.

use std::process::Stdio;

use gg_testkit::Tree;
use serde_json::json;

use crate::again;
use crate::bench::{Bench, GG_MAKE, assert_alike};

#[test]
fn builds_at_once_on_one_store() {
    let bench = Bench::new(again::project());
    let native = bench.native(&["-s"]);
    let places: Vec<_> = (0..3).map(|n| bench.at(format!("copy-{n}"))).collect();
    let builds: Vec<_> = places
        .iter()
        .map(|place| {
            again::project().write(place).unwrap();
            let mut make = bench.gg_make();
            make.current_dir(place).args(["-s", "-j2"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (build, place) in builds.into_iter().zip(&places) {
        let output = build.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let names = |tree: &Tree| tree.entries().map(|(path, _)| path.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&Tree::read(place).unwrap()), names(&native.tree));
    }
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["thunks"], &stats["model_misses"]), (&json!(21), &json!(21), &json!([])));
}

/// Four at once on one store, of two installations: each makes what plain make makes in its place.
#[test]
fn builds_of_two_installations_at_once() {
    let bench = Bench::new(again::project());
    let make = |number: usize| {
        let bin = bench.at(format!("bin-{}", number % 2));
        std::fs::create_dir_all(&bin).unwrap();
        for program in ["gg-make", "gg", "gg-shim"] {
            if !bin.join(program).exists() {
                std::fs::copy(GG_MAKE.replace("gg-make", program), bin.join(program)).unwrap();
            }
        }
        bin.join("gg-make")
    };
    let places: Vec<_> = (0..4).map(|number| bench.at(format!("copy-{number}"))).collect();
    let fresh = |place| {
        let _ = std::fs::remove_dir_all(place);
        again::project().write(place).unwrap();
    };
    let natives: Vec<_> = places
        .iter()
        .map(|place| {
            fresh(place);
            assert!(bench.command("make").current_dir(place).arg("-s").output().unwrap().status.success());
            Tree::read(place).unwrap()
        })
        .collect();
    let programs: Vec<_> = (0..places.len()).map(make).collect();
    for _ in 0..2 {
        places.iter().for_each(fresh);
        let builds: Vec<_> = places
            .iter()
            .zip(&programs)
            .map(|(place, program)| {
                let mut make = bench.command(program);
                make.env("GG_SUMMARY", "no").current_dir(place).args(["-s", "-j2"]);
                make.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for ((build, place), native) in builds.into_iter().zip(&places).zip(&natives) {
            let output = build.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(native.difference(&Tree::read(place).unwrap()), Vec::<String>::new());
        }
    }
    let stats = bench.stats();
    assert_eq!((&stats["commands"], &stats["thunks"], &stats["model_misses"]), (&json!(56), &json!(56), &json!([])));
    assert!(stats["memo_hits"].as_u64() >= Some(28), "{stats}");
}

#[test]
fn two_builds_in_one_tree_by_turns() {
    let bench = Bench::new(again::project());
    let first = bench.alike(&["-s"]);
    bench.fresh();
    assert_alike(&first, &bench.gg(&["-s"]));
}

/// The build is served by its own session, and what one remembers the other finds.
#[test]
fn beside_a_background_session() {
    let bench = Bench::new(again::project());
    let shim = GG_MAKE.replace("gg-make", "gg-shim");
    let shims = bench.command("make").arg("-s").arg(format!("CC={shim} cc")).output().unwrap();
    assert!(shims.status.success(), "{shims:?}");
    let socket = bench.at("gg/run/session-1.sock");
    assert!(socket.exists());
    bench.reset_stats();
    bench.fresh();
    let ended = bench.gg(&["-s"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let stats = bench.stats();
    // the link and three compilations; archive, index and strip had no shim before
    assert_eq!((&stats["memo_hits"], &stats["executed"]), (&json!(4), &json!({"local": 3})), "{stats}");
    assert!(socket.exists(), "the background session is as it was");
    // a build leaves no socket of its own
    let left = std::fs::read_dir(bench.at("gg/run"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "sock"));
    assert_eq!(left.count(), 1);
}

/// A recipe that sets out a build of its own.
#[test]
fn one_within_another() {
    let makefile = "all:\n\t$(GG_MAKE) -s -C sub CC=cc\n\t@echo $$PATH | tr : '\\n' | grep -c shims-\n";
    let bench = Bench::new(again::project().file("Makefile", makefile));
    let ended = bench.gg(&["-s", &format!("GG_MAKE={GG_MAKE}")]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "1\n");
    assert_eq!(bench.stats()["thunks"], json!(4));
}
