//! Where no session can be, the build passes all the same.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use gg_testkit::Tree;

use crate::bench::{Bench, Ended, assert_alike};

fn project() -> Tree {
    Tree::new()
        .file("Makefile", "prog: main.o libpart.a\n\t$(CC) -o $@ $^\nlibpart.a: part.o\n\t$(AR) rcs $@ $^\n")
        .file("main.c", "int part(void);\nint main(void) { int unused; return part(); }\n")
        .file("part.c", "int part(void) { return 0; }\n")
}

fn assert_built(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.tree.get("prog").is_some());
}

#[test]
fn shims_without_gg_beside_them() {
    let bench = Bench::without_gg(project());
    assert_built(&bench.alike(&["CFLAGS=-Wall"]));
    assert!(!bench.at("gg").exists());
}

#[test]
fn a_gg_dir_that_cannot_be_made() {
    let bench = Bench::new(project());
    fs::write(bench.at("gg"), "a file").unwrap();
    let ended = bench.alike(&["CFLAGS=-Wall"]);
    fs::remove_file(bench.at("gg")).unwrap();
    assert_built(&ended);
}

const NOBODY: u32 = 65534;

/// A bench whose commands another user can run too, for whom root's rights do not count.
fn for_others() -> Bench {
    let bench = Bench::new(project());
    fs::set_permissions(bench.at(""), Permissions::from_mode(0o755)).unwrap();
    // gg itself, as that user might not reach the target directory
    fs::remove_file(bench.at("bin/gg")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_gg"), bench.at("bin/gg")).unwrap();
    bench
}

/// A command in a fresh copy of the project, as an ordinary user.
fn ordinary(bench: &Bench, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = bench.command(program);
    if fs::metadata(bench.at("")).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn make(bench: &Bench) -> Ended {
    bench.fresh();
    if fs::metadata(bench.at("")).unwrap().uid() == 0 {
        chown(bench.file(""), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let output = ordinary(bench, "make").args(["-s", "CC=gg-cc", "AR=gg-ar"]).output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        tree: Tree::read(bench.file("")).unwrap(),
    }
}

#[test]
fn a_gg_dir_that_is_read_only() {
    let bench = for_others();
    fs::create_dir(bench.at("gg")).unwrap();
    fs::set_permissions(bench.at("gg"), Permissions::from_mode(0o555)).unwrap();
    let native = bench.native(&["-s"]);
    let ended = make(&bench);
    assert_built(&ended);
    assert_alike(&native, &ended);
    assert_eq!(fs::read_dir(bench.at("gg")).unwrap().count(), 0);
}

/// Tools that change a file by way of one beside it say so where they cannot, and some keep its set-user-ID bit.
/// What a caller lets others do is with the caller's files; what they wrote in the store would be answered to him.
#[test]
fn a_gg_dir_that_only_its_owner_writes() {
    let bench = Bench::new(project());
    let mut shell = bench.command("sh");
    let built = shell.args(["-c", "umask 0; exec make CC=gg-cc AR=gg-ar"]).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    let open = "find gg -mindepth 1 ! -type l ! -type s -perm /022";
    let open = Command::new("sh").args(["-c", open]).current_dir(bench.at("")).output().unwrap();
    assert!(open.status.success() && open.stdout.is_empty(), "{open:?}");
    assert_ne!(fs::metadata(bench.file("prog")).unwrap().permissions().mode() & 0o022, 0, "his are as he will");
}

#[test]
fn files_changed_in_place() {
    const SCRIPT: &str = r#"
        set -u; exec 2>&1; rm -rf d; mkdir d; cd d; echo 'int a(void) { return 1; }' >a.c; gcc -g -c a.c -o k.o
        cp k.o w.o; $STRIP w.o; cp k.o w.o; $OBJCOPY -g w.o
        $AR rcs w.a k.o; $AR d w.a k.o; $AR rcS w.a k.o; $RANLIB w.a; $AR s w.a
        mkdir ro; cp k.o ro/s.o; cp k.o ro/o.o; $AR rcs ro/a.a k.o; $AR rcS ro/b.a k.o; chmod 555 ro
        for call in "$STRIP ro/s.o" "$OBJCOPY -g ro/o.o" "$AR d ro/a.a k.o" "$AR rcS ro/a.a k.o" "$RANLIB ro/b.a"; do
            $call | sed 's/st[A-Za-z0-9]\{6\}/NAME/'; echo "${PIPESTATUS[0]}"
        done
        chmod 755 ro
        for mode in 4755 2755; do
            for call in "$STRIP" "$OBJCOPY" "$AR rcs" "$RANLIB"; do
                case $call in *"ar rcs" | *ranlib) file=w.a ;; *) file=w.o ;; esac
                cp k.o w.o; cp ro/a.a w.a; chmod $mode w.o w.a; $call $file; stat -c '%a %s' w.o w.a
            done
        done
        for file in ro/* w.*; do cksum $file; done"#;
    let bench = for_others();
    let root = fs::metadata(bench.at("")).unwrap().uid() == 0;
    fs::create_dir(bench.at("gg")).unwrap();
    if root {
        for dir in ["project", "gg"] {
            chown(bench.at(dir), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let run = |prefix: &str| {
        let mut command = ordinary(&bench, "bash");
        command.args(["-c", SCRIPT]).env("GG_AUDIT", "off");
        for tool in ["STRIP", "OBJCOPY", "AR", "RANLIB"] {
            command.env(tool, format!("{prefix}{}", tool.to_lowercase()));
        }
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let native = run("");
    assert!(native.contains("could not create temporary file") && native.contains("4755 "), "{native}");
    assert_eq!(run("gg-"), native);
    assert_eq!(run("gg-"), native, "from the memo");
    let mut stop = ordinary(&bench, bench.at("bin/gg"));
    assert!(stop.args(["session", "stop"]).current_dir("/").status().unwrap().success());
}

/// Called by its path, as `env -i "$(command -v gcc)"` does.
#[test]
fn without_a_path() {
    let bench = Bench::new(Tree::new().file("a.c", "int a;\n"));
    for (path, disabled) in [(None, false), (Some(""), false), (None, true)] {
        let run = |compiler: &std::path::Path| {
            let mut command = bench.command(compiler);
            command.args(["-c", "a.c", "-o", "a.o"]).env_remove("PATH").envs(path.map(|path| ("PATH", path)));
            if disabled {
                command.env("GG_DISABLE", "1");
            }
            let output = command.output().unwrap();
            let object = fs::read(bench.file("a.o")).ok();
            let _ = fs::remove_file(bench.file("a.o"));
            (output.status.code(), String::from_utf8(output.stderr).unwrap(), object)
        };
        let native = run("/usr/bin/cc".as_ref());
        // Where PATH is there and empty it does not find its assembler.
        assert_eq!(native.0, Some(path.map_or(0, |_| 1)), "{native:?}");
        assert_eq!(run(&bench.at("bin/gg-cc")), native, "{path:?} {disabled}");
    }
}

/// A directory on `PATH` that the caller may not enter is passed over by all that look there.
#[test]
fn a_path_with_a_directory_that_is_closed() {
    let bench = for_others();
    fs::create_dir_all(bench.at("closed/bin")).unwrap();
    fs::create_dir(bench.at("gg")).unwrap();
    fs::set_permissions(bench.at("closed"), Permissions::from_mode(0o000)).unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", bench.at("closed/bin").display(), bench.at("bin").display());
    let root = fs::metadata(bench.at("")).unwrap().uid() == 0;
    if root {
        for dir in ["project", "gg"] {
            chown(bench.at(dir), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let run = |program: &std::path::Path, args: &[&str]| {
        let mut command = bench.command(program);
        command.args(args).env("PATH", &path);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    };
    let output = run("make".as_ref(), &["-s", "CC=gg-cc", "AR=gg-ar"]);
    assert!(output.status.success(), "{output:?}");
    let stats = run(&bench.at("bin/gg"), &["stats", "--json"]);
    let stats: serde_json::Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert!(run(&bench.at("bin/gg"), &["session", "stop"]).status.success());
    fs::set_permissions(bench.at("closed"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(stats["native"], serde_json::json!({}));
    assert_eq!(stats["thunks"], stats["commands"]);
}

/// One's own, another's, each with all that the build would need; and one with files in it that are another's.
#[test]
fn a_gg_dir_that_another_build_has_filled() {
    let bench = for_others();
    let native = bench.native(&["-s"]);
    let stop = |command: &mut Command| {
        assert!(command.args(["session", "stop"]).current_dir("/").status().unwrap().success());
    };
    let rights = |mode: &str| {
        assert!(Command::new("chmod").args(["-R", mode]).arg(bench.at("gg")).status().unwrap().success());
    };
    fs::create_dir(bench.at("gg")).unwrap();
    fs::set_permissions(bench.at("gg"), Permissions::from_mode(0o777)).unwrap();
    assert_alike(&native, &make(&bench));
    assert!(bench.stats()["executed"]["local"].as_u64() > Some(0), "it is filled");
    stop(&mut ordinary(&bench, bench.at("bin/gg")));
    rights("a-w");
    assert_alike(&native, &make(&bench));
    rights("u+w");
    assert_alike(&native, &make(&bench));
    stop(&mut ordinary(&bench, bench.at("bin/gg")));
    if fs::metadata(bench.at("")).unwrap().uid() == 0 {
        assert!(Command::new("chown").args(["-R", "0:0"]).arg(bench.at("gg")).status().unwrap().success());
        assert_alike(&native, &make(&bench));
        // where new files can be made, but none of the old can be written
        for dir in ["", "run", "tmp", "log", "calls", "audit", "objects", "packs", "memo", "digests"] {
            fs::set_permissions(bench.at("gg").join(dir), Permissions::from_mode(0o777)).unwrap();
        }
        assert_alike(&native, &make(&bench));
    }
}
