//! Models that miss a file, in calls that are answered before their work is done: the host has the last word, and the model is
//! not believed any more.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use gg_protocol::{FdInfo, FdKind, SOCKET_VARIABLE, socket_path};
use gg_session::{Early, Journal, Late, Opening, Session, Stats, server};
use gg_testkit::{TempDir, Tree, binary, temp_dir};

/// A lazy session that serves, with a file hidden from its models.
struct Blind {
    dir: TempDir,
    session: Arc<Session>,
    server: Option<JoinHandle<()>>,
}

impl Blind {
    fn new(project: &Tree, prepare: &str, hidden: &str) -> Blind {
        let dir = temp_dir();
        let at = |path: &str| dir.path().canonicalize().unwrap().join(path);
        project.write(at("project")).unwrap();
        let status = Command::new("sh").args(["-ec", prepare]).current_dir(at("project")).status().unwrap();
        assert!(status.success(), "{prepare}");
        let hidden = at("project").join(hidden);
        fs::create_dir(at("bin")).unwrap();
        let shim = binary("gg-shims", "gg-shim");
        for tool in ["gcc", "cc"] {
            symlink(&shim, at("bin").join(tool)).unwrap();
        }
        let null = fs::metadata("/dev/null").unwrap();
        let null = FdInfo { kind: FdKind::Null, dev: null.dev(), ino: null.ino() };
        let program = PathBuf::from(crate::bench::GG);
        let opening = Opening {
            gg_dir: at("gg"),
            program,
            jobs: Some(1),
            user_dir: None,
            lazy: Some(Early { streams: [null, null], works_in: at("project") }),
        };
        let mut options = opening.options().unwrap();
        options.hidden = vec![hidden];
        let session = Arc::new(Session::new(options).unwrap());
        let place = server::Place::take(&at("gg")).unwrap().unwrap();
        let served = Arc::clone(&session);
        let server = std::thread::spawn(move || server::serve(&place, &served, server::IDLE).unwrap());
        Blind { dir, session, server: Some(server) }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    /// make by the session; whether it passes.
    fn make(&self, args: &[&str]) -> bool {
        let mut make = Command::new("make");
        make.args(["-s", "-j1"])
            .args(args)
            .current_dir(self.at("project"))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.at("bin").display()))
            .env("LC_ALL", "C")
            .env("GG_DIR", self.at("gg"))
            .env(SOCKET_VARIABLE, socket_path(&self.at("gg")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        make.status().unwrap().success()
    }

    fn force(&self) -> Late {
        let found = self.session.placeholders_below(&self.at("project")).unwrap();
        self.session.force_held(&found.held, false, &mut |_| {}).unwrap()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.at("project").join(path)).unwrap()
    }

    fn waits(&self, path: &str) -> bool {
        self.read(path).starts_with(b"#!")
    }

    fn stats(&self) -> Stats {
        Journal::open(&self.at("gg")).stats(false).unwrap()
    }

    /// What plain make makes of the same at the same place, for the file given.
    fn native(&self, args: &[&str], made: &str) -> Vec<u8> {
        let mut make = Command::new("make");
        let make = make.args(["-s", "-B"]).args(args).current_dir(self.at("project")).env_clear();
        assert!(make.env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").status().unwrap().success());
        self.read(made)
    }
}

impl Drop for Blind {
    fn drop(&mut self) {
        let stopped = server::stop(&self.at("gg"));
        let ended = self.server.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || (stopped.is_ok() && matches!(ended, Some(Ok(())))), "the server's end");
    }
}

fn libraries(recipes: &str) -> Tree {
    Tree::new()
        .file("Makefile", recipes)
        .file("far.c", "int far(void) { return 1; }\n")
        .file("near.c", "int far(void);\nint near(void) { return far(); }\n")
        .file("main.c", "int near(void);\nint main(void) { return near() - 1; }\n")
}

/// The link fails for want of a library that the model was not shown, and passes over the host: that is the result, and links
/// of this shape run natively from then on.
#[test]
fn a_failure_that_is_the_models() {
    let project = libraries("prog: main.o\n\tgcc -o prog main.o -L. -lnear -Wl,-rpath,$(CURDIR)\n");
    let prepare = "gcc -shared -fPIC -o libfar.so far.c; gcc -shared -fPIC -o libnear.so near.c -L. -lfar";
    let bench = Blind::new(&project, prepare, "libfar.so");
    assert!(bench.make(&[]) && bench.waits("prog") && bench.waits("main.o"));
    let late = bench.force();
    assert_eq!((late.files, late.failures.len(), late.removed.len()), (2, 0, 0));
    let [miss] = &late.misses[..] else { panic!("{:?}", late.misses) };
    assert!(miss.starts_with("gcc -o prog main.o -L. -lnear ") && miss.contains("libfar.so"), "{miss}");
    let made = bench.read("prog");
    let stats = bench.stats();
    assert_eq!((stats.model_misses.len(), stats.lazy), (1, 2), "{stats:?}");
    // natively from here on
    fs::remove_file(bench.at("project/prog")).unwrap();
    assert!(bench.make(&[]));
    assert!(bench.read("prog") == made && bench.stats().native["model-disabled"] == 1);
    assert!(bench.native(&[], "prog") == made);
}

/// The library that the model was not shown is itself one that waits.
#[test]
fn what_is_missed_waits_too() {
    let makefile = "\
prog: main.o libnear.so
\tgcc -o prog main.o -L. -lnear -Wl,-rpath,$(CURDIR)
libfar.so.1.0: far.c
\tgcc -shared -fPIC -Wl,-soname,libfar.so.1 -o $@ far.c && ln -f $@ libfar.so.1
libnear.so: near.c libfar.so.1.0
\tgcc -shared -fPIC -o libnear.so near.c libfar.so.1.0
";
    let bench = Blind::new(&libraries(makefile), ":", "libfar.so.1");
    assert!(bench.make(&[]) && bench.waits("prog") && bench.waits("libfar.so.1.0"));
    let late = bench.force();
    let said: Vec<&str> = late.failures.iter().map(|failure| failure.command.as_str()).collect();
    assert_eq!((late.files, said, late.misses.len()), (4, Vec::new(), 1));
    let made = bench.read("prog");
    assert!(bench.native(&[], "prog") == made);
}

/// A source that includes a header of which there are two, and one that includes none.
fn shadowed(makefile: &str) -> Tree {
    Tree::new()
        .file("Makefile", makefile)
        .file("near/part.h", "#define PART 1\n")
        .file("far/part.h", "#define PART 2\n")
        .file("main.c", "#include <part.h>\nint part = PART;\n")
        .file("plain.c", "int plain;\n")
}

/// A header that the model was not shown and that shadows another: nothing fails, and the late audit finds it. What the host
/// gives is the result; the next make makes it natively.
#[test]
fn another_header_than_the_compilers() {
    let project = shadowed("all: main.o plain.o\n%.o: %.c\n\tgcc -Inear -Ifar -c $< -o $@\n");
    let bench = Blind::new(&project, ":", "near/part.h");
    assert!(bench.make(&[]) && bench.waits("main.o") && bench.waits("plain.o"));
    let late = bench.force();
    let [miss] = &late.misses[..] else { panic!("{:?}", late.misses) };
    assert!(miss.contains("over the host its output") && miss.contains("main.c"), "{miss}");
    assert!(late.failures.is_empty() && late.removed.is_empty());
    let made = bench.read("main.o");
    let stats = bench.stats();
    assert_eq!(stats.model_misses.len(), 1, "{stats:?}");
    fs::remove_file(bench.at("project/main.o")).unwrap();
    assert!(bench.make(&[]) && !bench.waits("main.o"));
    assert!(bench.read("main.o") == made && bench.native(&[], "main.o") == made);
    let stats = bench.stats();
    assert!(stats.native["model-disabled"] >= 1 && stats.memo_hits == 0, "{stats:?}");
}

/// The model is right of the first of a shape: who audits all finds out about the second.
#[test]
fn the_second_of_a_shape_is_audited_by_who_audits_all() {
    let project = shadowed("all: plain.o main.o\n%.o: %.c\n\tGG_AUDIT=all gcc -Inear -Ifar -c $< -o $@\n");
    let bench = Blind::new(&project, ":", "near/part.h");
    assert!(bench.make(&[]) && bench.waits("main.o") && bench.waits("plain.o"));
    let late = bench.force();
    assert_eq!(late.misses.len(), 1, "{:?}", late.misses);
    assert!(bench.make(&[]));
    let made = bench.read("main.o");
    assert!(bench.native(&[], "main.o") == made);
}
