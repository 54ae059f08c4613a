//! Follows includes from file to file along the search path, as cpplib would.
//!
//! Knows nothing of where the search path comes from.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::Headers;
use super::lex::{Flavour, Form, Lexed, Operand};
use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, Stat, World};

/// The directories of the search path: those for `"x"` only, then those for `<x>` too. As spelled, relative to the working directory.
#[derive(Default, Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) dirs: Vec<PathBuf>,
    /// Where those for `<x>` begin.
    pub(crate) bracket: usize,
}

/// All that a walk met.
#[derive(Default, Debug)]
pub(crate) struct Reached {
    /// Files, as the preprocessor would spell them.
    pub(crate) files: BTreeSet<OsString>,
    /// A file with an include that a macro computes.
    pub(crate) computed: Option<PathBuf>,
    /// A file that uses the clock.
    pub(crate) clock: Option<PathBuf>,
    /// Whether a file's own time is asked for.
    pub(crate) timestamp: bool,
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
    reached: Reached,
    seen: HashSet<(OsString, Option<usize>)>,
    found: HashMap<(usize, Vec<u8>), Option<Rc<Hit>>>,
    queue: Vec<Rc<Hit>>,
}

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
        let (reached, seen, found, queue) = Default::default();
        Self { headers, world, cwd, chain, flavour, reached, seen, found, queue }
    }

    /// Walks from the main file and the forced includes. A forced include that is nowhere is the compiler's to complain about.
    pub(crate) fn run(mut self, main: &Path, forced: &[&OsStr]) -> Result<Reached, Reason> {
        let Some(hit) = self.file(main.to_owned(), None)? else {
            return Err(Reason::new(ReasonKind::Input, format!("{}: not a file", main.display())));
        };
        let main = Rc::new(hit);
        for name in forced {
            let operand = Operand { form: Form::Quote, next: false, name: name.as_bytes().to_vec(), probe: false };
            self.include(&operand, &Hit { path: PathBuf::from("forced"), ..(*main).clone() }, true)?;
        }
        let predefined = Operand { form: Form::Angle, next: false, name: b"stdc-predef.h".to_vec(), probe: false };
        self.include(&predefined, &main, false)?;
        self.enter(&main, true)?;
        self.drain()
    }

    /// Looks at one file alone and follows none of its includes.
    pub(crate) fn alone(mut self, path: &Path) -> Result<Reached, Reason> {
        let Some(hit) = self.file(path.to_owned(), None)? else {
            return Err(Reason::new(ReasonKind::Input, format!("{}: not a file", path.display())));
        };
        self.words(&hit)?;
        Ok(self.reached)
    }

    /// Takes in files that something else says are read, and what they include.
    pub(crate) fn run_all(mut self, paths: &[PathBuf]) -> Result<Reached, Reason> {
        for path in paths {
            let dir = self.place(path);
            if let Some((index, rest)) = &dir {
                self.search(self.chain.bracket.min(*index), rest)?;
                self.search(0, rest)?;
            }
            let place = dir.map(|(index, _)| index);
            if let Some(hit) = self.file(path.clone(), place)? {
                self.queue.push(Rc::new(hit));
            }
        }
        self.drain()
    }

    fn drain(mut self) -> Result<Reached, Reason> {
        while let Some(hit) = self.queue.pop() {
            self.enter(&hit, false)?;
        }
        Ok(self.reached)
    }

    /// The directory of the path under which a file lies, and its name from there.
    fn place(&self, path: &Path) -> Option<(usize, Vec<u8>)> {
        let bytes = path.as_os_str().as_bytes();
        self.chain.dirs.iter().enumerate().find_map(|(index, dir)| {
            let rest = bytes.strip_prefix(dir.as_os_str().as_bytes())?.strip_prefix(b"/")?;
            Some((index, rest.to_vec()))
        })
    }

    fn enter(&mut self, hit: &Rc<Hit>, main: bool) -> Result<(), Reason> {
        if !self.seen.insert((hit.path.clone().into_os_string(), hit.dir)) {
            return Ok(());
        }
        let lexed = self.words(hit)?;
        for operand in &lexed.operands {
            self.include(operand, hit, main)?;
        }
        Ok(())
    }

    /// Takes in a file and what it says, but for its includes.
    fn words(&mut self, hit: &Hit) -> Result<Arc<Lexed>, Reason> {
        self.reached.files.insert(hit.path.clone().into_os_string());
        let absolute = self.cwd.join(&hit.path);
        let lexed =
            self.headers.lexed(&absolute, hit.stat, self.flavour, self.world).map_err(|error| io(&absolute, &error))?;
        if lexed.computed {
            self.reached.computed.get_or_insert_with(|| hit.path.clone());
        }
        if lexed.computed_probe {
            return Err(Reason::new(
                ReasonKind::Footprint,
                format!("{}: __has_include of a macro", hit.path.display()),
            ));
        }
        if lexed.clock {
            self.reached.clock.get_or_insert_with(|| hit.path.clone());
        }
        if lexed.pch {
            return Err(Reason::new(ReasonKind::Pch, hit.path.display().to_string()));
        }
        if lexed.assembler_unclear {
            return Err(Reason::new(
                ReasonKind::Footprint,
                format!("{}: .incbin or .include of an unknown name", hit.path.display()),
            ));
        }
        self.reached.timestamp |= lexed.timestamp;
        self.reached.assembler.extend(lexed.assembler.iter().cloned());
        Ok(lexed)
    }

    fn include(&mut self, operand: &Operand, by: &Hit, may_be_precompiled: bool) -> Result<(), Reason> {
        if operand.name.is_empty() {
            return Ok(());
        }
        let found = self.resolve(operand, by)?;
        let Some(hit) = found else { return Ok(()) };
        if may_be_precompiled && !operand.probe {
            let mut precompiled = hit.path.clone().into_os_string();
            precompiled.push(".gch");
            let absolute = self.cwd.join(precompiled);
            if self.world.stat(&absolute).map_err(|error| io(&absolute, &error))?.is_some() {
                return Err(Reason::new(ReasonKind::Pch, absolute.display().to_string()));
            }
        }
        if operand.probe {
            self.reached.files.insert(hit.path.clone().into_os_string());
        } else if !self.seen.contains(&(hit.path.clone().into_os_string(), hit.dir)) {
            self.queue.push(hit);
        }
        Ok(())
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
                if let Some(hit) = self.file(PathBuf::from(OsStr::from_bytes(&path)), None)? {
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
            let mut path = self.chain.dirs[index].as_os_str().as_bytes().to_vec();
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            if let Some(hit) = self.file(PathBuf::from(OsStr::from_bytes(&path)), Some(index))? {
                found = Some(Rc::new(hit));
                break;
            }
        }
        self.found.insert(key, found.clone());
        Ok(found)
    }

    fn file(&self, path: PathBuf, dir: Option<usize>) -> Result<Option<Hit>, Reason> {
        let absolute = self.cwd.join(&path);
        match self.world.stat(&absolute).map_err(|error| io(&absolute, &error))? {
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

fn io(path: &Path, error: &std::io::Error) -> Reason {
    Reason::new(ReasonKind::Io, format!("{}: {error}", path.display()))
}
