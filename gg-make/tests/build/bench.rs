//! A project and a `GG_DIR`; the same make run plainly and as gg-make.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gg_testkit::{TempDir, Tree, binary, temp_dir};
use serde_json::Value;

pub const GG_MAKE: &str = env!("CARGO_BIN_EXE_gg-make");

pub struct Bench {
    dir: TempDir,
    place: PathBuf,
    project: Tree,
    gg: PathBuf,
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
        Bench::named(project, "project")
    }

    /// A project in a directory of this name.
    pub fn named(project: Tree, name: impl AsRef<OsStr>) -> Bench {
        let dir = temp_dir();
        // gg-make looks for both beside its own executable
        binary("gg-shims", "gg-shim");
        let gg = binary("gg", "gg");
        let bench = Bench { place: dir.path().join(name.as_ref()), dir, project, gg };
        bench.fresh();
        bench
    }

    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A path in the project.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.place.join(path)
    }

    /// Puts the project there as it was written, and nothing else.
    pub fn fresh(&self) {
        if self.place.exists() {
            fs::remove_dir_all(&self.place).unwrap();
        }
        self.project.write(&self.place).unwrap();
    }

    /// A command in the project, with nothing of the test's own environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.place)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("GG_DIR", self.at("gg"))
            .stdin(Stdio::null());
        command
    }

    /// gg-make, without its summary.
    pub fn gg_make(&self) -> Command {
        let mut command = self.command(GG_MAKE);
        command.env("GG_SUMMARY", "no");
        command
    }

    /// The `gg` command.
    pub fn gg_command(&self) -> Command {
        self.command(&self.gg)
    }

    pub fn ended(&self, output: Output) -> Ended {
        Ended {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            tree: Tree::read(&self.place).unwrap(),
        }
    }

    /// Plain make on what is there.
    pub fn native(&self, args: &[&str]) -> Ended {
        self.ended(self.command("make").args(args).output().unwrap())
    }

    /// gg-make on what is there.
    pub fn gg(&self, args: &[&str]) -> Ended {
        self.ended(self.gg_make().args(args).output().unwrap())
    }

    /// Runs plain make and gg-make, each in a fresh copy at the same place, and holds them against each other; gives what
    /// they came to.
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
        let output = self.gg_command().args(["stats", "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn reset_stats(&self) {
        assert!(self.gg_command().args(["stats", "--reset"]).status().unwrap().success());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // for tests that have one
        let mut stop = self.gg_command();
        let stopped = stop.current_dir("/").args(["session", "stop"]).output().is_ok_and(|stop| stop.status.success());
        assert!(stopped || !self.at("gg").is_dir() || std::thread::panicking(), "gg session stop");
    }
}

/// Fails with the first thing that differs.
pub fn assert_alike(first: &Ended, second: &Ended) {
    assert_eq!(first.stderr, second.stderr, "stderr");
    assert_eq!(first.stdout, second.stdout, "stdout");
    assert_eq!(first.status, second.status, "status");
    assert_eq!(first.tree.difference(&second.tree), Vec::<String>::new(), "tree");
}
