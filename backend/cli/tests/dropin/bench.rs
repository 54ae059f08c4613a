//! A project, shims with `gg` beside them, a `GG_DIR`; the same make run natively and through the shims.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gg_testkit::{TempDir, Tree, binary, temp_dir};
use serde_json::Value;

const TOOLS: [&str; 4] = ["cc", "ar", "strip", "ranlib"];

/// The variables by which a project's make calls these tools by their plain names, and through the shims.
const NATIVE: [&str; 3] = ["CC=cc", "AR=ar", "STRIP=strip"];
const THROUGH_SHIMS: [&str; 3] = ["CC=gg-cc", "AR=gg-ar", "STRIP=gg-strip"];

pub struct Bench {
    dir: TempDir,
    project: Tree,
}

/// What a run of make came to.
#[derive(PartialEq, Eq, Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub tree: Tree,
}

impl Bench {
    pub fn new(project: Tree) -> Bench {
        let bench = Bench::without_gg(project);
        symlink(env!("CARGO_BIN_EXE_gg"), bench.at("bin/gg")).unwrap();
        bench
    }

    /// Shims that find no `gg` to start a session with.
    pub fn without_gg(project: Tree) -> Bench {
        let bench = Bench { dir: temp_dir(), project };
        fs::create_dir(bench.at("bin")).unwrap();
        // A copy: the shim looks for gg beside its own executable.
        fs::copy(binary("gg-shims", "gg-shim"), bench.at("bin/gg-shim")).unwrap();
        for tool in TOOLS {
            symlink("gg-shim", bench.at("bin").join(format!("gg-{tool}"))).unwrap();
        }
        bench.fresh();
        bench
    }

    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A path in the project.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.at("project").join(path)
    }

    /// Puts the project there as it was written, and nothing else.
    pub fn fresh(&self) {
        if self.file("").exists() {
            fs::remove_dir_all(self.file("")).unwrap();
        }
        self.project.write(self.file("")).unwrap();
    }

    /// A command in the project, with shims on `PATH` and nothing of the test's own environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.file(""))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.at("bin").display()))
            .env("LC_ALL", "C")
            .env("GG_DIR", self.at("gg"))
            .stdin(Stdio::null());
        command
    }

    fn ended(&self, output: Output, rename: bool) -> Ended {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            // make shows commands as they were written
            if rename { TOOLS.iter().fold(text, |text, tool| text.replace(&format!("gg-{tool}"), tool)) } else { text }
        };
        Ended {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            tree: Tree::read(self.file("")).unwrap(),
        }
    }

    /// Plain make on what is there.
    pub fn native(&self, args: &[&str]) -> Ended {
        self.ended(self.command("make").args(args).args(NATIVE).output().unwrap(), false)
    }

    /// make through the shims on what is there; in what it says, tools have their plain names.
    pub fn gg(&self, args: &[&str]) -> Ended {
        self.ended(self.command("make").args(args).args(THROUGH_SHIMS).output().unwrap(), true)
    }

    /// Runs make natively and through the shims, each in a fresh copy at the same place, and holds them against each
    /// other; gives what they came to.
    pub fn alike(&self, args: &[&str]) -> Ended {
        self.fresh();
        let native = self.native(args);
        self.fresh();
        let gg = self.gg(args);
        assert_alike(&native, &gg);
        gg
    }

    /// What `gg stats --json` says.
    pub fn stats(&self) -> Value {
        let output = self.command(self.at("bin/gg")).args(["stats", "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a `gg` command that goes well says.
    pub fn say(&self, args: &[&str]) -> String {
        let output = self.command(self.at("bin/gg")).args(args).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn reset_stats(&self) {
        assert!(self.command(self.at("bin/gg")).args(["stats", "--reset"]).status().unwrap().success());
    }

    fn stop(&self) -> bool {
        !self.at("bin/gg").exists()
            || self.command(self.at("bin/gg")).current_dir("/").args(["session", "stop"]).status().unwrap().success()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let stopped = self.stop();
        assert!(stopped || std::thread::panicking(), "gg session stop");
    }
}

/// Fails with the first thing that differs.
pub fn assert_alike(first: &Ended, second: &Ended) {
    assert_eq!(first.stderr, second.stderr, "stderr");
    assert_eq!(first.stdout, second.stdout, "stdout");
    assert_eq!(first.status, second.status, "status");
    assert_eq!(first.tree.difference(&second.tree), Vec::<String>::new(), "tree");
}
