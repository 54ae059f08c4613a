//! A [`World`] over the machine itself that notes each look-up, and a private root made by hand: the inputs of an
//! inference and nothing else, in which its steps run under `unshare --root`.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use gg_models::{FileKind, Holds, Inference, Input, Models, Reason, Request, RunOutput, Stat, Verdict, World};

/// The machine itself.
#[derive(Default)]
pub struct LiveWorld {
    /// Every path looked at, and whether something stood there.
    pub looked_up: RefCell<HashMap<PathBuf, bool>>,
    /// What was run.
    pub runs: RefCell<Vec<Vec<OsString>>>,
    kept: RefCell<HashMap<String, Vec<u8>>>,
}

fn stat_of(metadata: &Metadata) -> Stat {
    let kind = metadata.file_type();
    let kind = if kind.is_symlink() {
        FileKind::Symlink
    } else if kind.is_dir() {
        FileKind::Dir
    } else if kind.is_file() {
        FileKind::File
    } else {
        assert!(kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket());
        FileKind::Other
    };
    let time = |sec: i64, nsec: i64| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    Stat {
        kind,
        mode: metadata.mode() & 0o7777,
        size: metadata.len(),
        dev: metadata.dev(),
        ino: metadata.ino(),
        mtime_ns: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: time(metadata.ctime(), metadata.ctime_nsec()),
    }
}

impl LiveWorld {
    fn answer(&self, path: &Path, metadata: io::Result<Metadata>) -> io::Result<Option<Stat>> {
        let answer = match metadata {
            Ok(metadata) => Some(stat_of(&metadata)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) => return Err(error),
        };
        self.looked_up.borrow_mut().insert(path.to_owned(), answer.is_some());
        Ok(answer)
    }
}

impl World for LiveWorld {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.answer(path, fs::symlink_metadata(path))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.answer(path, fs::metadata(path))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        assert!(path.is_absolute(), "{}", path.display());
        Ok(fs::read(path)?.into())
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let all = self.read(path)?;
        Ok(all.iter().copied().skip(offset as usize).take(len).collect())
    }

    fn run(&self, exe: &Path, argv: &[OsString], env: &[(OsString, OsString)], cwd: &Path) -> io::Result<RunOutput> {
        self.runs.borrow_mut().push(argv.to_vec());
        let output = Command::new(exe)
            .args(&argv[1..])
            .env_clear()
            .envs(env.iter().cloned())
            .current_dir(cwd)
            .stdin(Stdio::null())
            .output()?;
        Ok(RunOutput { status: output.status.code(), stdout: output.stdout, stderr: output.stderr })
    }

    fn read_dir(&self, path: &Path) -> io::Result<Option<Vec<OsString>>> {
        match fs::read_dir(path) {
            Ok(entries) => {
                let mut names =
                    entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
                names.sort();
                Ok(Some(names))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.kept.borrow().get(key).cloned()
    }

    fn remember(&self, key: &str, value: &[u8]) {
        self.kept.borrow_mut().insert(key.to_owned(), value.to_owned());
    }
}

/// A directory with files in it, an environment, models: all that calls of tools need.
pub struct Bench {
    dir: gg_testkit::TempDir,
    /// The directory, without symbolic links in its path.
    pub cwd: PathBuf,
    /// The environment of the calls.
    pub env: Vec<(OsString, OsString)>,
    /// The models, over all calls.
    pub models: Models,
    /// The machine.
    pub world: LiveWorld,
}

/// What a native run left.
pub struct Native {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// The files that it made or changed, with bytes and mode.
    pub written: BTreeMap<PathBuf, (Vec<u8>, u32)>,
}

impl Bench {
    /// A bench with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = gg_testkit::temp_dir();
        let cwd = dir.path().canonicalize().expect("the directory's own path");
        let path = std::env::var_os("PATH").expect("PATH");
        let bench =
            Self { dir, cwd, env: vec![("PATH".into(), path)], models: Models::new(), world: LiveWorld::default() };
        for (name, content) in files {
            bench.write(name, content);
        }
        bench
    }

    /// Writes a file, making its directories.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.cwd.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("make directories");
        fs::write(path, content).expect("write a file");
    }

    /// Adds a variable.
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The request that this command line makes (words split at blanks, quotes as in the shell).
    pub fn request(&self, command: &str) -> Request {
        let argv: Vec<OsString> =
            shlex::split(command).expect("a command line").into_iter().map(OsString::from).collect();
        let exe = if argv[0].as_bytes().contains(&b'/') { PathBuf::from(&argv[0]) } else { find(&argv[0]) };
        Request {
            tool: exe.file_name().expect("a name").to_owned(),
            exe,
            argv,
            cwd: self.cwd.clone(),
            env: self.env.clone(),
            umask: 0o022,
            stderr_is_tty: false,
        }
    }

    /// The model's verdict.
    pub fn infer(&self, command: &str) -> Verdict {
        self.models.infer(&self.request(command), &self.world)
    }

    /// The model's inference.
    pub fn thunk(&self, command: &str) -> Inference {
        match self.infer(command) {
            Verdict::Thunk(inference) => *inference,
            Verdict::RunReal(reason) => panic!("{command}: {reason}"),
        }
    }

    /// The name of the reason to run the real tool.
    pub fn reason(&self, command: &str) -> &'static str {
        match self.infer(command) {
            Verdict::RunReal(reason) => reason.kind.name(),
            Verdict::Thunk(_) => "a thunk",
        }
    }

    /// Runs the command natively, here.
    pub fn native(&self, command: &str) -> Native {
        self.native_under(&[], command)
    }

    /// The same, run by another program that is given with its arguments.
    fn native_under(&self, runner: &[OsString], command: &str) -> Native {
        let request = self.request(command);
        let before = self.files();
        let words: Vec<&OsStr> = runner.iter().map(OsString::as_os_str).chain([request.exe.as_os_str()]).collect();
        let output = Command::new(words[0])
            .args(&words[1..])
            .args(request.args())
            .env_clear()
            .envs(self.env.iter().cloned())
            .current_dir(&self.cwd)
            .stdin(Stdio::null())
            .output()
            .expect("run the tool");
        let changed =
            |path: &PathBuf, now: &(Identity, Vec<u8>, u32)| before.get(path).is_none_or(|then| then.0 != now.0);
        let written = self.files().into_iter().filter(|(path, now)| changed(path, now));
        let written = written.map(|(path, (_, bytes, mode))| (path, (bytes, mode))).collect();
        Native { status: output.status.code(), stdout: output.stdout, stderr: output.stderr, written }
    }

    fn files(&self) -> BTreeMap<PathBuf, (Identity, Vec<u8>, u32)> {
        let mut files = BTreeMap::new();
        let mut dirs = vec![self.cwd.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).expect("list a directory") {
                let path = entry.expect("an entry").path();
                let metadata = fs::symlink_metadata(&path).expect("its state");
                if metadata.is_dir() {
                    dirs.push(path);
                } else if metadata.is_file() {
                    let stat = stat_of(&metadata);
                    let bytes = fs::read(&path).expect("its bytes");
                    files.insert(path, ((stat.ino, stat.mtime_ns, stat.ctime_ns), bytes, stat.mode));
                }
            }
        }
        files
    }

    /// Holds an inference's outputs, bytes, modes, messages and status, as made in a root of its inputs alone, against
    /// those of the native run. Gives the inference.
    pub fn agrees(&self, command: &str) -> Inference {
        self.agrees_but(command, &[])
    }

    /// The same, where two native runs give other bytes of these outputs, and of no others.
    pub fn agrees_but(&self, command: &str, varying: &[&str]) -> Inference {
        let inference = match self.compare(command) {
            Ok(Compared::Same(inference)) => *inference,
            Ok(Compared::Native(reason)) => panic!("{command}: {reason}"),
            Ok(Compared::Fails(message)) => panic!("{command} fails: {message}"),
            Err(difference) => panic!("{command}: {difference}"),
        };
        let varies = inference.outputs.iter().filter(|output| output.holds == Holds::Varying);
        let found: BTreeSet<_> = varies.map(|output| clean(&output.path)).collect();
        assert_eq!(found, varying.iter().map(|name| self.cwd.join(name)).collect(), "{command}");
        inference
    }

    /// As `agrees`, for calls of which it is not known what becomes of them: an error is a difference.
    pub fn compare(&self, command: &str) -> Result<Compared, String> {
        self.compare_under(&[], command)
    }

    /// The same, with the tool run by another program that is given with its arguments.
    pub fn compare_under(&self, runner: &[OsString], command: &str) -> Result<Compared, String> {
        let inference = match self.infer(command) {
            Verdict::Thunk(inference) => inference,
            Verdict::RunReal(reason) => return Ok(Compared::Native(reason)),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let sealed = Sealed::run(&inference);
        let native = self.native_under(runner, command);
        if sealed.status != native.status {
            let (sealed_says, native_says) = (text(&sealed.stderr), text(&native.stderr));
            return Err(format!("{:?} for {:?}: {sealed_says} for {native_says}", sealed.status, native.status));
        }
        if native.status != Some(0) {
            return Ok(Compared::Fails(text(&native.stderr)));
        }
        if sealed.stderr != native.stderr || sealed.stdout != native.stdout {
            let said = |out: &[u8], err: &[u8]| format!("{:?} {:?}", text(out), text(err));
            return Err(format!(
                "says {} for {}",
                said(&sealed.stdout, &sealed.stderr),
                said(&native.stdout, &native.stderr)
            ));
        }
        let declared: BTreeSet<_> = inference.outputs.iter().map(|output| clean(&output.path)).collect();
        let written: BTreeSet<_> = native.written.keys().cloned().collect();
        if declared != written {
            return Err(format!("declares {declared:?} and writes {written:?}"));
        }
        for output in &inference.outputs {
            let path = output.path.display();
            let Some(made) = sealed.made(&output.path) else { return Err(format!("{path} is not made")) };
            let (bytes, mode) = &native.written[&clean(&output.path)];
            if made.0 != *bytes && output.holds != Holds::Varying {
                return Err(format!("{path} differs"));
            }
            if made.1 != *mode {
                return Err(format!("{path} has mode {:o} for {mode:o}", made.1));
            }
        }
        Ok(Compared::Same(inference))
    }
}

/// What became of a call.
pub enum Compared {
    /// The thunk made what the tool makes.
    Same(Box<Inference>),
    /// Thunk and tool fail with the same status; this is what the tool said.
    Fails(String),
    /// It has to run natively.
    Native(Reason),
}

type Identity = (u64, i128, i128);

fn find(tool: &OsStr) -> PathBuf {
    let path = std::env::var_os("PATH").expect("PATH");
    std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|exe| exe.is_file()).expect("the tool")
}

/// The path without `.` and `..` (none of the tests' `..` crosses a symbolic link).
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// A run of an inference in a root of its own.
pub struct Sealed {
    root: gg_testkit::TempDir,
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Sealed {
    /// Lays the inputs out and runs the steps.
    pub fn run(inference: &Inference) -> Self {
        let root = gg_testkit::temp_dir();
        for dir in ["tmp", "dev"] {
            fs::create_dir_all(root.path().join(dir)).expect("make a directory");
        }
        for (device, minor) in [("null", "3"), ("urandom", "9")] {
            let path = root.path().join("dev").join(device);
            let made = Command::new("mknod").arg("-m666").arg(path).args(["c", "1", minor]).status();
            let made = made.expect("run mknod");
            assert!(made.success(), "make a device");
        }
        for input in &inference.inputs {
            match input {
                Input::File(path) => lay_out(root.path(), path, false),
                Input::InPlace(path) => lay_out(root.path(), path, true),
                Input::Dir(path) => lay_out(root.path(), path, false),
            }
        }
        if inference.timestamps {
            keep_times(root.path(), inference);
        }
        let mut sealed = Self { root, status: Some(0), stdout: Vec::new(), stderr: Vec::new() };
        for step in &inference.steps {
            let dots = |part: &[u8]| matches!(part, b"" | b"." | b"..");
            let exe = step.exe.strip_prefix(b"/").expect("an absolute path");
            assert!(!exe.split(|byte| *byte == b'/').any(dots), "{step:?}: a thunk's path has no dots");
            let mut command = Command::new("/usr/bin/unshare");
            command.arg("--root").arg(sealed.root.path()).arg("--wd").arg(&inference.cwd);
            command.arg(OsStr::from_bytes(&step.exe)).args(step.argv[1..].iter().map(|arg| OsStr::from_bytes(arg)));
            command.env_clear().stdin(Stdio::null());
            command.envs(inference.env.iter().map(|(key, value)| (OsStr::from_bytes(key), OsStr::from_bytes(value))));
            let output = command.output().expect("run unshare");
            sealed.stdout.extend(output.stdout);
            sealed.stderr.extend(output.stderr);
            sealed.status = output.status.code();
            if sealed.status != Some(0) {
                break;
            }
        }
        sealed
    }

    /// What stands at an output's path in the root: bytes and mode.
    pub fn made(&self, path: &Path) -> Option<(Vec<u8>, u32)> {
        let path = self.root.path().join(clean(path).strip_prefix("/").ok()?);
        let mode = fs::metadata(&path).ok()?.mode() & 0o7777;
        Some((fs::read(path).ok()?, mode))
    }
}

/// Makes a path in the root as it is on the machine, with the symbolic links on the way.
fn lay_out(root: &Path, path: &Path, own: bool) {
    let mut done = PathBuf::from("/");
    let mut rest: Vec<OsString> = parts(path);
    rest.reverse();
    while let Some(part) = rest.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        let here = done.join(&part);
        let there = root.join(here.strip_prefix("/").expect("absolute"));
        let metadata = fs::symlink_metadata(&here).unwrap_or_else(|error| panic!("input {}: {error}", here.display()));
        if metadata.is_symlink() {
            let target = fs::read_link(&here).expect("a link");
            if fs::symlink_metadata(&there).is_err() {
                symlink(&target, &there).expect("make a link");
            }
            if target.is_absolute() {
                done = PathBuf::from("/");
            }
            rest.extend(parts(&target).into_iter().rev());
            continue;
        }
        if metadata.is_dir() {
            fs::create_dir_all(&there).expect("make a directory");
        } else if !there.exists() {
            copy(&here, &there, own);
        }
        done = here;
    }
}

/// Gives the inputs below the tests' directories the times that they have on the machine.
fn keep_times(root: &Path, inference: &Inference) {
    for input in &inference.inputs {
        let Input::File(path) = input else { continue };
        if path.starts_with(std::env::temp_dir()) {
            let time = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time");
            let copy = root.join(clean(path).strip_prefix("/").expect("absolute"));
            fs::File::options().write(true).open(copy).and_then(|file| file.set_modified(time)).expect("set a time");
        }
    }
}

/// Copies a file; the system's, which are many and large, once for all tests: a link to such a copy has the same bytes, and
/// the system's own inodes stay untouched.
fn copy(here: &Path, there: &Path, own: bool) {
    if !own && !here.starts_with(std::env::temp_dir()) {
        let stat = stat_of(&fs::metadata(here).expect("its state"));
        let pool = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let kept = pool.join(format!("{}-{}-{}-{:o}", stat.dev, stat.ino, stat.mtime_ns, stat.mode));
        if !kept.exists() {
            let fresh = pool.join(format!("{}-{}.{}", stat.dev, stat.ino, std::process::id()));
            fs::copy(here, &fresh).expect("copy a file");
            fs::rename(&fresh, &kept).expect("rename the copy");
        }
        if fs::hard_link(&kept, there).is_ok() {
            return;
        }
    }
    fs::copy(here, there).expect("copy a file");
}

fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}
