//! Thunks and trees, which lie in packs: what is put is found by all, whatever becomes of the files.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use gg_store::{DigestCache, LocalStore, Memo, Record, Store};
use gg_thunk::{Node, ThunkName, Tree, TreeName, ValueName};

/// A tree of this number, and of about this size.
fn tree(number: usize, size: usize) -> Tree {
    let mut tree = Tree::new();
    for link in 0..size.div_ceil(1000) {
        let to = format!("{number}-{}", "x".repeat(size.min(1000)));
        tree.insert(format!("link{link}").as_bytes(), Node::Symlink(to.into_bytes())).unwrap();
    }
    tree
}

fn packs(dir: &Path) -> Vec<PathBuf> {
    let mut packs: Vec<PathBuf> = fs::read_dir(dir.join("packs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    packs.sort();
    packs
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir.join("objects")).unwrap().count()
}

/// Sets the time when a pack was used last back by hours.
fn age(pack: &Path, hours: u64) {
    let at = SystemTime::now() - Duration::from_secs(hours * 3600);
    File::options().append(true).open(pack).unwrap().set_times(FileTimes::new().set_modified(at)).unwrap();
}

fn put(store: &LocalStore, numbers: std::ops::Range<usize>) -> Vec<TreeName> {
    numbers.map(|number| store.put_tree(&tree(number, 100)).unwrap()).collect()
}

/// Which of these trees are there, from the first.
fn there(store: &LocalStore, names: &[TreeName]) -> Vec<bool> {
    let is_there = |(number, name): (usize, &TreeName)| match store.get_tree(name).unwrap() {
        Some(found) => {
            assert_eq!(found, tree(number, 100));
            assert!(store.contains(&name.value()).unwrap());
            true
        }
        None => {
            assert!(!store.contains(&name.value()).unwrap());
            false
        }
    };
    names.iter().enumerate().map(is_there).collect()
}

#[test]
fn what_is_small_takes_no_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let names = put(&store, 0..50);
    let size = fs::metadata(&packs(dir.path())[0]).unwrap().len();
    assert_eq!(put(&store, 0..50), names);
    assert_eq!(fs::metadata(&packs(dir.path())[0]).unwrap().len(), size, "what is there is not written again");
    assert_eq!((packs(dir.path()).len(), files(dir.path())), (1, 0));
    assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 50]);
    let large = tree(0, 100_000);
    let name = store.put_tree(&large).unwrap();
    assert_eq!(files(dir.path()), 1, "a large one does");
    assert_eq!(LocalStore::open(dir.path()).unwrap().get_tree(&name).unwrap(), Some(large));
}

#[test]
fn processes_find_what_others_put() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [0, 1, 2].map(|_| LocalStore::open(dir.path()).unwrap());
    let mut names = Vec::new();
    for number in 0..60 {
        names.extend(put(&stores[number % 2], number..number + 1));
        assert_eq!(stores[(number + 1) % 3].get_tree(&names[number]).unwrap(), Some(tree(number, 100)));
    }
    for store in &stores {
        assert_eq!(there(store, &names), [true; 60]);
    }
    assert_eq!(packs(dir.path()).len(), 2, "one a writer");
}

#[test]
fn threads_do_not_mix_what_they_put() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let other = LocalStore::open(dir.path()).unwrap();
    let names: Vec<TreeName> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let store = if thread % 2 == 0 { &store } else { &other };
                scope.spawn(move || put(store, thread * 50..thread * 50 + 50))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 400]);
    assert_eq!(store.verify().unwrap().objects, 400);
}

#[test]
fn a_torn_record_costs_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    let names = put(&LocalStore::open(dir.path()).unwrap(), 0..3);
    let pack = packs(dir.path()).remove(0);
    let whole = fs::read(&pack).unwrap();
    let record = whole.len() / 3;
    let write = |bytes: &[u8]| {
        packs(dir.path()).iter().filter(|other| **other != pack).for_each(|other| fs::remove_file(other).unwrap());
        fs::write(&pack, bytes).unwrap();
    };
    for cut in (1..record).step_by(7).chain([record - 1]) {
        // The second is cut off, by a full disk or a killed process, and a third comes after it.
        let torn = [&whole[..record + cut], &whole[2 * record..]].concat();
        write(&torn);
        let store = LocalStore::open(dir.path()).unwrap();
        assert_eq!(there(&store, &names), [true, false, true], "cut at {cut}");
        assert_eq!(put(&store, 1..2), names[1..2]);
        assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 3], "cut at {cut}");
        // The end is not there, or is there as zeros, as after a power cut.
        for end in [0, 100] {
            write(&[&whole[..2 * record + cut], &vec![0; end]].concat());
            let store = LocalStore::open(dir.path()).unwrap();
            assert_eq!(there(&store, &names), [true, true, false], "cut at {cut}, {end} zeros");
            put(&store, 2..3);
            assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 3], "cut at {cut}, {end} zeros");
        }
    }
}

#[test]
fn a_record_is_read_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let names = put(&LocalStore::open(dir.path()).unwrap(), 0..2);
    let pack = packs(dir.path()).remove(0);
    let whole = fs::read(&pack).unwrap();
    let record = whole.len() / 2;
    fs::write(&pack, &whole[..record]).unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    assert_eq!(there(&store, &names), [true, false]);
    for end in record + 1..whole.len() {
        let mut file = OpenOptions::new().append(true).open(&pack).unwrap();
        file.write_all(&whole[end - 1..end]).unwrap();
        if end % 13 == 0 {
            assert_eq!(there(&store, &names), [true, false], "{end} bytes");
        }
    }
    OpenOptions::new().append(true).open(&pack).unwrap().write_all(&whole[whole.len() - 1..]).unwrap();
    assert_eq!(there(&store, &names), [true, true]);
}

#[test]
fn a_pack_that_is_damaged_is_set_aside_for_all() {
    for verified in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let writer = LocalStore::open(dir.path()).unwrap();
        let names = put(&writer, 0..3);
        let pack = packs(dir.path()).remove(0);
        let record = fs::metadata(&pack).unwrap().len() / 3;
        let mut file = OpenOptions::new().write(true).open(&pack).unwrap();
        file.seek(SeekFrom::Start(record + record / 2)).unwrap();
        file.write_all(b"X").unwrap();
        let reader = LocalStore::open(dir.path()).unwrap();
        if verified {
            let report = reader.verify().unwrap();
            assert_eq!((report.objects, report.corrupt), (2, vec![pack.clone()]));
        } else {
            assert_eq!(reader.get_tree(&names[1]).unwrap(), None);
        }
        assert!(!pack.exists() && fs::read_dir(dir.path().join("quarantine")).unwrap().count() == 1);
        assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [false; 3]);
        // Who wrote it puts again what it needs, and others find it.
        put(&writer, 1..3);
        assert_eq!(reader.get_tree(&names[1]).unwrap(), Some(tree(1, 100)));
        assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [false, true, true]);
    }
}

/// Fills a pack, which begins with trees of these numbers, and begins another; gives the trees and the two.
fn fill(dir: &Path, numbers: std::ops::Range<usize>) -> (Vec<TreeName>, PathBuf, PathBuf) {
    let filling = LocalStore::open(dir).unwrap();
    let names = put(&filling, numbers);
    let full = packs(dir).remove(0);
    for number in 0..300 {
        filling.put_tree(&tree(number, 60_000)).unwrap();
    }
    let next = packs(dir).into_iter().find(|pack| *pack != full).expect("the first is full");
    (names, full, next)
}

#[test]
fn what_is_used_outlives_what_is_not() {
    for used in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (names, first, second) = fill(dir.path(), 0..4);
        age(&first, 10);
        age(&second, 5);
        let store = LocalStore::open(dir.path()).unwrap();
        if used {
            assert!(store.contains(&names[1].value()).unwrap());
        }
        let size = [&first, &second].map(|pack| fs::metadata(pack).unwrap().len()).into_iter().max().unwrap();
        assert_eq!(store.gc(size + 8192, &[]).unwrap().freed_files, 1);
        assert_eq!([first.exists(), second.exists()], [used, !used]);
    }
}

#[test]
fn one_writes_a_pack_at_a_time_and_the_next_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = LocalStore::open(dir.path()).unwrap();
    let mut names = put(&first, 0..1);
    let second = LocalStore::open(dir.path()).unwrap();
    names.extend(put(&second, 1..2));
    assert_eq!(packs(dir.path()).len(), 2);
    assert_eq!(first.gc(0, &[]).unwrap().freed_files, 0, "neither is without a writer");
    drop((first, second));
    for number in 2..9 {
        names.extend(put(&LocalStore::open(dir.path()).unwrap(), number..number + 1));
    }
    assert_eq!(packs(dir.path()).len(), 2);
    assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 9]);
}

#[test]
fn one_pack_that_cannot_be_read_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let names = put(&LocalStore::open(dir.path()).unwrap(), 0..2);
    fs::create_dir(dir.path().join("packs/directory")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("packs/link")).unwrap();
    fs::write(dir.path().join("packs/garbage"), "ggp1 is no pack").unwrap();
    File::create(dir.path().join("packs/large")).unwrap().set_len(1 << 40).unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("packs/pipe")).status().unwrap().success());
    let store = LocalStore::open(dir.path()).unwrap();
    let more = put(&store, 2..3);
    assert_eq!(there(&store, &names), [true; 2]);
    assert!(LocalStore::open(dir.path()).unwrap().contains(&more[0].value()).unwrap());
    assert_eq!(store.get(&ValueName::of(b"absent")).unwrap(), None);
    let report = store.verify().unwrap();
    assert_eq!((report.objects, report.corrupt.len(), report.foreign.len()), (3, 0, 4), "{report:?}");
}

#[test]
fn of_two_the_one_that_is_there_is_found() {
    for evicted in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (names, old, _) = fill(dir.path(), 0..1);
        age(&old, 1);
        let store = LocalStore::open(dir.path()).unwrap();
        put(&store, 0..1);
        assert_eq!(store.get(&ValueName::of(b"absent")).unwrap(), None, "all packs are read");
        if evicted {
            fs::remove_file(&old).unwrap();
        } else {
            let mut file = OpenOptions::new().write(true).open(&old).unwrap();
            file.seek(SeekFrom::Start(60)).unwrap();
            file.write_all(b"X").unwrap();
        }
        assert_eq!(there(&store, &names), [true], "{evicted}");
    }
}

#[test]
fn there_are_as_many_packs_as_writers_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for round in 0..10 {
        let stores: Vec<LocalStore> = (0..4).map(|_| LocalStore::open(dir.path()).unwrap()).collect();
        for (number, store) in stores.iter().enumerate() {
            names.extend(put(store, round * 4 + number..round * 4 + number + 1));
        }
    }
    assert_eq!(packs(dir.path()).len(), 4);
    assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 40]);
}

#[test]
fn what_a_writer_has_open_when_its_pack_is_set_aside_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let names = put(&store, 0..2);
    fs::rename(&packs(dir.path())[0], dir.path().join("quarantine/pack")).unwrap();
    put(&store, 2..3);
    assert_eq!(there(&store, &names), [true; 2]);
    assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true; 2], "carried on");
}

#[test]
fn an_empty_source_costs_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let (digests, memo) = (DigestCache::open(&store).unwrap(), Memo::open(&store).unwrap());
    let source = dir.path().join("empty.h");
    fs::write(&source, "").unwrap();
    let empty = digests.ingest(&store, &source).unwrap().name;
    let record = Record {
        outputs: BTreeMap::new(),
        stdout: store.put(b"").unwrap(),
        stderr: empty,
        user_us: 0,
        sys_us: 0,
        wall_us: 0,
        max_rss_kb: 0,
    };
    memo.put(&ThunkName::of(b"thunk"), &record).unwrap();
    let evicted = store.put(&[1; 100_000]).unwrap();
    age_file(&store.object_path(&evicted), 10);
    let report = store.gc(60_000, &[]).unwrap();
    assert_eq!((report.freed_files, report.dropped_records), (1, 0), "{report:?}");
}

/// Sets the time when an object was used last back by hours.
fn age_file(object: &Path, hours: u64) {
    let at = SystemTime::now() - Duration::from_secs(hours * 3600);
    File::open(object).unwrap().set_times(FileTimes::new().set_accessed(at)).unwrap();
}

#[test]
fn sources_are_packed_and_come_out_as_files_where_one_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let digests = DigestCache::open(&store).unwrap();
    let source = dir.path().join("source.h");
    fs::write(&source, "int a;\n").unwrap();
    let name = digests.ingest(&store, &source).unwrap().name;
    assert_eq!((packs(dir.path()).len(), files(dir.path())), (1, 0));
    let other = LocalStore::open(dir.path()).unwrap();
    assert_eq!(other.get(&name).unwrap().unwrap(), b"int a;\n");
    let mut copy = tempfile::tempfile().unwrap();
    assert!(other.copy_to(&name, &mut copy).unwrap());
    assert_eq!(copy.metadata().unwrap().len(), 7);
    let path = other.checked_path(&name).unwrap().unwrap();
    assert_eq!((fs::read(&path).unwrap(), &path), (b"int a;\n".to_vec(), &other.object_path(&name)));
    // What a step made is a file, whoever has read the same before.
    let made = tempfile::tempfile().unwrap();
    made.write_all_at(b"int b;\n", 0).unwrap();
    let made = store.put_open_file(&made).unwrap();
    assert!(store.object_path(&made).exists() && store.contains(&made).unwrap());
    fs::write(&source, "int b;\n").unwrap();
    let size = fs::metadata(&packs(dir.path())[0]).unwrap().len();
    assert_eq!(digests.ingest(&store, &source).unwrap().name, made);
    assert_eq!(fs::metadata(&packs(dir.path())[0]).unwrap().len(), size, "it is there");
}

#[test]
fn a_pack_that_a_session_uses_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let names = put(&LocalStore::open(dir.path()).unwrap(), 0..2);
    let pack = packs(dir.path()).remove(0);
    age(&pack, 10);
    let session = LocalStore::open(dir.path()).unwrap();
    let lease = session.lease().unwrap();
    assert!(session.contains(&names[0].value()).unwrap());
    let report = LocalStore::open(dir.path()).unwrap().gc(0, &[]).unwrap();
    assert_eq!((report.freed_files, report.held_files), (0, 1));
    assert_eq!(there(&session, &names), [true; 2]);
    drop(lease);
    assert_eq!(LocalStore::open(dir.path()).unwrap().gc(0, &[]).unwrap().freed_files, 1);
    // Who has it open carries on what is asked of it, and writes where others look.
    assert!(session.contains(&names[0].value()).unwrap());
    assert_eq!(there(&LocalStore::open(dir.path()).unwrap(), &names), [true, false]);
}
