//! Many processes on one store, and writers that are killed. The test binary starts itself as those processes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use gg_store::{LocalStore, Memo, Record, Store};
use gg_thunk::{ThunkName, ValueName};

const ROLE: &str = "GG_STORE_TEST_DIR";

/// This test binary again, to run one test in the role of a child.
fn child(test: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn role() -> Option<LocalStore> {
    let dir = std::env::var_os(ROLE)?;
    Some(LocalStore::open(Path::new(&dir)).unwrap())
}

/// Contents of many sizes, some over what is read into memory at once.
fn content(number: usize) -> Vec<u8> {
    let len = match number % 32 {
        0 => (1 << 20) + 8,
        n => n * 1000,
    };
    number.to_le_bytes().repeat(len / 8)
}

fn record(name: ValueName) -> Record {
    Record { outputs: Default::default(), stdout: name, stderr: name, user_us: 0, sys_us: 0, wall_us: 0, max_rss_kb: 0 }
}

#[test]
fn eight_processes_put_the_same_objects() {
    const OBJECTS: usize = 48;
    if let Some(store) = role() {
        // All wait for the end of their standard input, so that they start together.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        let memo = Memo::open(&store).unwrap();
        for number in 0..OBJECTS {
            let bytes = content(number);
            let name = store.put(&bytes).unwrap();
            assert_eq!(store.get(&name).unwrap().as_deref(), Some(&bytes[..]));
            let thunk = ThunkName::of(&bytes);
            memo.put(&thunk, &record(name)).unwrap();
            assert_eq!(memo.get(&thunk).unwrap(), Some(record(name)));
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path()).unwrap();
    let mut children: Vec<Child> = (0..8).map(|_| child("eight_processes_put_the_same_objects", dir.path())).collect();
    for child in &mut children {
        drop(child.stdin.take());
    }
    for child in children {
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{said}");
    }
    let report = store.verify().unwrap();
    assert_eq!((report.objects, report.records), (48, 48));
    assert_eq!((report.corrupt.len(), report.foreign.len()), (0, 0));
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

fn write_forever(store: &LocalStore, thread: usize) {
    let memo = Memo::open(store).unwrap();
    // The process makes each object anew, so that later writers have as much to write.
    let base = (std::process::id() as usize) << 32;
    for number in (thread..).step_by(4) {
        let bytes = content(base + number);
        println!(".");
        let name = store.put(&bytes).unwrap();
        memo.put(&ThunkName::of(&bytes), &record(name)).unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_no_half_object() {
    const TEST: &str = "a_killed_writer_leaves_no_half_object";
    if let Some(store) = role() {
        // A line for each object begun; the parent kills when it has seen enough of them.
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || write_forever(store, thread));
            }
        });
    }
    let seed = std::env::var("GG_TEST_SEED").map_or_else(
        |_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            now.as_nanos() as u64
        },
        |seed| seed.parse().unwrap(),
    );
    println!("GG_TEST_SEED={seed}");
    let mut random = seed | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut left = 0;
    for _ in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = child(TEST, dir.path());
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // The harness's own words come first.
        let mut begun = 1 + next(60);
        while begun > 0 {
            let line = lines.next().expect("the writer goes on").unwrap();
            begun -= u64::from(line.ends_with('.'));
        }
        for _ in 0..next(20_000) {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        left += std::fs::read_dir(dir.path().join("tmp")).unwrap().count();
        // Opening sweeps what the dead left.
        let store = LocalStore::open(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
        let report = store.verify().unwrap();
        assert_eq!(report.corrupt, Vec::<std::path::PathBuf>::new());
        assert_eq!(report.foreign, Vec::<std::path::PathBuf>::new());
        assert!(report.objects >= report.records, "a record comes after its objects");
    }
    println!("{left} temporary files were left and swept");
}
