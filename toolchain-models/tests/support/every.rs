//! Every option that a tool's own help prints, each alone in a call on small files: what the thunk makes in a root of its
//! inputs alone is held against what the tool makes, and what the tool opens against the inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_models::{Inference, Input};

use crate::live::{Bench, Compared, clean};

/// Whether an option has a value, as the help has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    None,
    Required,
    Optional,
}

/// The options that `TOOL --help` prints, up to a line that begins with `end`.
pub fn options(tool: &str, end: Option<&str>) -> BTreeMap<String, Value> {
    let help = Command::new(tool).arg("--help").env("LC_ALL", "C").output().expect("the tool runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let mut options = BTreeMap::new();
    for line in help.lines().take_while(|line| end.is_none_or(|end| !line.starts_with(end))) {
        let line = line.trim_start().trim_start_matches('{');
        if !line.starts_with('-') {
            continue;
        }
        // Prose stands behind a gap, but so may a long name behind its letter.
        let line = line.replace("  --", " --");
        let head = line.split("  ").next().unwrap_or_default();
        let value = if head.contains("[=") || head.contains("[<") {
            Value::Optional
        } else if head.split([' ', ',', '|']).any(is_placeholder) || head.contains('<') || head.contains('=') {
            Value::Required
        } else {
            Value::None
        };
        for word in head.split([' ', ',', '|', '}']).filter(|word| word.starts_with('-')) {
            let name = word.split(['=', '<']).next().unwrap_or_default().trim_end_matches('[');
            if let Some(rest) = name.strip_prefix("--[no-]") {
                options.insert(format!("--{rest}"), value);
                options.insert(format!("--no-{rest}"), value);
            } else if name.len() > 1 {
                options.insert(name.to_owned(), value);
            }
        }
    }
    options
}

fn is_placeholder(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '/')
}

/// A directory of files that is the same before each call.
pub struct Every {
    pub bench: Bench,
    template: PathBuf,
    kept: gg_testkit::TempDir,
    counts: BTreeMap<String, usize>,
    wrong: Vec<String>,
    tracer: bool,
}

impl Every {
    /// A directory with what the script makes in it.
    pub fn new(script: &str) -> Self {
        let bench = Bench::new(&[]);
        let kept = gg_testkit::temp_dir();
        let output = Command::new("sh").args(["-ec", script]).current_dir(&bench.cwd).output().expect("sh runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let template = kept.path().join("template");
        copy(&bench.cwd, &template);
        let tracer = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
        Self { bench, template, kept, counts: BTreeMap::new(), wrong: Vec::new(), tracer }
    }

    fn reset(&self) {
        for entry in fs::read_dir(&self.bench.cwd).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path).expect("removed");
            } else {
                fs::remove_file(&path).expect("removed");
            }
        }
        copy(&self.template, &self.bench.cwd);
    }

    /// Each call with each spelling of an option in place of `OPTION`; all of them with the first one only.
    pub fn calls(&mut self, spelled: &[String], calls: &[&str]) {
        for (at, option) in spelled.iter().enumerate() {
            for call in if at == 0 { calls } else { &calls[..1] } {
                self.call(&call.replace("OPTION", option));
            }
        }
    }

    /// One call, from the same start.
    pub fn call(&mut self, command: &str) {
        self.reset();
        let log = self.kept.path().join("trace");
        let mut tracer: Vec<OsString> = Vec::new();
        if self.tracer {
            let words = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=open,openat,execve", "-s", "4096", "-o"];
            tracer.extend(words.map(OsString::from));
            tracer.push(log.clone().into_os_string());
        }
        let outcome = match self.bench.compare_under(&tracer, command) {
            Ok(Compared::Same(inference)) => match self.unforeseen(&log, &inference) {
                missed if missed.is_empty() => "identical".to_owned(),
                missed => format!("wrong: opens {missed:?}"),
            },
            Ok(Compared::Fails(_)) => "fails alike".to_owned(),
            Ok(Compared::Native(reason)) => format!("native: {}", reason.kind.name()),
            Err(difference) => format!("wrong: {difference}"),
        };
        if outcome.starts_with("wrong") || outcome.ends_with("unknown-option") {
            self.wrong.push(format!("{command}: {outcome}"));
        }
        let counted = if outcome.starts_with("wrong") { "wrong" } else { &outcome };
        *self.counts.entry(counted.to_owned()).or_default() += 1;
    }

    /// Files that the tool opens and that are no inputs.
    fn unforeseen(&self, log: &Path, inference: &Inference) -> BTreeSet<PathBuf> {
        if !self.tracer {
            return BTreeSet::new();
        }
        let known: BTreeSet<PathBuf> = inference
            .inputs
            .iter()
            .map(|input| match input {
                Input::File(path) | Input::InPlace(path) | Input::Dir(path) => clean(path),
            })
            .chain(inference.outputs.iter().map(|output| clean(&output.path)))
            .collect();
        let text = String::from_utf8(fs::read(log).expect("the trace")).expect("text");
        let opened = text.lines().filter_map(|line| {
            let (_, result) = line.rsplit_once(" = ")?;
            let makes = ["O_CREAT", "O_WRONLY", "O_DIRECTORY"].iter().any(|flag| line.contains(flag));
            let path = line.split('"').nth(1)?;
            (!makes && !result.starts_with('-')).then(|| clean(&self.bench.cwd.join(path)))
        });
        // The loader reads its cache; a library that it would find without needs none. What was made meanwhile and has gone
        // again is the tool's own.
        let own = ["/etc/ld.so.cache", "/dev/null", "/dev/urandom"].map(Path::new);
        opened.filter(|path| !known.contains(path) && !own.contains(&path.as_path()) && path.exists()).collect()
    }

    /// Prints what became of the calls; none may be wrong, and so many identical.
    pub fn done(self, what: &str, identical: usize) {
        println!("{what}: {:?}{}", self.counts, if self.tracer { "" } else { ", not traced" });
        assert!(self.wrong.is_empty(), "{what}:\n{}", self.wrong.join("\n"));
        let same = self.counts.get("identical").copied().unwrap_or(0);
        assert!(same >= identical, "{what}: {same} identical, {identical} wanted");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let (path, there) = (entry.path(), to.join(entry.file_name()));
        if path.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path).expect("a link"), &there).expect("a link");
        } else if path.is_dir() {
            copy(&path, &there);
        } else {
            let mode = fs::metadata(&path).expect("metadata").permissions().mode();
            fs::write(&there, fs::read(&path).expect("bytes")).expect("written");
            fs::set_permissions(&there, fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }
}
