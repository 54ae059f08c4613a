//! What an executable needs to start: its loader and the shared libraries that the loader finds, in the loader's order.
//!
//! Knows nothing of what the executable does, nor of what it loads later by `dlopen`.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::derive::{derive, key_of};
use crate::verdict::{Input, Reason, ReasonKind};
use crate::world::{FileKind, World};

mod object;

use object::Object;

/// Where, before version 2.37, glibc's loader looks below a directory.
const LEGACY_VARIANTS: &[&str] =
    &["aarch64", "atomics", "avx512_1", "haswell", "i386", "i486", "i586", "i686", "sse2", "tls", "x86_64", "xeon_phi"];

const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// The executable, its loader and its libraries, for a caller with this `LD_LIBRARY_PATH`. `exe` may also be a shared object that is loaded later.
pub(crate) fn with_library_path(
    exe: &Path,
    library_path: Option<&OsStr>,
    world: &dyn World,
) -> Result<Vec<Input>, Reason> {
    world.purpose(&|| format!("{} and what it loads", exe.display()));
    let key = format!("closure 3\0{}\0{:?}", key_of(exe), library_path);
    let paths: Vec<PathBuf> = derive(world, &key, |world| Search::new(world, library_path)?.all(exe))?;
    Ok(paths.into_iter().map(Input::File).collect())
}

struct Search<'a> {
    world: &'a dyn World,
    library_path: Vec<PathBuf>,
    cache: HashMap<Vec<u8>, Vec<Cached>>,
    needs_cache: bool,
}

/// A line of the loader's cache.
struct Cached {
    path: PathBuf,
    /// It is for certain processors.
    hwcap: bool,
}

impl<'a> Search<'a> {
    fn new(world: &'a dyn World, library_path: Option<&OsStr>) -> Result<Self, Reason> {
        let preload = Path::new("/etc/ld.so.preload");
        if world.stat(preload).map_err(|error| Reason::io(preload, &error))?.is_some_and(|stat| stat.size > 0) {
            return Err(Reason::new(ReasonKind::Environment, "/etc/ld.so.preload"));
        }
        let cache_path = Path::new(LOADER_CACHE);
        let cache = match world.stat(cache_path).map_err(|error| Reason::io(cache_path, &error))? {
            Some(_) => parse_cache(&world.read(cache_path).map_err(|error| Reason::io(cache_path, &error))?),
            None => HashMap::new(),
        };
        let library_path = library_path.unwrap_or_default().as_bytes();
        let entries = || library_path.split(|byte| matches!(byte, b':' | b';'));
        if !library_path.is_empty() && entries().any(|dir| !dir.starts_with(b"/")) {
            // Each process's own directory.
            return Err(Reason::new(ReasonKind::Environment, "LD_LIBRARY_PATH with a relative directory"));
        }
        let library_path =
            entries().filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(OsStr::from_bytes(dir))).collect();
        Ok(Self { world, library_path, cache, needs_cache: false })
    }

    fn all(mut self, exe: &Path) -> Result<Vec<PathBuf>, Reason> {
        let root = Object::read(exe, self.world)?
            .ok_or_else(|| Reason::new(ReasonKind::Footprint, format!("{}: not an ELF file", exe.display())))?;
        let mut found = BTreeSet::from([exe.to_owned()]);
        if let Some(loader) = &root.interpreter {
            found.insert(loader.clone());
        }
        let (class, root_rpath) = (root.class, if root.runpath.is_empty() { root.rpath.clone() } else { Vec::new() });
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut queue = VecDeque::from([root]);
        while let Some(object) = queue.pop_front() {
            for name in &object.needed {
                if !seen.insert(name.clone()) {
                    continue;
                }
                let libraries = self.find(name, &object, &root_rpath, class)?;
                if libraries.is_empty() {
                    return Err(Reason::new(
                        ReasonKind::Footprint,
                        format!("{}: no library {}", exe.display(), String::from_utf8_lossy(name)),
                    ));
                }
                for (path, library) in libraries {
                    found.insert(path);
                    queue.push_back(library);
                }
            }
        }
        if self.needs_cache {
            found.insert(PathBuf::from(LOADER_CACHE));
        }
        Ok(found.into_iter().collect())
    }

    /// The library of this name, or all among which the loader chooses by the processor.
    fn find(
        &mut self,
        name: &[u8],
        by: &Object,
        root_rpath: &[PathBuf],
        class: (bool, u16),
    ) -> Result<Vec<(PathBuf, Object)>, Reason> {
        let name_path = Path::new(OsStr::from_bytes(name));
        if name.contains(&b'/') {
            return Ok(self.usable(name_path, class)?.into_iter().collect());
        }
        let mut dirs: Vec<PathBuf> = Vec::new();
        if by.runpath.is_empty() {
            dirs.extend(by.rpath.iter().chain(root_rpath).cloned());
        }
        dirs.extend(self.library_path.iter().cloned());
        dirs.extend(by.runpath.iter().cloned());
        for dir in dirs {
            self.check_variants(&dir, name_path)?;
            if let Some(hit) = self.usable(&dir.join(name_path), class)? {
                return Ok(vec![hit]);
            }
        }
        let mut by_default = None;
        for dir in default_dirs(class) {
            by_default = self.usable(&Path::new(dir).join(name_path), class)?;
            if by_default.is_some() {
                break;
            }
        }
        let mut variants = Vec::new();
        for Cached { path, hwcap } in self.cache.get(name).into_iter().flatten() {
            let Some(hit) = self.usable(path, class)? else { continue };
            let same = match &by_default {
                Some((default, _)) => self.same_file(default, &hit.0)?,
                None => false,
            };
            if variants.is_empty() && same {
                return Ok(by_default.into_iter().collect());
            }
            variants.push(hit);
            if !hwcap {
                break;
            }
        }
        if !variants.is_empty() {
            self.needs_cache = true;
            return Ok(variants);
        }
        default_dirs(class).iter().try_for_each(|dir| self.check_variants(Path::new(dir), name_path))?;
        Ok(by_default.into_iter().collect())
    }

    /// Refuses a directory below which the loader may find the library for this processor first.
    fn check_variants(&self, dir: &Path, name: &Path) -> Result<(), Reason> {
        let stat = |path: &Path| self.world.stat(path).map_err(|error| Reason::io(path, &error));
        let refuse =
            |path: &Path| Err(Reason::new(ReasonKind::Environment, format!("libraries in {}", path.display())));
        for below in LEGACY_VARIANTS.iter().map(|below| dir.join(below)) {
            if stat(&below)?.is_some_and(|stat| stat.kind == FileKind::Dir) {
                return refuse(&below);
            }
        }
        let hwcaps = dir.join("glibc-hwcaps");
        if stat(&hwcaps)?.is_none() {
            return Ok(());
        }
        let names = self.world.read_dir(&hwcaps).map_err(|error| Reason::io(&hwcaps, &error))?;
        for below in names.iter().flatten().map(|below| hwcaps.join(below)) {
            if stat(&below.join(name))?.is_some() {
                return refuse(&below);
            }
        }
        Ok(())
    }

    fn usable(&self, path: &Path, class: (bool, u16)) -> Result<Option<(PathBuf, Object)>, Reason> {
        let stat = self.world.stat(path).map_err(|error| Reason::io(path, &error))?;
        if stat.is_none_or(|stat| stat.kind != FileKind::File) {
            return Ok(None);
        }
        let object = Object::read(path, self.world)?.filter(|object| object.class == class);
        Ok(object.map(|object| (path.to_owned(), object)))
    }

    fn same_file(&self, a: &Path, b: &Path) -> Result<bool, Reason> {
        let stat = |path: &Path| self.world.stat(path).map_err(|error| Reason::io(path, &error));
        Ok(stat(a)?.map(|stat| (stat.dev, stat.ino)) == stat(b)?.map(|stat| (stat.dev, stat.ino)))
    }
}

/// Where glibc's loader looks without a cache; distributions differ, so all of theirs, those of the machine first.
fn default_dirs(class: (bool, u16)) -> &'static [&'static str] {
    const X86_64: u16 = goblin::elf::header::EM_X86_64;
    const AARCH64: u16 = goblin::elf::header::EM_AARCH64;
    const I386: u16 = goblin::elf::header::EM_386;
    match class {
        (true, X86_64) => {
            &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        }
        (true, AARCH64) => {
            &["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        }
        (true, _) => &["/lib64", "/usr/lib64", "/lib", "/usr/lib"],
        (false, I386) => &["/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu", "/lib", "/usr/lib"],
        (false, _) => &["/lib", "/usr/lib"],
    }
}

/// The loader's cache, in glibc's format of 2.1 and later: name to paths, in order.
fn parse_cache(bytes: &[u8]) -> HashMap<Vec<u8>, Vec<Cached>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    let mut map: HashMap<Vec<u8>, Vec<Cached>> = HashMap::new();
    let Some(start) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) else { return map };
    let bytes = &bytes[start..];
    let word = |at: usize| -> Option<usize> {
        let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_ne_bytes(four)).ok()
    };
    let text = |at: usize| -> Option<&[u8]> {
        let rest = bytes.get(at..)?;
        rest.get(..rest.iter().position(|byte| *byte == 0)?)
    };
    for index in 0..word(MAGIC.len()).unwrap_or(0) {
        let Some(entry) = index.checked_mul(ENTRY).and_then(|offset| offset.checked_add(HEADER)) else { break };
        let (Some(key), Some(value)) = (word(entry + 4), word(entry + 8)) else { break };
        if let (Some(name), Some(path)) = (text(key), text(value)) {
            let path = PathBuf::from(OsStr::from_bytes(path));
            let hwcap = [16, 20].iter().any(|at| word(entry + at) != Some(0));
            map.entry(name.to_vec()).or_default().push(Cached { path, hwcap });
        }
    }
    map
}
