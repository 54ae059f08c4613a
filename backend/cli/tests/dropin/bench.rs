//! A project, shims with `gg` beside them, a `GG_DIR`; the same make run natively and through the shims.

use std::ffi::OsStr;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::process::Command;

pub use gg_testkit::Ended;
use gg_testkit::{Project, Tree, binary};
use serde_json::Value;

const TOOLS: [&str; 5] = ["cc", "ar", "strip", "ranlib", "objcopy"];

/// The variables by which a project's make calls these tools by their plain names, and through the shims.
const NATIVE: [&str; 3] = ["CC=cc", "AR=ar", "STRIP=strip"];
const THROUGH_SHIMS: [&str; 3] = ["CC=gg-cc", "AR=gg-ar", "STRIP=gg-strip"];

pub struct Bench {
    project: Project,
}

impl Deref for Bench {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Bench {
    pub fn new(project: Tree) -> Bench {
        let bench = Bench::without_gg(project);
        symlink(env!("CARGO_BIN_EXE_gg"), bench.at("bin/gg")).unwrap();
        bench
    }

    /// Shims that find no `gg` to start a session with.
    pub fn without_gg(project: Tree) -> Bench {
        let bench = Bench { project: Project::new(project, "project") };
        fs::create_dir(bench.at("bin")).unwrap();
        // A copy: the shim looks for gg beside its own executable.
        fs::copy(binary("gg-shims", "gg-shim"), bench.at("bin/gg-shim")).unwrap();
        for tool in TOOLS {
            symlink("gg-shim", bench.at("bin").join(format!("gg-{tool}"))).unwrap();
        }
        bench
    }

    /// A command in the project, with shims on `PATH` and nothing of the test's own environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.placed(Command::new(program));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.at("bin").display()));
        command
    }

    fn gg_command(&self) -> Command {
        self.command(self.at("bin/gg"))
    }

    /// Plain make on what is there.
    pub fn native(&self, args: &[&str]) -> Ended {
        self.ended(self.command("make").args(args).args(NATIVE).output().unwrap())
    }

    /// make through the shims on what is there; in what it says, tools have their plain names.
    pub fn gg(&self, args: &[&str]) -> Ended {
        let ended = self.ended(self.command("make").args(args).args(THROUGH_SHIMS).output().unwrap());
        // make shows commands as they were written
        let plain = |text| TOOLS.iter().fold(text, |text: String, tool| text.replace(&format!("gg-{tool}"), tool));
        Ended { stdout: plain(ended.stdout), stderr: plain(ended.stderr), ..ended }
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
        gg_testkit::stats(self.gg_command())
    }

    /// What a `gg` command that goes well says.
    pub fn say(&self, args: &[&str]) -> String {
        let output = self.gg_command().args(args).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn reset_stats(&self) {
        gg_testkit::reset_stats(self.gg_command());
    }

    fn stop(&self) -> bool {
        !self.at("bin/gg").exists()
            || self.gg_command().current_dir("/").args(["session", "stop"]).status().unwrap().success()
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
    first.assert_alike(second);
}
