//! A project and a `GG_DIR`; the same make run plainly, and as `gg infer make` with `gg force` after it.

use std::ffi::OsStr;
use std::ops::Deref;
use std::process::Command;

pub use gg_testkit::Ended;
use gg_testkit::{Entry, Project, Tree, binary};
use serde_json::Value;

pub const GG: &str = env!("CARGO_BIN_EXE_gg");

pub struct Bench {
    project: Project,
    shell: Option<&'static str>,
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
        // gg looks for it beside its own executable
        binary("gg-shims", "gg-shim");
        Bench { project: Project::new(project, name), shell: None }
    }

    /// Every make and every `gg` command is begun by this line of a shell's, `"$@"` being the command.
    pub fn in_shell(mut self, line: &'static str) -> Bench {
        self.shell = Some(line);
        self
    }

    /// A command in the project, with nothing of the test's own environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let command = match self.shell {
            None => Command::new(program),
            Some(line) => {
                let mut shell = Command::new("/bin/bash");
                shell.args(["-c", line, "sh"]).arg(program);
                shell
            }
        };
        let mut command = self.placed(command);
        command.env("GG_SUMMARY", "no");
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> Ended {
        self.ended(self.command(program).args(args).output().unwrap())
    }

    /// Plain make on what is there.
    pub fn native(&self, args: &[&str]) -> Ended {
        self.run("make", args)
    }

    /// gg-make on what is there.
    pub fn gg_make(&self, args: &[&str]) -> Ended {
        let gg_make = binary("gg-make", "gg-make");
        self.run(gg_make.to_str().unwrap(), args)
    }

    /// `gg infer make` on what is there.
    pub fn infer(&self, args: &[&str]) -> Ended {
        self.run(GG, &[&["infer", "make"], args].concat())
    }

    /// `gg force` on what is there.
    pub fn force(&self, args: &[&str]) -> Ended {
        self.run(GG, &[&["force"], args].concat())
    }

    /// `gg infer make`, and `gg force` whatever came of it: as one run.
    pub fn both(&self, args: &[&str], force: &[&str]) -> Ended {
        let (infer, force) = (self.infer(args), self.force(force));
        let status = if infer.status == Some(0) { force.status } else { infer.status };
        Ended { status, stdout: infer.stdout + &force.stdout, stderr: infer.stderr + &force.stderr, tree: force.tree }
    }

    /// Runs plain make, and `gg infer make` with `gg force`, each in a fresh copy at the same place, and holds them against
    /// each other; neither make nor gg finds anything to do after that. Gives what they came to.
    pub fn alike(&self, args: &[&str]) -> Ended {
        self.fresh();
        let native = self.native(args);
        self.fresh();
        let gg = self.both(args, &[]);
        assert_alike(&native, &gg);
        assert_eq!(gg.status, Some(0), "{}", gg.stderr);
        self.has_nothing_to_do(args);
        gg
    }

    /// Plain make, gg-make and `gg infer make` do and say the same on what is there, and change nothing: for a project whose
    /// targets are all files, that there is nothing to do.
    pub fn has_nothing_to_do(&self, args: &[&str]) {
        let before = Tree::read(self.file("")).unwrap();
        let native = self.native(args);
        assert!(
            native.stdout.contains("is up to date") || native.stdout.contains("Nothing to be done"),
            "{}{}",
            native.stdout,
            native.stderr
        );
        assert_eq!(before.difference(&native.tree), Vec::<String>::new());
        assert_alike(&native, &self.gg_make(args));
        assert_alike(&native, &self.both(args, &[]));
    }

    /// The files of the project that are placeholders.
    pub fn placeholders(&self) -> Vec<String> {
        let tree = Tree::read(self.file("")).unwrap();
        let held = tree.entries().filter(|(_, entry)| is_placeholder(entry));
        held.map(|(path, _)| path.to_string_lossy().into_owned()).collect()
    }

    /// What `gg stats --json` says.
    pub fn stats(&self) -> Value {
        gg_testkit::stats(self.command(GG))
    }

    /// How many calls were answered before their work was done, and how many of all were not made thunks.
    pub fn lazy_and_native(&self) -> (u64, u64) {
        let stats = self.stats();
        assert_eq!(stats["model_misses"], serde_json::json!([]));
        let native = stats["native"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        (stats["lazy"].as_u64().unwrap(), native)
    }

    pub fn reset_stats(&self) {
        gg_testkit::reset_stats(self.command(GG));
    }

    /// A command line of a shell's in the project, which goes well.
    pub fn shell(&self, line: &str) -> String {
        let output = self.command("sh").args(["-ec", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // `gg infer` leaves nothing running
        let left = self.at("gg/run").read_dir().into_iter().flatten().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name == "session.sock").collect();
        assert!(left.is_empty() || std::thread::panicking(), "{left:?}");
    }
}

pub fn is_placeholder(entry: &Entry) -> bool {
    matches!(entry, Entry::File { bytes, .. } if bytes.starts_with(b"#!/usr/bin/env gg-force-and-run\n"))
}

/// Fails with the first thing that differs.
pub fn assert_alike(first: &Ended, second: &Ended) {
    first.assert_alike(second);
}

/// Fails with the first file that differs.
pub fn assert_same_tree(first: &Ended, second: &Ended) {
    assert_eq!(first.tree.difference(&second.tree), Vec::<String>::new(), "tree");
}
