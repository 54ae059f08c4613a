//! Eviction, and what holds against it.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use gg_store::{LocalStore, Made, Memo, Record, Store, TOUCH_GRAIN};
use gg_thunk::{Tag, ThunkName, ValueName};

const ROLE: &str = "GG_STORE_TEST_DIR";

/// Makes an object look as if it was last used so many hours ago.
fn age(path: &Path, hours: u64) {
    let at = SystemTime::now() - Duration::from_secs(hours * 3600);
    File::open(path).unwrap().set_times(FileTimes::new().set_accessed(at)).unwrap();
}

/// Objects of 8 KiB, used 10, 9, … hours ago.
fn filled(dir: &Path, count: u64) -> (LocalStore, Vec<ValueName>) {
    let store = LocalStore::open(dir).unwrap();
    let names = (0..count)
        .map(|number| {
            let name = store.put(&[number as u8; 8192]).unwrap();
            age(&store.object_path(&name), 10 - number);
            name
        })
        .collect();
    (store, names)
}

/// Which objects are there, without using them.
fn there(store: &LocalStore, names: &[ValueName]) -> Vec<bool> {
    names.iter().map(|name| store.object_path(name).exists()).collect()
}

#[test]
fn the_least_recently_used_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 4);
    // A use makes it the most recently used; so does a put of what is there.
    assert!(store.contains(&names[0]).unwrap());
    store.put(&[1; 8192]).unwrap();
    let report = store.gc(16384, &[]).unwrap();
    assert_eq!(there(&store, &names), [true, true, false, false]);
    assert_eq!((report.files, report.bytes), (4, 32768));
    assert_eq!((report.freed_files, report.freed_bytes), (2, 16384));
    assert_eq!(report.left_bytes(), 16384);
    assert_eq!(store.gc(16384, &[]).unwrap().freed_files, 0);
}

#[test]
fn verifying_is_no_use() {
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 2);
    let used = |name| fs::metadata(store.object_path(name)).unwrap().accessed().unwrap();
    let before: Vec<_> = names.iter().map(used).collect();
    assert_eq!(store.verify().unwrap().objects, 2);
    assert_eq!(names.iter().map(used).collect::<Vec<_>>(), before);
    assert!(store.get(&names[1]).unwrap().is_some());
    assert!(used(&names[1]) > before[1] + TOUCH_GRAIN);
}

#[test]
fn what_a_session_uses_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 4);
    let lease = store.lease().unwrap();
    assert!(store.get(&names[1]).unwrap().is_some());
    let new = store.put(b"new").unwrap();
    let report = store.gc(0, &[]).unwrap();
    assert_eq!(there(&store, &names), [false, true, false, false]);
    assert!(store.contains(&new).unwrap());
    assert_eq!((report.freed_files, report.held_files), (3, 2));
    drop(lease);
    let report = store.gc(0, &[]).unwrap();
    assert_eq!((report.freed_files, report.held_files), (2, 0));
    assert_eq!(there(&store, &names), [false; 4]);
}

#[test]
fn a_use_that_was_not_noted_because_of_the_grain_holds_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = store.put(b"x").unwrap();
    let path = store.object_path(&name);
    let before = SystemTime::now() - TOUCH_GRAIN / 2;
    File::open(&path).unwrap().set_times(FileTimes::new().set_accessed(before)).unwrap();
    let _lease = store.lease().unwrap();
    assert!(store.contains(&name).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().accessed().unwrap(), before);
    assert_eq!(store.gc(0, &[]).unwrap().freed_files, 0);
    assert!(path.exists());
}

#[test]
fn a_lease_holds_in_other_processes_and_dies_with_its_own() {
    if let Some(dir) = std::env::var_os(ROLE) {
        let store = LocalStore::open(Path::new(&dir)).unwrap();
        let _lease = store.lease().unwrap();
        store.put(&[0; 8192]).unwrap();
        std::io::stdout().write_all(b"\nready\n").unwrap();
        std::io::stdout().flush().unwrap();
        // Until killed.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 2);
    let mut session = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_lease_holds_in_other_processes_and_dies_with_its_own", "--nocapture"])
        .env(ROLE, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut out = session.stdout.take().unwrap();
    while !said.ends_with(b"\nready\n") {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{said:?}");
        said.push(byte[0]);
    }
    store.gc(0, &[]).unwrap();
    assert_eq!(there(&store, &names), [true, false]);
    session.kill().unwrap();
    session.wait().unwrap();
    assert_eq!(fs::read_dir(dir.path().join("run/leases")).unwrap().count(), 1);
    store.gc(0, &[]).unwrap();
    assert_eq!(there(&store, &names), [false, false]);
    assert_eq!(fs::read_dir(dir.path().join("run/leases")).unwrap().count(), 0);
}

#[test]
fn renewing_lets_go() {
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 1);
    let mut lease = store.lease().unwrap();
    // As if the lease were five hours old, and the object were used two hours ago.
    let leases: Vec<_> = fs::read_dir(dir.path().join("run/leases")).unwrap().collect();
    let file = leases[0].as_ref().unwrap().path();
    let since = SystemTime::now() - Duration::from_secs(5 * 3600);
    File::options().write(true).open(file).unwrap().set_modified(since).unwrap();
    age(&store.object_path(&names[0]), 2);
    assert_eq!(store.gc(0, &[]).unwrap().freed_files, 0);
    lease.renew().unwrap();
    assert_eq!(store.gc(0, &[]).unwrap().freed_files, 1);
}

#[test]
fn records_go_with_their_objects() {
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 2);
    let memo = Memo::open(&store).unwrap();
    let empty = store.put(b"").unwrap();
    let thunks: Vec<ThunkName> = names
        .iter()
        .map(|name| {
            let thunk = ThunkName::of(name.digest());
            let made = Made { object: *name, mode: 0o755 };
            let record = Record {
                outputs: BTreeMap::from([(Tag::new("o").unwrap(), made)]),
                stdout: empty,
                stderr: empty,
                user_us: 0,
                sys_us: 0,
                wall_us: 0,
                max_rss_kb: 0,
            };
            assert!(record.objects().eq([*name, empty, empty]));
            memo.put(&thunk, &record).unwrap();
            thunk
        })
        .collect();
    let size = store.gc(u64::MAX, &[]).unwrap().bytes;
    let report = store.gc(size - 1, &[]).unwrap();
    assert_eq!((report.freed_files, report.dropped_records), (1, 1));
    assert_eq!(there(&store, &names), [false, true]);
    assert_eq!(memo.get(&thunks[0]).unwrap(), None);
    assert!(memo.get(&thunks[1]).unwrap().is_some());
}

#[test]
fn quarantine_goes_before_anything_good() {
    let dir = tempfile::tempdir().unwrap();
    let (store, names) = filled(dir.path(), 1);
    fs::write(dir.path().join("quarantine/old"), [1; 8192]).unwrap();
    assert_eq!(store.gc(16384, &[]).unwrap().quarantine_files, 0);
    let report = store.gc(8192, &[]).unwrap();
    assert_eq!((report.quarantine_files, report.freed_files), (1, 0));
    assert_eq!(there(&store, &names), [true]);
}

#[test]
fn what_others_keep_beside_the_store_goes_likewise() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = store.put(b"object").unwrap();
    let cache = dir.path().join("cache");
    fs::create_dir_all(cache.join("ab")).unwrap();
    let kept = cache.join("ab/abc");
    fs::write(&kept, vec![0; 10_000]).unwrap();
    let absent = dir.path().join("absent");
    let report = store.gc(u64::MAX, &[cache.clone(), absent.clone()]).unwrap();
    assert_eq!((report.files, report.freed_files), (2, 0));
    let report = store.gc(0, &[cache, absent]).unwrap();
    assert_eq!(report.freed_files, 2);
    assert!(!kept.exists() && !store.contains(&name).unwrap());
}
