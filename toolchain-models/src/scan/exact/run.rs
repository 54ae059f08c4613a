//! One preprocessor run: enters files, follows their directives, keeps what they define.
//!
//! Knows nothing of drivers or options. Whatever it cannot be sure of ends it.

mod host;
mod listener;

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::condition;
use super::dialect::Dialect;
use super::expand::{Expander, Host};
use super::facts::{Facts, Pragma};
use super::files::{Files, Number, Place};
use super::macros::Predefined;
use super::outline::{Does, How, Item, Operand, Outline, Text};
use super::symbol::{HOSTED, STDC_PREDEF, Symbol, Symbols};
use super::table::Table;
use super::token::Kind;
use super::unsure::{Stop, Unsure};
use super::{Call, Exact, Forced, Missing, Shelf};
use crate::scan::lex::unescaped;
use crate::scan::pasted::Pasted;
use crate::verdict::{Reason, ReasonKind};
use crate::world::World;
use listener::Listener;

/// Macros of targets of which some macros depend on what stands around them.
const PROCESSORS: &[&[u8]] = &[b"__ALTIVEC__", b"__APPLE_ALTIVEC__", b"__SPU__", b"__VEC__"];
/// gcc's own limit.
const DEPTH: usize = 200;
/// Options of the target may differ.
const TARGET: u8 = 1;
/// Options of optimization may differ.
const OPTIMIZE: u8 = 2;
/// The source is looked for first.
const MAIN: Number = 0;
/// So many files may be entered.
const ENTERED: usize = 200_000;

/// Asks the compiler what it answers to a question about an operand.
pub(crate) type Ask<'a> = &'a dyn Fn(u8, &[u8]) -> Result<Option<i64>, Reason>;

/// A file that is being read.
struct Frame {
    file: Number,
    system: bool,
    /// What `#line` says: the number of the line behind it, and its place.
    shifted: Option<(i64, u32)>,
    /// Whether that place is on several lines.
    unclear_line: bool,
    /// What `__FILE__` is, if not the path.
    name: Option<Vec<u8>>,
}

pub(super) struct Run<'a> {
    call: &'a Call<'a>,
    shelf: &'a Shelf,
    world: &'a dyn World,
    ask: Ask<'a>,
    symbols: &'a Symbols,
    dialect: Dialect,
    files: Files<'a>,
    table: Table<'a>,
    frames: Vec<Frame>,
    /// Those of the files so far, by their numbers.
    outlines: Vec<Option<Arc<Outline>>>,
    exact: Exact,
    /// What may tell the time when it is pasted.
    pasted: Pasted,
    /// Files that are read once, by size.
    once: HashMap<u64, Vec<Number>>,
    any_once: bool,
    entered: usize,
    /// Some macro runs pragmas that are put together.
    computed: bool,
    /// Some macro holds words that would matter in such a pragma.
    words: bool,
    /// What options may differ from those of the command line: [`TARGET`], [`OPTIMIZE`]; and at each `push_options`.
    options: u8,
    pushed: Vec<u8>,
    /// Names of which some group has a definition that `-E` and a compilation may take differently.
    doubtful: FxHashSet<Symbol>,
    /// What `-E` takes is wanted.
    tolerant: bool,
    line: (u32, bool),
    /// Something depends on a line's number.
    counts_lines: bool,
    /// Something depends on whether the source, or any file, has the size and the bytes of another.
    compares: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        call: &'a Call<'a>,
        shelf: &'a Shelf,
        world: &'a dyn World,
        base: Arc<Predefined>,
        ask: Ask<'a>,
    ) -> Self {
        let mut files = Files::new(world, call.cwd, call.chain, &shelf.symbols);
        files.canonical = call.canonical;
        files.precompiled = false;
        Self {
            call,
            shelf,
            world,
            ask,
            symbols: &shelf.symbols,
            dialect: call.dialect,
            files,
            table: Table::new(base, &shelf.lists),
            frames: Vec::new(),
            outlines: Vec::new(),
            exact: Exact::default(),
            pasted: Pasted::default(),
            once: HashMap::new(),
            any_once: false,
            entered: 0,
            computed: false,
            words: false,
            options: 0,
            pushed: Vec::new(),
            doubtful: FxHashSet::default(),
            tolerant: false,
            line: (0, false),
            counts_lines: false,
            compares: false,
        }
    }

    pub(super) fn run(mut self) -> Result<Exact, Stop> {
        if PROCESSORS.iter().any(|name| self.table.get(self.symbols.of(name)).is_some()) {
            return Err(Unsure::Processor.into());
        }
        let name = self.symbols.of(self.call.main.as_os_str().as_bytes());
        let main = self.files.find(name, Place::Nowhere)?;
        if self.files.all[main].stat.is_none() {
            return Err(Reason::new(ReasonKind::Input, format!("{}: not a file", self.call.main.display())).into());
        }
        self.files.precompiled = self.call.precompiled;
        // The compiler opens it, and notes it, before anything else.
        self.files.all[main].entered = 1;
        self.note(main, false);
        let outline = self.outline(main)?;
        self.frames.push(Frame { file: main, system: false, shifted: None, unclear_line: false, name: None });
        for (value, defines) in self.call.defined {
            let outline = if *defines {
                Outline::of_option(value.as_bytes(), self.dialect, self.symbols)
            } else {
                let name = value.as_bytes().split(|byte| *byte == b'\n').next().unwrap_or_default();
                Outline::of(&[b"#undef ", name, b"\n"].concat(), self.dialect, self.symbols)
            };
            self.follow(&outline)?;
        }
        let goes_on = self.forced(false)? && self.preinclude()? && self.forced(true)? && self.follow(&outline)?;
        self.exact.failed = !goes_on;
        Ok(self.finish(&outline))
    }

    fn finish(mut self, outline: &Outline) -> Exact {
        let once = self.files.all.iter().any(|file| file.once && file.is_same(&self.files.all[MAIN]));
        // What an assembler's source says outside of directives counts, too.
        let whole = self.counts_lines || self.compares || once || self.exact.times || self.dialect.assembly;
        if self.call.directives && !whole {
            self.exact.directives = Some(outline.digest(self.symbols));
        }
        let pasted = self.pasted.may_tell_time();
        self.exact.clock |= pasted;
        self.exact.timestamp |= pasted;
        for file in &self.files.all {
            if file.stat.is_some() {
                self.exact.files.push(file.path.clone());
            }
        }
        self.exact
    }

    /// The includes of the command line: `-imacros`, then `-include`.
    fn forced(&mut self, text: bool) -> Result<bool, Stop> {
        for Forced { name, .. } in self.call.forced.iter().filter(|forced| forced.text == text) {
            let bytes = name.as_bytes();
            let start =
                if bytes.starts_with(b"/") { Place::Nowhere } else { Place::Beside(self.files.dir(b"./", false)) };
            let symbol = self.symbols.of(bytes);
            let option = if text { "-include" } else { "-imacros" };
            self.world.purpose(&|| format!("{option} {}", name.display()));
            let known = self.files.all.len();
            let file = self.files.find(symbol, start)?;
            self.files.precompiled = false;
            let goes_on = match self.files.all[file].stat {
                Some(_) => self.stack(file, false)?,
                None => file < known || self.missing(file, false)?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn preinclude(&mut self) -> Result<bool, Stop> {
        let hosted = match self.table.base.macros.get(&HOSTED) {
            Some(hosted) => {
                let hosted = self.symbols.definitions.get(*hosted);
                hosted.body(self.symbols)?.tokens.first().is_some_and(|token| &*self.symbols.text(token.text) == b"1")
            }
            None => return Err(Unsure::Option.into()),
        };
        if !hosted || !self.call.standard_dirs {
            return Ok(true);
        }
        self.world.purpose(&|| "stdc-predef.h, which is read before every source".to_owned());
        let file = self.files.find(STDC_PREDEF, Place::Chain(self.call.chain.bracket))?;
        if self.files.all[file].stat.is_none() {
            return Ok(true);
        }
        self.stack(file, false)
    }

    fn note(&mut self, file: Number, system: bool) {
        self.exact.prerequisites.push((self.files.all[file].path.clone(), system));
    }

    fn outline(&mut self, file: Number) -> Result<Arc<Outline>, Stop> {
        if let Some(Some(known)) = self.outlines.get(file) {
            return Ok(Arc::clone(known));
        }
        let path = self.files.absolute(file);
        let Some(stat) = self.files.all[file].stat else { return Err(Unsure::Malformed.into()) };
        let outline = self
            .shelf
            .outline(&path, stat, self.dialect, self.world)
            .map_err(|error| Stop::Reason(Reason::io(&path, &error)))?;
        if let Some(unsure) = outline.unsure {
            return Err(unsure.into());
        }
        self.outlines.resize(self.files.all.len(), None);
        self.outlines[file] = Some(Arc::clone(&outline));
        Ok(outline)
    }

    fn here(&self) -> Result<&Frame, Stop> {
        self.frames.last().ok_or(Stop::Unsure(Unsure::Malformed))
    }

    /// Enters a file, unless it is to be read once and was. False: the compiler ends here.
    fn stack(&mut self, file: Number, import: bool) -> Result<bool, Stop> {
        if self.files.all[file].once {
            return Ok(true);
        }
        if import {
            self.mark_once(file);
            if self.files.all[file].entered > 0 {
                return Ok(true);
            }
        }
        let outline = self.outline(file)?;
        let guarded =
            outline.guard.is_some_and(|guard| self.table.get(guard).is_some() && !self.doubtful.contains(&guard));
        if guarded && self.files.all[file].entered > 0 {
            return Ok(true);
        }
        if self.any_once && self.is_copy(file, import)? {
            return Ok(true);
        }
        if self.frames.len() >= DEPTH || self.entered > ENTERED {
            return Err(Unsure::Large.into());
        }
        self.entered += 1;
        let system = self.files.all[file].system || self.here()?.system;
        if self.files.all[file].entered == 0 {
            self.note(file, system);
        }
        self.files.all[file].entered += 1;
        if guarded {
            return Ok(true);
        }
        self.frames.push(Frame { file, system, shifted: None, unclear_line: false, name: None });
        let goes_on = self.follow(&outline)?;
        self.frames.pop();
        Ok(goes_on)
    }

    fn mark_once(&mut self, file: Number) {
        self.any_once = true;
        let known = &mut self.files.all[file];
        if !std::mem::replace(&mut known.once, true)
            && let Some(stat) = known.stat
        {
            self.once.entry(stat.size).or_default().push(file);
        }
    }

    /// Whether a file counts as one that was read before: of the same size, time and bytes.
    fn is_copy(&mut self, file: Number, import: bool) -> Result<bool, Stop> {
        let Some(stat) = self.files.all[file].stat else { return Ok(false) };
        self.compares |= import || self.files.all[file].is_same(&self.files.all[MAIN]);
        let others: Vec<Number> = if import {
            (0..self.files.all.len())
                .filter(|other| self.files.all[*other].stat.is_some_and(|is| is.size == stat.size))
                .collect()
        } else {
            self.once.get(&stat.size).cloned().unwrap_or_default()
        };
        let mut copy = false;
        for other in others.into_iter().filter(|other| *other != file) {
            let Some(is) = self.files.all[other].stat else { continue };
            if self.files.all[other].is_same(&self.files.all[file]) {
                // Two names that one of them may lose.
                self.exact.times |= self.files.are_links(other, file)?;
                copy = true;
            } else if self.files.read(other)? == self.files.read(file)? {
                self.exact.times = true;
                copy |= is.mtime_ns.div_euclid(1_000_000_000) == stat.mtime_ns.div_euclid(1_000_000_000);
            }
        }
        Ok(copy)
    }

    /// Follows the directives of a file. False: the compiler ends here.
    fn follow(&mut self, outline: &Outline) -> Result<bool, Stop> {
        if let Some(unsure) = outline.unsure {
            return Err(unsure.into());
        }
        let mut at = 0;
        while let Some(item) = outline.items.get(at) {
            at += 1;
            match &item.does {
                Does::If(_) | Does::Ifdef(..) => at = self.choose(outline, at - 1)?,
                // Only reached behind the branch that was taken.
                Does::Elif(_) | Does::Elifdef(..) | Does::Else => at = item.end as usize + 1,
                Does::Endif => {}
                Does::Define(name, is) => self.table.define(*name, *is),
                Does::Undef(name) => self.table.undefine(*name),
                Does::Include(how, operand) => {
                    self.line = (item.line, item.spliced);
                    if !self.include(*how, operand)? {
                        return Ok(false);
                    }
                }
                Does::Pragma(pragma) => self.pragma(pragma)?,
                Does::Line(marker, text) => self.renumber(*marker, text, item)?,
                Does::Error => self.exact.complains = true,
                Does::Facts(facts) => self.facts(facts)?,
                Does::Unsure(unsure) => return Err((*unsure).into()),
            }
        }
        Ok(true)
    }

    /// Behind the first directive of the branch that is taken.
    fn choose(&mut self, outline: &Outline, first: usize) -> Result<usize, Stop> {
        let mut at = first;
        loop {
            let Some(item) = outline.items.get(at) else { return Err(Unsure::Malformed.into()) };
            if matches!(item.does, Does::Endif) {
                return Ok(at + 1);
            }
            let holds = match self.holds(item) {
                Err(Stop::Unsure(Unsure::Target)) => {
                    self.doubt(outline, first)?;
                    self.tolerant = true;
                    let holds = self.holds(item);
                    self.tolerant = false;
                    holds?
                }
                holds => holds?,
            };
            if holds {
                return Ok(at + 1);
            }
            at = item.next as usize;
        }
    }

    /// Takes in that any branch of a conditional may be taken. Fails if one of them could change which files are read.
    fn doubt(&mut self, outline: &Outline, first: usize) -> Result<(), Stop> {
        let end = outline.items.get(first).map_or(0, |item| item.end as usize);
        for item in outline.items.get(first..=end).unwrap_or_default() {
            match &item.does {
                Does::If(_) | Does::Ifdef(..) | Does::Elif(_) | Does::Elifdef(..) | Does::Else | Does::Endif => {}
                Does::Define(name, _) | Does::Undef(name) => {
                    self.doubtful.insert(*name);
                }
                Does::Facts(facts) => self.facts(facts)?,
                Does::Pragma(pragma) if pragma.is_of_options() => {}
                _ => return Err(Unsure::Target.into()),
            }
        }
        Ok(())
    }

    /// Whether `-E` and a compilation may take a name differently.
    fn is_doubtful(&self, name: Symbol) -> bool {
        !self.doubtful.is_empty() && self.doubtful.contains(&name)
            || self.options != 0 && !self.table.is_own(name) && host::depends_on(self.options, &self.symbols.text(name))
    }

    fn holds(&mut self, item: &Item) -> Result<bool, Stop> {
        Ok(match &item.does {
            Does::If(text) | Does::Elif(text) => {
                self.line = (item.line, item.spliced);
                let sure = self.options == 0 && self.doubtful.is_empty();
                if sure && let Some(truth) = text.truths.known(|name| self.table.get(name)) {
                    return Ok(truth);
                }
                let (symbols, dialect) = (self.symbols, self.dialect);
                let mut expander = Expander::new(symbols, dialect, &text.bytes, text.tokens(symbols), false);
                let mut listener = Listener::new(self);
                let truth = condition::holds(&mut expander, &mut listener)?;
                if let Some(asked) = listener.asked().filter(|_| sure) {
                    text.truths.keep(asked, truth);
                }
                truth
            }
            Does::Ifdef(name, defined) | Does::Elifdef(name, defined) => self.definition(*name)?.is_some() == *defined,
            _ => true,
        })
    }

    fn include(&mut self, how: How, operand: &Operand) -> Result<bool, Stop> {
        let (name, angle) = match operand {
            Operand::Quoted(name) => (*name, false),
            Operand::Angled(name) => (*name, true),
            Operand::Computed(text) => {
                let (symbols, dialect) = (self.symbols, self.dialect);
                let mut expander = Expander::new(symbols, dialect, &text.bytes, text.tokens(symbols), true);
                expander.angled = true;
                let first = expander.word(self)?;
                expander.angled = false;
                let (name, angle) = expander.header_name(first, self)?;
                (symbols.of(&name), angle)
            }
        };
        let text = self.symbols.text(name);
        if text.is_empty() || text.contains(&0) {
            return Err(Unsure::Malformed.into());
        }
        let start = self.start(&text, angle, how == How::Next)?;
        self.world.purpose(&|| self.directive(&text, angle, how));
        let known = self.files.all.len();
        let file = self.files.find(name, start)?;
        self.files.precompiled = false;
        if self.files.all[file].stat.is_none() {
            // What was asked for before, with `__has_include`, gcc does not complain of again.
            return if file < known { Ok(true) } else { self.missing(file, angle) };
        }
        self.stack(file, how == How::Import)
    }

    /// An include as it may stand in its file, and where, for people.
    fn directive(&self, name: &[u8], angle: bool, how: How) -> String {
        let directive = match how {
            How::Next => "include_next",
            How::Import => "import",
            How::Plain => "include",
        };
        let name = String::from_utf8_lossy(name);
        let name = if angle { format!("<{name}>") } else { format!("\"{name}\"") };
        let file = self.frames.last().map(|frame| String::from_utf8_lossy(&self.files.all[frame.file].path));
        format!("#{directive} {name} in {}:{}", file.unwrap_or_default(), self.line.0)
    }

    /// Where the search for a name begins.
    fn start(&mut self, name: &[u8], angle: bool, next: bool) -> Result<Place, Stop> {
        if name.starts_with(b"/") {
            return Ok(Place::Nowhere);
        }
        let (file, system) = self.here().map(|frame| (frame.file, frame.system))?;
        match self.files.all[file].place {
            Place::Chain(index) if next && self.frames.len() > 1 => return Ok(Place::Chain(index + 1)),
            Place::Beside(_) if next && self.frames.len() > 1 => return Ok(Place::Chain(0)),
            _ => {}
        }
        if angle {
            Ok(Place::Chain(self.call.chain.bracket))
        } else if self.call.chain.beside {
            Ok(self.files.beside(file, system))
        } else {
            Ok(Place::Chain(0))
        }
    }

    /// An include that leads nowhere: the compiler mostly ends.
    fn missing(&mut self, file: Number, angle: bool) -> Result<bool, Stop> {
        let Missing { users_only, listed, needed } = self.call.missing;
        let counts = !users_only || !(angle || self.here()?.system);
        if counts && listed {
            let path = self.files.all[file].path.clone();
            self.exact.prerequisites.push((path, false));
            return Ok(!needed);
        }
        Ok(!(counts || needed))
    }

    fn pragma(&mut self, pragma: &Pragma) -> Result<(), Stop> {
        match pragma {
            Pragma::Once => {
                let file = self.here()?.file;
                self.mark_once(file);
            }
            Pragma::SystemHeader => {
                if self.frames.len() > 1
                    && let Some(frame) = self.frames.last_mut()
                {
                    frame.system = true;
                }
            }
            Pragma::Push(name) => self.table.push(self.symbols.of(name)),
            Pragma::Pop(name) => self.table.pop(self.symbols.of(name)),
            Pragma::Poison(names) => {
                for name in names {
                    self.table.undefine(self.symbols.of(name));
                }
            }
            Pragma::Target => self.options |= TARGET,
            Pragma::Optimize => self.options |= OPTIMIZE,
            Pragma::PushOptions => self.pushed.push(self.options),
            Pragma::PopOptions => self.options = self.pushed.pop().unwrap_or(self.options),
            Pragma::Dependency => self.exact.dependency = true,
            Pragma::Precompiled => return Err(Reason::new(ReasonKind::Pch, "#pragma GCC pch_preprocess").into()),
            Pragma::Malformed => return Err(Unsure::Malformed.into()),
        }
        Ok(())
    }

    fn renumber(&mut self, marker: bool, text: &Text, item: &Item) -> Result<(), Stop> {
        let words = text.tokens(self.symbols);
        let spelled: Vec<_> = words.iter().map(|word| self.symbols.text(word.text)).collect();
        let number = spelled.first().and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse().ok());
        let Some(number) = number else {
            // Which file it names, and messages quote, is computed.
            return Err(Unsure::Line.into());
        };
        let flags = spelled.get(2..).unwrap_or_default();
        if marker && flags.iter().any(|flag| matches!(&**flag, b"1" | b"2")) {
            return Err(Unsure::Marker.into());
        }
        let name = match words.get(1).map(|word| word.kind) {
            None => None,
            Some(Kind::Str) => {
                let text = &spelled[1];
                Some(unescaped(&text[1..text.len() - 1]).ok_or(Unsure::Line)?)
            }
            Some(_) => return Err(Unsure::Line.into()),
        };
        if let Some(name) = &name {
            self.exact.sources.push(name.clone());
        }
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        frame.shifted = Some((number, item.line));
        frame.unclear_line = item.spliced;
        if name.is_some() {
            frame.name = name;
            if marker {
                frame.system = flags.iter().any(|flag| matches!(&**flag, b"3" | b"4"));
            }
        }
        Ok(())
    }

    fn facts(&mut self, facts: &Facts) -> Result<(), Stop> {
        let unclear = facts.unclear || facts.words && self.computed || facts.computed && self.words;
        if unclear {
            return Err(Unsure::Pragma.into());
        }
        self.computed |= facts.computed;
        self.words |= facts.words;
        if facts.options || facts.option_words && self.computed {
            self.options = TARGET | OPTIMIZE;
        }
        let exact = &mut self.exact;
        exact.clock |= facts.clock;
        exact.timestamp |= facts.timestamp;
        let system = self.frames.last().is_some_and(|frame| frame.system);
        self.pasted.add(if system { facts.pasted.of_system() } else { facts.pasted });
        exact.dependency |= facts.dependency;
        exact.assembler_unclear |= facts.assembler_unclear;
        exact.assembler.extend(facts.assembler.iter().cloned());
        if facts.pch {
            return Err(Reason::new(ReasonKind::Pch, "#pragma GCC pch_preprocess").into());
        }
        Ok(())
    }

    fn path_of(&self, frame: &Frame) -> Vec<u8> {
        frame.name.clone().unwrap_or_else(|| self.files.all[frame.file].path.clone())
    }
}
