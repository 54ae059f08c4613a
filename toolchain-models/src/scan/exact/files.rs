//! The files of one preprocessor run: how an include's name leads to one, and which names lead to the same.
//!
//! Follows cpplib's own bookkeeping, since what it takes for one file and what for two shows in depfiles. Knows nothing of
//! what the files say.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::symbol::{Symbol, Symbols};
use super::unsure::{Stop, Unsure};
use crate::scan::Chain;
use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, Stat, World};

/// So many symbolic links may a path lead over.
const LINKS: u32 = 40;

/// A file, or a name that leads nowhere.
pub(crate) struct File {
    /// As the preprocessor spells it; the plain name if there is no file.
    pub(crate) path: Vec<u8>,
    /// None if there is no file.
    pub(crate) stat: Option<Stat>,
    /// Where it was found.
    pub(crate) place: Place,
    /// Found in a directory of system headers.
    pub(crate) system: bool,
    pub(crate) once: bool,
    /// How often it was entered.
    pub(crate) entered: u32,
    /// The directory in which its own includes are looked for first.
    beside: Option<u32>,
}

impl File {
    /// Whether both are one file, by whatever names.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let id = |file: &Self| file.stat.map(|stat| (stat.dev, stat.ino));
        id(self).is_some() && id(self) == id(other)
    }
}

/// Where a search begins, or where it found something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// The name is the path.
    Nowhere,
    /// Beside a file, by the number of its directory; the path's start follows.
    Beside(u32),
    /// A directory of the path.
    Chain(usize),
}

impl Place {
    fn key(self) -> u32 {
        match self {
            Self::Nowhere => u32::MAX,
            Self::Beside(number) => 1 << 31 | number,
            Self::Chain(index) => u32::try_from(index).unwrap_or(u32::MAX >> 2),
        }
    }
}

/// The number of a file.
pub(crate) type Number = usize;

pub(crate) struct Files<'a> {
    world: &'a dyn World,
    cwd: &'a Path,
    chain: &'a Chain,
    symbols: &'a Symbols,
    pub(crate) all: Vec<File>,
    known: FxHashMap<(Symbol, u32), Number>,
    /// Directories beside files: their names, with a slash, and whether they are the system's.
    dirs: Vec<(Vec<u8>, bool)>,
    by_name: FxHashMap<Vec<u8>, u32>,
    /// Directories without symbolic links in their paths.
    real: FxHashMap<Vec<u8>, Option<PathBuf>>,
    buffer: Vec<u8>,
    /// Whether a precompiled form would still be taken.
    pub(crate) precompiled: bool,
    /// Whether system headers go by their shortest names.
    pub(crate) canonical: bool,
}

impl<'a> Files<'a> {
    pub(crate) fn new(world: &'a dyn World, cwd: &'a Path, chain: &'a Chain, symbols: &'a Symbols) -> Self {
        Self {
            world,
            cwd,
            chain,
            symbols,
            all: Vec::new(),
            known: FxHashMap::default(),
            dirs: Vec::new(),
            by_name: FxHashMap::default(),
            real: FxHashMap::default(),
            buffer: Vec::new(),
            precompiled: true,
            canonical: true,
        }
    }

    /// A directory by its name: the first who asks for it says whether it is the system's.
    pub(crate) fn dir(&mut self, name: &[u8], system: bool) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = u32::try_from(self.dirs.len()).unwrap_or(u32::MAX >> 2);
        self.dirs.push((name.to_vec(), system));
        self.by_name.insert(name.to_vec(), number);
        number
    }

    /// The place beside a file, which is read as a system header or not.
    pub(crate) fn beside(&mut self, file: Number, system: bool) -> Place {
        if let Some(number) = self.all[file].beside {
            return Place::Beside(number);
        }
        let path = &self.all[file].path;
        let name = path[..path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)].to_vec();
        let number = self.dir(&name, system);
        self.all[file].beside = Some(number);
        Place::Beside(number)
    }

    /// What a name leads to from a place on; the same for the same name from the same place.
    pub(crate) fn find(&mut self, name: Symbol, start: Place) -> Result<Number, Stop> {
        if let Some(known) = self.known.get(&(name, start.key())) {
            return Ok(*known);
        }
        let text = self.symbols.text(name);
        let mut place = start;
        let mut heads: Vec<u32> = Vec::new();
        let number = loop {
            if let Some(file) = self.look(&text, place)? {
                self.all.push(file);
                break self.all.len() - 1;
            }
            place = match place {
                Place::Nowhere => Place::Chain(usize::MAX),
                Place::Beside(_) => Place::Chain(0),
                Place::Chain(index) => Place::Chain(index + 1),
            };
            let Place::Chain(index) = place else { continue };
            if index >= self.chain.dirs.len() {
                let file = File {
                    path: text.to_vec(),
                    stat: None,
                    place: start,
                    system: false,
                    once: false,
                    entered: 0,
                    beside: None,
                };
                self.all.push(file);
                break self.all.len() - 1;
            }
            if index == 0 || index == self.chain.bracket {
                if let Some(known) = self.known.get(&(name, place.key())) {
                    break *known;
                }
                heads.push(place.key());
            }
        };
        for key in heads.into_iter().chain([start.key()]) {
            self.known.insert((name, key), number);
        }
        Ok(number)
    }

    fn look(&mut self, name: &[u8], place: Place) -> Result<Option<File>, Stop> {
        let (dir, system) = match place {
            Place::Nowhere => (&b""[..], false),
            Place::Beside(number) => {
                let (name, system) = &self.dirs[number as usize];
                (name.as_slice(), *system)
            }
            Place::Chain(index) => {
                let Some(dir) = self.chain.dirs.get(index) else { return Ok(None) };
                (dir.as_os_str().as_bytes(), index >= self.chain.system)
            }
        };
        // Of most places nothing is kept: they are asked for in one buffer.
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let is_absolute = if dir.is_empty() { name.starts_with(b"/") } else { dir.starts_with(b"/") };
        if !is_absolute {
            buffer.extend_from_slice(self.cwd.as_os_str().as_bytes());
            if buffer.last().is_some_and(|byte| *byte != b'/') {
                buffer.push(b'/');
            }
        }
        let start = buffer.len();
        buffer.extend_from_slice(dir);
        if !dir.is_empty() && !dir.ends_with(b"/") {
            buffer.push(b'/');
        }
        buffer.extend_from_slice(name);
        let found = self.stat(Path::new(OsStr::from_bytes(&buffer)));
        let kept = (self.precompiled || !matches!(found, Ok(None))).then(|| buffer[start..].to_vec());
        self.buffer = buffer;
        let (mut found, Some(mut path)) = (found?, kept) else { return Ok(None) };
        if self.precompiled {
            let mut precompiled = self.cwd.join(OsStr::from_bytes(&path)).into_os_string();
            precompiled.push(".gch");
            if self.stat(Path::new(&precompiled))?.is_some() {
                return Err(Unsure::Precompiled.into());
            }
        }
        if system && self.canonical && found.is_some() {
            let absolute = self.cwd.join(OsStr::from_bytes(&path));
            let shorter = self.real(&absolute)?.map(PathBuf::into_os_string).map(OsString::into_vec);
            if let Some(shorter) = shorter.filter(|real| real.len() < path.len()) {
                path = shorter;
                found = self.stat(Path::new(OsStr::from_bytes(&path)))?;
            }
        }
        match found {
            Some(stat) if stat.kind == FileKind::File => {
                Ok(Some(File { path, stat: Some(stat), place, system, once: false, entered: 0, beside: None }))
            }
            Some(stat) if stat.kind == FileKind::Other => {
                let absolute = self.cwd.join(OsStr::from_bytes(&path));
                Err(Reason::new(ReasonKind::Input, format!("{}: not a regular file", absolute.display())).into())
            }
            _ => Ok(None),
        }
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>, Reason> {
        self.world.stat(path).map_err(|error| Reason::io(path, &error))
    }

    /// The path without symbolic links and dots.
    fn real(&mut self, path: &Path) -> Result<Option<PathBuf>, Reason> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let dir = match self.real.get(dir.as_os_str().as_bytes()) {
            Some(known) => known.clone(),
            None => {
                let real = self.resolve(PathBuf::from("/"), dir, &mut 0)?;
                self.real.insert(dir.as_os_str().as_bytes().to_vec(), real.clone());
                real
            }
        };
        match dir {
            Some(dir) => self.resolve(dir, Path::new(name), &mut 0),
            None => Ok(None),
        }
    }

    /// Whether two names of one file are so by themselves, and not by what leads there.
    pub(crate) fn are_links(&mut self, one: Number, other: Number) -> Result<bool, Reason> {
        let [one, other] = [self.absolute(one), self.absolute(other)];
        Ok(self.real(&one)? != self.real(&other)?)
    }

    fn resolve(&self, from: PathBuf, path: &Path, links: &mut u32) -> Result<Option<PathBuf>, Reason> {
        let mut real = from;
        for component in path.components() {
            match component {
                Component::RootDir => real = PathBuf::from("/"),
                Component::ParentDir => {
                    real.pop();
                }
                Component::Normal(name) => {
                    let here = real.join(name);
                    let Some(stat) = self.world.lstat(&here).map_err(|error| Reason::io(&here, &error))? else {
                        return Ok(None);
                    };
                    if stat.kind == FileKind::Symlink {
                        *links += 1;
                        if *links > LINKS {
                            return Ok(None);
                        }
                        let target = self.world.read_link(&here).map_err(|error| Reason::io(&here, &error))?;
                        let Some(resolved) = self.resolve(real, &target, links)? else { return Ok(None) };
                        real = resolved;
                    } else {
                        real = here;
                    }
                }
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Ok(Some(real))
    }

    /// The bytes of a file.
    pub(crate) fn read(&self, file: Number) -> Result<Arc<[u8]>, Reason> {
        let path = self.absolute(file);
        self.world.read(&path).map_err(|error| Reason::io(&path, &error))
    }

    pub(crate) fn absolute(&self, file: Number) -> PathBuf {
        self.cwd.join(OsStr::from_bytes(&self.all[file].path))
    }
}
