//! One command with the real tool, traced, and through the model: whether the footprint holds all that was read, and whether
//! status, messages and outputs are the same.

#![allow(dead_code, reason = "each user takes a part")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gg_models::{Inference, Input, Verdict};

use super::live::{Bench, Sealed, clean};

/// What came of a command.
#[derive(PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// A thunk, and all is as with the tool.
    Same,
    /// A thunk that fails where the tool does.
    SameFailure,
    /// The real tool runs, for this reason.
    Native(&'static str),
    /// What differs.
    Wrong(String),
}

/// A bench whose files are put back after each command.
pub struct Trials {
    pub bench: Bench,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Files that are read by every process and are no part of what it makes.
const SYSTEM: &[&str] = &["/etc/ld.so.cache", "/etc/ld.so.preload", "/proc/", "/sys/", "/dev/"];

impl Trials {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let bench = Bench::new(files);
        let files = listed(&bench.cwd);
        Self { bench, files }
    }

    /// Whether a command would become a thunk.
    pub fn may(&self, command: &str) -> bool {
        matches!(self.bench.infer(command), Verdict::Thunk(_))
    }

    /// Tries one command.
    pub fn of(&self, command: &str) -> Outcome {
        let inference = match self.bench.infer(command) {
            Verdict::RunReal(reason) => return Outcome::Native(reason.kind.name()),
            Verdict::Thunk(inference) => inference,
        };
        let sealed = Sealed::run(&inference);
        let outcome = self.compare(command, &inference, &sealed);
        self.put_back();
        outcome
    }

    fn compare(&self, command: &str, inference: &Inference, sealed: &Sealed) -> Outcome {
        let (native, trace) = self.traced(command);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if (native.status.code() == Some(0)) != (sealed.status == Some(0)) {
            let said = text(&sealed.stderr);
            return Outcome::Wrong(format!(
                "status {:?}, the tool's {:?}: {said}",
                sealed.status,
                native.status.code()
            ));
        }
        // Of a thunk that fails the tool itself has the last word: it goes on with the next source.
        if native.status.code() != Some(0) {
            return Outcome::SameFailure;
        }
        if sealed.stderr != native.stderr || sealed.stdout != native.stdout {
            return Outcome::Wrong(format!("says {:?}, the tool {:?}", text(&sealed.stderr), text(&native.stderr)));
        }
        let declared: BTreeMap<PathBuf, bool> =
            inference.outputs.iter().map(|output| (clean(&output.path), output.optional)).collect();
        let now = listed(&self.bench.cwd);
        for (path, bytes) in &now {
            if self.files.get(path) != Some(bytes) && !declared.contains_key(path) {
                return Outcome::Wrong(format!("writes {}", path.display()));
            }
        }
        for (path, optional) in &declared {
            match (sealed.made(path), now.get(path)) {
                (Some((made, _)), Some(native)) if made == *native => {}
                (None, None) if *optional => {}
                (Some(_), Some(native)) if self.is_by_chance(command, path, native) => {}
                (made, native) => {
                    let what = format!(
                        "{} is {} and natively {}",
                        path.display(),
                        told(made.map(|made| made.0).as_ref()),
                        told(native)
                    );
                    return Outcome::Wrong(what);
                }
            }
        }
        if let Some(path) = self.files.keys().find(|path| !now.contains_key(*path)) {
            return Outcome::Wrong(format!("deletes {}", path.display()));
        }
        let known = known(inference);
        let read = read(&trace, &self.bench.cwd);
        let unknown = |path: &&PathBuf| !known.contains(*path) && !declared.contains_key(*path);
        match read.iter().find(unknown) {
            Some(path) => Outcome::Wrong(format!("reads {}", path.display())),
            None => Outcome::Same,
        }
    }

    /// The command natively, and what it did to files.
    fn traced(&self, command: &str) -> (Output, Vec<u8>) {
        let log = tempfile(&self.bench);
        let request = self.bench.request(command);
        let native = Command::new("strace")
            .args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,open,openat", "-s", "4096", "-o"])
            .arg(&log)
            .arg(&request.exe)
            .args(request.args())
            .env_clear()
            .envs(self.bench.env.iter().cloned())
            .current_dir(&self.bench.cwd)
            .stdin(Stdio::null())
            .output()
            .expect("run strace");
        let trace = fs::read(&log).expect("the trace");
        fs::remove_file(&log).expect("remove the trace");
        (native, trace)
    }

    /// The files that the command's tools read, natively.
    pub fn reads(&self, command: &str) -> BTreeSet<PathBuf> {
        let (_, trace) = self.traced(command);
        self.put_back();
        read(&trace, &self.bench.cwd)
    }

    /// Whether native runs make different files: then the thunk's is one of many.
    fn is_by_chance(&self, command: &str, path: &Path, native: &[u8]) -> bool {
        (0..4).any(|_| self.bench.native(command).written.get(path).is_some_and(|(bytes, _)| bytes != native))
    }

    fn put_back(&self) {
        let now = listed(&self.bench.cwd);
        for path in now.keys().filter(|path| !self.files.contains_key(*path)) {
            fs::remove_file(path).expect("remove what was made");
        }
        for (path, bytes) in &self.files {
            if now.get(path) != Some(bytes) {
                fs::write(path, bytes).expect("put a file back");
            }
        }
    }
}

fn told(bytes: Option<&Vec<u8>>) -> String {
    bytes.map_or_else(|| "not there".into(), |bytes| format!("{} bytes", bytes.len()))
}

fn tempfile(bench: &Bench) -> PathBuf {
    let name = bench.cwd.file_name().expect("a name").to_string_lossy().into_owned();
    std::env::temp_dir().join(format!("{name}.trace"))
}

fn listed(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("list a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let bytes = fs::read(&path).expect("a file's bytes");
                files.insert(path, bytes);
            }
        }
    }
    files
}

/// The files that the thunk may read, and those of its executables, without symbolic links.
fn known(inference: &Inference) -> BTreeSet<PathBuf> {
    let files = inference.inputs.iter().filter_map(|input| match input {
        Input::File(path) | Input::InPlace(path) => Some(path.as_path()),
        Input::Dir(_) => None,
    });
    let exes = inference.steps.iter().map(|step| Path::new(OsStr::from_bytes(&step.exe)));
    files.chain(exes).filter_map(|path| path.canonicalize().ok()).collect()
}

/// The regular files that the driver's commands opened to read, and that are still there.
fn read(trace: &[u8], cwd: &Path) -> BTreeSet<PathBuf> {
    let mut driven = HashMap::new();
    let mut files = BTreeSet::new();
    let mut first = None;
    for line in trace.split(|byte| *byte == b'\n') {
        let Some(blank) = line.iter().position(|byte| *byte == b' ') else { continue };
        let (process, call) = (&line[..blank], line[blank..].trim_ascii_start());
        let first = *first.get_or_insert(process);
        if call.starts_with(b"execve(") && process != first {
            driven.insert(process, ());
        }
        let failed = call.windows(6).any(|window| window == b") = -1");
        let writes = call.windows(8).any(|window| window == b"O_WRONLY");
        if !driven.contains_key(process) || failed || writes || call.starts_with(b"+++") || call.starts_with(b"---") {
            continue;
        }
        let Some(path) = quoted(call) else { continue };
        let path = cwd.join(path);
        let of_system = SYSTEM.iter().any(|prefix| path.as_os_str().as_bytes().starts_with(prefix.as_bytes()));
        if !of_system && path.is_file() {
            files.extend(path.canonicalize());
        }
    }
    files
}

/// The first string of a traced call.
fn quoted(call: &[u8]) -> Option<PathBuf> {
    let open = call.iter().position(|byte| *byte == b'"')?;
    let rest = &call[open + 1..];
    let close = rest.iter().position(|byte| *byte == b'"')?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(rest[..close].to_vec())))
}
