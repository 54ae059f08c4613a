//! What a linker call reads and writes.
//!
//! Folds the options of [`args`] over a [`link::Link`]. Knows nothing of drivers; the linker's own libraries are the
//! caller's concern.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::binutils::{format, output};
use crate::closure;
use crate::verdict::{Holds, Input, OutputSpec, Reason, ReasonKind};
use crate::world::{FileKind, World};

mod args;
mod conf;
mod elf;
mod link;
mod linker;
mod needed;
mod option;
mod script;
mod search;

use args::Item;
use link::{Link, State};
pub(crate) use linker::Linker;
use needed::RunPaths;
use option::Effect;

/// The files of one linker call, without the linker and its own libraries.
#[derive(Clone, Debug)]
pub(crate) struct Footprint {
    /// What it may read.
    pub(crate) inputs: Vec<Input>,
    /// What it leaves.
    pub(crate) outputs: Vec<OutputSpec>,
    /// A file with a compiler's intermediate code.
    pub(crate) intermediate: Option<PathBuf>,
    /// Whether there is a plugin to claim it.
    pub(crate) plugin: bool,
}

/// The footprint of a linker, of this kind and at this path, called with `args` (without `argv[0]`, `@file` expanded) in `cwd`.
/// A plugin that is named brings its own libraries.
pub(crate) fn footprint(
    args: &[OsString],
    cwd: &Path,
    env: &[(OsString, OsString)],
    (linker, ld_exe): (Linker, &Path),
    world: &dyn World,
) -> Result<Footprint, Reason> {
    let items = items(args, linker)?;
    let var = |name: &str| {
        env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    };
    let mut call = Call::new(cwd, linker, world);
    call.settings(&items, var("LDEMULATION"), ld_exe)?;
    call.open(&items)?;
    call.output()?;
    if linker == Linker::Bfd {
        call.follow_needed(var("LD_RUN_PATH"), var("LD_LIBRARY_PATH"), ld_exe)?;
    }
    call.load_plugins(var("LD_LIBRARY_PATH"))?;
    call.finish()
}

/// The options of a call of this linker.
fn items(args: &[OsString], linker: Linker) -> Result<Vec<Item>, Reason> {
    let items = args::parse(args, linker)?;
    for item in &items {
        if let Item::Option { name, effect, value } = item
            && !linker.shares(name, *effect, value)
        {
            return Err(Reason::new(ReasonKind::UnmodelledOption, format!("{name}, of another linker")));
        }
    }
    Ok(items)
}

/// Whether anything is to be linked; without it the linker only answers questions.
pub(crate) fn has_inputs(args: &[OsString]) -> Result<bool, Reason> {
    let is_input = |item: &Item| {
        matches!(
            item,
            Item::File(_) | Item::Option { effect: Effect::Library | Effect::Script | Effect::DefaultScript, .. }
        )
    };
    Ok(args::parse(args, Linker::Bfd)?.iter().any(is_input))
}

/// The linker's words that are not names of files: what audits are counted by.
pub(crate) fn shape(args: &[OsString]) -> Vec<OsString> {
    let Ok(items) = args::parse(args, Linker::Bfd) else { return Vec::new() };
    let mut words: Vec<OsString> = Vec::new();
    for item in items {
        let Item::Option { name, effect, value } = item else { continue };
        words.push(name.into());
        if matches!(effect, Effect::Pure | Effect::BuildId | Effect::Emulation | Effect::Format) {
            words.push(value);
        }
    }
    words.dedup();
    words
}

struct Call<'a> {
    cwd: &'a Path,
    world: &'a dyn World,
    link: Link<'a>,
    run_paths: RunPaths,
    plugins: Vec<PathBuf>,
    dirs: BTreeSet<PathBuf>,
    /// What the plugins are and load.
    loaded: BTreeSet<Input>,
    outputs: Vec<OutputSpec>,
    /// The script for the linker's own.
    default_script: Option<OsString>,
    /// The output's name, if the command line gives one.
    output: Option<OsString>,
    /// The map's name is made of the output's.
    named_map: bool,
    relocatable: bool,
}

impl<'a> Call<'a> {
    fn new(cwd: &'a Path, linker: Linker, world: &'a dyn World) -> Self {
        Self {
            cwd,
            world,
            link: Link::new(world, cwd, linker),
            run_paths: RunPaths::default(),
            plugins: Vec::new(),
            dirs: BTreeSet::new(),
            loaded: BTreeSet::new(),
            outputs: Vec::new(),
            default_script: None,
            output: None,
            named_map: false,
            relocatable: false,
        }
    }

    /// Options that count for the whole link, wherever they stand.
    fn settings(&mut self, items: &[Item], emulation: Option<&OsStr>, ld_exe: &Path) -> Result<(), Reason> {
        let options = || {
            items.iter().filter_map(|item| match item {
                Item::Option { name, effect, value } => Some((*name, *effect, value.as_os_str())),
                Item::File(_) => None,
            })
        };
        let last = |wanted: Effect| options().rfind(|(_, effect, _)| *effect == wanted).map(|(_, _, value)| value);
        let emulation = last(Effect::Emulation).or(emulation);
        if let Some(name) = emulation.filter(|name| !is_elf(name)) {
            return Err(Reason::new(ReasonKind::UnmodelledOption, format!("target {}", name.display())));
        }
        self.link.machine = emulation.and_then(search::machine_of_emulation);
        let built_in = self.link.linker.built_in(ld_exe, emulation, self.world)?;
        self.link.sysroot = last(Effect::Sysroot).map_or(built_in.sysroot, |dir| self.cwd.join(dir));
        for (name, effect, value) in options() {
            match effect {
                Effect::Probe(kind) => return Err(Reason::new(kind, name)),
                Effect::Unmodelled(why) => {
                    return Err(Reason::new(ReasonKind::UnmodelledOption, format!("{name}: {why}")));
                }
                Effect::BuildId if value == "uuid" => {
                    return Err(Reason::new(ReasonKind::UnmodelledOption, "build-id=uuid: drawn by lot"));
                }
                Effect::LibraryDir => self.link.dirs.push(self.link.path(value)),
                Effect::NoDefaultDirs => self.link.only_given_dirs = true,
                Effect::Script => self.link.script_dirs(value)?,
                Effect::Relocatable => self.relocatable = true,
                Effect::RunPath => self.run_paths.run.extend(RunPaths::split(value)),
                Effect::RunPathLink => self.run_paths.link.extend(RunPaths::split(value)),
                Effect::Plugin => self.plugin(value)?,
                Effect::OutputFormat => format::target(value)?,
                _ => {}
            }
        }
        self.default_script = last(Effect::DefaultScript).filter(|_| !self.link.scripted).map(OsStr::to_owned);
        if let Some(name) = &self.default_script {
            self.link.script_dirs(name)?;
        }
        if !self.link.scripted {
            built_in.dirs.iter().for_each(|dir| self.link.search_dir(dir.as_os_str()));
        }
        self.output = last(Effect::Output).map(OsStr::to_owned);
        let mut maps = options().filter(|(_, effect, _)| matches!(effect, Effect::Map | Effect::PrintMap));
        if let Some((_, Effect::Map, name)) = maps.next_back()
            && name != "-"
        {
            self.map(name)?;
        }
        if let Some(name) = last(Effect::DependencyFile) {
            self.outputs.push(output::by_stdio("deps", &self.cwd.join(name), Holds::Text, self.world)?);
        }
        if let Some(name) = last(Effect::ImportLibrary) {
            self.outputs.push(output::by_bfd("implib", &self.cwd.join(name), Holds::Binary, self.world)?);
        }
        Ok(())
    }

    /// What others than the compiler's plugin do to files is not known.
    fn plugin(&mut self, name: &OsStr) -> Result<(), Reason> {
        let path = self.cwd.join(name);
        if path.file_name() != Some(OsStr::new("liblto_plugin.so")) {
            return Err(Reason::new(ReasonKind::UnmodelledOption, format!("plugin {}", name.display())));
        }
        self.plugins.push(path);
        Ok(())
    }

    /// A map's name may be made of the output's: that is its directory, or a `%` stands for it.
    fn map(&mut self, value: &OsStr) -> Result<(), Reason> {
        let output = self.output.as_deref().unwrap_or(OsStr::new("a.out"));
        let bytes = value.as_bytes();
        let mut name = value.to_owned();
        if let Some(percent) = bytes.iter().position(|byte| *byte == b'%') {
            let rest = &bytes[percent + 1..];
            if rest.contains(&b'%') {
                return Err(Reason::new(ReasonKind::Usage, "Map: more than one %"));
            }
            let rest = if rest.is_empty() { b".map" } else { rest };
            name = [&bytes[..percent], output.as_bytes(), rest].iter().map(|part| OsStr::from_bytes(part)).collect();
            self.named_map = true;
        } else {
            let path = self.cwd.join(value);
            let stat = self.world.stat_output(&path).map_err(|error| Reason::io(&path, &error))?;
            if stat.is_some_and(|stat| stat.kind == FileKind::Dir) {
                let base = output.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                name = Path::new(value).join(OsStr::from_bytes(base)).into_os_string();
                name.push(".map");
                self.named_map = true;
            }
        }
        self.outputs.push(output::by_stdio("map", &self.cwd.join(name), Holds::Text, self.world)?);
        Ok(())
    }

    /// The output itself, which a script of the command line may name.
    fn output(&mut self) -> Result<(), Reason> {
        let by_script = self.link.output.take();
        if by_script.is_some() && self.output.is_none() && self.named_map {
            return Err(Reason::new(ReasonKind::UnmodelledOption, "Map: named after an output that a script names"));
        }
        let path = self.cwd.join(self.output.take().or(by_script).unwrap_or("a.out".into()));
        if output::is_link(&path, self.world)? {
            // Where it leads to an input the linker refuses it.
            return Err(Reason::new(ReasonKind::OutputKind, format!("{} is a symbolic link", path.display())));
        }
        self.outputs.insert(0, output::by_bfd("out", &path, Holds::Binary, self.world)?);
        Ok(())
    }

    /// Files and the options that count from where they stand.
    fn open(&mut self, items: &[Item]) -> Result<(), Reason> {
        let mut state = State { dynamic: true, opaque: false, early: false };
        let mut kept = Vec::new();
        for item in items {
            let (effect, value) = match item {
                Item::File(name) => {
                    self.link.file(name, state)?;
                    continue;
                }
                Item::Option { effect, value, .. } => (*effect, value.as_os_str()),
            };
            match effect {
                Effect::Library => self.link.library(value, state)?,
                Effect::Dynamic(dynamic) => state.dynamic = dynamic,
                Effect::Relocatable => state.dynamic = false,
                Effect::Format => state.opaque = value == "binary",
                Effect::PushState => kept.push(state),
                Effect::PopState => state = kept.pop().unwrap_or(state),
                Effect::Script => self.link.script(value, state)?,
                Effect::ListFile => {
                    self.link.command_file(value)?;
                }
                Effect::Reads => self.read(value)?,
                Effect::JustSymbols => self.just_symbols(value, state)?,
                _ => {}
            }
        }
        if let Some(name) = self.default_script.take() {
            self.link.script(&name, state)?;
        }
        Ok(())
    }

    fn read(&mut self, name: &OsStr) -> Result<(), Reason> {
        let path = self.cwd.join(name);
        match self.world.stat(&path) {
            Ok(Some(stat)) if stat.kind == FileKind::File => {
                self.link.files.insert(path);
                Ok(())
            }
            Ok(_) => Err(Reason::new(ReasonKind::Input, format!("{} not found", path.display()))),
            Err(error) => Err(Reason::io(&path, &error)),
        }
    }

    fn just_symbols(&mut self, name: &OsStr, state: State) -> Result<(), Reason> {
        let path = self.cwd.join(name);
        let stat = self.world.stat(&path).map_err(|error| Reason::io(&path, &error))?;
        if stat.is_some_and(|stat| stat.kind == FileKind::Dir) {
            self.run_paths.run.extend(RunPaths::split(name));
            self.dirs.insert(path);
            return Ok(());
        }
        self.link.file(name, state)
    }

    fn follow_needed(
        &mut self,
        run_path: Option<&OsStr>,
        library_path: Option<&OsStr>,
        ld_exe: &Path,
    ) -> Result<(), Reason> {
        if self.relocatable || self.link.loaded.is_empty() {
            return Ok(());
        }
        let split = |list: Option<&OsStr>| list.map_or_else(Vec::new, RunPaths::split);
        self.run_paths.environment = split(run_path);
        self.run_paths.library_path = split(library_path);
        if let Some(conf) = needed::follow(&mut self.link, &self.run_paths, ld_exe)? {
            self.link.files.extend(conf.files);
            self.dirs.extend(conf.listed);
        }
        Ok(())
    }

    fn load_plugins(&mut self, library_path: Option<&OsStr>) -> Result<(), Reason> {
        for plugin in &self.plugins {
            for input in closure::with_library_path(plugin, library_path, self.world)? {
                self.loaded.insert(input);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Footprint, Reason> {
        if let Some(clash) = self.outputs.iter().find(|output| self.link.files.contains(&output.path)) {
            return Err(Reason::new(ReasonKind::Usage, format!("{} is an input and an output", clash.path.display())));
        }
        let mut inputs: BTreeSet<Input> = self.loaded;
        inputs.extend(self.link.files.into_iter().map(Input::File));
        inputs.extend(self.dirs.into_iter().map(Input::Dir));
        inputs.extend(
            self.outputs.iter().filter_map(|output| output.path.parent()).map(|dir| Input::Dir(dir.to_owned())),
        );
        Ok(Footprint {
            inputs: inputs.into_iter().collect(),
            outputs: self.outputs,
            intermediate: self.link.intermediate,
            plugin: !self.plugins.is_empty(),
        })
    }
}

/// Whether a file, or a member of an archive, holds code that a compiler's plugin would claim.
pub(crate) fn holds_lto(bytes: &[u8]) -> bool {
    elf::facts(bytes).lto
}

/// Whether a target's objects are ELF; those of Windows hold the time of their making.
fn is_elf(emulation: &OsStr) -> bool {
    let name = emulation.as_bytes();
    [&b"elf"[..], b"aarch64", b"armelf"].iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests;
