//! The files that one run of cc1 or cc1plus reads, exactly, and the depfile that it writes.
//!
//! Knows what of the arguments the preprocessor goes by, nothing of sources.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{Arguments, Unit};
use crate::directives::Directives;
use crate::driver::builder::Builder;
use crate::driver::predefined;
use crate::scan::Reached;
use crate::scan::depfile::Rule;
use crate::scan::exact::{self, Call, Dialect, Exact, Missing, Stop, Unsure};
use crate::verdict::{Reason, ReasonKind};
use crate::world::FileKind;

/// What of the arguments the exact scan goes by, besides what all models go by.
#[derive(Default)]
pub(super) struct Preprocessing {
    /// `-D` (true) and `-U`, in order.
    pub(super) defined: Vec<(OsString, bool)>,
    /// `-include` and `-imacros`.
    pub(super) forced: Vec<exact::Forced>,
    /// The flags that what is predefined depends on.
    pub(super) flags: Vec<OsString>,
    /// The directories of `-I`.
    pub(super) own_dirs: Vec<OsString>,
    /// `-I-`.
    pub(super) split: bool,
    /// `-nostdinc`.
    pub(super) no_standard_dirs: bool,
    /// `-fno-canonical-system-headers`.
    pub(super) as_found: bool,
    /// `-fmacro-prefix-map=` or the like.
    pub(super) maps_prefixes: bool,
    /// An option of which the scan does not know what it does.
    pub(super) unclear: bool,
    /// `-MT` (false) and `-MQ`.
    pub(super) targets: Vec<(OsString, bool)>,
    /// `-MP`.
    pub(super) phony: bool,
    /// `-MG`.
    pub(super) missing_listed: bool,
    /// `-MM`, `-MMD`.
    pub(super) users_only: bool,
}

/// Options by which sources are read otherwise than the scan reads them.
const OTHERWISE: &[&str] = &[
    "-fdirectives-only",
    "-finput-charset",
    "-fmax-include-depth",
    "-fmodule",
    "-fno-dollars-in-identifiers",
    "-fno-extended-identifiers",
    "-remap",
    "-traditional",
];

/// Flags that change with the file or the place, and no definition.
const IDLE: &[&str] =
    &["-frandom-seed", "-fdebug-prefix-map", "-fprofile-", "-fdump-", "-fplugin", "-fdiagnostics-", "-W", "-w"];

impl Preprocessing {
    /// Takes in an option that has no value of its own.
    pub(super) fn flag(&mut self, arg: &OsStr) {
        let bytes = arg.as_bytes();
        let of = |names: &[&str]| names.iter().any(|name| bytes.starts_with(name.as_bytes()));
        match bytes {
            b"-MP" => self.phony = true,
            b"-MG" => self.missing_listed = true,
            b"-MM" => self.users_only = true,
            b"-nostdinc" => self.no_standard_dirs = true,
            b"-fno-canonical-system-headers" => self.as_found = true,
            b"-fcanonical-system-headers" => self.as_found = false,
            b"-C" | b"-CC" => self.unclear = true,
            b"-P" | b"-H" | b"-M" | b"-E" | b"-quiet" | b"-version" | b"-fworking-directory" | b"-fpch-preprocess" => {}
            b"-dD" | b"-dI" | b"-dM" | b"-dN" | b"-dU" => {}
            _ if bytes.starts_with(b"-fmacro-prefix-map=") || bytes.starts_with(b"-ffile-prefix-map=") => {
                self.maps_prefixes = true;
            }
            _ if of(OTHERWISE) => self.unclear = true,
            _ if of(IDLE) => {}
            _ => self.flags.push(arg.to_owned()),
        }
    }

    /// Takes in an option's value.
    pub(super) fn valued(&mut self, name: &str, value: &OsStr) {
        match name {
            "-D" | "-U" => self.defined.push((value.to_owned(), name == "-D")),
            "-include" | "-imacros" => {
                self.forced.push(exact::Forced { name: value.to_owned(), text: name == "-include" });
            }
            "-I" if value == "-" => {
                self.own_dirs.clear();
                self.split = true;
            }
            "-I" => {
                self.unclear |= value.as_bytes().starts_with(b"=") || value.as_bytes().starts_with(b"$SYSROOT");
                self.own_dirs.push(value.to_owned());
            }
            "-iwithprefixbefore" => self.unclear = true,
            "-MT" | "-MQ" => self.targets.push((value.to_owned(), name == "-MQ")),
            "-MMD" => self.users_only = true,
            "-MD" => self.users_only = false,
            "--param" if value.as_bytes().starts_with(b"=") => {
                self.flags.push([name.as_ref(), value].iter().copied().collect());
            }
            "--param" => self.flags.extend([name.into(), value.to_owned()]),
            _ => {}
        }
    }
}

/// What the compiler reads, and the depfile where it writes one.
pub(super) struct Scanned {
    pub(super) reached: Reached,
    /// What in the source this rests on, if it rests on nothing else there.
    pub(super) directives: Option<Directives>,
    pub(super) depfile: Option<Vec<u8>>,
}

/// What the scan finds; inside, the reason why it is not sure.
pub(super) fn reached(builder: &Builder<'_>, unit: &Unit<'_>) -> Result<Result<Scanned, Unsure>, Reason> {
    let Unit { args, main, .. } = *unit;
    match scan(builder, unit) {
        Ok((exact, dialect)) => {
            let depfile =
                args.depfile.as_ref().filter(|_| !exact.failed && !exact.complains).map(|_| rule(args, &exact, main));
            // The assembler reads it too, or might: all of it.
            let directives = exact.directives.filter(|_| exact.assembler.is_empty());
            let source = builder.absolute(main).into_os_string().into_vec();
            let directives = directives.map(|digest| Directives { source, digest, dialect });
            Ok(Ok(Scanned { reached: into_reached(builder, exact, main)?, directives, depfile }))
        }
        Err(Stop::Unsure(unsure)) => Ok(Err(unsure)),
        Err(Stop::Reason(reason)) => Err(reason),
    }
}

fn scan(builder: &Builder<'_>, unit: &Unit<'_>) -> Result<(Exact, Dialect), Stop> {
    let Unit { headers, exe, args, chain, main } = *unit;
    let how = &args.preprocessing;
    if how.unclear {
        return Err(Unsure::Option.into());
    }
    let dialect = dialect(exe, args)?;
    let shelf = headers.shelf();
    let base = predefined::of(builder, &shelf, exe, &how.flags, dialect)?.ok_or(Unsure::Unanswered)?;
    let cwd = &builder.req.cwd;
    let call = Call {
        main,
        cwd,
        chain,
        dialect,
        defined: &how.defined,
        forced: &how.forced,
        standard_dirs: !how.no_standard_dirs,
        canonical: !how.as_found,
        maps_prefixes: how.maps_prefixes,
        precompiled: args.takes_precompiled(),
        directives: !builder.read_by_others,
        missing: Missing { users_only: how.users_only, listed: how.missing_listed, needed: !args.dependencies_only },
    };
    let asked = RefCell::new(std::collections::BTreeMap::new());
    let ask = |question: u8, operand: &[u8]| {
        let key = (question, operand.to_vec());
        if let Some(known) = asked.borrow().get(&key) {
            return Ok(*known);
        }
        let answer = predefined::answer(builder, exe, &how.flags, question, operand)?;
        asked.borrow_mut().insert(key, answer);
        Ok(answer)
    };
    Ok((headers.timed(|| exact::scan(&call, &shelf, builder.world, base, &ask))?, dialect))
}

fn dialect(exe: &Path, args: &Arguments) -> Result<Dialect, Unsure> {
    let cxx = exe.file_name().is_some_and(|name| name.as_bytes().starts_with(b"cc1plus"));
    let standard = match args.standard.as_deref().map(OsStr::as_bytes) {
        // `-ansi`.
        Some(b"c++98") if !cxx => Some(&b"c90"[..]),
        standard => standard,
    };
    let mut dialect = Dialect::of(cxx, args.assembly, standard)?;
    dialect.trigraphs |= args.trigraphs;
    if args.preprocessing.flags.iter().any(|flag| flag == "-fdollars-in-identifiers") && args.assembly {
        return Err(Unsure::Option);
    }
    Ok(dialect)
}

fn rule(args: &Arguments, exact: &Exact, main: &Path) -> Vec<u8> {
    let how = &args.preprocessing;
    let mut rule = Rule::new(how.phony);
    for (target, quote) in &how.targets {
        rule.target(target.as_bytes(), *quote);
    }
    rule.default_target(main.as_os_str().as_bytes());
    let listed = exact.prerequisites.iter().filter(|(_, system)| !(*system && how.users_only));
    rule.prerequisites = listed.map(|(path, _)| path.clone()).collect();
    rule.bytes()
}

fn into_reached(builder: &Builder<'_>, exact: Exact, main: &Path) -> Result<Reached, Reason> {
    if exact.assembler_unclear {
        let what = format!("{}: .incbin or .include of an unknown name", main.display());
        return Err(Reason::new(ReasonKind::Footprint, what));
    }
    let mut reached = Reached {
        clock: exact.clock.then(|| main.to_owned()),
        timestamp: exact.timestamp.then(|| main.to_owned()),
        dependency: exact.dependency.then(|| main.to_owned()),
        times: exact.times,
        assembler: exact.assembler.into_iter().collect(),
        files: exact.files.into_iter().map(OsString::from_vec).collect(),
        ..Reached::default()
    };
    for source in exact.sources.into_iter().filter(|source| !source.is_empty()) {
        let path = PathBuf::from(OsString::from_vec(source));
        if builder.stat(&builder.absolute(&path))?.is_some_and(|stat| stat.kind == FileKind::File) {
            reached.files.insert(path.into_os_string());
        }
    }
    Ok(reached)
}
