//! The digest cache on real files.

use std::fs::{self, File, FileTimes};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use gg_store::{DigestCache, Identity, LocalStore, Observed, Store, StoreError};
use gg_thunk::ValueName;

const ROLE: &str = "GG_STORE_TEST_DIR";

fn identity(number: u64, size: u64) -> Identity {
    Identity { dev: 1, ino: number, size, mtime_ns: 1_000, ctime_ns: 2_000 }
}

fn late() -> Observed {
    Observed::at(1_000_000_000)
}

#[test]
fn a_file_changed_within_the_grain_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(&dir.path().join("gg")).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    let path = dir.path().join("f");
    // Rewritten and asked at once, over and over: every answer must be right, whatever the clock did.
    for number in 0..500_u32 {
        let mut file = File::create(&path).unwrap();
        file.write_all(&number.to_le_bytes()).unwrap();
        let file = cache.ingest(&store, &path).unwrap();
        assert_eq!(file.name, ValueName::of(&number.to_le_bytes()), "{number}");
    }
    let meta = fs::metadata(&path).unwrap();
    let observed_at_once = Observed::at(Identity::of(&meta).ctime_ns + 19_000_000);
    let fresh = Identity::of(&meta);
    assert!(!cache.put(&fresh, ValueName::of(b"1234"), observed_at_once).unwrap());
    assert_eq!(cache.get(&fresh), None);
    // The modification time can be set back by anyone; the change time tells.
    let past = SystemTime::now() - Duration::from_secs(1000);
    File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(past)).unwrap();
    let back = Identity::of(&fs::metadata(&path).unwrap());
    assert!(!cache.put(&back, ValueName::of(b"1234"), Observed::at(back.ctime_ns)).unwrap());
}

/// A compiler is hashed once for a user, not once for each of the user's stores.
#[test]
fn stores_share_what_they_know_of_the_system() {
    let dir = tempfile::tempdir().unwrap();
    let system = dir.path().join("user/system-digests");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc =
        maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5)).find(|path| path.contains("/libc."));
    let libc = fs::canonicalize(libc.unwrap()).unwrap();
    assert!(libc.starts_with("/usr") && fs::metadata(&libc).unwrap().len() > 1 << 20, "{}", libc.display());
    let ingest = |name: &str, shared: Option<&Path>| {
        let store = LocalStore::open(&dir.path().join(name)).unwrap();
        let file = DigestCache::sharing(&store, shared).unwrap().ingest(&store, &libc).unwrap();
        assert!(store.contains(&file.name).unwrap() && file.name == ValueName::of(&fs::read(&libc).unwrap()));
        file.read
    };
    assert!(ingest("first", Some(&system)) && !ingest("second", Some(&system)) && ingest("alone", None));
    // nothing else is shared
    let own = std::env::current_exe().unwrap();
    let read = ["third", "fourth"].map(|name| {
        let store = LocalStore::open(&dir.path().join(name)).unwrap();
        DigestCache::sharing(&store, Some(&system)).unwrap().ingest(&store, &own).unwrap().read
    });
    assert_eq!(read, [true, true]);
    // a directory that cannot be made is none
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(ingest("fifth", Some(&dir.path().join("file/system"))));
}

#[test]
fn an_old_file_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    // Old enough, and on a file system with our clock wherever tests run: this program itself.
    let path = std::env::current_exe().unwrap();
    let first = cache.ingest(&store, &path).unwrap();
    assert!(first.read);
    assert_eq!(first.name, ValueName::of(&fs::read(&path).unwrap()));
    assert_eq!(first.mode, fs::metadata(&path).unwrap().permissions().mode() & 0o7777);
    let known = cache.get(&first.identity);
    if known.is_none() {
        // The build ended within the grain, or its file system has another clock: that must be the reason.
        let observed = Observed::now(&File::open(&path).unwrap());
        println!("observed {observed:?} identity {:?}", first.identity);
        cache.put(&first.identity, first.name, Observed::at(i128::MAX)).unwrap();
    }
    let second = cache.ingest(&store, &path).unwrap();
    assert!(!second.read);
    assert_eq!((second.name, second.identity), (first.name, first.identity));
    // Its object is gone: it is read again, not promised.
    fs::remove_file(store.object_path(&first.name)).unwrap();
    assert!(cache.ingest(&store, &path).unwrap().read);
    assert!(store.contains(&first.name).unwrap());
    assert!(matches!(cache.ingest(&store, dir.path()), Err(StoreError::NotAFile { .. })));
}

#[test]
fn many_threads_that_want_one_file_read_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let path = std::env::current_exe().unwrap();
    let known = DigestCache::open(&store).unwrap().ingest(&store, &path).unwrap();
    fs::remove_file(store.object_path(&known.name)).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    cache.put(&known.identity, known.name, Observed::at(i128::MAX)).unwrap();
    let start = std::sync::Barrier::new(8);
    let one = || {
        start.wait();
        cache.ingest(&store, &path).unwrap()
    };
    let got: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(got.iter().all(|one| one.name == known.name));
    assert_eq!(got.iter().filter(|one| one.read).count(), 1);
}

#[test]
fn any_change_of_identity_is_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    let known = identity(5, 3);
    let name = ValueName::of(b"abc");
    assert!(cache.put(&known, name, late()).unwrap());
    assert_eq!(cache.get(&known), Some(name));
    for other in [
        Identity { dev: 2, ..known },
        Identity { ino: 6, ..known },
        Identity { size: 4, ..known },
        Identity { mtime_ns: 1_001, ..known },
        Identity { ctime_ns: 2_001, ..known },
    ] {
        assert_eq!(cache.get(&other), None, "{other:?}");
    }
    assert!(!cache.put(&identity(7, 2), name, late()).unwrap(), "not the file's length");
}

#[test]
fn processes_see_what_others_append() {
    if let Some(dir) = std::env::var_os(ROLE) {
        let store = LocalStore::open(Path::new(&dir)).unwrap();
        let cache = DigestCache::open(&store).unwrap();
        let base = u64::from(std::process::id()) << 32;
        for number in 0..300 {
            let name = ValueName::of(&(base + number).to_le_bytes());
            cache.put(&identity(base + number, 8), name, late()).unwrap();
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    assert_eq!(cache.get(&identity(1, 8)), None);
    let children: Vec<_> = (0..4)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "processes_see_what_others_append"])
                .env(ROLE, dir.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        let base = u64::from(child.id()) << 32;
        assert!(child.wait().unwrap().success());
        for number in 0..300 {
            let name = ValueName::of(&(base + number).to_le_bytes());
            assert_eq!(cache.get(&identity(base + number, 8)), Some(name));
        }
    }
}

#[test]
fn a_torn_log_costs_what_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = ValueName::of(b"abc");
    let log = dir.path().join("digests/log");
    let cache = DigestCache::open(&store).unwrap();
    cache.put(&identity(1, 3), name, late()).unwrap();
    cache.put(&identity(2, 3), name, late()).unwrap();
    let whole = fs::metadata(&log).unwrap().len();
    File::options().write(true).open(&log).unwrap().set_len(whole - 7).unwrap();
    cache.put(&identity(3, 3), name, late()).unwrap();
    let other = DigestCache::open(&store).unwrap();
    let found: Vec<bool> = (1..4).map(|n| other.get(&identity(n, 3)).is_some()).collect();
    assert_eq!(found, [true, false, true]);
}

#[test]
fn a_stale_log_is_rewritten_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = ValueName::of(b"abc");
    let writer = DigestCache::open(&store).unwrap();
    assert_eq!(writer.get(&identity(999, 3)), None);
    // The same few files, changed again and again.
    for time in 0..15_000 {
        let mut file = identity(time % 10, 3);
        file.mtime_ns = i128::from(time);
        writer.put(&file, name, late()).unwrap();
    }
    let log = dir.path().join("digests/log");
    let before = fs::metadata(&log).unwrap().len();
    let reader = DigestCache::open(&store).unwrap();
    let mut last = identity(9, 3);
    last.mtime_ns = 14_999;
    assert_eq!(reader.get(&last), Some(name));
    let after = fs::metadata(&log).unwrap().len();
    assert!(before > 1 << 20 && after < 1000, "{before} → {after}");
    // The writer still has the old file open; it follows at its next question, as it does before it reads a file.
    assert_eq!(writer.get(&identity(50, 3)), None);
    writer.put(&identity(50, 3), name, late()).unwrap();
    assert_eq!(reader.get(&identity(50, 3)), Some(name));
    let mut bytes = Vec::new();
    File::open(&log).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, after + 92);
}

#[test]
fn a_large_file_of_the_system_is_not_copied() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let cache = DigestCache::open(&store).unwrap();
    let path = fs::canonicalize("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() as u64 >= gg_store::LEAST_PINNED);
    let libc = cache.ingest(&store, &path).unwrap();
    assert_eq!(libc.name, ValueName::of(&bytes));
    assert!(!store.object_path(&libc.name).exists());
    assert_eq!(store.checked_path(&libc.name).unwrap(), Some(path.clone()));
    assert_eq!(store.get(&libc.name).unwrap().unwrap(), bytes);
    assert!(!cache.ingest(&store, &path).unwrap().read);
}
