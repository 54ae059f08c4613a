//! Follows includes from file to file along the search path, as cpplib would.
//!
//! Knows nothing of where the search path comes from.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::depfile::without_dots;
use super::lex::{Flavour, Form, Lexed, Operand};
use super::macros::{ByName, Macros};
use super::pasted::Pasted;
use super::{Bodies, Headers};
use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, Stat, World};

/// The directories of the search path: those for `"x"` only, then those for `<x>` too. As spelled, relative to the working directory.
#[derive(Default, Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) dirs: Vec<PathBuf>,
    /// Where those for `<x>` begin.
    pub(crate) bracket: usize,
    /// Where those of system headers begin.
    pub(crate) system: usize,
    /// Whether `"x"` is first looked for beside the file that includes it: not so with `-I-`.
    pub(crate) beside: bool,
}

/// All that a walk met.
#[derive(Default, Debug)]
pub(crate) struct Reached {
    /// Files, as the preprocessor would spell them.
    pub(crate) files: BTreeSet<OsString>,
    /// The files with an include of which it is not clear what it may name.
    pub(crate) computed: BTreeSet<OsString>,
    /// The files as such.
    pub(crate) bodies: Bodies,
    /// A file that uses the clock.
    pub(crate) clock: Option<PathBuf>,
    /// A file that tells its own time.
    pub(crate) timestamp: Option<PathBuf>,
    /// What may be one that does either when it is pasted.
    pub(crate) pasted: Pasted,
    /// A file that asks whether another one is newer.
    pub(crate) dependency: Option<PathBuf>,
    /// Precompiled headers that may be taken.
    pub(crate) precompiled: BTreeSet<PathBuf>,
    /// Times of files decide which are read.
    pub(crate) times: bool,
    /// Operands of the assembler's directives.
    pub(crate) assembler: BTreeSet<(bool, Vec<u8>)>,
}

/// One walk over the files that one preprocessor run may read.
pub(crate) struct Walk<'a> {
    pub(crate) headers: &'a Headers,
    pub(crate) world: &'a dyn World,
    pub(crate) cwd: &'a Path,
    pub(crate) chain: &'a Chain,
    pub(crate) flavour: Flavour,
    /// Whether trigraphs are replaced.
    pub(crate) trigraphs: bool,
    /// Whether the precompiled form of a header is taken.
    pub(crate) precompiled: bool,
    /// The command line includes: beside it is the working directory, whatever `-I-` says.
    forced: bool,
    macros: Macros,
    /// Includes by a macro's name, and whether a precompiled form may be taken there.
    by_name: Vec<(Rc<Hit>, ByName, bool)>,
    reached: Reached,
    seen: HashSet<Seen>,
    found: HashMap<(usize, Vec<u8>), Option<Rc<Hit>>>,
    queue: Vec<Rc<Hit>>,
}

/// A file in a directory, by their identities, and its place on the path: whatever it includes is then the same.
type Seen = ((u64, u64), (u64, u64), Option<usize>);

#[derive(Clone)]
struct Hit {
    path: PathBuf,
    stat: Stat,
    /// Its place on the path; `None` where it was found beside its includer or by its absolute name.
    dir: Option<usize>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        headers: &'a Headers,
        world: &'a dyn World,
        cwd: &'a Path,
        chain: &'a Chain,
        flavour: Flavour,
    ) -> Self {
        let (macros, by_name, reached, seen, found, queue) = Default::default();
        let (trigraphs, precompiled, forced) = (false, true, false);
        Self {
            headers,
            world,
            cwd,
            chain,
            flavour,
            trigraphs,
            precompiled,
            forced,
            macros,
            by_name,
            reached,
            seen,
            found,
            queue,
        }
    }

    /// Takes in what `-D` options define, given as the options' values.
    pub(crate) fn define(&mut self, values: &[OsString]) -> Result<(), Reason> {
        for value in values {
            self.take_in(&Lexed::of_option(value.as_bytes(), self.flavour), Path::new("<command-line>"))?;
        }
        Ok(())
    }

    /// Walks from the main file and the forced includes. A forced include that is nowhere is the compiler's to complain about.
    pub(crate) fn run(mut self, main: &Path, forced: &[&OsStr]) -> Result<Reached, Reason> {
        let Some(hit) = self.file(main.to_owned(), None)? else {
            return Err(Reason::new(ReasonKind::Input, format!("{}: not a file", main.display())));
        };
        if self.precompiled {
            self.take_precompiled(&hit.path)?;
        }
        let main = Rc::new(hit);
        self.forced = true;
        for name in forced {
            let operand = Operand { form: Form::Quote, next: false, name: name.as_bytes().to_vec(), probe: false };
            self.include(&operand, &Hit { path: PathBuf::from("forced"), ..(*main).clone() }, true)?;
        }
        self.forced = false;
        let predefined = Operand { form: Form::Angle, next: false, name: b"stdc-predef.h".to_vec(), probe: false };
        self.include(&predefined, &main, true)?;
        self.enter(&main, true)?;
        self.drain()?;
        Ok(self.reached)
    }

    /// Looks at one file alone and follows none of its includes.
    pub(crate) fn alone(mut self, path: &Path) -> Result<Reached, Reason> {
        let Some(hit) = self.file(path.to_owned(), None)? else {
            return Err(Reason::new(ReasonKind::Input, format!("{}: not a file", path.display())));
        };
        self.words(&hit)?;
        Ok(self.reached)
    }

    /// Takes in the files that the compiler says are read, and what they include. Which of them a macro named, and how,
    /// is not known: so each is looked for, under each name that it may have been included by, wherever it would have
    /// been found first: beside the files `by` with such includes and earlier on the path.
    pub(crate) fn run_all(
        mut self,
        paths: &[PathBuf],
        by: &BTreeSet<OsString>,
        main: &Path,
    ) -> Result<Reached, Reason> {
        let mut names = BTreeSet::new();
        for path in paths {
            let places = self.places(path);
            for place in places.iter().map(|(index, _)| Some(*index)).chain([None]) {
                let hit = self.file(path.clone(), place)?.ok_or_else(|| {
                    Reason::new(ReasonKind::Footprint, format!("{}: listed as read, not a file", path.display()))
                })?;
                self.queue.push(Rc::new(hit));
            }
            names.extend(places);
        }
        self.drain()?;
        let beside: BTreeSet<Vec<u8>> =
            by.iter().chain(&self.reached.computed).map(|path| dir_of(Path::new(path)).to_vec()).collect();
        let may_be_precompiled = self.precompiled && by.contains(main.as_os_str());
        for (index, name) in names {
            let candidates = beside.iter().map(|dir| [dir.as_slice(), name.as_slice()].concat());
            let on_path = (0..=index).map(|earlier| self.candidate(earlier, &name));
            for candidate in candidates.chain(on_path).collect::<Vec<_>>() {
                let path = PathBuf::from(OsString::from_vec(candidate));
                self.file(path.clone(), None)?;
                if may_be_precompiled {
                    self.take_precompiled(&path)?;
                }
            }
        }
        Ok(self.reached)
    }

    /// Follows everything that is still to be followed. What a macro names may define further macros.
    fn drain(&mut self) -> Result<(), Reason> {
        let mut followed = HashSet::new();
        loop {
            while let Some(hit) = self.queue.pop() {
                self.enter(&hit, false)?;
            }
            let mut todo = Vec::new();
            for (index, (hit, by, main)) in self.by_name.iter().enumerate() {
                for operand in self.macros.stands_for(by).into_iter().flatten() {
                    if followed.insert((index, operand.clone())) {
                        todo.push((operand, Rc::clone(hit), *main));
                    }
                }
            }
            if todo.is_empty() {
                break;
            }
            for (operand, hit, main) in todo {
                self.include(&operand, &hit, main)?;
            }
        }
        for (hit, by, _) in &self.by_name {
            if self.macros.stands_for(by).is_none() {
                self.reached.computed.insert(hit.path.clone().into_os_string());
            }
        }
        Ok(())
    }

    /// The directories of the path under which a listed file lies, and its name from each. A list has no leading `./`.
    fn places(&self, path: &Path) -> Vec<(usize, Vec<u8>)> {
        let whole = path.as_os_str().as_bytes();
        let under = |index| {
            let prefix = self.candidate(index, b"");
            let rest = whole.strip_prefix(without_dots(&prefix))?;
            let absolute = rest.is_empty() || rest.starts_with(b"/");
            (!absolute).then(|| (index, rest.to_vec()))
        };
        (0..self.chain.dirs.len()).filter_map(under).collect()
    }

    /// The path that a name has in a directory of the search path.
    fn candidate(&self, index: usize, name: &[u8]) -> Vec<u8> {
        let mut path = self.chain.dirs[index].as_os_str().as_bytes().to_vec();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }

    fn enter(&mut self, hit: &Rc<Hit>, main: bool) -> Result<(), Reason> {
        // By each spelling it may be opened.
        self.reached.files.insert(hit.path.clone().into_os_string());
        let seen = self.seen_as(hit)?;
        if !self.seen.insert(seen) {
            return Ok(());
        }
        let lexed = self.words(hit)?;
        for operand in &lexed.operands {
            self.include(operand, hit, main)?;
        }
        self.by_name.extend(lexed.by_name.iter().map(|by| (Rc::clone(hit), by.clone(), main)));
        Ok(())
    }

    /// Takes in a file and what it says, but for its includes.
    fn words(&mut self, hit: &Hit) -> Result<Arc<Lexed>, Reason> {
        self.reached.files.insert(hit.path.clone().into_os_string());
        let absolute = self.cwd.join(&hit.path);
        let lexed = self
            .headers
            .lexed(&absolute, hit.stat, self.flavour, self.world)
            .map_err(|error| Reason::io(&absolute, &error))?;
        self.take_in(&lexed, &hit.path)?;
        self.reached.bodies.add(&hit.path, hit.stat, lexed.once, lexed.any_once);
        Ok(lexed)
    }

    /// What a file says, but for its includes and for what it is as a file.
    fn take_in(&mut self, lexed: &Lexed, path: &Path) -> Result<(), Reason> {
        let trigraph = (lexed.trigraph && self.trigraphs).then_some("a trigraph for a backslash");
        if let Some(why) = lexed.unclear.or(trigraph) {
            return Err(Reason::new(ReasonKind::Footprint, format!("{}: {why}", path.display())));
        }
        self.macros.add(lexed);
        if lexed.computed {
            self.reached.computed.insert(path.as_os_str().to_owned());
        }
        if lexed.computed_probe {
            return Err(Reason::new(ReasonKind::Footprint, format!("{}: __has_include of a macro", path.display())));
        }
        self.reached.pasted.add(lexed.pasted);
        let pasted = self.reached.pasted.may_tell_time();
        if lexed.clock || pasted {
            self.reached.clock.get_or_insert_with(|| path.to_owned());
        }
        if lexed.pch {
            return Err(Reason::new(ReasonKind::Pch, path.display().to_string()));
        }
        if lexed.assembler_unclear {
            let what = format!("{}: .incbin or .include of an unknown name", path.display());
            return Err(Reason::new(ReasonKind::Footprint, what));
        }
        if lexed.timestamp || pasted {
            self.reached.timestamp.get_or_insert_with(|| path.to_owned());
        }
        if lexed.dependency {
            self.reached.dependency.get_or_insert_with(|| path.to_owned());
        }
        self.reached.bodies.any_once(lexed.any_once);
        self.reached.assembler.extend(lexed.assembler.iter().cloned());
        for source in lexed.sources.iter().filter(|source| !source.is_empty()) {
            if let Some(hit) = self.file(PathBuf::from(OsStr::from_bytes(source)), None)? {
                self.reached.files.insert(hit.path.into_os_string());
            }
        }
        Ok(())
    }

    fn include(&mut self, operand: &Operand, by: &Hit, may_be_precompiled: bool) -> Result<(), Reason> {
        if operand.name.is_empty() {
            return Ok(());
        }
        self.world
            .purpose(&|| format!("#include of {} in {}", String::from_utf8_lossy(&operand.name), by.path.display()));
        let found = self.resolve(operand, by)?;
        if may_be_precompiled && self.precompiled {
            self.take_precompiled_on_the_way(operand, by, found.as_deref())?;
        }
        let Some(hit) = found else { return Ok(()) };
        if operand.probe {
            self.reached.files.insert(hit.path.clone().into_os_string());
            self.reached.bodies.add(&hit.path, hit.stat, false, false);
        } else if !self.reached.files.contains(hit.path.as_os_str()) || !self.seen.contains(&self.seen_as(&hit)?) {
            self.queue.push(hit);
        }
        Ok(())
    }

    fn seen_as(&self, hit: &Hit) -> Result<Seen, Reason> {
        let dir = self.cwd.join(OsStr::from_bytes(dir_of(&hit.path)));
        let stat = self.world.stat(&dir).map_err(|error| Reason::io(&dir, &error))?;
        let dir = stat.map_or((0, 0), |stat| (stat.dev, stat.ino));
        Ok(((hit.stat.dev, hit.stat.ino), dir, hit.dir))
    }

    fn resolve(&mut self, operand: &Operand, by: &Hit) -> Result<Option<Rc<Hit>>, Reason> {
        let name = operand.name.as_slice();
        if name.starts_with(b"/") {
            return Ok(self.file(PathBuf::from(OsStr::from_bytes(name)), None)?.map(Rc::new));
        }
        let start = match (operand.next, operand.form, by.dir) {
            (true, _, Some(dir)) => dir + 1,
            (_, Form::Angle, _) => self.chain.bracket,
            (next, Form::Quote, _) => {
                // Beside the includer first. `#include_next` from a file found so goes on with the path's start, that of
                // the main file is an ordinary include: both are tried.
                let mut path = dir_of(&by.path).to_vec();
                path.extend_from_slice(name);
                if (self.chain.beside || self.forced)
                    && let Some(hit) = self.file(PathBuf::from(OsStr::from_bytes(&path)), None)?
                {
                    let hit = Rc::new(hit);
                    if !next {
                        return Ok(Some(hit));
                    }
                    self.queue.push(hit);
                }
                0
            }
        };
        if operand.next && by.dir.is_none() && operand.form == Form::Angle {
            // From a file found beside its includer the search starts with the whole path; from the main file with that for `<x>`.
            if let Some(hit) = self.search(0, name)? {
                self.queue.push(hit);
            }
        }
        self.search(start, name)
    }

    fn search(&mut self, start: usize, name: &[u8]) -> Result<Option<Rc<Hit>>, Reason> {
        let key = (start, name.to_vec());
        if let Some(known) = self.found.get(&key) {
            return Ok(known.clone());
        }
        let mut found = None;
        for index in start..self.chain.dirs.len() {
            let path = self.candidate(index, name);
            if let Some(hit) = self.file(PathBuf::from(OsString::from_vec(path)), Some(index))? {
                found = Some(Rc::new(hit));
                break;
            }
        }
        self.found.insert(key, found.clone());
        Ok(found)
    }

    /// Until the first file is included, and for questions whether there is one, cpplib tries a precompiled form in each
    /// directory before the file itself, which need not be there.
    fn take_precompiled_on_the_way(&mut self, operand: &Operand, by: &Hit, found: Option<&Hit>) -> Result<(), Reason> {
        let name = operand.name.as_slice();
        if name.starts_with(b"/") {
            return self.take_precompiled(Path::new(OsStr::from_bytes(name)));
        }
        if operand.form == Form::Quote && (self.chain.beside || self.forced) {
            let beside = [dir_of(&by.path), name].concat();
            self.take_precompiled(Path::new(OsStr::from_bytes(&beside)))?;
        }
        let start = if operand.form == Form::Angle && !operand.next { self.chain.bracket } else { 0 };
        let end = match found {
            Some(Hit { dir: Some(index), .. }) => index + 1,
            Some(Hit { dir: None, .. }) => start,
            None => self.chain.dirs.len(),
        };
        for index in start..end {
            self.take_precompiled(Path::new(OsStr::from_bytes(&self.candidate(index, name))))?;
        }
        Ok(())
    }

    /// Takes in the precompiled form of a file, if there is one: a file, or the one in a directory. Of several the compiler
    /// takes the first that fits in the order in which the file system lists them. What went into it is what its header says,
    /// if that is there and no newer.
    fn take_precompiled(&mut self, path: &Path) -> Result<(), Reason> {
        let mut precompiled = path.as_os_str().to_owned();
        precompiled.push(".gch");
        let absolute = self.cwd.join(precompiled);
        let refused = |why: &str| Err(Reason::new(ReasonKind::Pch, format!("{}: {why}", absolute.display())));
        let stat = |path: &Path| self.world.stat(path).map_err(|error| Reason::io(path, &error));
        let (mut taken, mut found) = (absolute.clone(), stat(&absolute)?);
        if found.is_some_and(|stat| stat.kind == FileKind::Dir) {
            let names =
                self.world.read_dir(&absolute).map_err(|error| Reason::io(&absolute, &error))?.unwrap_or_default();
            let [name] = names.as_slice() else { return refused("holds several, or none") };
            taken = absolute.join(name);
            found = stat(&taken)?;
        }
        let Some(found) = found else { return Ok(()) };
        if found.kind != FileKind::File {
            return refused("no regular file");
        }
        match stat(&self.cwd.join(path))? {
            Some(header) if header.mtime_ns <= found.mtime_ns => {
                self.reached.precompiled.insert(taken);
                Ok(())
            }
            Some(_) => refused("older than its header"),
            None => refused("without its header"),
        }
    }

    fn file(&self, path: PathBuf, dir: Option<usize>) -> Result<Option<Hit>, Reason> {
        let absolute = self.cwd.join(&path);
        match self.world.stat(&absolute).map_err(|error| Reason::io(&absolute, &error))? {
            Some(stat) if stat.kind == FileKind::File => Ok(Some(Hit { path, stat, dir })),
            Some(stat) if stat.kind == FileKind::Other => {
                Err(Reason::new(ReasonKind::Input, format!("{}: not a regular file", absolute.display())))
            }
            _ => Ok(None),
        }
    }
}

/// The directory of a path with its slash, as cpplib takes it; empty for a plain name.
fn dir_of(path: &Path) -> &[u8] {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &bytes[..=slash])
}
