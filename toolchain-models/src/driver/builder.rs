//! Collects the inference of one call, command by command.
//!
//! Knows no tool: the models of the commands say what they read and write.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gg_thunk::{Step, Writes};

use super::plan::TEMPORARY;
use crate::binutils::output;
use crate::closure;
use crate::directives::Directives;
use crate::request::Request;
use crate::shape;
use crate::verdict::{Holds, Inference, Input, OutputSpec, Reason, ReasonKind};
use crate::world::{FileKind, Stat, World, real_path};

pub(crate) struct Builder<'a> {
    pub(crate) req: &'a Request,
    pub(crate) world: &'a dyn World,
    pub(crate) env: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) timestamps: bool,
    /// What is asked for goes to standard output, as with `-M`.
    pub(crate) prints: bool,
    /// The time of the request is among what the commands see.
    pub(crate) momentary: bool,
    /// Some temporary object holds a compiler's intermediate code.
    pub(crate) intermediate: bool,
    /// `-pipe`: the assembler would read a pipe, which has no name.
    pub(crate) piped: bool,
    /// Why lists of headers are not exact.
    pub(crate) unsure: Vec<&'static str>,
    /// Of each source that is read, what of it counts; none where all of it does.
    pub(crate) directives: Vec<Option<Directives>>,
    /// Somebody besides the preprocessor may read the source: what is edited between its directives counts, too.
    pub(crate) read_by_others: bool,
    depfiles: Vec<(usize, Vec<u8>)>,
    inputs: Inputs,
    outputs: Vec<OutputSpec>,
    steps: Vec<Step>,
    tools: BTreeSet<PathBuf>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(req: &'a Request, world: &'a dyn World, env: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let (inputs, outputs, steps, tools, unsure, depfiles) = Default::default();
        let (timestamps, prints, momentary, intermediate, piped) = Default::default();
        Self {
            req,
            world,
            env,
            timestamps,
            prints,
            momentary,
            intermediate,
            piped,
            unsure,
            directives: Vec::new(),
            read_by_others: false,
            depfiles,
            inputs,
            outputs,
            steps,
            tools,
        }
    }

    /// The environment in which the compiler is asked: what it prints is read here, whatever the user's language.
    pub(crate) fn asking_env(&self) -> Vec<(OsString, OsString)> {
        let kept = self.env.iter().filter(|(key, _)| !key.starts_with(b"LC_") && !key.starts_with(b"LANG"));
        let mut env: Vec<_> =
            kept.map(|(key, value)| (OsString::from_vec(key.clone()), OsString::from_vec(value.clone()))).collect();
        env.push(("LC_ALL".into(), "C".into()));
        env
    }

    /// The absolute path of a file as the commands spell it.
    pub(crate) fn absolute(&self, path: impl AsRef<Path>) -> PathBuf {
        self.req.cwd.join(path)
    }

    pub(crate) fn stat(&self, path: &Path) -> Result<Option<Stat>, Reason> {
        self.world.stat(path).map_err(|error| Reason::io(path, &error))
    }

    /// Adds a command and what its executable loads.
    pub(crate) fn step(&mut self, exe: &Path, argv: &[OsString]) -> Result<(), Reason> {
        self.tool(exe)?;
        let exe = self.without_dots(exe)?;
        let argv = argv.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.steps.push(Step { exe: exe.as_os_str().as_bytes().to_vec(), argv });
        Ok(())
    }

    /// The path by which a step finds its program: thunks have none with dots, as cross compilers find their programs by.
    fn without_dots(&self, exe: &Path) -> Result<PathBuf, Reason> {
        let parts = || exe.as_os_str().as_bytes().split(|byte| *byte == b'/').skip(1);
        match (exe.parent(), exe.file_name()) {
            (Some(dir), Some(name)) if parts().any(|part| matches!(part, b"" | b"." | b"..")) => {
                Ok(real_path(dir, self.world)?.join(name))
            }
            _ => Ok(exe.to_owned()),
        }
    }

    /// Adds an executable, or a library that a command loads, with all that it loads in turn.
    pub(crate) fn tool(&mut self, exe: &Path) -> Result<(), Reason> {
        if self.tools.insert(exe.to_owned()) {
            self.inputs.extend(closure::with_library_path(exe, self.req.var("LD_LIBRARY_PATH"), self.world)?);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, inputs: impl IntoIterator<Item = Input>) {
        self.inputs.extend(inputs);
    }

    /// A file that a command names as its input: it must be there.
    pub(crate) fn input(&mut self, path: &OsStr) -> Result<(), Reason> {
        if self.is_made(path) {
            return Ok(());
        }
        self.world.purpose(&|| format!("{}, an input of a step", path.display()));
        let path = self.absolute(path);
        match self.stat(&path)? {
            Some(stat) if stat.kind == FileKind::File => {
                self.inputs.insert(Input::File(path));
                Ok(())
            }
            Some(_) => Err(Reason::new(ReasonKind::Input, format!("{}: not a regular file", path.display()))),
            None => Err(Reason::new(ReasonKind::Input, format!("{}: not there", path.display()))),
        }
    }

    /// Whether an earlier command makes the file.
    pub(crate) fn is_made(&self, path: &OsStr) -> bool {
        let made = || {
            let path = self.absolute(path);
            self.outputs.iter().any(|output| output.path == path)
        };
        is_temporary(path) || made()
    }

    /// A file that a command writes, unless it is a temporary one.
    pub(crate) fn output(&mut self, path: &OsStr, writes: Writes, holds: Holds) -> Result<(), Reason> {
        self.written(path, writes, holds, false)
    }

    /// A file that a command may write.
    pub(crate) fn optional_output(&mut self, path: &OsStr, writes: Writes, holds: Holds) -> Result<(), Reason> {
        self.written(path, writes, holds, true)
    }

    fn written(&mut self, path: &OsStr, writes: Writes, holds: Holds, optional: bool) -> Result<(), Reason> {
        if is_temporary(path) {
            return Ok(());
        }
        let path = self.absolute(path);
        self.check_output(&path, writes)?;
        let known = self.outputs.iter().any(|output| output.path == path);
        if !known {
            let tag = format!("out{}", self.outputs.len());
            self.outputs.push(OutputSpec { tag, path, optional, writes, holds });
        }
        Ok(())
    }

    /// What an output will hold that is a depfile, if the command succeeds.
    pub(crate) fn depfile(&mut self, path: &OsStr, bytes: Vec<u8>) {
        let path = self.absolute(path);
        if let Some(index) = self.outputs.iter().position(|output| output.path == path) {
            self.depfiles.push((index, bytes));
        }
    }

    /// Adds outputs that another model found.
    pub(crate) fn add_outputs(&mut self, outputs: impl IntoIterator<Item = OutputSpec>) -> Result<(), Reason> {
        for output in outputs {
            self.check_output(&output.path, output.writes)?;
            let tag = format!("out{}", self.outputs.len());
            self.outputs.push(OutputSpec { tag, ..output });
        }
        Ok(())
    }

    fn check_output(&mut self, path: &Path, writes: Writes) -> Result<(), Reason> {
        let refuse = |what: &str| Err(Reason::new(ReasonKind::OutputKind, format!("{}: {what}", path.display())));
        let found = self.world.stat_output(path).map_err(|error| Reason::io(path, &error))?;
        if found.is_some_and(|stat| stat.kind != FileKind::File) {
            return refuse("not a regular file");
        }
        let Some(parent) = path.parent() else { return refuse("has no directory") };
        match self.stat(parent)? {
            Some(stat) if stat.kind == FileKind::Dir => {
                self.inputs.insert(Input::Dir(parent.to_owned()));
            }
            _ => return refuse("its directory is not there"),
        }
        if writes == Writes::Replace {
            // BFD writes into what is empty, and through a link that leads nowhere.
            output::by_bfd("", path, Holds::Binary, self.world)?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, shape: &[OsString]) -> Result<Inference, Reason> {
        if self.outputs.is_empty() && !self.prints {
            return Err(Reason::new(ReasonKind::ReadsOnly, "writes no file"));
        }
        if let Some(both) = self.outputs.iter().find(|output| self.inputs.has_file(&output.path)) {
            return Err(Reason::new(ReasonKind::Input, format!("{}: is read and written", both.path.display())));
        }
        self.inputs.insert(Input::Dir(self.req.cwd.clone()));
        if let Some(pwd) = self.env.get(&b"PWD"[..]) {
            self.inputs.insert(Input::Dir(PathBuf::from(OsString::from_vec(pwd.clone()))));
        }
        let tools = std::iter::once(&self.req.exe).chain(&self.tools);
        let shape = shape::of(tools, shape.iter().map(|part| part.as_bytes()), self.world)?;
        let directives = match self.directives.as_mut_slice() {
            [directives] if !self.timestamps && !self.read_by_others => directives.take(),
            _ => None,
        };
        Ok(Inference {
            steps: self.steps,
            env: self.env,
            cwd: self.req.cwd.clone(),
            umask: self.req.umask,
            inputs: self.inputs.sorted(),
            outputs: self.outputs,
            shape,
            timestamps: self.timestamps,
            momentary: self.momentary,
            depfiles: self.depfiles,
            unsure: self.unsure,
            directives,
        })
    }
}

/// Inputs without doubles, kept by their bytes: comparing paths component by component is slow.
#[derive(Default)]
struct Inputs {
    files: BTreeSet<OsString>,
    dirs: BTreeSet<OsString>,
    in_place: BTreeSet<OsString>,
}

impl Inputs {
    fn insert(&mut self, input: Input) {
        match input {
            Input::File(path) => self.files.insert(path.into_os_string()),
            Input::Dir(path) => self.dirs.insert(path.into_os_string()),
            Input::InPlace(path) => self.in_place.insert(path.into_os_string()),
        };
    }

    fn extend(&mut self, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            self.insert(input);
        }
    }

    fn has_file(&self, path: &Path) -> bool {
        self.files.contains(path.as_os_str())
    }

    fn sorted(self) -> Vec<Input> {
        let files = self.files.into_iter().map(|path| Input::File(path.into()));
        let dirs = self.dirs.into_iter().map(|path| Input::Dir(path.into()));
        files.chain(dirs).chain(self.in_place.into_iter().map(|path| Input::InPlace(path.into()))).collect()
    }
}

/// Whether a command's file is a temporary one, which lives in the private root only.
pub(crate) fn is_temporary(path: &OsStr) -> bool {
    path.as_bytes()
        .strip_prefix(TEMPORARY.as_bytes())
        .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit) && !rest.contains(&b'/'))
}
