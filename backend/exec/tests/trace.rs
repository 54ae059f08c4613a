//! The tracer against real tools: what they are known to read, look up and write is in its report, and the run
//! is the one they would have had alone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_exec::trace::{Access, AccessKind, Exit, Stop, Trace, TraceCommand, TraceError, run};
use gg_testkit::{TempDir, temp_dir};

fn command(cwd: &Path, argv: &[&str]) -> TraceCommand {
    let exe = match argv[0] {
        name if name.contains('/') => PathBuf::from(name),
        name => Path::new("/usr/bin").join(name),
    };
    TraceCommand {
        exe,
        argv: argv.iter().map(OsString::from).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("LC_ALL".into(), "C".into())],
        cwd: cwd.to_owned(),
        umask: 0o022,
    }
}

fn trace(cwd: &Path, argv: &[&str]) -> Trace {
    run(&command(cwd, argv), &Stop::new()).expect("traced")
}

fn sh(cwd: &Path, script: &str) -> Trace {
    trace(cwd, &["sh", "-c", script])
}

/// A directory without symbolic links in its path, so that what the kernel says of it is what we say.
fn directory() -> (TempDir, PathBuf) {
    let dir = temp_dir();
    let path = dir.path().canonicalize().expect("a real path");
    (dir, path)
}

/// Questions to a trace.
trait Find {
    fn must(&self, kind: AccessKind, path: impl AsRef<Path>, found: bool);
    fn paths(&self, kind: AccessKind) -> BTreeSet<&Path>;
}

impl Find for Trace {
    #[track_caller]
    fn must(&self, kind: AccessKind, path: impl AsRef<Path>, found: bool) {
        let access = Access { path: path.as_ref().to_owned(), kind, found };
        let about: Vec<_> = self.accesses.iter().filter(|a| a.path.file_name() == access.path.file_name()).collect();
        assert!(self.accesses.contains(&access), "no {access:?} but {about:#?}");
    }

    fn paths(&self, kind: AccessKind) -> BTreeSet<&Path> {
        self.accesses.iter().filter(|a| a.found && a.kind == kind).map(|a| &*a.path).collect()
    }
}

/// Whether a process is no more, or is only waiting for init to look at it.
fn is_dead(pid: &str) -> bool {
    let state = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    state.is_empty() || state.contains(") Z ") || state.contains(") X ")
}

/// `a.c`, which includes a header that only the second of two directories has.
fn project(dir: &Path) {
    fs::create_dir(dir.join("first")).unwrap();
    fs::create_dir(dir.join("second")).unwrap();
    fs::write(dir.join("second/h.h"), "#define ANSWER 42\n").unwrap();
    fs::write(
        dir.join("a.c"),
        "#include <stdio.h>\n#include <h.h>\nint main(void) { return printf(\"%d\", ANSWER); }\n",
    )
    .unwrap();
}

const COMPILE: [&str; 7] = ["gcc", "-Ifirst", "-Isecond", "-c", "a.c", "-o", "a.o"];

#[test]
fn a_compile_reads_looks_up_and_writes() {
    let (_keep, dir) = directory();
    project(&dir);
    let done = trace(&dir, &COMPILE);
    assert_eq!(done.exit, Exit::Code(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!((&*done.stdout, &*done.stderr, done.survivors), (&b""[..], &b""[..], 0));
    done.must(AccessKind::Read, dir.join("a.c"), true);
    done.must(AccessKind::Read, dir.join("first/h.h"), false);
    done.must(AccessKind::Read, dir.join("second/h.h"), true);
    done.must(AccessKind::Write, dir.join("a.o"), true);
    // The sub-processes, and what the kernel opened for them.
    let programs = done.paths(AccessKind::Exec);
    let ran = |name: &str| programs.iter().any(|p| p.file_name().is_some_and(|n| n == name));
    assert!(ran("gcc") && ran("cc1") && ran("as"), "{programs:?}");
    let read = done.paths(AccessKind::Read);
    assert!(read.iter().any(|p| p.to_string_lossy().contains("/ld-linux")), "{read:?}");
    assert!(read.iter().any(|p| p.to_string_lossy().contains("/libbfd")), "as loads libbfd: {read:?}");
    let unique: BTreeSet<String> = done.accesses.iter().map(|a| format!("{a:?}")).collect();
    assert_eq!(unique.len(), done.accesses.len(), "an access is noted once");
}

#[test]
fn every_header_that_gcc_lists_is_read() {
    let (_keep, dir) = directory();
    project(&dir);
    let listed = Command::new("/usr/bin/gcc").args(["-M", "-Isecond", "a.c"]).current_dir(&dir).output().unwrap();
    assert!(listed.status.success());
    let rule = String::from_utf8(listed.stdout).unwrap().replace("\\\n", " ");
    let (_, files) = rule.split_once(':').unwrap();
    let files: Vec<PathBuf> = files.split_whitespace().map(|f| dir.join(f)).collect();
    assert!(files.len() > 10, "{files:?}");
    let done = trace(&dir, &COMPILE);
    for file in files {
        done.must(AccessKind::Read, file, true);
    }
}

#[test]
fn a_link_reads_its_libraries() {
    let (_keep, dir) = directory();
    project(&dir);
    assert_eq!(trace(&dir, &COMPILE).exit, Exit::Code(0));
    let done = trace(&dir, &["gcc", "a.o", "-o", "a.out"]);
    assert_eq!(done.exit, Exit::Code(0));
    done.must(AccessKind::Read, dir.join("a.o"), true);
    done.must(AccessKind::Write, dir.join("a.out"), true);
    let read = done.paths(AccessKind::Read);
    for name in ["crti.o", "libc.so", "libc.so.6"] {
        assert!(read.iter().any(|p| p.file_name().is_some_and(|n| n == name)), "{name}: {read:?}");
    }
    assert_eq!(trace(&dir, &["./a.out"]).stdout, b"42");
}

#[test]
fn the_bytes_are_those_of_an_untraced_run() {
    let (_keep, dir) = directory();
    project(&dir);
    assert_eq!(trace(&dir, &COMPILE).exit, Exit::Code(0));
    let traced = fs::read(dir.join("a.o")).unwrap();
    fs::remove_file(dir.join("a.o")).unwrap();
    assert!(Command::new("/usr/bin/gcc").args(&COMPILE[1..]).current_dir(&dir).status().unwrap().success());
    assert!(traced == fs::read(dir.join("a.o")).unwrap(), "objects differ");
}

#[test]
fn failure_is_the_tools_own() {
    let (_keep, dir) = directory();
    fs::write(dir.join("bad.c"), "#include <no/such.h>\n").unwrap();
    let argv = ["gcc", "-c", "bad.c"];
    let done = trace(&dir, &argv);
    let alone = Command::new("/usr/bin/gcc").args(&argv[1..]).current_dir(&dir).env("LC_ALL", "C").output().unwrap();
    assert_eq!(done.exit, Exit::Code(1));
    assert_eq!(String::from_utf8_lossy(&done.stderr), String::from_utf8_lossy(&alone.stderr));
    done.must(AccessKind::Read, "/usr/include/no/such.h", false);
}

#[test]
fn exits_signals_and_output() {
    let (_keep, dir) = directory();
    assert_eq!(sh(&dir, "exit 7").exit, Exit::Code(7));
    assert_eq!(sh(&dir, "kill -SEGV $$").exit, Exit::Signal(libc::SIGSEGV));
    assert_eq!(sh(&dir, "kill -KILL $$").exit, Exit::Signal(libc::SIGKILL));
    // A handled signal is delivered; a child's death is its parent's to see.
    assert_eq!(sh(&dir, "trap 'exit 3' TERM; kill -TERM $$; exit 4").exit, Exit::Code(3));
    assert_eq!(sh(&dir, "sh -c 'kill -ABRT $$'; exit $(($? - 128))").exit, Exit::Code(libc::SIGABRT));
    let said = sh(&dir, "echo out; echo err >&2; (echo more); cat; pwd; umask; echo $LC_ALL$HOME");
    let expected = format!("out\nmore\n{}\n0022\nC\n", dir.display());
    assert_eq!(String::from_utf8_lossy(&said.stdout), expected);
    assert_eq!(said.stderr, b"err\n");
}

#[test]
fn changes_to_the_tree() {
    let (_keep, dir) = directory();
    let done = sh(
        &dir,
        "mkdir d; cd d; echo x >f; ln f g; ln -s f s; mv g h; chmod 600 h; touch t; cat s; cat <s >/dev/null; rm f; rm none; \
         mkdir ../d; cd ..; ls d; rmdir d",
    );
    let d = dir.join("d");
    done.must(AccessKind::Mkdir, &d, true);
    done.must(AccessKind::Write, d.join("f"), true);
    done.must(AccessKind::Link { to: d.join("g") }, d.join("f"), true);
    done.must(AccessKind::Symlink { target: "f".into() }, d.join("s"), true);
    done.must(AccessKind::Rename { to: d.join("h") }, d.join("g"), true);
    done.must(AccessKind::Chmod, d.join("h"), true);
    done.must(AccessKind::Write, d.join("t"), true);
    done.must(AccessKind::Read, d.join("s"), true);
    done.must(AccessKind::Remove, d.join("f"), true);
    done.must(AccessKind::Lookup, d.join("../d"), true);
    done.must(AccessKind::List, &d, true);
    let gone: Vec<_> = done.accesses.iter().filter(|a| a.path == d.join("none")).collect();
    assert!(!gone.is_empty() && gone.iter().all(|a| !a.found), "{gone:?}");
    let removed = done.accesses.iter().any(|a| a.path == d && a.kind == AccessKind::Remove && a.found);
    assert!(!removed, "d was not empty");
}

#[test]
fn an_archive_updated_in_place_is_read_and_written() {
    let (_keep, dir) = directory();
    fs::write(dir.join("m"), "member\n").unwrap();
    assert_eq!(trace(&dir, &["ar", "rc", "l.a", "m"]).exit, Exit::Code(0));
    let done = trace(&dir, &["ar", "r", "l.a", "m"]);
    assert_eq!(done.exit, Exit::Code(0));
    done.must(AccessKind::Read, dir.join("l.a"), true);
    done.must(AccessKind::Read, dir.join("m"), true);
    let written = done.accesses.iter().any(|a| {
        let l = dir.join("l.a");
        a.found && (a.kind == AccessKind::Write && a.path == l || a.kind == AccessKind::Rename { to: l })
    });
    assert!(written, "{:#?}", done.accesses);
}

#[test]
fn scripts_name_their_interpreters() {
    let (_keep, dir) = directory();
    fs::write(dir.join("inner"), "#!/bin/sh\necho \"$@\"\n").unwrap();
    fs::write(dir.join("outer"), format!("#! {}/inner -x\n", dir.display())).unwrap();
    for name in ["inner", "outer"] {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let done = trace(&dir, &["./outer"]);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "-x ./outer\n");
    done.must(AccessKind::Exec, dir.join("./outer"), true);
    done.must(AccessKind::Exec, dir.join("inner"), true);
    done.must(AccessKind::Exec, "/bin/sh", true);
}

#[test]
fn a_search_of_path_shows_where_the_program_was_not() {
    let (_keep, dir) = directory();
    let script = format!("PATH={}:/usr/bin; exec env true", dir.display());
    let done = sh(&dir, &script);
    assert_eq!(done.exit, Exit::Code(0));
    done.must(AccessKind::Exec, dir.join("true"), false);
    done.must(AccessKind::Exec, "/usr/bin/true", true);
}

#[test]
fn a_program_of_threads() {
    let (_keep, dir) = directory();
    let source = r#"
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static void *reader(void *name) { FILE *f = fopen(name, "r"); if (f) fclose(f); return 0; }
        static void *other_program(void *name) { execl("/bin/cat", "cat", name, (char *)0); return 0; }
        int main(void) {
            char names[8][8]; pthread_t threads[8];
            for (int i = 0; i < 8; i++) { sprintf(names[i], "in%d", i); pthread_create(&threads[i], 0, reader, names[i]); }
            for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
            pthread_create(threads, 0, other_program, names[7]);
            for (;;) pause();
        }"#;
    fs::write(dir.join("t.c"), source).unwrap();
    for i in 0..8 {
        fs::write(dir.join(format!("in{i}")), format!("{i}")).unwrap();
    }
    assert_eq!(trace(&dir, &["gcc", "-pthread", "t.c", "-o", "t"]).exit, Exit::Code(0));
    let done = trace(&dir, &["./t"]);
    // The thread that ran another program took the others with it.
    assert_eq!((done.exit, &*done.stdout, done.survivors), (Exit::Code(0), &b"7"[..], 0));
    for i in 0..8 {
        done.must(AccessKind::Read, dir.join(format!("in{i}")), true);
    }
    done.must(AccessKind::Exec, "/bin/cat", true);
}

#[test]
fn sockets_are_network() {
    let (_keep, dir) = directory();
    let source = r#"
        #include <arpa/inet.h>
        #include <sys/socket.h>
        #include <sys/un.h>
        int main(void) {
            struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(0x7f000001) } };
            struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "no.socket" };
            connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&in, sizeof in);
            connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof un);
            un.sun_path[0] = 's';
            return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof un);
        }"#;
    fs::write(dir.join("n.c"), source).unwrap();
    assert_eq!(trace(&dir, &["gcc", "n.c", "-o", "n"]).exit, Exit::Code(0));
    let done = trace(&dir, &["./n"]);
    assert_eq!(done.exit, Exit::Code(0));
    done.must(AccessKind::Network, "socket:inet", true);
    assert!(done.accesses.iter().any(|a| a.path == Path::new("inet:127.0.0.1:1") && a.kind == AccessKind::Network));
    done.must(AccessKind::Network, dir.join("no.socket"), false);
    done.must(AccessKind::Write, dir.join("so.socket"), true);
    assert_eq!(done.accesses.iter().filter(|a| a.kind == AccessKind::Network).count(), 3);
}

#[test]
fn what_outlives_the_command_is_killed_and_counted() {
    let (_keep, dir) = directory();
    let done = sh(&dir, "sh -c 'echo $$ >pid; echo >ready; exec sleep 1000' & until test -f ready; do :; done");
    assert_eq!((done.exit, done.survivors), (Exit::Code(0), 1));
    let pid = fs::read_to_string(dir.join("pid")).unwrap();
    assert!(is_dead(&pid), "{pid} lives");
}

#[test]
fn a_stopped_process_waits_until_it_is_continued() {
    let (_keep, dir) = directory();
    let source = r#"
        #include <signal.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            int status;
            pid_t child = fork();
            if (child == 0) { raise(SIGSTOP); _exit(6); }
            if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) return 1;
            kill(child, SIGCONT);
            if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 2;
            return WEXITSTATUS(status);
        }"#;
    fs::write(dir.join("s.c"), source).unwrap();
    assert_eq!(trace(&dir, &["gcc", "s.c", "-o", "s"]).exit, Exit::Code(0));
    assert_eq!(trace(&dir, &["./s"]).exit, Exit::Code(6));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_another_machine_are_an_error_and_leave_nothing_running() {
    let (_keep, dir) = directory();
    // getpid by the 32-bit gate, after a child was started that would run on.
    let source = r#"
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            int ready[2]; char byte;
            pipe(ready);
            if (fork() == 0) {
                FILE *f = fopen("pid", "w"); fprintf(f, "%d", getpid()); fclose(f);
                write(ready[1], "", 1);
                for (;;) pause();
            }
            read(ready[0], &byte, 1);
            int number = 20;
            __asm__ volatile("int $0x80" : "+a"(number));
            return 0;
        }"#;
    fs::write(dir.join("f.c"), source).unwrap();
    assert_eq!(trace(&dir, &["gcc", "-w", "f.c", "-o", "f"]).exit, Exit::Code(0));
    assert!(matches!(run(&command(&dir, &["./f"]), &Stop::new()), Err(TraceError::ForeignCalls)));
    assert!(is_dead(&fs::read_to_string(dir.join("pid")).unwrap()));
}

#[test]
fn what_cannot_be_started_is_an_error() {
    let (_keep, dir) = directory();
    let error = |argv: &[&str], change: &dyn Fn(&mut TraceCommand)| {
        let mut cmd = command(&dir, argv);
        change(&mut cmd);
        run(&cmd, &Stop::new()).expect_err("not started")
    };
    let step = |error| match error {
        TraceError::Start { step, source, .. } => (step, source.raw_os_error()),
        other => panic!("{other}"),
    };
    assert_eq!(step(error(&["./none"], &|_| {})), ("execve", Some(libc::ENOENT)));
    fs::write(dir.join("text"), "").unwrap();
    assert_eq!(step(error(&["./text"], &|_| {})), ("execve", Some(libc::EACCES)));
    assert_eq!(step(error(&["true"], &|cmd| cmd.cwd.push("none"))), ("chdir", Some(libc::ENOENT)));
    assert!(matches!(error(&["true", "a\0b"], &|_| {}), TraceError::Nul("an argument")));
}

#[test]
fn bytes_and_umask_arrive_as_they_are() {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let (_keep, dir) = directory();
    let name = OsString::from_vec(b"n\xff\xfe".to_vec());
    let mut cmd = command(&dir, &["sh", "-c", "echo \"$V\" >\"$0\"; mkdir sub"]);
    cmd.argv.push(name.clone());
    cmd.env.push(("V".into(), OsString::from_vec(b"\x80v".to_vec())));
    cmd.umask = 0o077;
    let done = run(&cmd, &Stop::new()).unwrap();
    assert_eq!(done.exit, Exit::Code(0));
    done.must(AccessKind::Write, dir.join(&name), true);
    assert_eq!(fs::read(dir.join(&name)).unwrap(), b"\x80v\n");
    assert_eq!(fs::metadata(dir.join(&name)).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(done.accesses.iter().any(|a| a.path.as_os_str().as_bytes().ends_with(b"n\xff\xfe")));
}

#[test]
fn many_threads_trace_at_once_and_leave_other_children_alone() {
    let (_keep, dir) = directory();
    std::thread::scope(|scope| {
        for i in 0..4 {
            let dir = dir.join(i.to_string());
            scope.spawn(move || {
                fs::create_dir(&dir).unwrap();
                project(&dir);
                for _ in 0..3 {
                    // A child of the same thread, whose end is ours to see.
                    let mut other = Command::new("/usr/bin/sh").args(["-c", "exit 5"]).spawn().unwrap();
                    let done = trace(&dir, &COMPILE);
                    assert_eq!(done.exit, Exit::Code(0));
                    assert_eq!(other.wait().unwrap().code(), Some(5));
                    done.must(AccessKind::Read, dir.join("second/h.h"), true);
                    let parent = dir.parent().unwrap();
                    let strange = |a: &&Access| a.path.starts_with(parent) && !a.path.starts_with(&dir);
                    assert_eq!(done.accesses.iter().find(strange), None, "another run's");
                }
            });
        }
    });
}

#[test]
fn a_stopped_command_ends_with_all_it_started() {
    let (_keep, dir) = directory();
    assert!(Command::new("mkfifo").arg(dir.join("begun")).arg(dir.join("never")).status().unwrap().success());
    let stop = Stop::new();
    let stopper = stop.clone();
    let begun = dir.join("begun");
    // Opened by the command once it runs, and by all it started.
    let thread = std::thread::spawn(move || {
        let pid = fs::read_to_string(begun).unwrap();
        stopper.stop();
        pid
    });
    let script = "cat never & echo $! >begun; cat never";
    let done = run(&command(&dir, &["sh", "-c", script]), &stop).unwrap();
    assert_eq!(done.exit, Exit::Signal(libc::SIGTERM));
    assert!(stop.is_asked());
    let child = thread.join().unwrap();
    // Whoever adopted it may not have looked yet.
    let state = fs::read_to_string(Path::new("/proc").join(child.trim()).join("stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    let done = run(&command(&dir, &["sh", "-c", script]), &stop).unwrap();
    assert_eq!(done.exit, Exit::Signal(libc::SIGTERM), "what is asked for before it begins ends it too");
}
