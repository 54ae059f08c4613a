//! Stores that cannot be written: full, limited, read-only, forbidden. The test binary starts itself under the limit.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use gg_store::{DigestCache, Identity, LocalStore, Memo, Observed, Record, Store, StoreError};
use gg_thunk::{Node, ThunkName, Tree, ValueName};

const ROLE: &str = "GG_STORE_TEST_DIR";

fn role() -> Option<LocalStore> {
    let dir = std::env::var_os(ROLE)?;
    Some(LocalStore::open(Path::new(&dir)).unwrap())
}

/// This test again, by a shell that first sets the limit.
fn under(limit: &str, test: &str, dir: &Path) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{limit} && exec \"$0\" --exact {test} --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, dir)
        .output()
        .unwrap()
}

fn assert_passed(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether this user can mount in a namespace of its own; says so if not.
fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-m", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    let can = matches!(&tried, Ok(output) if output.status.success());
    if !can {
        println!("not tested: no mount is permitted here: {tried:?}");
    }
    can
}

fn in_use(store: &LocalStore) -> usize {
    fs::read_dir(store.root().join("tmp")).unwrap().count()
}

fn assert_big_object_does_not_fit(store: &LocalStore) {
    let big = vec![1; 3 << 20];
    let error = store.put(&big).unwrap_err();
    assert!(matches!(&error, StoreError::Full { .. }), "{error}");
    let StoreError::Full { path, .. } = &error else { unreachable!() };
    assert!(path.starts_with(store.root().join("tmp")), "{error}");
    assert_eq!(in_use(store), 0, "the half-written file is removed");
    assert!(!store.contains(&ValueName::of(&big)).unwrap());
    let small = store.put(b"small").unwrap();
    assert_eq!(store.get(&small).unwrap().unwrap(), b"small");
    assert!(store.verify().unwrap().corrupt.is_empty());
}

#[test]
fn a_file_size_limit_is_a_full_store() {
    if let Some(store) = role() {
        assert_big_object_does_not_fit(&store);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // In blocks of 512 bytes; the signal must not end the process.
    let limit = "trap '' XFSZ && ulimit -f 2048";
    let output = under(limit, "a_file_size_limit_is_a_full_store", dir.path());
    assert_passed(&output);
}

#[test]
fn a_full_disk_is_a_typed_error() {
    if let Some(store) = role() {
        assert_big_object_does_not_fit(&store);
        return;
    }
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=1m none '{0}' && exec \"$0\" --exact a_full_disk_is_a_typed_error --nocapture",
        dir.path().display()
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, dir.path())
        .output()
        .unwrap();
    assert_passed(&output);
}

fn record() -> Record {
    Record {
        outputs: Default::default(),
        stdout: ValueName::of(b"here"),
        stderr: ValueName::of(b"here"),
        user_us: 0,
        sys_us: 0,
        wall_us: 0,
        max_rss_kb: 0,
    }
}

fn known() -> Identity {
    Identity { dev: 1, ino: 2, size: 4, mtime_ns: 0, ctime_ns: 0 }
}

/// A store with an old object, a record, a digest.
fn filled(dir: &Path) {
    let store = LocalStore::open(dir).unwrap();
    let name = store.put(b"here").unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
    fs::File::open(store.object_path(&name)).unwrap().set_times(fs::FileTimes::new().set_accessed(old)).unwrap();
    store.put_tree(&Tree::new()).unwrap();
    let memo = Memo::open(&store).unwrap();
    memo.put(&ThunkName::of(b"t"), &record()).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    assert!(cache.put(&known(), name, Observed::at(1 << 40)).unwrap());
}

/// All of it can be read; what is to be written says why not.
fn assert_readable_only(store: &LocalStore, reason: fn(&StoreError) -> bool) {
    let here = ValueName::of(b"here");
    assert_eq!(store.put(b"here").unwrap(), here);
    assert_eq!(store.get(&here).unwrap().unwrap(), b"here");
    assert!(store.checked_path(&here).unwrap().is_some());
    let tree = store.put_tree(&Tree::new()).unwrap();
    assert_eq!(store.get_tree(&tree).unwrap(), Some(Tree::new()));
    let mut another = Tree::new();
    another.insert(b"link", Node::Symlink(b"to".to_vec())).unwrap();
    assert!(reason(&store.put_tree(&another).unwrap_err()));
    let memo = Memo::open(store).unwrap();
    assert_eq!(memo.get(&ThunkName::of(b"t")).unwrap(), Some(record()));
    let cache = DigestCache::open(store).unwrap();
    assert_eq!(cache.get(&known()), Some(here));
    let mut other = known();
    other.ino = 3;
    for error in [
        store.put(b"new").unwrap_err(),
        store.put_file(Path::new("/proc/version")).unwrap_err(),
        memo.put(&ThunkName::of(b"t"), &record()).unwrap_err(),
        memo.remove(&ThunkName::of(b"t")).unwrap_err(),
        store.lease().unwrap_err(),
        store.gc(0, &[]).unwrap_err(),
        cache.put(&other, here, Observed::at(1 << 40)).unwrap_err(),
    ] {
        assert!(reason(&error), "{error:?}");
    }
    assert_eq!(cache.get(&other), Some(here), "this process knows");
}

#[test]
fn a_read_only_file_system_can_be_read() {
    if let Some(store) = role() {
        assert_readable_only(&store, |e| matches!(e, StoreError::ReadOnly { .. }));
        return;
    }
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let script = format!(
        "mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}' && \
         exec \"$0\" --exact a_read_only_file_system_can_be_read --nocapture",
        dir.path().display()
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, dir.path())
        .output()
        .unwrap();
    assert_passed(&output);
}

#[test]
fn a_forbidden_directory_can_be_read() {
    if let Some(store) = role() {
        assert_readable_only(&store, |e| matches!(e, StoreError::Denied { .. }));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gg_dir = dir.path().join("gg");
    filled(&gg_dir);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    // The program, where every user may run it.
    let program = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    command.args(["--exact", "a_forbidden_directory_can_be_read", "--nocapture"]).env(ROLE, &gg_dir).current_dir("/");
    let writable = |yes: bool| {
        for entry in walk(&gg_dir) {
            let mode = if yes { 0o755 } else { 0o555 };
            fs::set_permissions(entry, Permissions::from_mode(mode)).unwrap();
        }
    };
    writable(false);
    // Permissions do not bind root: then it is another user who tries.
    if fs::write(gg_dir.join("probe"), "").is_ok() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    writable(true);
    assert_passed(&output);
}

/// Directories and files below, the directory itself included.
fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![dir.to_owned()];
    let mut at = 0;
    while at < all.len() {
        if all[at].is_dir() {
            let entries = fs::read_dir(&all[at]).unwrap();
            all.extend(entries.map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    all
}

#[test]
fn a_store_under_a_file_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LocalStore::open(&file.join("gg")).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    let error = LocalStore::open(Path::new("/proc/self/gg")).unwrap_err();
    assert!(error.to_string().contains("/proc/self/gg"), "{error}");
}
