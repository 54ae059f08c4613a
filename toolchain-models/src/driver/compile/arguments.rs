//! The command line of cc1 and cc1plus. Does no I/O.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::scanned::Preprocessing;
use crate::driver::beside::Beside;
use crate::driver::option::{self, Effect, Inventory};
use crate::scan::Flavour;
use crate::verdict::{Reason, ReasonKind};

/// Options of cc1's whose value is the next argument, or may be joined; with [`SEARCH`] these are all.
const VALUED: &[&str] = &[
    "--param",
    "-A",
    "-D",
    "-MD",
    "-MF",
    "-MMD",
    "-MQ",
    "-MT",
    "-U",
    "-aux-info",
    "-auxbase",
    "-auxbase-strip",
    "-dumpbase",
    "-dumpbase-ext",
    "-dumpdir",
    "-imacros",
    "-include",
    "-o",
];

/// Such options on which the search path depends.
const SEARCH: &[&str] = &[
    "-I",
    "-idirafter",
    "-imultiarch",
    "-imultilib",
    "-iprefix",
    "-iquote",
    "-isysroot",
    "-isystem",
    "-iwithprefix",
    "-iwithprefixbefore",
];

/// What they say.
#[derive(Default)]
pub(super) struct Arguments {
    /// The source.
    pub(super) main: Option<OsString>,
    pub(super) forced: Vec<OsString>,
    pub(super) defined: Vec<OsString>,
    pub(super) search: Vec<OsString>,
    pub(super) output: Option<OsString>,
    /// The precompiled header that is made.
    pub(super) precompiles: Option<OsString>,
    pub(super) depfile: Option<OsString>,
    /// The arguments without those that choose outputs, for asking again.
    pub(super) asking: Vec<OsString>,
    pub(super) preprocesses_only: bool,
    pub(super) dependencies_only: bool,
    /// `-fpch-preprocess`: the preprocessor alone takes precompiled headers, and says so.
    precompiled_in_text: bool,
    /// `-flto`: what is made holds code that only a plugin understands.
    pub(super) intermediate: bool,
    /// `-frandom-seed`: nothing is drawn by lot.
    seeded: bool,
    pub(super) preprocessed: bool,
    /// `-fdirectives-only`.
    directives_only: bool,
    pub(super) assembly: bool,
    /// The value of `-std=`.
    pub(super) standard: Option<OsString>,
    /// `-trigraphs`.
    pub(super) trigraphs: bool,
    pub(super) preprocessing: Preprocessing,
    pub(super) beside: Beside,
}

impl Arguments {
    /// Whether the precompiled form of a header is taken: the preprocessor alone takes none, nor does who makes one.
    pub(super) fn takes_precompiled(&self) -> bool {
        let text = self.preprocesses_only && !self.precompiled_in_text;
        !(text || self.dependencies_only || self.precompiles.is_some())
    }

    /// Whether what is made has something in it that is drawn by lot: names of sections, stamps of counters.
    pub(super) fn draws_lots(&self) -> bool {
        !self.seeded && (self.intermediate || self.beside.counts_runs())
    }

    /// Whether trigraphs may be replaced: in the strict standards (some of the latest have none), or where they are asked for.
    pub(super) fn has_trigraphs(&self) -> bool {
        self.trigraphs || self.standard.as_ref().is_some_and(|standard| !standard.as_bytes().starts_with(b"gnu"))
    }

    /// How the sources are read. Raw strings are known to C++ from 2011 on and to GNU C from 1999 on (`lang_defaults` in
    /// cpplib); the last `-std=` counts.
    pub(super) fn flavour(&self, exe: &Path) -> Flavour {
        if self.assembly {
            return Flavour::Assembly;
        }
        let standard = self.standard.as_deref().map(OsStr::as_bytes);
        let cxx = exe.file_name().is_some_and(|name| name.as_bytes().starts_with(b"cc1plus"));
        let raw = match standard {
            None => true,
            Some(standard) if cxx => {
                let year = standard.strip_prefix(b"gnu++").or_else(|| standard.strip_prefix(b"c++"));
                !matches!(year, Some(b"98" | b"03") | None)
            }
            Some(standard) => standard.starts_with(b"gnu") && !matches!(standard, b"gnu89" | b"gnu90"),
        };
        if raw { Flavour::C } else { Flavour::WithoutRawStrings }
    }
}

/// Reads them, without `argv[0]`.
pub(super) fn parse(args: &[OsString], inventory: Inventory<'_>) -> Result<Arguments, Reason> {
    let mut parsed = Arguments::default();
    let mut rest = args.iter();
    let valued = || VALUED.iter().chain(SEARCH);
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        if !bytes.starts_with(b"-") || bytes == b"-" {
            if bytes == b"-" {
                return Err(Reason::new(ReasonKind::Stdin, "-"));
            }
            if parsed.main.replace(arg.clone()).is_some() {
                return Err(Reason::new(ReasonKind::Plan, format!("two inputs of cc1: {}", arg.to_string_lossy())));
            }
            continue;
        }
        let whole = valued().find(|name| bytes == name.as_bytes());
        let joined = || {
            let names = valued().filter(|name| bytes.starts_with(name.as_bytes()) && !matches!(**name, "-MD" | "-MMD"));
            names.filter(|name| !name.starts_with("-dump") && !name.starts_with("-aux")).max_by_key(|name| name.len())
        };
        let (name, value, spelled): (&str, OsString, Vec<OsString>) = if let Some(name) = whole {
            let value = rest.next().ok_or_else(|| Reason::new(ReasonKind::Usage, format!("{name} lacks its value")))?;
            (name, value.clone(), vec![arg.clone(), value.clone()])
        } else if let Some(joined) = bytes.strip_prefix(b"--output-pch=") {
            // With `-o` the driver leaves the name to the next argument.
            parsed.precompiles = match joined {
                b"" => rest.next().cloned(),
                name => Some(OsStr::from_bytes(name).to_owned()),
            };
            continue;
        } else if let Some(name) = joined() {
            (name, OsStr::from_bytes(&bytes[name.len()..]).to_owned(), vec![arg.clone()])
        } else {
            flag(arg, inventory, &mut parsed)?;
            continue;
        };
        parsed.preprocessing.valued(name, &value);
        parsed.beside.valued(name, &value);
        match name {
            "-o" => parsed.output = Some(value),
            // The last one counts, whichever it is.
            "-MD" | "-MF" | "-MMD" => parsed.depfile = Some(value),
            "-MQ" | "-MT" | "-aux-info" | "-dumpbase" | "-dumpbase-ext" | "-dumpdir" => {}
            _ => {
                if matches!(name, "-include" | "-imacros") {
                    parsed.forced.push(value);
                } else if name == "-D" {
                    parsed.defined.push(value);
                } else if SEARCH.contains(&name) {
                    parsed.search.extend(spelled.iter().cloned());
                }
                parsed.asking.extend(spelled);
            }
        }
    }
    if parsed.preprocessed && parsed.directives_only {
        // Directives are followed, but with other macros.
        return Err(Reason::new(ReasonKind::UnmodelledOption, "-fdirectives-only -fpreprocessed"));
    }
    Ok(parsed)
}

fn flag(arg: &OsString, inventory: Inventory<'_>, parsed: &mut Arguments) -> Result<(), Reason> {
    parsed.beside.flag(arg);
    let known = option::find(arg.as_bytes());
    if known.is_some_and(|known| known.effect == Effect::Beside) {
        return Ok(());
    }
    parsed.preprocessing.flag(arg);
    match arg.as_bytes() {
        b"-E" => parsed.preprocesses_only = true,
        b"-M" | b"-MM" => parsed.dependencies_only = true,
        b"-MP" => {}
        b"-fpreprocessed" => parsed.preprocessed = true,
        b"-lang-asm" => {
            parsed.assembly = true;
            parsed.search.push(arg.clone());
            parsed.asking.push(arg.clone());
        }
        b"-quiet" | b"-version" | b"-fworking-directory" => parsed.asking.push(arg.clone()),
        b"-fpch-preprocess" => parsed.precompiled_in_text = true,
        // What Arm's driver found out for itself, and users do not say.
        bytes if bytes.starts_with(b"-mlibarch=") => parsed.asking.push(arg.clone()),
        bytes => {
            let known = option::covered(arg, known, inventory)?;
            if let Effect::Asks(kind) = known.effect {
                return Err(Reason::new(kind, arg.to_string_lossy()));
            }
            match known.name {
                "-flto" | "-flto=" => parsed.intermediate = true,
                _ if bytes == b"-fno-lto" => parsed.intermediate = false,
                _ => {}
            }
            match bytes {
                b"-fdirectives-only" => parsed.directives_only = true,
                b"-fno-directives-only" => parsed.directives_only = false,
                _ => {}
            }
            parsed.seeded |= bytes.starts_with(b"-frandom-seed=");
            parsed.trigraphs |= bytes == b"-trigraphs";
            if let Some(standard) = bytes.strip_prefix(b"-std=") {
                parsed.standard = Some(OsStr::from_bytes(standard).to_owned());
            } else if bytes == b"-ansi" {
                parsed.standard = Some("c++98".into());
            }
            if bytes.starts_with(b"-nostdinc") {
                parsed.search.push(arg.clone());
            }
            parsed.asking.push(arg.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::inventory;

    #[test]
    fn arguments_of_cc1() {
        let args: Vec<OsString> = "-quiet -I . -imultiarch x -MD a.d -MF b.d -MQ a.o -D X=1 a.c -quiet -dumpbase a.c -dumpbase-ext .c -mtune=generic -O2 -include f.h -o /tmp/gg0000.s"
            .split(' ')
            .map(OsString::from)
            .collect();
        let parsed = parse(&args, &|arg| Ok(inventory::keeps(arg))).unwrap();
        assert_eq!(parsed.main.unwrap(), "a.c");
        assert_eq!(parsed.depfile.unwrap(), "b.d");
        assert_eq!(parsed.forced, ["f.h"]);
        assert_eq!(parsed.search, ["-I", ".", "-imultiarch", "x"]);
        assert_eq!(parsed.output.unwrap(), "/tmp/gg0000.s");
    }
}
