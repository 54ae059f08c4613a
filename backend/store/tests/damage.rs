//! Objects and records that were damaged on disk.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gg_store::{LocalStore, Memo, Record, Store, StoreError};
use gg_thunk::{Thunk, ThunkName, Tree, ValueName};

/// Writes into an object, as a bad disk would.
fn damage(path: &Path, change: impl FnOnce(&mut fs::File)) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    change(&mut file);
    fs::set_permissions(path, Permissions::from_mode(0o555)).unwrap();
}

fn flip(path: &Path) {
    damage(path, |file| file.write_all(b"X").unwrap());
}

fn quarantined(dir: &Path) -> usize {
    fs::read_dir(dir.join("quarantine")).unwrap().count()
}

#[test]
fn a_corrupt_object_is_set_aside_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = store.put(b"content").unwrap();
    let path = store.object_path(&name);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o555);
    flip(&path);
    assert_eq!(store.get(&name).unwrap(), None);
    assert!(!store.contains(&name).unwrap());
    assert_eq!(quarantined(dir.path()), 1);
    assert_eq!(store.put(b"content").unwrap(), name);
    assert_eq!(store.get(&name).unwrap().unwrap(), b"content");
}

#[test]
fn a_short_object_is_noticed_without_reading() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = store.put(b"content").unwrap();
    // As after a power cut.
    damage(&store.object_path(&name), |file| file.set_len(0).unwrap());
    assert_eq!(store.put(b"content").unwrap(), name);
    assert_eq!(quarantined(dir.path()), 1);
    assert_eq!(store.get(&name).unwrap().unwrap(), b"content");
    damage(&store.object_path(&name), |file| file.set_len(100).unwrap());
    assert!(!store.contains(&name).unwrap());
}

#[test]
fn a_copy_and_a_path_are_checked_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let bytes = vec![7; 600_000];
    let name = store.put(&bytes).unwrap();
    let mut copy = tempfile::tempfile().unwrap();
    assert!(store.copy_to(&name, &mut copy).unwrap());
    let mut read = Vec::new();
    copy.rewind().unwrap();
    copy.read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
    assert_eq!(store.checked_path(&name).unwrap(), Some(store.object_path(&name)));

    flip(&store.object_path(&name));
    assert!(!store.copy_to(&name, &mut copy).unwrap());
    store.put(&bytes).unwrap();
    assert!(store.checked_path(&name).unwrap().is_some());
    flip(&store.object_path(&name));
    assert_eq!(store.checked_path(&name).unwrap(), None, "what was checked once has changed since");
    assert_eq!(quarantined(dir.path()), 2);
}

#[test]
fn what_is_in_an_objects_place_but_no_file_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let name = store.put(b"content").unwrap();
    let path = store.object_path(&name);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(store.get(&name).unwrap(), None);
    assert_eq!(store.put(b"content").unwrap(), name);
    assert_eq!(store.get(&name).unwrap().unwrap(), b"content");
}

#[test]
fn verify_names_what_is_corrupt_and_what_is_foreign() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let good = store.put(b"good").unwrap();
    let bad = store.put(b"bad").unwrap();
    flip(&store.object_path(&bad));
    let foreign = store.object_path(&good).with_file_name("README");
    fs::write(&foreign, "").unwrap();
    let misplaced = dir.path().join("objects/zz");
    fs::create_dir(&misplaced).unwrap();
    let misplaced = misplaced.join(good.to_string());
    fs::write(&misplaced, "good").unwrap();
    let report = store.verify().unwrap();
    assert_eq!((report.objects, report.bytes), (1, 4));
    assert_eq!(report.corrupt, [store.object_path(&bad)]);
    let mut strangers = report.foreign;
    strangers.sort();
    let mut expected = [foreign, misplaced];
    expected.sort();
    assert_eq!(strangers, expected);
    assert_eq!(store.get(&bad).unwrap(), None);
}

#[test]
fn trees_and_thunks_come_back_and_nothing_else_passes_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let tree = store.put_tree(&Tree::new()).unwrap();
    assert_eq!(store.get_tree(&tree).unwrap(), Some(Tree::new()));
    let thunk = Thunk {
        steps: vec![gg_thunk::Step { exe: b"/bin/true".to_vec(), argv: vec![b"true".to_vec()] }],
        env: Default::default(),
        cwd: b"/".to_vec(),
        umask: 0o022,
        root: tree,
        outputs: vec![gg_thunk::Output {
            tag: gg_thunk::Tag::new("o").unwrap(),
            path: b"/o".to_vec(),
            optional: false,
            writes: gg_thunk::Writes::Replace,
        }],
    };
    let name = store.put_thunk(&thunk).unwrap();
    assert_eq!(name, thunk.name());
    assert!(store.contains_thunk(&name).unwrap());
    assert_eq!(store.get_thunk(&name).unwrap(), Some(thunk));
    assert_eq!(store.get_thunk(&ThunkName::of(b"absent")).unwrap(), None);
    let junk = gg_thunk::TreeName::new(store.put(b"junk").unwrap());
    assert!(matches!(store.get_tree(&junk), Err(StoreError::Malformed { wanted: "tree", .. })));
}

#[test]
fn a_damaged_record_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let memo = Memo::open(&store).unwrap();
    let record = Record {
        outputs: Default::default(),
        stdout: ValueName::of(b""),
        stderr: ValueName::of(b"e"),
        user_us: 1,
        sys_us: 2,
        wall_us: 3,
        max_rss_kb: 4,
    };
    let (one, two) = (ThunkName::of(b"1"), ThunkName::of(b"2"));
    let file = |name: &ThunkName| {
        let shard = format!("{:02x}", name.digest()[0]);
        dir.path().join("memo").join(shard).join(name.to_string())
    };
    assert_eq!(memo.get(&one).unwrap(), None);
    memo.put(&one, &record).unwrap();
    assert_eq!(memo.get(&one).unwrap().as_ref(), Some(&record));
    // Another thunk's record under this name.
    fs::create_dir_all(file(&two).parent().unwrap()).unwrap();
    fs::copy(file(&one), file(&two)).unwrap();
    assert_eq!(memo.get(&two).unwrap(), None);
    damage(&file(&one), |file| file.set_len(60).unwrap());
    assert_eq!(memo.get(&one).unwrap(), None);
    assert_eq!(quarantined(dir.path()), 2);
    memo.put(&one, &record).unwrap();
    assert_eq!(memo.get(&one).unwrap(), Some(record));
    memo.remove(&one).unwrap();
    memo.remove(&one).unwrap();
    assert_eq!(memo.get(&one).unwrap(), None);
}

#[test]
fn only_regular_files_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(&dir.path().join("gg")).unwrap();
    assert!(matches!(store.put_file(dir.path()), Err(StoreError::NotAFile { .. })));
    assert!(matches!(store.put_file(Path::new("/dev/null")), Err(StoreError::NotAFile { .. })));
    assert!(matches!(store.put_file(&dir.path().join("absent")), Err(StoreError::Io { .. })));
    for len in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000] {
        let bytes: Vec<u8> = (0..len).map(|at: usize| (at % 251) as u8).collect();
        let path = dir.path().join("f");
        fs::write(&path, &bytes).unwrap();
        let name = store.put_file(&path).unwrap();
        assert_eq!(name, ValueName::of(&bytes), "{len}");
        assert!(store.get(&name).unwrap() == Some(bytes), "{len}");
        let mut file = fs::File::open(&path).unwrap();
        file.seek(std::io::SeekFrom::End(0)).unwrap();
        assert_eq!(store.put_open_file(&file).unwrap(), name);
    }
    // procfs says length 0 and gives more.
    let name = store.put_file(Path::new("/proc/version")).unwrap();
    assert_eq!(store.get(&name).unwrap().unwrap(), fs::read("/proc/version").unwrap());
}

#[test]
fn what_another_process_has_hashed_counts_until_the_file_changes() {
    let dir = tempfile::tempdir().unwrap();
    let writer = LocalStore::open(dir.path()).unwrap();
    let reader = LocalStore::open(dir.path()).unwrap();
    let source = dir.path().join("source");
    fs::write(&source, vec![b'L'; 2 << 20]).unwrap();
    let name = writer.put_file(&source).unwrap();
    let vouched = writer.vouched(0);
    assert_eq!(vouched.iter().map(|object| object.name).collect::<Vec<_>>(), [name]);
    assert!(writer.vouched(1).is_empty() && reader.vouched(0).is_empty());
    reader.vouch(vouched.clone());
    reader.vouch(vouched);
    assert_eq!(reader.vouched(0).len(), 1);
    assert_eq!(reader.checked_path(&name).unwrap(), Some(writer.object_path(&name)));
    flip(&writer.object_path(&name));
    assert_eq!(reader.checked_path(&name).unwrap(), None, "the file is another than the one vouched for");
}
