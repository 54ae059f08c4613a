//! A project in a directory of its own with a `GG_DIR` beside it, and what a run of something in it comes to.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{TempDir, Tree, temp_dir};

/// A project that can be put there afresh, always at the same place.
pub struct Project {
    dir: TempDir,
    place: PathBuf,
    tree: Tree,
}

/// What a run in a project came to.
#[derive(PartialEq, Eq, Debug)]
pub struct Ended {
    /// The exit status; none where a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// The project after it.
    pub tree: Tree,
}

/// Everything here panics where the system refuses: a test has nothing else to do then.
#[allow(clippy::missing_panics_doc)]
impl Project {
    /// A project in a directory of this name.
    pub fn new(tree: Tree, name: impl AsRef<OsStr>) -> Project {
        let dir = temp_dir();
        let project = Project { place: dir.path().join(name.as_ref()), dir, tree };
        project.fresh();
        project
    }

    /// A path beside the project.
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
        self.tree.write(&self.place).unwrap();
    }

    /// Gives a command its place in the project, and of the test's own environment nothing.
    pub fn placed(&self, mut command: Command) -> Command {
        command
            .current_dir(&self.place)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("GG_DIR", self.at("gg"))
            .stdin(Stdio::null());
        command
    }

    /// What this run came to, the project being as it left it.
    pub fn ended(&self, output: Output) -> Ended {
        Ended {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            tree: Tree::read(&self.place).unwrap(),
        }
    }
}

impl Ended {
    /// Fails with the first thing that differs.
    ///
    /// # Panics
    /// If anything does.
    pub fn assert_alike(&self, other: &Ended) {
        assert_eq!(self.stderr, other.stderr, "stderr");
        assert_eq!(self.stdout, other.stdout, "stdout");
        assert_eq!(self.status, other.status, "status");
        assert_eq!(self.tree.difference(&other.tree), Vec::<String>::new(), "tree");
    }
}

/// What `gg stats` says, where `gg` is a command that is `gg` with nothing behind it.
///
/// # Panics
/// If it says nothing that can be read.
pub fn stats(mut gg: Command) -> Value {
    let output = gg.args(["stats", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Has `gg stats` begin anew.
///
/// # Panics
/// If it does not go well.
pub fn reset_stats(mut gg: Command) {
    assert!(gg.args(["stats", "--reset"]).status().unwrap().success());
}
