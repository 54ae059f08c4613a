//! A project and a `GG_DIR`; the same make run plainly and as gg-make.

use std::ffi::OsStr;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

pub use gg_testkit::Ended;
use gg_testkit::{Project, Tree, binary};
use serde_json::Value;

pub const GG_MAKE: &str = env!("CARGO_BIN_EXE_gg-make");

pub struct Bench {
    project: Project,
    gg: PathBuf,
}

impl Deref for Bench {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Bench {
    pub fn new(project: Tree) -> Bench {
        Bench::named(project, "project")
    }

    /// A project in a directory of this name.
    pub fn named(project: Tree, name: impl AsRef<OsStr>) -> Bench {
        // gg-make looks for both beside its own executable
        binary("gg-shims", "gg-shim");
        Bench { project: Project::new(project, name), gg: binary("gg", "gg") }
    }

    /// A command in the project, with nothing of the test's own environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.placed(Command::new(program))
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
        gg_testkit::stats(self.gg_command())
    }

    pub fn reset_stats(&self) {
        gg_testkit::reset_stats(self.gg_command());
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
    first.assert_alike(second);
}
