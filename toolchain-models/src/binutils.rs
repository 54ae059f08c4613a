//! Models of the binary utilities: `ar`, `ranlib`, `strip`, `objcopy`, `dwp`, and of direct calls of the linker.
//!
//! Each tool's options are in a file of its own; here is what they share. Knows nothing of compilers.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_thunk::Step;

use crate::driver::{locale, response};
use crate::models::base_name;
use crate::request::Request;
use crate::verdict::{Holds, Inference, Input, OutputSpec, Reason, ReasonKind, Verdict};
use crate::world::{FileKind, World};
use crate::{closure, ld, shape};

mod ar;
mod determinism;
mod dwp;
pub(crate) mod format;
mod getopt;
#[cfg(test)]
pub(crate) mod help;
mod library;
mod objcopy;
pub(crate) mod output;
mod plugins;
mod ranlib;
mod strip;
mod wrapper;

/// Beyond this the words of response files are left in them.
const MAX_EXPANDED: usize = 128 << 10;

/// What this call of a binary utility runs, reads and writes.
pub(crate) fn infer(req: &Request, world: &dyn World) -> Verdict {
    inference(req, world).into()
}

fn inference(req: &Request, world: &dyn World) -> Result<Inference, Reason> {
    let mut tool = base_name(&req.tool);
    if let b"nm" | b"gcc-nm" = tool {
        return Err(Reason::new(ReasonKind::ReadsOnly, String::from_utf8_lossy(tool)));
    }
    let wrapped = wrapper::inner(tool).map(|inner| wrapper::call(req, inner, world)).transpose()?;
    if let Some(inner) = wrapper::inner(tool) {
        tool = inner;
    }
    let mut call = Call::new(wrapped.as_ref().unwrap_or(req), world)?;
    match tool {
        b"ar" => ar::model(&mut call)?,
        b"ranlib" => ranlib::model(&mut call)?,
        b"strip" => strip::model(&mut call)?,
        b"objcopy" => objcopy::model(&mut call)?,
        b"dwp" => dwp::model(&mut call)?,
        b"ld" | b"ld.bfd" => link(&mut call)?,
        _ => return Err(Reason::new(ReasonKind::UnknownTool, req.tool.to_string_lossy())),
    }
    call.finish()
}

fn link(call: &mut Call<'_>) -> Result<(), Reason> {
    if !ld::has_inputs(&call.args)? {
        return Err(Reason::new(ReasonKind::ProbeVersion, "no input files"));
    }
    let footprint =
        ld::footprint(&call.args, &call.req.cwd, &call.req.env, (ld::Linker::Bfd, &call.req.exe), call.world)?;
    if let Some(object) = footprint.intermediate.filter(|_| footprint.plugin) {
        return Err(Reason::new(ReasonKind::Lto, object.to_string_lossy()));
    }
    call.inputs.extend(footprint.inputs);
    for output in footprint.outputs {
        call.writes(output)?;
    }
    for word in ld::shape(&call.args) {
        call.shape(&word);
    }
    call.pass_on(&["LDEMULATION", "LD_RUN_PATH", "COLLECT_NO_DEMANGLE"]);
    Ok(())
}

/// The footprint of one call in the making.
struct Call<'a> {
    req: &'a Request,
    world: &'a dyn World,
    /// The words after `argv[0]`, response files expanded.
    args: Vec<OsString>,
    argv: Vec<OsString>,
    inputs: BTreeSet<Input>,
    outputs: Vec<OutputSpec>,
    env: BTreeMap<Vec<u8>, Vec<u8>>,
    shape: Vec<u8>,
}

impl<'a> Call<'a> {
    fn new(req: &'a Request, world: &'a dyn World) -> Result<Self, Reason> {
        for name in ["GCONV_PATH", "LD_AUDIT", "LD_PRELOAD", "LOCPATH", "OUTPUT_CHARSET"] {
            if req.var(name).is_some_and(|value| !value.is_empty()) {
                return Err(Reason::new(ReasonKind::Environment, name));
            }
        }
        if req.var("GNUTARGET").is_some_and(|name| format::target(name).is_err()) {
            return Err(Reason::new(ReasonKind::Environment, "GNUTARGET"));
        }
        if req.var("POSIXLY_CORRECT").is_some() {
            return Err(Reason::new(ReasonKind::Environment, "POSIXLY_CORRECT"));
        }
        let response::Expanded { args, files } = response::expand(req.args(), &req.cwd, world)?;
        let mut call = Self {
            req,
            world,
            args,
            argv: req.argv.clone(),
            inputs: files.into_iter().map(Input::File).collect(),
            outputs: Vec::new(),
            env: BTreeMap::new(),
            shape: base_name(&req.tool).to_vec(),
        };
        if call.args != req.args() {
            if call.args.iter().map(|arg| arg.len() + 1).sum::<usize>() > MAX_EXPANDED {
                call.check_response_files()?;
            } else {
                call.argv.splice(1.., call.args.iter().cloned());
            }
        }
        Ok(call)
    }

    /// A list too long for a command line stays in its files.
    fn check_response_files(&self) -> Result<(), Reason> {
        for arg in self.req.args() {
            let Some(name) = arg.as_bytes().strip_prefix(b"@").filter(|name| !name.is_empty()) else { continue };
            let path = self.path(OsStr::from_bytes(name));
            if self.kind(&path)? != Some(FileKind::File) {
                continue;
            }
            let text = self.world.read(&path).map_err(|error| Reason::io(&path, &error))?;
            if text.contains(&b'@') {
                return Err(Reason::new(
                    ReasonKind::Footprint,
                    format!("{}: may name other response files", path.display()),
                ));
            }
        }
        Ok(())
    }

    fn path(&self, name: &OsStr) -> PathBuf {
        self.req.cwd.join(name)
    }

    fn kind(&self, path: &Path) -> Result<Option<FileKind>, Reason> {
        Ok(self.world.stat(path).map_err(|error| Reason::io(path, &error))?.map(|stat| stat.kind))
    }

    /// A word that is not a file's name.
    fn shape(&mut self, word: &OsStr) {
        self.shape.push(0);
        self.shape.extend_from_slice(word.as_bytes());
    }

    fn reads(&mut self, name: &OsStr) -> Result<PathBuf, Reason> {
        self.world.purpose(&|| format!("{}, which the command names", name.display()));
        let path = self.path(name);
        match self.kind(&path)? {
            Some(FileKind::File) => {
                self.inputs.insert(Input::File(path.clone()));
                Ok(path)
            }
            Some(_) => Err(Reason::new(ReasonKind::Input, format!("{} is not a regular file", name.display()))),
            None => Err(Reason::new(ReasonKind::Input, format!("{} not found", name.display()))),
        }
    }

    fn modifies(&mut self, name: &OsStr) -> Result<(), Reason> {
        let tag = self.tag();
        let path = self.path(name);
        // What is changed in place stays what it is.
        let holds = self.promised(&path)?.unwrap_or(Holds::Binary);
        let written = output::in_place(&tag, &path, holds, self.world)?;
        self.inputs.extend(written.input);
        self.writes(written.output)
    }

    fn replaces(&mut self, name: &OsStr) -> Result<(), Reason> {
        let tag = self.tag();
        self.writes(output::by_bfd(&tag, &self.path(name), Holds::Binary, self.world)?)
    }

    /// What the output that was declared last will hold.
    fn last_holds(&mut self, holds: Holds) {
        if let Some(output) = self.outputs.last_mut() {
            output.holds = holds;
        }
    }

    /// A shared object that the tool loads.
    fn loads(&mut self, plugin: &OsStr) -> Result<(), Reason> {
        let path = self.reads(plugin)?;
        let library_path = self.req.var("LD_LIBRARY_PATH");
        self.inputs.extend(closure::with_library_path(&path, library_path, self.world)?);
        Ok(())
    }

    fn promised(&self, path: &Path) -> Result<Option<Holds>, Reason> {
        self.world.promised(path).map_err(|error| Reason::io(path, &error))
    }

    fn tag(&self) -> String {
        if self.outputs.is_empty() { "out".to_owned() } else { format!("out{}", self.outputs.len()) }
    }

    fn writes(&mut self, output: OutputSpec) -> Result<(), Reason> {
        if self.outputs.iter().any(|known| known.path == output.path) {
            return Err(Reason::new(ReasonKind::Usage, format!("{} is written twice", output.path.display())));
        }
        let dir = output.path.parent().unwrap_or(Path::new("/")).to_owned();
        self.inputs.insert(Input::Dir(dir));
        self.outputs.push(output);
        Ok(())
    }

    /// Variables that this tool reads.
    fn pass_on(&mut self, names: &[&str]) {
        for name in names {
            if let Some(value) = self.req.var(name) {
                self.env.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
            }
        }
    }

    /// The tool's own libraries, and the plugins that it loads.
    fn loads_plugins(&mut self) -> Result<(), Reason> {
        let library_path = self.req.var("LD_LIBRARY_PATH");
        let libraries = self.libraries()?;
        let plugins = plugins::inputs(&self.req.exe, &libraries, library_path, self.world)?;
        self.inputs.extend(plugins);
        Ok(())
    }

    fn libraries(&self) -> Result<BTreeSet<Input>, Reason> {
        let library_path = self.req.var("LD_LIBRARY_PATH");
        Ok(closure::with_library_path(&self.req.exe, library_path, self.world)?.into_iter().collect())
    }

    fn finish(mut self) -> Result<Inference, Reason> {
        if self.outputs.is_empty() {
            return Err(Reason::new(ReasonKind::ReadsOnly, "writes nothing"));
        }
        let req = self.req;
        if let Some(clash) = self.outputs.iter().find(|output| self.inputs.contains(&Input::File(output.path.clone())))
        {
            return Err(Reason::new(ReasonKind::Usage, format!("{} is an input and an output", clash.path.display())));
        }
        let libraries = self.libraries()?;
        self.inputs.extend(libraries);
        let mut locale_files = Vec::new();
        locale::add(req, "", self.world, &mut self.env, &mut locale_files)?;
        self.inputs.extend(locale_files);
        self.inputs.insert(Input::Dir(req.cwd.clone()));
        if let Some(name) = req.argv.first().filter(|name| name.as_bytes().contains(&b'/')) {
            self.reads(name)?;
        }
        self.pass_on(&["GNUTARGET", "LD_LIBRARY_PATH"]);
        // The tool looks for itself there, to find its plugins.
        let bin = req.exe.parent().unwrap_or(Path::new("/")).as_os_str().as_bytes();
        self.env.insert(b"PATH".to_vec(), bin.to_vec());
        let shape = shape::of(std::iter::once(&req.exe), std::iter::once(&self.shape[..]), self.world)?;
        let argv = self.argv.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        Ok(Inference {
            steps: vec![Step { exe: req.exe.as_os_str().as_bytes().to_vec(), argv }],
            env: self.env,
            cwd: req.cwd.clone(),
            umask: req.umask,
            inputs: self.inputs.into_iter().collect(),
            outputs: self.outputs,
            shape,
            timestamps: false,
            momentary: false,
            depfiles: Vec::new(),
            unsure: Vec::new(),
            directives: None,
        })
    }
}
