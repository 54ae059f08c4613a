//! Ctrl-C and SIGTERM in the middle of a build.

use std::fs;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gg_testkit::Tree;

use crate::bench::{Bench, GG_MAKE, assert_alike};

/// A project whose `slow.o` is made for as long as `turns.h` says.
pub fn project(turns: &str) -> Tree {
    let slow = "\
#include \"turns.h\"
constexpr long turn(long turns) { long sum = 0; for (long at = 0; at < turns; ++at) sum += at % 7; return sum; }
constexpr long sum = turn(TURNS);
int slow() { return sum > 3; }
";
    let makefile = "\
CXXFLAGS = -fconstexpr-loop-limit=2147483647 -fconstexpr-ops-limit=999999999999
prog: quick.o slow.o
\tg++ -o $@ $^
slow.o: turns.h
";
    Tree::new()
        .file("Makefile", makefile)
        .file("turns.h", format!("#define TURNS {turns}\n"))
        .file("quick.cc", "int slow();\nint main() { return slow(); }\n")
        .file("slow.cc", slow)
}

pub const FOR_EVER: &str = "2147483646";

/// What a make 4.3 says, gg or not, whose child has died of a signal to both just before it came to make's own handler: it
/// then waits for a child that is not there any more.
pub const CONFUSED: &str = "wait: No child processes";

fn until(what: &str, happens: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happens() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::yield_now();
    }
}

/// The processes whose environment or command line names this directory, by their number and name.
fn of_build(place: &Path) -> Vec<(String, String)> {
    let place = place.as_os_str().as_encoded_bytes();
    let names = |pid: &Path, file: &str| {
        fs::read(pid.join(file)).is_ok_and(|text| text.windows(place.len()).any(|part| part == place))
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes
        .filter(|pid| names(pid, "environ") || names(pid, "cmdline"))
        .map(|pid| {
            let name = fs::read_to_string(pid.join("comm")).unwrap_or_default().trim().to_owned();
            (pid.file_name().unwrap().to_string_lossy().into_owned(), name)
        })
        .collect()
}

/// Starts a build and waits until the compiler is at `slow.cc`, in its private root.
fn started(bench: &Bench, command: &mut Command) -> Child {
    let child = command.spawn().unwrap();
    let compiling = || {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let args = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            comm == "cc1plus\n"
                && args.split(|byte| *byte == 0).any(|arg| arg == b"slow.cc")
                && is_below(&entry.path(), child.id())
        })
    };
    until("the compiler", compiling);
    assert!(bench.file("quick.o").exists());
    child
}

/// Whether a process descends from another.
fn is_below(process: &Path, ancestor: u32) -> bool {
    let parent = |pid: &Path| -> Option<u32> {
        let status = fs::read_to_string(pid.join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:\t"))?.parse().ok()
    };
    let mut now = process.to_owned();
    while let Some(next) = parent(&now).filter(|pid| *pid > 0) {
        if next == ancestor {
            return true;
        }
        now = Path::new("/proc").join(next.to_string());
    }
    false
}

/// After an interrupted build nothing runs, nothing half-made is there, and another build makes it whole.
fn assert_recovers(bench: &Bench) {
    until("the end of all processes", || of_build(&bench.at("")).is_empty());
    assert!(!bench.file("slow.o").exists() && !bench.file("prog").exists());
    fs::write(bench.file("turns.h"), "#define TURNS 9\n").unwrap();
    let gg = bench.gg(&["-s"]);
    assert_eq!((gg.status, gg.stderr.as_str()), (Some(0), ""));
    fs::remove_dir_all(bench.file("")).unwrap();
    project("9").write(bench.file("")).unwrap();
    assert_alike(&bench.native(&["-s"]), &gg);
    assert_eq!(bench.stats()["model_misses"], serde_json::json!([]));
}

pub fn kill(target: &str, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), "--", target]).status().unwrap().success());
}

/// Signals to gg-make alone and to the whole group; make ends by them, and so does gg-make.
#[test]
fn signals_end_a_build() {
    for (signal, number, group) in
        [("TERM", 15, false), ("TERM", 15, true), ("INT", 2, true), ("HUP", 1, true), ("INT", 2, false)]
    {
        let bench = Bench::new(project(FOR_EVER));
        let mut command = bench.gg_make();
        command.arg("-s").process_group(0).stderr(Stdio::piped());
        let child = started(&bench, &mut command);
        let pid = child.id();
        kill(&if group { format!("-{pid}") } else { pid.to_string() }, signal);
        if signal == "INT" && !group {
            // make itself waits for what it has started
            let shim = of_build(&bench.at("")).into_iter().find(|(_, name)| name == "g++");
            kill(&shim.unwrap().0, signal);
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // What make waits for is hit, too.
        let both = group || signal == "INT";
        let confused = both && output.status.code() == Some(2) && said.contains(CONFUSED);
        assert!(output.status.signal() == Some(number) || confused, "{signal} {group} {output:?}");
        assert_recovers(&bench);
    }
}

/// The same, when make has ended and what it was answered is being made: nothing is left that looks made and is not.
#[test]
fn signals_end_what_was_answered_early() {
    for (signal, number, group) in [("TERM", 15, false), ("INT", 2, true), ("HUP", 1, false)] {
        let bench = Bench::new(project(FOR_EVER));
        let mut command = bench.gg_make();
        command.args(["--gg-lazy", "-s"]).process_group(0).stderr(Stdio::piped());
        let child = started(&bench, &mut command);
        let pid = child.id();
        until("the end of make", || !of_build(&bench.at("")).iter().any(|(_, name)| name == "make"));
        kill(&if group { format!("-{pid}") } else { pid.to_string() }, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(number), "{signal} {group} {output:?}");
        let quick = fs::read(bench.file("quick.o")).unwrap_or_default();
        assert!(quick.is_empty() || quick.starts_with(b"\x7fELF"), "{signal} {group}");
        assert_recovers(&bench);
    }
}

/// The terminal sends Ctrl-C to all processes of the foreground, those of the session's too.
#[test]
fn ctrl_c_at_a_terminal() {
    let bench = Bench::new(project(FOR_EVER));
    let mut command = bench.command("script");
    command
        .env("SHELL", "/bin/sh")
        .args(["-qefc", &format!("exec {GG_MAKE} -s"), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = started(&bench, &mut command);
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let interrupted = output.status.code() == Some(130) && said.contains("slow.o] Interrupt");
    assert!(interrupted || output.status.code() == Some(2) && said.contains(CONFUSED), "{said}");
    assert_recovers(&bench);
}

/// A killed gg-make takes make with it. A compiler that a shim has started without it goes on, as it does when a plain make is
/// asked to end: only the group's end is its.
#[test]
fn a_killed_gg_make() {
    let bench = Bench::new(project(FOR_EVER));
    let mut command = bench.gg_make();
    command.arg("-s").process_group(0).stderr(Stdio::null());
    let mut child = started(&bench, &mut command);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    until("make's end", || !of_build(&bench.at("")).iter().any(|(_, name)| name == "make"));
    // There may be nothing left in it.
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status().unwrap();
    assert_recovers(&bench);
}

/// A compiler that somebody else kills, again and again: the driver says so, and make's recipe has failed.
#[test]
fn a_killed_compiler() {
    let bench = Bench::new(project(FOR_EVER));
    let end = |mut command: Command| {
        bench.fresh();
        command.args(["-s", "-k"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = started(&bench, &mut command);
        while child.try_wait().unwrap().is_none() {
            for (pid, name) in of_build(&bench.at("")) {
                if name == "cc1plus" && is_below(&Path::new("/proc").join(&pid), child.id()) {
                    // It may just have ended.
                    Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status().unwrap();
                }
            }
        }
        bench.ended(child.wait_with_output().unwrap())
    };
    let (native, gg) = (end(bench.command("make")), end(bench.gg_make()));
    assert!(native.stderr.contains("Killed signal terminated program cc1plus"), "{}", native.stderr);
    assert_alike(&native, &gg);
    assert_eq!(gg.status, Some(2));
    assert_recovers(&bench);
}
