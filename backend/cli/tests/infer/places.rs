//! Where little can be done: other users, umasks, read-only directories, full disks, no namespaces.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use gg_testkit::binary;

use crate::bench::{Bench, Ended, GG, assert_alike, assert_same_tree};
use crate::chains::project;

const NOBODY: u32 = 65534;

fn is_root(place: &Path) -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(place).unwrap()) == 0
}

fn run(command: &str) -> bool {
    Command::new("sh").args(["-ec", command]).status().unwrap().success()
}

/// Programs where another user reaches them, and all of the bench that user's own.
fn give_away(bench: &Bench) {
    fs::create_dir_all(bench.at("bin")).unwrap();
    let own = Path::new(GG).parent().unwrap();
    binary("gg-shims", "gg-shim");
    for program in ["gg", "gg-shim", "gg-force-and-run"] {
        fs::copy(own.join(program), bench.at("bin").join(program)).unwrap();
    }
    fs::set_permissions(bench.at(""), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(bench.at("gg")).unwrap();
    for dir in [bench.file(""), bench.at("gg")] {
        assert!(run(&format!("chown -R {NOBODY}:{NOBODY} '{}'", dir.display())));
    }
}

/// A bench that is an ordinary user's, and what the build gives natively; none where the tests are run by such a user: all the
/// other tests are run by one then.
fn of_nobody() -> Option<(Bench, Ended)> {
    let bench = Bench::new(project(""));
    if !is_root(&bench.file("")) {
        return None;
    }
    let native = bench.native(&["-j1"]);
    bench.fresh();
    give_away(&bench);
    Some((bench, native))
}

fn as_nobody(bench: &Bench, args: &[&str]) -> Ended {
    let mut command = bench.command(bench.at("bin/gg"));
    bench.ended(command.args(args).uid(NOBODY).gid(NOBODY).output().unwrap())
}

#[test]
fn an_ordinary_user() {
    let Some((bench, native)) = of_nobody() else {
        return;
    };
    let inferred = as_nobody(&bench, &["infer", "make", "-j1"]);
    assert_eq!((inferred.status, inferred.stderr.as_str()), (Some(0), ""));
    assert_eq!(bench.placeholders().len(), 5);
    let forced = as_nobody(&bench, &["force"]);
    assert_eq!(forced.status, Some(0), "{}", forced.stderr);
    assert_same_tree(&native, &forced);
}

/// A directory in which nothing can be put beside a placeholder: it is an error that names it, and nothing is lost.
#[test]
fn a_read_only_directory() {
    let Some((bench, native)) = of_nobody() else {
        return;
    };
    assert_eq!(as_nobody(&bench, &["infer", "make", "-j1"]).status, Some(0));
    fs::set_permissions(bench.file(""), Permissions::from_mode(0o555)).unwrap();
    let forced = as_nobody(&bench, &["force"]);
    if forced.status == Some(0) {
        assert_eq!(bench.placeholders(), Vec::<String>::new());
    } else {
        assert!(forced.stderr.contains("project") && forced.stderr.contains("ermission denied"), "{}", forced.stderr);
        let differing = bench.placeholders();
        assert!(!differing.is_empty());
    }
    fs::set_permissions(bench.file(""), Permissions::from_mode(0o755)).unwrap();
    let forced = as_nobody(&bench, &["force"]);
    assert_eq!(forced.status, Some(0), "{}", forced.stderr);
    assert_same_tree(&native, &forced);
}

#[test]
fn a_tight_umask() {
    let bench = Bench::new(project("")).in_shell("umask 077; exec \"$@\"");
    bench.alike(&["-j1"]);
}

/// A file-size limit strikes as a full disk does, at any write of gg's to the tree: one clear error, nothing half written,
/// and with room again all is made.
#[test]
fn a_full_disk_when_files_become_real() {
    let bench = Bench::new(project(""));
    let place = bench.at("disk");
    fs::create_dir(&place).unwrap();
    let script = "\
mount -t tmpfs -o size=64k tmpfs \"$1\" && cp -a . \"$1/p\" && cd \"$1/p\" && umask 022
gg=$2
make -s -j1 2>/dev/null && mkdir ../native && rm -rf ../native
sha256sum *.o *.a prog >\"$3\" && rm -f *.o *.a prog
$gg infer make -s -j1 || exit 10
dd if=/dev/zero of=ballast bs=1k 2>/dev/null
$gg force && exit 11
for f in *.o *.a prog; do
    case $(head -c 2 $f) in '#!') ;; *) grep -q \"$(sha256sum $f)\" \"$3\" || exit 12 ;; esac
done
ls -A | grep '^\\.gg' && exit 13
rm ballast
$gg force || exit 14
sha256sum -c --quiet \"$3\" || exit 15
make -q || exit 16
";
    let mut unshare = bench.command("unshare");
    unshare.args(["-rm", "bash", "-c", script, "sh"]).arg(&place).arg(GG).arg(bench.at("sums"));
    if !Command::new("unshare").args(["-rm", "true"]).status().unwrap().success() {
        // Who may not mount here has no such disk.
        return;
    }
    let output = unshare.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("No space left on device").count(), 1, "{said}");
}

/// Without namespaces nothing can be run over the host: the first of a shape is audited at once, the others wait.
#[test]
fn without_namespaces() {
    let bench = Bench::new(project(""));
    // No more than 0 of them may be made below.
    let line = "echo 0 >/proc/sys/user/max_user_namespaces && echo 0 >/proc/sys/user/max_mnt_namespaces && exec \"$@\"";
    let bare = |program: &str, args: &[&str]| {
        let mut unshare = bench.command("unshare");
        bench.ended(unshare.args(["-rm", "sh", "-c", line, "sh", program]).args(args).output().unwrap())
    };
    if bare("true", &[]).status != Some(0) {
        return;
    }
    let objects = ["-j1", "main.o", "part.o", "other.o"];
    let native = [bench.native(&objects), bench.native(&["-j1"])];
    bench.fresh();
    let infer = |args: &[&str]| {
        let inferred = bare(GG, &[&["infer", "make"], args].concat());
        assert_eq!(inferred.status, Some(0), "{}", inferred.stderr);
    };
    let force = || {
        let forced = bare(GG, &["force"]);
        assert_eq!(forced.status, Some(0), "{}", forced.stderr);
        forced
    };
    infer(&objects);
    assert_eq!(bench.placeholders(), ["other.o", "part.o"]);
    assert_same_tree(&native[0], &force());
    infer(&["-j1"]);
    assert_eq!(bench.stats()["audited"], 3, "an object, the archive, the program");
    assert_same_tree(&native[1], &force());
    // the second of each waits
    bench.shell("rm *.o *.a prog; touch -d 2020-01-01 *.[ch]; echo 'int more;' >>part.c; echo 'int most;' >>main.c");
    infer(&["-j1"]);
    assert_eq!(bench.placeholders(), ["libpart.a", "main.o", "part.o", "prog"]);
    let forced = force();
    let native = {
        bench.shell("rm *.o *.a prog");
        bench.native(&["-j1"])
    };
    assert_same_tree(&native, &forced);
}

/// Where `gg infer` is not first on its `PATH`, or nothing is led to it, the build is a plain one.
#[test]
fn other_builds_than_makes() {
    let bench = Bench::new(
        project("")
            .executable("build.sh", "#!/bin/sh\nset -e\ngcc -c main.c\ngcc -c part.c\ngcc -o prog main.o part.o\n"),
    );
    let native = bench.ended(bench.command("./build.sh").output().unwrap());
    bench.fresh();
    let gg = bench.ended(bench.command(GG).args(["infer", "./build.sh"]).output().unwrap());
    // a script's calls are answered when their work is done
    assert_alike(&native, &gg);
    let stats = bench.stats();
    assert_eq!([&stats["lazy"], &stats["thunks"]], [0, 3], "{stats}");
    let absent = bench.command(GG).args(["infer", "nowhere-at-all"]).output().unwrap();
    assert!(!absent.status.success() && String::from_utf8_lossy(&absent.stderr).contains("nowhere-at-all"));
}

/// The build passes, after one line that says why gg has no part in it.
#[test]
fn a_gg_dir_that_cannot_be_opened() {
    let bench = Bench::new(project(""));
    let native = bench.native(&["-j1"]);
    bench.fresh();
    fs::write(bench.at("gg"), "a file").unwrap();
    let mut ended = bench.infer(&["-j1"]);
    let (line, rest) = ended.stderr.split_once('\n').unwrap();
    assert!(line.starts_with("gg infer: GG_DIR is /") && line.ends_with("; the build runs without gg"), "{line}");
    ended.stderr = rest.to_owned();
    assert_alike(&native, &ended);
    // its status is the build's
    assert_eq!(bench.infer(&["nothing"]).status, Some(2));
}

/// As another user, for whom root's rights do not count.
#[test]
fn a_gg_dir_that_is_another_users() {
    let Some((bench, native)) = of_nobody() else {
        return;
    };
    assert!(run(&format!("chown 0:0 '{0}' && chmod 700 '{0}'", bench.at("gg").display())));
    let mut command = bench.command(bench.at("bin/gg"));
    let mut ended = bench.ended(
        command.args(["infer", "make", "-j1"]).env_remove("GG_SUMMARY").uid(NOBODY).gid(NOBODY).output().unwrap(),
    );
    let (line, rest) = ended.stderr.split_once('\n').unwrap();
    assert!(
        line.starts_with("gg infer: permission denied: ") && line.ends_with("; the build runs without gg"),
        "{line}"
    );
    assert_eq!(line.to_lowercase().matches("permission denied").count(), 1, "{line}");
    ended.stderr = rest.to_owned();
    assert_alike(&native, &ended);
}
