//! Models that are shown a file as absent: the audit finds it and names it, what the real tool makes stands, the shape is
//! disabled, and the memo keeps nothing of it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use gg_exec::SlotOptions;
use gg_force::{Coordinator, CoordinatorOptions, LocalEngine};
use gg_protocol::{Client, FdInfo, FdKind, Reply, Request, socket_path};
use gg_session::{Difference, Journal, Options, Session, server};
use gg_store::{LocalStore, Memo};
use gg_testkit::{TempDir, Tree, temp_dir};

/// A session that serves, with a file hidden from its models.
struct Sabotaged {
    dir: TempDir,
    memo: Memo,
    session: Arc<Session>,
    server: Option<JoinHandle<()>>,
}

impl Sabotaged {
    fn new(project: &Tree, prepare: &[&str], hidden: &str) -> Sabotaged {
        let dir = temp_dir();
        let at = |path: &str| dir.path().canonicalize().unwrap().join(path);
        project.write(at("project")).unwrap();
        for command in prepare {
            let status = Command::new("sh").args(["-ec", command]).current_dir(at("project")).status().unwrap();
            assert!(status.success(), "{command}");
        }
        assert!(at("project").join(hidden).is_file());
        let store = LocalStore::open(&at("gg")).unwrap();
        let memo = Memo::open(&store).unwrap();
        let slots =
            SlotOptions { program: env!("CARGO_BIN_EXE_gg").into(), force_kind: None, scratch: at("gg").join("roots") };
        let engine = Arc::new(LocalEngine::new(store.clone(), 1, slots, None).unwrap());
        let coordinator =
            Coordinator::new(store.clone(), memo.clone(), vec![engine], CoordinatorOptions::default()).unwrap();
        let hidden = vec![at("project").join(hidden)];
        let options = Options {
            gg_dir: at("gg"),
            user_dir: None,
            coordinator,
            store,
            memo: memo.clone(),
            unsealed: None,
            over_host: None,
            lazy: None,
            hidden,
        };
        let session = Arc::new(Session::new(options).unwrap());
        let place = server::Place::take(&at("gg")).unwrap().unwrap();
        let served = Arc::clone(&session);
        let server = std::thread::spawn(move || server::serve(&place, &served, server::IDLE).unwrap());
        Sabotaged { dir, memo, session, server: Some(server) }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    /// The call that a shim would make in the project.
    fn request(&self, command: &str, policy: &str) -> Request {
        let identity = |path: &Path| fs::metadata(path).map(|stat| (stat.dev(), stat.ino())).unwrap();
        let argv: Vec<Vec<u8>> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let env = [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("GG_AUDIT", policy)];
        Request {
            tool: argv[0].clone(),
            argv,
            cwd: self.at("project").as_os_str().as_bytes().to_vec(),
            env: env.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).to_vec(),
            umask: 0o022,
            fds: [FdInfo { kind: FdKind::Null, dev: 0, ino: 0 }; 3],
            root: identity(Path::new("/")),
            cwd_id: identity(&self.at("project")),
            shim: b"/nowhere/gg-shim".to_vec(),
            pid: std::process::id(),
        }
    }

    fn call(&self, request: &Request) -> Reply {
        Client::connect(&socket_path(&self.at("gg"))).unwrap().call(request).unwrap()
    }

    fn stats(&self) -> gg_session::Stats {
        Journal::open(&self.at("gg")).stats(false).unwrap()
    }
}

impl Drop for Sabotaged {
    fn drop(&mut self) {
        let stopped = server::stop(&self.at("gg"));
        let ended = self.server.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || (stopped.is_ok() && matches!(ended, Some(Ok(())))), "the server's end");
    }
}

/// A project, a file that is hidden, and calls.
struct Case {
    project: Tree,
    prepare: &'static [&'static str],
    hidden: &'static str,
    command: &'static str,
    made: &'static str,
    /// A call of the same shape that has nothing to do with the hidden file.
    sound: Option<&'static str>,
}

/// The bytes that a client sends, taken by a session that hangs up.
fn frame(request: &Request) -> Vec<u8> {
    let dir = temp_dir();
    let listener = UnixListener::bind(gg_protocol::make_socket_dir(dir.path()).unwrap()).unwrap();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| Client::connect(&socket_path(dir.path())).unwrap().call(request).is_err());
        let mut stream = listener.accept().unwrap().0;
        let mut frame = vec![0; 12];
        stream.read_exact(&mut frame).unwrap();
        let length = u32::from_le_bytes(frame[8..].try_into().unwrap()) as usize;
        frame.resize(12 + length, 0);
        stream.read_exact(&mut frame[12..]).unwrap();
        drop(stream);
        assert!(client.join().unwrap());
        frame
    })
}

/// A call whose caller goes away before the reply is none.
#[test]
fn a_call_without_a_caller_is_not_counted() {
    let project = Tree::new().file("a.c", "int a;\n").file("b.c", "int b;\n");
    let bench = Sabotaged::new(&project, &[], "b.c");
    let request = bench.request("gcc -c a.c -o a.o", "off");
    let mut stream = UnixStream::connect(socket_path(&bench.at("gg"))).unwrap();
    stream.write_all(&frame(&request)).unwrap();
    drop(stream);
    // The session ends when all its calls have.
    let at = bench.at("gg");
    assert_eq!(bench.call(&bench.request("gcc -c a.c -o other.o", "off")), done());
    server::stop(&at).unwrap();
    let stats = bench.stats();
    assert_eq!((stats.commands, stats.thunks, stats.native.len()), (1, 1, 0), "{stats:?}");
    assert!(!bench.at("project").join("a.o").exists());
}

fn done() -> Reply {
    Reply::Done { status: 0, stdout: Vec::new(), stderr: Vec::new() }
}

/// `gg audit`: it tells, and no call believes what it found wrong.
fn check_by_hand(case: &Case) {
    let bench = Sabotaged::new(&case.project, case.prepare, case.hidden);
    let hidden = bench.at("project").join(case.hidden);
    let request = bench.request(case.command, "first");
    let name = bench.session.describe(&request).unwrap_or_else(|why| panic!("{why}")).name;
    let audited = bench.session.audit(&request).unwrap();
    assert!(audited.finding.differences.contains(&Difference::Read(hidden)), "{}", audited.finding);
    assert!(bench.at("project").join(case.made).is_file(), "the native result");
    assert_eq!(bench.memo.get(&name).unwrap(), None);
    let reply = bench.call(&request);
    assert!(matches!(&reply, Reply::RunReal { report: false, .. }), "{reply:?}");
    assert_eq!(bench.stats().native["model-disabled"], 1);
}

fn check(case: &Case) {
    check_by_hand(case);
    for policy in ["first", "all"] {
        let bench = Sabotaged::new(&case.project, case.prepare, case.hidden);
        let hidden = bench.at("project").join(case.hidden);
        let made = bench.at("project").join(case.made);
        let request = bench.request(case.command, policy);
        let native = Command::new("sh").args(["-ec", case.command]).current_dir(bench.at("project")).status().unwrap();
        assert!(native.success());
        let expected = (fs::read(&made).unwrap(), fs::metadata(&made).unwrap().mode());
        fs::remove_file(&made).unwrap();

        let name = bench.session.describe(&request).unwrap_or_else(|why| panic!("{why}")).name;

        // Where the shape has stood its first audit, only the policy that audits all finds it.
        let mut believed = None;
        if let Some(sound) = case.sound.filter(|_| policy == "all") {
            let sound = bench.request(sound, policy);
            assert_eq!(bench.call(&sound), done());
            let described = bench.session.describe(&sound).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(described.shape, bench.session.describe(&request).unwrap_or_else(|why| panic!("{why}")).shape);
            assert!(bench.memo.get(&described.name).unwrap().is_some());
            assert_eq!(bench.stats().model_misses, Vec::<String>::new());
            believed = Some(described.name);
        }

        assert_eq!(bench.call(&request), done(), "{policy}");
        assert_eq!((fs::read(&made).unwrap(), fs::metadata(&made).unwrap().mode()), expected, "the native result");
        let stats = bench.stats();
        assert_eq!(stats.audited, 1 + u64::from(believed.is_some()));
        let [miss] = &stats.model_misses[..] else { panic!("{:?}", stats.model_misses) };
        assert!(miss.contains(&hidden.display().to_string()), "{miss}");
        for thunk in believed.iter().chain([&name]) {
            assert_eq!(bench.memo.get(thunk).unwrap(), None, "in the memo after {policy}");
        }

        fs::remove_file(&made).unwrap();
        let reply = bench.call(&request);
        assert!(matches!(&reply, Reply::RunReal { report: false, .. }), "{reply:?}");
        assert_eq!(bench.stats().native["model-disabled"], 1);
        assert!(!made.exists());
    }
}

#[test]
fn a_header_that_shadows_another() {
    check(&Case {
        project: Tree::new()
            .file("near/part.h", "#define PART 1\n")
            .file("far/part.h", "#define PART 2\n")
            .file("main.c", "#include <part.h>\nint part = PART;\n")
            .file("plain.c", "int plain;\n"),
        prepare: &[],
        hidden: "near/part.h",
        command: "gcc -Inear -Ifar -c main.c -o main.o",
        made: "main.o",
        sound: Some("gcc -Inear -Ifar -c plain.c -o plain.o"),
    });
}

#[test]
fn a_header_that_is_asked_for() {
    check(&Case {
        project: Tree::new()
            .file("option.h", "#define PART 1\n")
            .file(
                "main.c",
                "#if __has_include(\"option.h\")\n#include \"option.h\"\n#endif\n#ifdef PART\nint part;\n#endif\n",
            )
            .file("plain.c", "int plain;\n"),
        prepare: &[],
        hidden: "option.h",
        command: "gcc -O2 -c main.c -o main.o",
        made: "main.o",
        sound: Some("gcc -O2 -c plain.c -o plain.o"),
    });
}

#[test]
fn a_library_that_is_found_before_another() {
    check(&Case {
        project: Tree::new()
            .file("part.c", "int part(void) { return 0; }\n")
            .file("main.c", "int part(void);\nint main(void) { return part(); }\n"),
        prepare: &["gcc -c part.c main.c", "ar rcs libpart.a part.o", "gcc -shared -fPIC -o libpart.so part.c"],
        hidden: "libpart.so",
        command: "gcc -o prog main.o -L. -lpart",
        made: "prog",
        sound: None,
    });
}

/// The notes and the object hold the time of the run: two native runs differ in them, and so does the thunk.
#[test]
fn what_differs_from_run_to_run_is_no_difference() {
    let project = Tree::new().file("a.c", "int main(void) { return 0; }\n").file("hidden.h", "");
    let bench = Sabotaged::new(&project, &[], "hidden.h");
    let reply = bench.call(&bench.request("gcc --coverage -c a.c -o a.o", "all"));
    assert_eq!(reply, done());
    let stats = bench.stats();
    assert_eq!((stats.audited, stats.model_misses.len()), (1, 0), "{stats:?}");
    let audited = bench.session.audit(&bench.request("gcc --coverage -O1 -c a.c", "all")).unwrap();
    assert_eq!(audited.finding.to_string(), "");
}
