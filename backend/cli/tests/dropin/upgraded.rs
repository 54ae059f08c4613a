//! A compiler that is replaced between and during builds.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::Bench;
use crate::halt::{PATIENCE, halted, kill, slow};

/// The compiler, and where in it stands who has packed it, which is found in all that it makes.
fn compiler() -> (Vec<u8>, usize) {
    let say = |arg: &str| String::from_utf8(Command::new("cc").arg(arg).output().unwrap().stdout).unwrap();
    let compiler = fs::read(Path::new(say("-print-prog-name=cc1plus").trim())).unwrap();
    let version = say("--version");
    let packed = version.split_inclusive(['(', ')']).nth(1).unwrap();
    let at = compiler.windows(packed.len()).position(|part| part == packed.as_bytes()).unwrap();
    (compiler, at)
}

/// A compiler in a directory of its own, and by which commands calls come to see it.
struct Toolchain {
    bench: Bench,
    source: String,
    /// How the directory is named to the driver.
    place: String,
    /// What stands before each command.
    enter: Vec<String>,
    compiler: (Vec<u8>, usize),
}

const MARKS: [&[u8]; 2] = [b"ONE", b"TWO"];

impl Toolchain {
    fn new(name: &str) -> Toolchain {
        let source = format!("{name}-{}.cc", std::process::id());
        let bench = Bench::new(Tree::new().file(&source, slow("7")));
        fs::create_dir(bench.at("toolchain")).unwrap();
        let place = bench.at("toolchain").display().to_string();
        Toolchain { bench, source, place, enter: Vec::new(), compiler: compiler() }
    }

    /// Puts a compiler that leaves this mark in what it makes there: by a rename as a package manager does, or over the
    /// bytes of the one that is there.
    fn upgrade(&self, mark: &[u8], in_place: bool) {
        let (bytes, at) = &self.compiler;
        let mut bytes = bytes.clone();
        bytes[*at..*at + mark.len()].copy_from_slice(mark);
        let there = self.bench.at("toolchain/cc1plus");
        if in_place && there.exists() {
            fs::write(there, bytes).unwrap();
            return;
        }
        let new = self.bench.at("toolchain/new");
        fs::write(&new, bytes).unwrap();
        assert!(Command::new("chmod").arg("755").arg(&new).status().unwrap().success());
        fs::rename(new, there).unwrap();
    }

    fn command(&self, compiler: &str, options: &[&str]) -> Command {
        let mut words = self.enter.iter().map(String::as_str).chain([compiler]);
        let mut command = self.bench.command(words.next().unwrap());
        command.args(words).args(PATIENCE).arg(format!("-B{}/", self.place)).args(options);
        command.args(["-c", &self.source, "-o", "made.o"]);
        command
    }

    fn object(&self, mut command: Command) -> Vec<u8> {
        let output = command.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let object = fs::read(self.bench.file("made.o")).unwrap();
        fs::remove_file(self.bench.file("made.o")).unwrap();
        object
    }

    fn native(&self, options: &[&str]) -> Vec<u8> {
        self.object(self.command("cc", options))
    }

    fn gg(&self, options: &[&str]) -> Vec<u8> {
        self.object(self.command("gg-cc", options))
    }

    fn assert_never_served_for_another(&self, in_place: bool) {
        let objects = MARKS.map(|mark| {
            self.upgrade(mark, false);
            self.native(&[])
        });
        assert!(objects[0] != objects[1], "the mark shows");
        // between builds, forth and back
        for at in [0, 1, 0] {
            self.upgrade(MARKS[at], in_place);
            if in_place {
                // one of this very moment would be copied
                assert!(self.native(&[]) == objects[at]);
            }
            assert!(self.gg(&[]) == objects[at], "made by the one that is there");
        }
        assert_eq!(
            self.bench.stats()["executed"],
            json!({"local": 2}),
            "what an old one made is remembered as its own"
        );
        // in the middle of the work, under the audit of a new shape
        let options = ["-fno-exceptions"];
        let objects = MARKS.map(|mark| {
            self.upgrade(mark, false);
            self.native(&options)
        });
        self.upgrade(MARKS[0], in_place);
        let mut build = self.command("gg-cc", &options).spawn().unwrap();
        let halted = halted(&self.source, &[], &mut build).expect("a compiler to replace");
        self.upgrade(MARKS[1], false);
        kill(&halted, "CONT");
        assert!(build.wait().unwrap().success());
        assert!(objects.contains(&fs::read(self.bench.file("made.o")).unwrap()), "by one of the two");
        for at in [1, 0] {
            self.upgrade(MARKS[at], in_place);
            assert!(self.gg(&options) == objects[at], "made by the one that is there");
        }
        assert_eq!(self.bench.stats()["model_misses"], json!([]));
    }
}

#[test]
fn a_compiler_that_is_upgraded() {
    let toolchain = Toolchain::new("upgraded");
    toolchain.assert_never_served_for_another(false);
    assert_eq!(toolchain.bench.stats()["native"], json!({}));
}

/// One that lies where the system's do, and so stands for its own content.
#[test]
fn a_compiler_of_the_system_that_is_upgraded() {
    let mut toolchain = Toolchain::new("system");
    let script = "mount --bind \"$0\" /opt && echo mounted && exec cat";
    let mut holder: Child = toolchain
        .bench
        .command("unshare")
        .args(["-rm", "sh", "-ec", script, &toolchain.place])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    if said != "mounted\n" {
        // Who may not mount here has no such place.
        assert!(!holder.wait().unwrap().success());
        assert!(!Command::new("unshare").args(["-rm", "true"]).status().unwrap().success());
        return;
    }
    let target = holder.id().to_string();
    let project = format!("--wdns={}", toolchain.bench.file("").display());
    let words = ["nsenter", "-t", &target, "-U", "-m", "--preserve-credentials", &project];
    toolchain.enter = words.map(str::to_owned).to_vec();
    toolchain.place = "/opt".to_owned();
    toolchain.assert_never_served_for_another(true);
    let pins = Command::new("grep").args(["-rl", "/opt/cc1plus"]).arg(toolchain.bench.at("gg/pins")).output().unwrap();
    assert!(!pins.stdout.is_empty(), "it was not copied");
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}
