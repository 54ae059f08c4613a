//! One link: opens what the linker would open, in its order, and notes every file.
//!
//! Knows no option; `ld.rs` feeds it. Where it cannot be sure which of several files the linker takes it notes all of them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::binutils::format;
use crate::derive::{derive, key_of};
use crate::ld::conf::rooted;
use crate::ld::elf::{self, Content, Facts, Machine, Shared};
use crate::ld::linker::Linker;
use crate::ld::script::{self, Command};
use crate::ld::search::machine_of_format;
use crate::verdict::{Holds, Reason, ReasonKind};
use crate::world::{FileKind, World};

const MAX_DEPTH: usize = 32;

/// What options before a file say of how it is opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct State {
    /// `-l` may find shared libraries.
    pub dynamic: bool,
    /// The format is given: the file is never a script.
    pub opaque: bool,
    /// A script is read as the command line is, before the output is opened.
    pub early: bool,
}

/// A shared object that takes part in the link.
pub(crate) struct Loaded {
    /// Where it was found.
    pub path: PathBuf,
    /// What it says of itself.
    pub shared: Shared,
}

/// The link in the making.
pub(crate) struct Link<'a> {
    /// The file system.
    pub world: &'a dyn World,
    /// Where relative names begin.
    pub cwd: &'a Path,
    /// Who links.
    pub linker: Linker,
    /// The system root, mostly empty.
    pub sysroot: PathBuf,
    /// Where libraries are searched: `-L` and `SEARCH_DIR` of the command line's scripts as they stand there, then the linker's own,
    /// then `SEARCH_DIR` of inputs.
    pub dirs: Vec<PathBuf>,
    /// Those of them that are not by `-L`.
    pub default_dirs: Vec<PathBuf>,
    /// `-nostdlib`: from here on there are none of these.
    pub only_given_dirs: bool,
    /// A script stands for the linker's own, with its directories.
    pub scripted: bool,
    /// Objects of other machines are passed over.
    pub machine: Option<Machine>,
    /// A file with a compiler's intermediate code, which a plugin would claim.
    pub intermediate: Option<PathBuf>,
    /// All files opened.
    pub files: BTreeSet<PathBuf>,
    /// The shared objects among them.
    pub loaded: Vec<Loaded>,
    /// The output that a script names.
    pub output: Option<OsString>,
    done: BTreeSet<(PathBuf, State)>,
    mentioned: BTreeSet<OsString>,
}

impl<'a> Link<'a> {
    /// A link of nothing yet.
    pub(crate) fn new(world: &'a dyn World, cwd: &'a Path, linker: Linker) -> Self {
        Self {
            world,
            cwd,
            linker,
            sysroot: PathBuf::new(),
            dirs: Vec::new(),
            default_dirs: Vec::new(),
            only_given_dirs: false,
            scripted: false,
            machine: None,
            intermediate: None,
            files: BTreeSet::new(),
            loaded: Vec::new(),
            output: None,
            done: BTreeSet::new(),
            mentioned: BTreeSet::new(),
        }
    }

    /// A directory or file name as given, made absolute; a leading `=` or `$SYSROOT` stands for the system root.
    pub(crate) fn path(&self, name: &OsStr) -> PathBuf {
        let bytes = name.as_bytes();
        match bytes.strip_prefix(b"=").or_else(|| bytes.strip_prefix(b"$SYSROOT")) {
            Some(rest) => rooted(&self.sysroot, &self.cwd.join(OsStr::from_bytes(rest))),
            None => self.cwd.join(name),
        }
    }

    /// A file named on the command line.
    pub(crate) fn file(&mut self, name: &OsStr, state: State) -> Result<(), Reason> {
        self.world.purpose(&|| format!("{}, an input of the link", name.display()));
        let path = self.path(name);
        if !self.exists(&path)? {
            return Err(missing(name));
        }
        self.open(&path, state, 0).map(|_| ())
    }

    /// `-lNAME`.
    pub(crate) fn library(&mut self, name: &OsStr, state: State) -> Result<(), Reason> {
        self.library_near(name, None, state, 0)
    }

    fn library_near(&mut self, name: &OsStr, near: Option<&Path>, state: State, depth: usize) -> Result<(), Reason> {
        let named = |suffixes: &[&str]| -> Vec<OsString> {
            match name.as_bytes().strip_prefix(b":") {
                Some(exact) => vec![OsStr::from_bytes(exact).to_owned()],
                None => suffixes.iter().map(|end| ["lib".as_ref(), name, end.as_ref()].into_iter().collect()).collect(),
            }
        };
        self.world.purpose(&|| format!("-l{}", name.display()));
        let mut found = false;
        // Where linkers differ in what `-static` and its like are about, what is found with and without is noted.
        let ways: &[&[&str]] = match (self.linker, state.dynamic) {
            (Linker::Bfd, true) => &[&[".so", ".a"]],
            (Linker::Bfd, false) => &[&[".a"]],
            (Linker::Gold | Linker::Lld, _) => &[&[".so", ".a"], &[".a"]],
        };
        for suffixes in ways {
            let names = named(suffixes);
            // The linker of some versions looks beside the script first: note what is there, go on.
            if let Some(near) = near {
                for name in &names {
                    found |= self.try_open(&near.join(name), state, depth)?;
                }
            }
            found |= self.search(&names, state, depth)?;
        }
        if found { Ok(()) } else { Err(missing(&[OsStr::new("-l"), name].into_iter().collect::<OsString>())) }
    }

    /// Opens the first of these names on the search path; false if there is none.
    fn search(&mut self, names: &[OsString], state: State, depth: usize) -> Result<bool, Reason> {
        for dir in self.dirs.clone() {
            for name in names {
                if self.try_open(&dir.join(name), state, depth)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A directory that no `-L` gives, at the end of the search path.
    pub(crate) fn search_dir(&mut self, dir: &OsStr) {
        if !self.only_given_dirs {
            let dir = self.path(dir);
            self.dirs.push(dir.clone());
            self.default_dirs.push(dir);
        }
    }

    /// What a script given by an option is to the search path: libraries before it are found there too.
    pub(crate) fn script_dirs(&mut self, name: &OsStr) -> Result<(), Reason> {
        self.dirs_of(name, self.scripted, 0)
    }

    fn dirs_of(&mut self, name: &OsStr, scripted: bool, depth: usize) -> Result<(), Reason> {
        let path = self.command_file(name)?;
        self.scripted = true;
        for command in script::commands(&self.text(&path, depth)?) {
            match command {
                Command::SearchDir(dir) => self.search_dir(&dir),
                Command::Include { name, .. } => self.dirs_of(&name, scripted, depth + 1)?,
                Command::Insert => self.scripted = scripted,
                _ => {}
            }
        }
        Ok(())
    }

    /// A script given by an option; its files count from here on.
    pub(crate) fn script(&mut self, name: &OsStr, state: State) -> Result<(), Reason> {
        let path = self.command_file(name)?;
        self.run_script(&path, false, State { early: true, ..state }, 0)
    }

    /// A file in the linker's command language that names no other files.
    pub(crate) fn command_file(&mut self, name: &OsStr) -> Result<PathBuf, Reason> {
        self.world.purpose(&|| format!("{}, a script or list of the linker", name.display()));
        let candidates: Vec<PathBuf> =
            std::iter::once(self.path(name)).chain(self.dirs.iter().map(|dir| dir.join(name))).collect();
        for path in candidates {
            if self.exists(&path)? {
                self.files.insert(path.clone());
                return Ok(path);
            }
        }
        Err(missing(name))
    }

    fn text(&self, path: &Path, depth: usize) -> Result<Arc<[u8]>, Reason> {
        if depth > MAX_DEPTH {
            return Err(Reason::new(ReasonKind::Footprint, format!("{}: scripts include each other", path.display())));
        }
        self.world.read(path).map_err(|error| Reason::io(path, &error))
    }

    fn run_script(&mut self, path: &Path, inside: bool, state: State, depth: usize) -> Result<(), Reason> {
        let text = self.text(path, depth)?;
        let near = path.parent().unwrap_or(Path::new("/")).to_owned();
        let in_sysroot = !self.sysroot.as_os_str().is_empty() && path.starts_with(&self.sysroot);
        for command in script::commands_at(&text, inside) {
            match command {
                Command::Input(name) => self.script_input(&name, &near, in_sysroot, state, depth)?,
                Command::Include { name, inside: deeper } => {
                    let path = self.command_file(&name)?;
                    self.run_script(&path, inside || deeper, state, depth + 1)?;
                }
                // Those of the command line's have theirs already.
                Command::SearchDir(_) if state.early => {}
                Command::SearchDir(dir) => self.search_dir(&dir),
                Command::Mention(name) => self.mention(&name, state, depth)?,
                Command::OutputFormat(name) => format::target(&name)?,
                Command::Output(name) if state.early => self.output = Some(name),
                Command::Output(_) if self.linker != Linker::Bfd => {
                    let what = format!("OUTPUT in {}, by another linker", path.display());
                    return Err(Reason::new(ReasonKind::UnmodelledOption, what));
                }
                Command::Output(_) => {}
                Command::Target(name) if name == "binary" => {
                    let what = format!("TARGET(binary) in {}", path.display());
                    return Err(Reason::new(ReasonKind::UnmodelledOption, what));
                }
                Command::Target(_) | Command::Insert => {}
            }
        }
        Ok(())
    }

    /// A word that may name a file: if one is there, it takes part.
    fn mention(&mut self, name: &OsStr, state: State, depth: usize) -> Result<(), Reason> {
        if !self.mentioned.insert(name.to_owned()) || self.try_open(&self.path(name), state, depth + 1)? {
            return Ok(());
        }
        self.search(&[name.to_owned()], state, depth + 1).map(drop)
    }

    fn script_input(
        &mut self,
        name: &OsStr,
        near: &Path,
        in_sysroot: bool,
        state: State,
        depth: usize,
    ) -> Result<(), Reason> {
        if let Some(library) = name.as_bytes().strip_prefix(b"-l") {
            return self.library_near(OsStr::from_bytes(library), Some(near), state, depth + 1);
        }
        self.world.purpose(&|| format!("{}, named in {}", name.display(), near.display()));
        let as_given = self.path(name);
        // Linkers differ in which of these they try first: what is there is noted, each of them.
        let first = if !name.as_bytes().starts_with(b"/") {
            vec![near.join(name), as_given]
        } else if in_sysroot {
            vec![rooted(&self.sysroot, Path::new(name)), as_given]
        } else {
            vec![as_given]
        };
        let mut found = false;
        for path in first {
            found |= self.try_open(&path, state, depth + 1)?;
        }
        // gold does not look where it was called.
        if (!found || self.linker != Linker::Bfd) && !name.as_bytes().starts_with(b"/") {
            found |= self.search(&[name.to_owned()], state, depth + 1)?;
        }
        if found { Ok(()) } else { Err(missing(name)) }
    }

    /// Opens a file that a search came upon; false if it is not there or of another machine.
    fn try_open(&mut self, path: &Path, state: State, depth: usize) -> Result<bool, Reason> {
        if !self.exists(path)? {
            return Ok(false);
        }
        self.open(path, state, depth)
    }

    fn open(&mut self, path: &Path, state: State, depth: usize) -> Result<bool, Reason> {
        if let Some(Holds::Object | Holds::Archive) =
            self.world.promised(path).map_err(|error| Reason::io(path, &error))?
        {
            // Its machine is that of this build's compiler: one that is not is an error wherever it was asked for.
            self.files.insert(path.to_owned());
            return Ok(true);
        }
        let facts = self.facts(path)?;
        self.files.insert(path.to_owned());
        if !self.fits(path, &facts.content)? {
            return Ok(false);
        }
        if !self.done.insert((path.to_owned(), state)) {
            return Ok(true);
        }
        if facts.lto {
            self.intermediate.get_or_insert_with(|| path.to_owned());
        }
        match facts.content {
            Content::Shared(shared) => self.loaded.push(Loaded { path: path.to_owned(), shared }),
            Content::Thin(None) => {
                let what = format!("{}: an archive of another kind", path.display());
                return Err(Reason::new(ReasonKind::Footprint, what));
            }
            Content::Thin(Some(members)) => {
                let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
                for member in members {
                    let member = dir.join(member);
                    if depth > MAX_DEPTH || !self.exists(&member)? {
                        return Err(missing(member.as_os_str()));
                    }
                    self.open(&member, State { opaque: true, ..state }, depth + 1)?;
                }
            }
            Content::Text if !state.opaque => {
                self.run_script(path, false, State { early: false, ..state }, depth + 1)?
            }
            Content::Object(machine) => {
                self.machine.get_or_insert(machine);
            }
            Content::Archive(_) | Content::Text | Content::Other => {}
        }
        Ok(true)
    }

    fn fits(&self, path: &Path, content: &Content) -> Result<bool, Reason> {
        let Some(machine) = self.machine else { return Ok(true) };
        Ok(match content {
            Content::Object(other) | Content::Archive(Some(other)) => *other == machine,
            Content::Shared(shared) => shared.machine == machine,
            Content::Text => {
                let text = self.world.read(path).map_err(|error| Reason::io(path, &error))?;
                script::commands(&text).iter().all(|command| match command {
                    Command::OutputFormat(name) => machine_of_format(name).is_none_or(|other| other == machine),
                    _ => true,
                })
            }
            _ => true,
        })
    }

    /// A shared object that another one needs; not there, or of another machine: `None`.
    pub(crate) fn needed(&mut self, path: &Path) -> Result<Option<Shared>, Reason> {
        if !self.exists(path)? {
            return Ok(None);
        }
        let facts = self.facts(path)?;
        self.files.insert(path.to_owned());
        match facts.content {
            Content::Shared(shared) if self.machine.is_none_or(|machine| machine == shared.machine) => Ok(Some(shared)),
            _ => Ok(None),
        }
    }

    fn exists(&self, path: &Path) -> Result<bool, Reason> {
        let stat = self.world.stat(path).map_err(|error| Reason::io(path, &error))?;
        match stat.map(|stat| stat.kind) {
            Some(FileKind::Dir) if self.linker != Linker::Bfd => {
                // Others do not pass over it.
                Err(Reason::new(ReasonKind::Input, format!("{} is a directory", path.display())))
            }
            Some(FileKind::Other) => {
                Err(Reason::new(ReasonKind::Input, format!("{} is not a regular file", path.display())))
            }
            kind => Ok(kind == Some(FileKind::File)),
        }
    }

    fn facts(&self, path: &Path) -> Result<Facts, Reason> {
        let look = |world: &dyn World| {
            world.read(path).map(|bytes| elf::facts(&bytes)).map_err(|error| Reason::io(path, &error))
        };
        // Objects are cheap to look at, and new ones come all the time: only libraries are worth keeping.
        if path.extension() == Some(OsStr::new("o")) {
            return look(self.world);
        }
        derive(self.world, &format!("ld facts 2\0{}", key_of(path)), look)
    }
}

fn missing(name: &OsStr) -> Reason {
    Reason::new(ReasonKind::Input, format!("{} not found", name.display()))
}
