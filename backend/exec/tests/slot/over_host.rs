//! The root in which the host is seen below the tree: what the tree lacks is found, and nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_exec::{Cancel, Evidence, ExecError, RootKind, Slot};
use gg_store::Store;
use gg_thunk::{Tag, Thunk, ValueName};

use crate::fixture::Fixture;
use crate::gcc;
use crate::users::is_root;

/// A slot over the host; without namespaces it is refused, and that is seen to.
fn slot(f: &Fixture) -> Option<Slot> {
    match f.over_host() {
        Ok(slot) => {
            assert_eq!(slot.kind(), RootKind::OverHost);
            assert!(!slot.kind().sealed());
            Some(slot)
        }
        Err(ExecError::Refused { kind, why }) => {
            assert_eq!(kind, RootKind::OverHost);
            assert_ne!(f.slot.kind(), RootKind::Namespaces, "refused though there are namespaces: {why}");
            assert!(why.contains("cannot leave the namespaces"), "{why}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn run(slot: &mut Slot, thunk: &Thunk) -> Evidence {
    slot.run(thunk, &Cancel::new().unwrap())
}

/// Runs steps that must succeed; gives what they printed.
fn say(f: &Fixture, slot: &mut Slot, steps: &[&[&str]]) -> String {
    let evidence = run(slot, &f.thunk(steps, &[]));
    assert!(evidence.succeeded(), "{steps:?}: {evidence:?}");
    assert_eq!(evidence.kind, RootKind::OverHost);
    String::from_utf8(evidence.stdout).unwrap()
}

/// All that is below a directory: modes, times and contents.
fn digest(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            ValueName::of(&fs::read(&path).unwrap()).to_string()
        };
        let (mode, time) = (meta.permissions().mode(), meta.modified().unwrap());
        found.insert(path, format!("{mode:o} {time:?} {content}"));
    }
    found
}

#[test]
fn a_header_that_the_tree_lacks_is_found() {
    let mut f = Fixture::new();
    let (mut thunk, native) = gcc::compilation(&mut f);
    let Some(mut slot) = slot(&f) else {
        return;
    };
    f.remove("own.h");
    let before = f.nodes.len();
    f.nodes.retain(|path, _| !path.ends_with("/stdio.h"));
    assert!(f.nodes.len() < before);
    thunk.root = f.tree();
    assert_eq!(f.run_thunk(&thunk).failed_step, Some(0), "in the sealed root they are not there");
    for _ in 0..2 {
        let evidence = run(&mut slot, &thunk);
        assert!(evidence.succeeded() && evidence.stderr.is_empty(), "{evidence:?}");
        assert!(f.made(&evidence, "made.o").0 == native, "another object");
    }
}

#[test]
fn an_input_goes_before_what_the_host_has_now() {
    let mut f = Fixture::new();
    let (thunk, native) = gcc::compilation(&mut f);
    let Some(mut slot) = slot(&f) else {
        return;
    };
    fs::write(f.dir.join("own.h"), "#error changed\n").unwrap();
    fs::remove_file(f.dir.join("main.c")).unwrap();
    let evidence = run(&mut slot, &thunk);
    assert!(evidence.succeeded(), "{evidence:?}");
    assert!(f.made(&evidence, "made.o").0 == native, "another object");
}

#[test]
fn nothing_that_a_step_does_reaches_the_host() {
    let mut f = Fixture::new();
    let large = vec![b'L'; 2 << 20];
    f.put("input", b"input", 0o644);
    f.put("large.a", &large, 0o644);
    fs::write(f.dir.join("host"), "host").unwrap();
    fs::create_dir_all(f.dir.join("there/deep")).unwrap();
    fs::write(f.dir.join("there/deep/file"), "deep").unwrap();
    let Some(mut slot) = slot(&f) else {
        return;
    };
    let before = digest(&f.dir);
    let usr = "/usr/share/gg-over-host-test";
    let steps: &[&[&str]] = &[
        &["put", "new", "x"],
        &["put", "input", "changed"],
        &["append", "host", "+"],
        &["chmod", "host", "600"],
        &["append", "large.a", "+"],
        &["rm", "there/deep/file"],
        &["stat", "there/deep/file"],
        &["put", "there/other", "x"],
        &["mkdir", "made"],
        &["cat", "host"],
        &["cat", "input"],
        &["ls", "there"],
        &["put", usr, "x"],
        &["put", "/etc/passwd", "x"],
    ];
    let evidence = run(&mut slot, &f.thunk(steps, &["new", "large.a"]));
    assert!(evidence.succeeded(), "{evidence:?}");
    assert_eq!(f.made(&evidence, "new").0, b"x");
    assert_eq!(f.made(&evidence, "large.a").0.len(), large.len() + 1);
    let said = String::from_utf8(evidence.stdout).unwrap();
    let written = "there/deep/file: ENOENT\nhost+changeddeep\nother\n";
    // Only root may write there, natively as here.
    let refused = if is_root() { String::new() } else { format!("{usr}: EACCES\n/etc/passwd: EACCES\n") };
    assert_eq!(said, format!("{written}{refused}"));
    assert_eq!(digest(&f.dir), before);
    assert!(!Path::new(usr).exists());
    assert!(fs::metadata("/etc/passwd").unwrap().len() > 1);
    // Nor does it reach the next thunk.
    assert_eq!(
        say(&f, &mut slot, &[&["cat", "input"], &["cat", "host"], &["cat", "there/deep/file"]]),
        "inputhostdeep"
    );
}

#[test]
fn what_the_tree_has_hides_what_the_host_has() {
    let mut f = Fixture::new();
    for path in ["dir-for-file/x", "dir-for-link/x", "dir/host", "dir/sub/host", "target/x"] {
        fs::create_dir_all(f.dir.join(path).parent().unwrap()).unwrap();
        fs::write(f.dir.join(path), "host").unwrap();
    }
    fs::write(f.dir.join("file-for-dir"), "host").unwrap();
    fs::write(f.dir.join("file-for-link"), "host").unwrap();
    std::os::unix::fs::symlink("dir", f.dir.join("link-for-dir")).unwrap();
    std::os::unix::fs::symlink("dir/host", f.dir.join("link-for-file")).unwrap();
    f.put_in_tree("dir-for-file", b"tree", 0o644, None);
    f.put_link("dir-for-link", "target");
    f.put_in_tree("file-for-dir/y", b"tree", 0o644, None);
    f.put_link("file-for-link", "dir/sub/tree");
    f.put_in_tree("link-for-dir/y", b"tree", 0o644, None);
    f.put_in_tree("link-for-file", b"tree", 0o644, None);
    f.put_in_tree("dir/sub/tree", b"tree", 0o644, None);
    let Some(mut slot) = slot(&f) else {
        return;
    };
    let mut is = |words: &[&str], expected: &str| assert_eq!(say(&f, &mut slot, &[words]), expected, "{words:?}");
    is(&["cat", "dir-for-file"], "tree");
    is(&["cat", "dir-for-file/x"], "dir-for-file/x: ENOTDIR\n");
    is(&["ls", "dir-for-link"], "x\n");
    is(&["ls", "file-for-dir"], "y\n");
    is(&["cat", "file-for-link"], "tree");
    is(&["ls", "link-for-dir"], "y\n");
    is(&["cat", "link-for-file"], "tree");
    is(&["ls", "dir"], "host\nsub\n");
    is(&["ls", "dir/sub"], "host\ntree\n");
    // A directory that the tree has is one that steps may write to.
    is(&["put", "dir/sub/new", "x"], "");
}

#[test]
fn an_output_of_before_is_not_seen() {
    let mut f = Fixture::new();
    f.put("kept.a", b"in the tree", 0o644);
    fs::create_dir(f.dir.join("real")).unwrap();
    for name in ["old.o", "real/linked.o", "target"] {
        fs::write(f.dir.join(name), "from before").unwrap();
    }
    std::os::unix::fs::symlink("real", f.dir.join("link")).unwrap();
    std::os::unix::fs::symlink("target", f.dir.join("link.o")).unwrap();
    let Some(mut slot) = slot(&f) else {
        return;
    };
    let before = digest(&f.dir);
    let outputs = ["old.o", "link/linked.o", "link.o", "kept.a", "never.o"];
    let look = outputs.map(|name| ["stat", name]);
    let mut steps: Vec<&[&str]> = look.iter().map(<[&str; 2]>::as_slice).collect();
    steps.push(&["replace", "link.o", "new"]);
    steps.push(&["cat", "target"]);
    let evidence = run(&mut slot, &f.thunk(&steps, &outputs));
    let said = String::from_utf8_lossy(&evidence.stdout);
    assert!(said.starts_with("old.o: ENOENT\nlink/linked.o: ENOENT\nlink.o: ENOENT\n100644 11 "), "{said}");
    assert!(said.ends_with("never.o: ENOENT\nfrom before"), "{said}");
    let missing: Vec<&str> = evidence.missing.iter().map(Tag::as_str).collect();
    assert_eq!(missing, ["old.o", "link_linked.o", "never.o"]);
    assert_eq!(f.made(&evidence, "link.o").0, b"new");
    assert_eq!(digest(&f.dir), before);
}

#[test]
fn temporary_directories_are_private_unless_the_work_is_there() {
    let mut f = Fixture::new();
    let tool = f.nodes[&f.path("tool")[1..]].clone();
    let Some(mut slot) = slot(&f) else {
        return;
    };
    // Below /tmp: the host's is seen.
    let name = f.dir.strip_prefix("/tmp").map(|below| below.components().next().unwrap().as_os_str().to_owned());
    if let Ok(name) = name {
        let said = say(&f, &mut slot, &[&["ls", "/tmp"]]);
        assert!(said.lines().any(|line| Some(line) == name.to_str()), "{said}");
        assert!(say(&f, &mut slot, &[&["stat", "/tmp"]]).starts_with("41777 "));
    }
    let hidden = f.dir.join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("host"), "host").unwrap();
    // Elsewhere: it is empty, and what TMPDIR names as well.
    f.nodes = BTreeMap::from([("opt/gg-over-host-test/tool".to_owned(), tool)]);
    let steps: &[&[&str]] = &[
        &["ls", "/tmp"],
        &["ls", hidden.to_str().unwrap()],
        &["ls", "/var/tmp/gg-over-host-test/x"],
        &["put", "/tmp/a", "a"],
        &["put", "/var/tmp/gg-over-host-test/x/b", "b"],
        &["cat", "/tmp/a"],
        &["cat", "/var/tmp/gg-over-host-test/x/b"],
        &["put", "/usr/share/gg-over-host-test", "c"],
        &["cat", "/usr/share/gg-over-host-test"],
    ];
    let mut thunk = f.thunk(steps, &[]);
    for step in &mut thunk.steps {
        step.exe = b"/opt/gg-over-host-test/tool".to_vec();
    }
    thunk.cwd = b"/usr/share".to_vec();
    thunk.env.insert(b"TMPDIR".to_vec(), b"/var/tmp/gg-over-host-test/x".to_vec());
    thunk.env.insert(b"TMP".to_vec(), hidden.to_str().unwrap().as_bytes().to_vec());
    let evidence = run(&mut slot, &thunk);
    assert!(evidence.succeeded(), "{evidence:?}");
    let said = String::from_utf8(evidence.stdout).unwrap();
    // Where /tmp is private, the directory in it that TMP names is made there.
    assert!(said.ends_with("abc"), "{said}");
    assert!(!said.contains("host\n"), "{said}");
    assert!(!Path::new("/var/tmp/gg-over-host-test").exists());
    assert!(!Path::new("/usr/share/gg-over-host-test").exists());
}

/// Mounts to be seen, made before the test below begins anew as whoever ran the script.
const MOUNTS: &str = r#"
cd "$GG_TEST_MOUNTS"
t() { mkdir -p "$1" && mount -t tmpfs test "$1"; }
mkdir plain && t 'outer' && t 'outer/in:ne,r \x' && t hidden/by/link && t hidden/by/file && t shown/twice && t shown/twice
echo outer >outer/file && echo inner >'outer/in:ne,r \x/file' && echo link >hidden/by/link/file
echo twice >shown/twice/file && echo beside >shown/file
ln -s file shown/link
mkdir many && (cd many && seq 5000 | xargs touch) && t many/in && echo in >many/in/file
echo under >bound && echo over >plain/bound && chmod 666 plain/bound && mount --bind plain/bound bound
mkdir -p a/d b c e/d low deep && echo deep >a/d/file
mount -t overlay test -o lowerdir=a:b low && mount -t overlay test -o lowerdir=low:c deep
test "$(cat deep/d/file)" = deep
cd /
exec "$@"
"#;

/// The test of these tests that is among the [`MOUNTS`], which `unshare` with these options lets a shell make;
/// `user` is a command that goes on as somebody else.
pub fn among_mounts(options: &[&str], user: &[&str], tests: &Path) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(options).args(["sh", "-ec", MOUNTS, "sh"]).args(user).arg(tests);
    unshare.args(["--exact", "over_host::other_mounts_are_seen_too", "--nocapture"]);
    unshare
}

/// Runs that command.
pub fn passes(command: &mut Command) {
    let dir = gg_testkit::temp_dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let output = command.env("GG_TEST_MOUNTS", dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(dir.path().join("outer")).unwrap().count(), 0, "the mounts were the test's own");
}

#[test]
fn other_mounts_are_seen_too() {
    let Some(dir) = std::env::var_os("GG_TEST_MOUNTS").map(PathBuf::from) else {
        if slot(&Fixture::new()).is_some() {
            let options: &[&str] = if is_root() { &["-m"] } else { &["-Urm"] };
            passes(&mut among_mounts(options, &[], &std::env::current_exe().unwrap()));
        }
        return;
    };
    let mut f = Fixture::new();
    let at = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let node = |f: &Fixture, bytes: &[u8]| {
        let object = gg_thunk::ObjectName::Value(f.store.put(bytes).unwrap());
        Some(gg_thunk::Node::File(gg_thunk::FileNode { object, mode: 0o644, mtime: None }))
    };
    let large = vec![b'L'; 2 << 20];
    for (name, bytes) in [
        ("outer/in:ne,r \\x/own", &b"own"[..]),
        ("outer/in:ne,r \\x/large", &large),
        ("hidden/by/file", b"tree"),
        ("plain/own", b"own"),
    ] {
        let node = node(&f, bytes);
        f.nodes.insert(at(name)[1..].to_owned(), node);
    }
    let link = gg_thunk::Node::Symlink(at("plain").into_bytes());
    f.nodes.insert(at("hidden/by/link")[1..].to_owned(), Some(link));
    let mut slot = slot(&f).unwrap();
    let inner = "outer/in:ne,r \\x";
    let before = digest(&dir);
    let mut is = |words: &[&str], expected: &str| {
        let (what, place) = (words[0], at(words[1]));
        let words: Vec<&str> = [what, &place].into_iter().chain(words[2..].iter().copied()).collect();
        let said = say(&f, &mut slot, &[&words]);
        assert_eq!(said.replace(&format!("{place}: "), ""), expected, "{words:?}");
    };
    is(&["cat", "outer/file"], "outer\n");
    is(&["cat", &format!("{inner}/file")], "inner\n");
    is(&["cat", &format!("{inner}/own")], "own");
    is(&["ls", inner], "file\nlarge\nown\n");
    is(&["cat", "shown/twice/file"], "twice\n");
    is(&["cat", "shown/file"], "beside\n");
    is(&["cat", "shown/link"], "beside\n");
    is(&["cat", "bound"], "over\n");
    is(&["append", "bound", "x"], "EROFS\n");
    is(&["cat", "many/in/file"], "in\n");
    // What the tree has at a mount's place hides it, and nothing is mounted where its links lead.
    is(&["cat", "hidden/by/file"], "tree");
    is(&["ls", "plain"], "bound\nown\n");
    is(&["ls", "hidden/by/link/"], "bound\nown\n");
    is(&["put", &format!("{inner}/new"), "x"], "");
    is(&["rm", &format!("{inner}/own")], "");
    is(&["rm", "outer/file"], "");
    let evidence = run(&mut slot, &f.thunk(&[&["cat", &at("deep/d/file")]], &[]));
    assert!(String::from_utf8_lossy(&evidence.stdout).ends_with("ENOENT\n"), "{evidence:?}");
    let named = |name: &str| -> Vec<&String> {
        let place = format!("{}: ", at(name));
        evidence.left_out.iter().filter(|what| what.starts_with(&place)).collect()
    };
    assert_eq!(named("deep").len(), 1, "{evidence:?}");
    // Shown whole where one may look below a mount; else it is too much to be put together from its names.
    assert_eq!(named("many").len(), usize::from(!is_root()), "{evidence:?}");
    assert!(named("many").iter().all(|what| what.contains("4096 names")), "{evidence:?}");
    let others = ["", "outer", "hidden", "shown", "bound", "plain"];
    assert!(others.iter().all(|name| named(name).is_empty()), "{evidence:?}");
    // An output among the inputs of a mount: the step gets a copy of the large file.
    let mut thunk = f.thunk(&[&["append", &at(&format!("{inner}/large")), "+"]], &["large"]);
    thunk.outputs[0].path = at(&format!("{inner}/large")).into_bytes();
    let evidence = run(&mut slot, &thunk);
    assert_eq!(f.made(&evidence, "large").0.len(), large.len() + 1, "{:?}", evidence.exit);
    assert_eq!(digest(&dir), before);
}
