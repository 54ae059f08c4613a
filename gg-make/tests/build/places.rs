//! Odd paths and arguments, and places where gg cannot work.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use gg_testkit::Tree;

use crate::again;
use crate::bench::{Bench, Ended, GG_MAKE, assert_alike};

#[test]
fn paths_with_spaces_and_other_letters() {
    let bench = Bench::named(again::project(), "a b ü $x 'q'");
    let ended = bench.alike(&["-j1"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(bench.stats()["thunks"], 7);
}

/// As long as a file system lets a name be, nearly; and of letters that are more than a byte each.
#[test]
fn long_names() {
    let long = |letter: &str| letter.repeat(200 / letter.len());
    let (sub, part, other) = (long("d"), long("p"), long("ü"));
    let makefile = format!(
        "\
prog: main.o {sub}/{part}.o {other}.o
\t$(CC) -o $@ $^
\tar rcs {sub}/lib{part}.a {sub}/{part}.o
%.o: %.c
\t$(CC) -g -MMD -c -o $@ $<
"
    );
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("main.c", "int part(void), other(void);\nint main(void) { return part() + other(); }\n")
        .file(format!("{sub}/{part}.c"), "int part(void) { return __FILE__[0] != 'd'; }\n")
        .file(format!("{other}.c"), "int other(void) { return sizeof __FILE__ != 203; }\n");
    let bench = Bench::named(project, long("n"));
    let ended = bench.alike(&["-j1"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let stats = bench.stats();
    assert_eq!((&stats["thunks"], &stats["native"]), (&5.into(), &serde_json::json!({})));
}

/// Files whose names a shell would take apart.
#[test]
fn file_names_with_spaces_and_quotes() {
    let makefile = "\
all:
\t$(CC) -MMD -c 'a b.c'
\t$(CC) -c -o \"it's \\$$.o\" 'ü \"q\".c'
\tar rcs 'lib x.a' 'a b.o' \"it's \\$$.o\"
\t$(CC) -o 'p r o g' 'lib x.a' && './p r o g'
";
    let project = Tree::new()
        .file("Makefile", makefile)
        .file("a b.c", "#include \"h h.h\"\nint main(void) { return q(); }\n")
        .file("h h.h", "int q(void);\n")
        .file("ü \"q\".c", "int q(void) { return 0; }\n");
    let bench = Bench::named(project, "pro ject");
    let ended = bench.alike(&[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(bench.stats()["thunks"], 4);
}

/// The shims' directory is in `PATH`, so in makefiles and scripts: an odd `GG_DIR` does not show there.
#[test]
fn a_gg_dir_with_an_odd_or_long_path() {
    let makefile = "CC := $(shell command -v gcc)\nprog: prog.c\n\t$(CC) -o $@ $<\n";
    for name in ["a b:ü", &"long/".repeat(30)] {
        let bench = Bench::new(Tree::new().file("Makefile", makefile).file("prog.c", "int main(void) { return 0; }\n"));
        let odd = bench.at(name);
        let mut command = bench.command(GG_MAKE);
        let ended = bench.ended(command.env("GG_DIR", &odd).output().unwrap());
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("gg: 1 command in "), "{}", ended.stderr);
    }
}

#[test]
fn bytes_that_are_no_text() {
    let makefile = "all:\n\t@printf '%s' '$(ODD)' | od -An -tx1\n\tgcc -DODD='\"$(ODD)\"' -c odd.c\n";
    let bench = Bench::named(
        Tree::new().file("Makefile", makefile).file("odd.c", "const char odd[] = ODD;\n"),
        OsStr::from_bytes(b"p\xff\xfe"),
    );
    let run = |program: &str| {
        bench.fresh();
        let mut command = bench.command(program);
        command.env("GG_SUMMARY", "no").arg(OsStr::from_bytes(b"ODD=\x80\xff")).env("V", OsStr::from_bytes(b"\xfe"));
        bench.ended(command.output().unwrap())
    };
    let (native, gg) = (run("make"), run(GG_MAKE));
    assert_alike(&native, &gg);
    assert!(gg.status == Some(0) && gg.stdout.starts_with(" 80 ff\n"), "{}{}", gg.stdout, gg.stderr);
    assert_eq!(bench.stats()["thunks"], 1);
}

#[test]
fn without_path() {
    let bench = Bench::new(again::project());
    let ended = bench.ended(bench.gg_make().env_remove("PATH").arg("-s").output().unwrap());
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(bench.stats()["thunks"], 7);
}

/// The build passes, after one line that says why gg has no part in it.
fn assert_plain(bench: &Bench, gg: &mut Command, why: &str) {
    bench.fresh();
    let native = bench.native(&["-j1"]);
    bench.fresh();
    if let Ok(stat) = fs::metadata(bench.at("gg"))
        && stat.mode() & 0o222 == 0
        && stat.uid() == 0
    {
        for (path, _) in again::project().entries() {
            chown(bench.file(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        chown(bench.file(""), Some(NOBODY), Some(NOBODY)).unwrap();
        gg.uid(NOBODY).gid(NOBODY);
    }
    let mut ended = bench.ended(gg.arg("-j1").output().unwrap());
    let (line, rest) = ended.stderr.split_once('\n').unwrap();
    assert!(line.starts_with("gg-make: ") && line.contains(why) && line.ends_with("; plain make runs"), "{line}");
    ended.stderr = rest.to_owned();
    assert_eq!(ended.status, Some(0));
    assert_alike(&native, &ended);
}

pub const NOBODY: u32 = 65534;

#[test]
fn a_gg_dir_that_cannot_be_made() {
    let bench = Bench::new(again::project());
    fs::write(bench.at("gg"), "a file").unwrap();
    assert_plain(&bench, &mut bench.command(GG_MAKE), "gg");
    fs::remove_file(bench.at("gg")).unwrap();
}

/// As another user, for whom root's rights do not count.
#[test]
fn a_gg_dir_that_is_read_only() {
    let bench = Bench::new(again::project());
    fs::create_dir(bench.at("gg")).unwrap();
    fs::set_permissions(bench.at("gg"), Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(bench.at(""), Permissions::from_mode(0o755)).unwrap();
    // that user might not reach the target directory
    fs::create_dir(bench.at("bin")).unwrap();
    for program in ["gg-make", "gg", "gg-shim"] {
        fs::copy(OsString::from(GG_MAKE.replace("gg-make", program)), bench.at("bin").join(program)).unwrap();
    }
    assert_plain(&bench, &mut bench.command(bench.at("bin/gg-make")), "gg");
    assert_eq!(fs::read_dir(bench.at("gg")).unwrap().count(), 0);
}

/// One that a build has filled, which may now only be read: the build passes, from it or by plain make.
#[test]
fn a_gg_dir_that_is_full_of_use_but_read_only() {
    let bench = Bench::new(again::project());
    fs::set_permissions(bench.at(""), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(bench.at("bin")).unwrap();
    for program in ["gg-make", "gg", "gg-shim"] {
        fs::copy(OsString::from(GG_MAKE.replace("gg-make", program)), bench.at("bin").join(program)).unwrap();
    }
    assert_eq!(bench.gg(&["-s"]).status, Some(0));
    let rights = |mode: &str| {
        assert!(Command::new("chmod").args(["-R", mode]).arg(bench.at("gg")).status().unwrap().success());
    };
    rights("a-w");
    assert_plain(&bench, &mut bench.command(bench.at("bin/gg-make")), "gg");
    rights("u+w");
}

/// With too little room for the toolchain the build passes, and the summary says once why gg has no part in it.
#[test]
fn a_gg_dir_on_a_full_disk() {
    let bench = Bench::new(again::project());
    fs::create_dir(bench.at("gg")).unwrap();
    let native = bench.native(&["-s"]);
    let script = "mount -t tmpfs -o size=256k tmpfs \"$GG_DIR\"; exec \"$@\"";
    let on_full_disk = |program: &[&str]| {
        let mut unshare = bench.command("unshare");
        unshare.args(["-rm", "sh", "-ec", script, "sh"]).args(program).output().unwrap()
    };
    if !on_full_disk(&["true"]).status.success() {
        // Who may not mount here has no such disk.
        assert!(!Command::new("unshare").args(["-rm", "true"]).status().unwrap().success());
        return;
    }
    bench.fresh();
    let mut ended = bench.ended(on_full_disk(&[GG_MAKE, "-s"]));
    let lines = |ended: &Ended, from_gg: bool| -> Vec<String> {
        ended.stderr.lines().filter(|line| line.starts_with("gg: ") == from_gg).map(str::to_owned).collect()
    };
    let summary = lines(&ended, true);
    assert!(summary.len() == 3 && summary[1].contains("store-full"), "{summary:?}");
    assert!(summary[2].starts_with("gg: the disk of GG_DIR is full"), "{summary:?}");
    ended.stderr = lines(&ended, false).iter().map(|line| format!("{line}\n")).collect();
    assert_alike(&native, &ended);
}

#[test]
fn nothing_beside_it() {
    let bench = Bench::new(again::project());
    fs::create_dir(bench.at("bin")).unwrap();
    fs::copy(GG_MAKE, bench.at("bin/gg-make")).unwrap();
    assert_plain(&bench, &mut bench.command(bench.at("bin/gg-make")), "bin/gg is missing");
    fs::copy(GG_MAKE.replace("gg-make", "gg"), bench.at("bin/gg")).unwrap();
    assert_plain(&bench, &mut bench.command(bench.at("bin/gg-make")), "bin/gg-shim is missing");
}

#[test]
fn switched_off() {
    let bench = Bench::new(again::project());
    let native = bench.native(&["-j1"]);
    bench.fresh();
    let ended = bench.ended(bench.command(GG_MAKE).env("GG_DISABLE", "1").arg("-j1").output().unwrap());
    assert_alike(&native, &ended);
    assert!(!bench.at("gg").exists());
    // and without a standard error there is nobody to speak to
    bench.fresh();
    let closed = |program: &str| {
        bench.fresh();
        bench.ended(bench.command("sh").args(["-c", "exec \"$0\" -s 2>&-", program]).output().unwrap())
    };
    assert_alike(&closed("make"), &closed(GG_MAKE));
}
