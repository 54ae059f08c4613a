//! Exactly the files that the preprocessor reads: it does what cpplib does with directives, macros and the search path.
//!
//! Knows nothing of drivers or options. Where it cannot be sure, by a closed list of reasons, it says so and gives nothing.

mod condition;
mod dialect;
mod expand;
mod facts;
mod files;
mod macros;
mod number;
mod outline;
mod paste;
mod run;
mod source;
mod symbol;
mod table;
mod token;
mod unsure;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

pub(crate) use dialect::Dialect;
pub(crate) use macros::{BUILTINS, Predefined, QUESTIONS};
pub(crate) use run::Ask;
pub(crate) use unsure::{Stop, Unsure};

use super::{Chain, settled};
use crate::world::{Stat, World};
use macros::Macro;
use outline::{Does, Outline};
use symbol::Symbols;

/// When so much has been read, it is begun anew.
const LIMIT: usize = 512 << 20;

/// What is known of files and of compilers, shared by all scans of a session.
#[derive(Default)]
pub(crate) struct Shelf {
    symbols: Symbols,
    outlines: Mutex<Outlines>,
    latest: Mutex<Option<Latest>>,
    predefined: Mutex<HashMap<Vec<u8>, Listed>>,
    lists: table::Lists,
}

/// A source whose directives were asked for: it is scanned next if they are others than they were.
struct Latest {
    source: Vec<u8>,
    dialect: Dialect,
    outline: Arc<Outline>,
}

/// A compiler's words about what it defines, and what they mean.
struct Listed {
    listing: String,
    predefined: Arc<Predefined>,
}

#[derive(Default)]
struct Outlines {
    known: FxHashMap<(Stat, Dialect), Arc<Outline>>,
    bytes: usize,
}

impl Shelf {
    pub(super) fn is_full(&self) -> bool {
        let bytes = self.outlines.lock().unwrap_or_else(PoisonError::into_inner).bytes;
        bytes > LIMIT || self.symbols.len() > LIMIT / 128
    }

    /// The outline of a file in the state that the caller saw.
    fn outline(&self, path: &Path, stat: Stat, dialect: Dialect, world: &dyn World) -> io::Result<Arc<Outline>> {
        let key = (stat, dialect);
        if let Some(known) = self.outlines.lock().unwrap_or_else(PoisonError::into_inner).known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let bytes = world.read(path)?;
        let known = self.latest(&bytes, dialect);
        let outline = known.unwrap_or_else(|| Arc::new(Outline::of(&bytes, dialect, &self.symbols)));
        if settled(stat) {
            let mut outlines = self.outlines.lock().unwrap_or_else(PoisonError::into_inner);
            outlines.bytes += bytes.len() + 1024;
            outlines.known.insert(key, Arc::clone(&outline));
        }
        Ok(outline)
    }

    /// The outline of the source whose directives were asked for last, if it has these bytes.
    fn latest(&self, bytes: &[u8], dialect: Dialect) -> Option<Arc<Outline>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = latest.as_ref().filter(|latest| latest.dialect == dialect && *latest.source == *bytes)?;
        Some(Arc::clone(&latest.outline))
    }

    /// What in a source's bytes a scan goes by.
    pub(crate) fn directives(&self, source: &[u8], dialect: Dialect) -> [u8; 32] {
        let outline = Arc::new(Outline::of(source, dialect, &self.symbols));
        let digest = outline.digest(&self.symbols);
        let latest = Latest { source: source.to_vec(), dialect, outline };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(latest);
        digest
    }

    /// What a compiler defines and answers, made of its own words about it: lines `#define …`, `GGB n` for each of the
    /// [`BUILTINS`] that is defined, `GGA question operand value` for answers.
    pub(crate) fn predefined(&self, key: &[u8], listing: String, dialect: Dialect) -> Arc<Predefined> {
        let mut all = self.predefined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(key)
            && known.listing == listing
        {
            return Arc::clone(&known.predefined);
        }
        let predefined = Arc::new(self.parse(&listing, dialect));
        all.insert(key.to_vec(), Listed { listing, predefined: Arc::clone(&predefined) });
        predefined
    }

    fn parse(&self, listing: &str, dialect: Dialect) -> Predefined {
        let mut predefined = Predefined::default();
        let definitions: Vec<&str> = listing.lines().filter(|line| line.starts_with("#define ")).collect();
        let outline = Outline::of((definitions.join("\n") + "\n").as_bytes(), dialect, &self.symbols);
        for item in &outline.items {
            if let Does::Define(name, is) = &item.does {
                predefined.macros.insert(*name, *is);
            }
        }
        for line in listing.lines() {
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("GGB"), Some(number), None, None) => {
                    let builtin = number.parse().ok().and_then(|number: usize| BUILTINS.get(number));
                    if let Some((name, builtin)) = builtin {
                        let builtin = self.symbols.definitions.of(Macro::builtin(*builtin));
                        predefined.macros.insert(self.symbols.of(name.as_bytes()), builtin);
                    }
                }
                (Some("GGA"), Some(question), Some(operand), Some(value)) => {
                    if let Some((question, value)) = question.parse().ok().zip(value.parse().ok()) {
                        predefined.answers.insert((question, operand.as_bytes().to_vec()), value);
                    }
                }
                _ => {}
            }
        }
        predefined
    }
}

/// A file that the command line includes.
pub(crate) struct Forced {
    pub(crate) name: OsString,
    /// Its text counts, as with `-include`; with `-imacros` only what it defines.
    pub(crate) text: bool,
}

/// What becomes of an include that leads nowhere.
#[derive(Clone, Copy)]
pub(crate) struct Missing {
    /// Only those of users' headers count (`-MM`, `-MMD`).
    pub(crate) users_only: bool,
    /// They are listed (`-MG`).
    pub(crate) listed: bool,
    /// More is made than a list.
    pub(crate) needed: bool,
}

/// One call of a preprocessor.
pub(crate) struct Call<'a> {
    pub(crate) main: &'a Path,
    pub(crate) cwd: &'a Path,
    pub(crate) chain: &'a Chain,
    pub(crate) dialect: Dialect,
    /// `-D` (true) and `-U`, in order.
    pub(crate) defined: &'a [(OsString, bool)],
    pub(crate) forced: &'a [Forced],
    /// Whether the standard directories are searched.
    pub(crate) standard_dirs: bool,
    /// Whether system headers go by their shortest names.
    pub(crate) canonical: bool,
    /// Whether `__FILE__` may be another than the path.
    pub(crate) maps_prefixes: bool,
    pub(crate) missing: Missing,
    /// Whether the precompiled form of a header is taken: the preprocessor alone takes none.
    pub(crate) precompiled: bool,
    /// Whether it is asked what in the source all rests on.
    pub(crate) directives: bool,
}

/// What a scan found.
#[derive(Default, Debug)]
pub(crate) struct Exact {
    /// All files that are opened, as the preprocessor spells them.
    pub(crate) files: Vec<Vec<u8>>,
    /// What a depfile lists, in order, and whether it is a system header.
    pub(crate) prerequisites: Vec<(Vec<u8>, bool)>,
    /// The compiler ends before its end.
    pub(crate) failed: bool,
    /// The compiler complains and fails in the end.
    pub(crate) complains: bool,
    /// Times of files decide which are read.
    pub(crate) times: bool,
    pub(crate) clock: bool,
    pub(crate) timestamp: bool,
    /// `#pragma GCC dependency`.
    pub(crate) dependency: bool,
    /// Operands of the assembler's `.incbin` (false) and `.include` (true).
    pub(crate) assembler: Vec<(bool, Vec<u8>)>,
    pub(crate) assembler_unclear: bool,
    /// Files that lines are said to be from.
    pub(crate) sources: Vec<Vec<u8>>,
    /// What in the source all this rests on, if it rests on nothing else there.
    pub(crate) directives: Option<[u8; 32]>,
}

/// Scans.
pub(crate) fn scan(
    call: &Call<'_>,
    shelf: &Shelf,
    world: &dyn World,
    base: Arc<Predefined>,
    ask: Ask<'_>,
) -> Result<Exact, Stop> {
    run::Run::new(call, shelf, world, base, ask).run()
}
