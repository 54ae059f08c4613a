//! What one run of cc1 or cc1plus reads and writes, from its own arguments.
//!
//! Knows nothing of the driver. Headers are found by the exact scan; where that is not sure, by the one that takes every
//! include of every file, and where it is not clear what an include names the compiler is asked.

mod arguments;
mod asked;
mod scanned;
mod search;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gg_thunk::Writes;

use super::builder::Builder;
use super::clock;
use super::inventory;
use crate::scan::{Chain, Headers, Reached, Walk};
use crate::verdict::{Holds, Input, Reason, ReasonKind};
use arguments::Arguments;
use scanned::Scanned;

/// Operands of assembler directives in inline assembly, to be found by the assembler's step.
pub(crate) type AssemblerNames = Vec<(bool, Vec<u8>)>;

/// What a compiler's step leaves to the assembler's.
pub(crate) struct Compiled {
    pub(crate) assembler: AssemblerNames,
    /// What the object will be.
    pub(crate) holds: Holds,
    /// Sources go by other names.
    pub(crate) maps: bool,
    /// Lines may have no marks that say where they are from.
    pub(crate) unmarked: bool,
}

impl Compiled {
    /// What two steps leave, of which the second goes on with what the first made.
    pub(crate) fn then(mut self, later: Self) -> Self {
        self.assembler.extend(later.assembler);
        Self { assembler: self.assembler, maps: self.maps || later.maps, ..later }
    }
}

impl Default for Compiled {
    fn default() -> Self {
        Self { assembler: AssemblerNames::default(), holds: Holds::Object, maps: false, unmarked: false }
    }
}

/// A translation unit: what compiles it, how, and where that looks for what it includes.
struct Unit<'a> {
    headers: &'a Headers,
    exe: &'a Path,
    args: &'a Arguments,
    chain: &'a Chain,
    main: &'a Path,
}

/// Adds the step: `argv` with `argv[0]`.
pub(crate) fn add(
    builder: &mut Builder<'_>,
    headers: &Headers,
    exe: &Path,
    argv: &[OsString],
) -> Result<Compiled, Reason> {
    let inventory = |arg: &[u8]| inventory::has(builder.req, builder.world, arg);
    let args = arguments::parse(argv.get(1..).unwrap_or_default(), &inventory)?;
    let main = args.main.clone().ok_or_else(|| Reason::new(ReasonKind::Stdin, "no input"))?;
    builder.step(exe, argv)?;
    builder.input(&main)?;
    let mut depfile_bytes = None;
    let reached = if args.preprocessed && builder.is_made(&main) {
        // What it includes and what it says to the assembler was found in the step that made it.
        Reached::default()
    } else if args.preprocessed {
        // Nothing is included, but the rest still counts.
        let chain = Chain::default();
        // In what is preprocessed trigraphs have been replaced.
        let walk = Walk::new(headers, builder.world, &builder.req.cwd, &chain, args.flavour(exe));
        builder.directives.push(None);
        walk.alone(Path::new(&main))?
    } else {
        let chain = search::path(builder, exe, &args)?;
        let unit = Unit { headers, exe, args: &args, chain: &chain, main: Path::new(&main) };
        match scanned::reached(builder, &unit)? {
            Ok(Scanned { reached, directives, depfile }) => {
                depfile_bytes = depfile;
                builder.directives.push(directives);
                reached
            }
            Err(unsure) => {
                builder.unsure.push(unsure.name());
                builder.directives.push(None);
                asked::reached(builder, &unit).map_err(|reason| {
                    let detail = format!("{} (no exact scan: {})", reason.detail, unsure.name());
                    Reason::new(reason.kind, detail)
                })?
            }
        }
    };
    if let Some(file) = &reached.dependency {
        // Where the other one is, is not known.
        return Err(Reason::new(ReasonKind::Times, file.display().to_string()));
    }
    if let Some(file) = &reached.clock {
        clock::tell(builder, file)?;
        // glibc reads the zone whatever time it is asked for.
        clock::zone(builder)?;
    }
    if reached.timestamp.is_some() {
        // The local time of the file's last change.
        clock::zone(builder)?;
        builder.timestamps = true;
    }
    builder.timestamps |= reached.times || reached.bodies.may_be_taken_for_one(&builder.req.cwd, builder.world)?;
    let files: Vec<_> = reached.files.iter().map(|file| Input::File(builder.absolute(file))).collect();
    builder.add(files.into_iter().chain(reached.precompiled.into_iter().map(Input::File)));
    if let Some(precompiled) = &args.precompiles {
        builder.output(precompiled, Writes::Through, Holds::Varying)?;
    }
    match &args.output {
        Some(output) => {
            let varies = args.draws_lots() && !args.preprocesses_only;
            builder.output(output, Writes::Through, if varies { Holds::Varying } else { Holds::Text })?;
        }
        None if args.dependencies_only => builder.prints |= args.depfile.is_none(),
        None if args.preprocesses_only => {
            return Err(Reason::new(ReasonKind::PreprocessToStdout, main.to_string_lossy()));
        }
        None => return Err(Reason::new(ReasonKind::Plan, "cc1 without an output")),
    }
    if !args.preprocesses_only && !args.dependencies_only {
        args.beside.add(builder)?;
    }
    if let Some(depfile) = &args.depfile {
        if depfile == "-" {
            return Err(Reason::new(ReasonKind::Stdout, "-MF -"));
        }
        builder.output(depfile, Writes::Through, Holds::Text)?;
        if let Some(bytes) = depfile_bytes {
            builder.depfile(depfile, bytes);
        }
    }
    builder.intermediate |= args.intermediate;
    let holds = match args.intermediate {
        _ if args.draws_lots() => Holds::Varying,
        true => Holds::Binary,
        false => Holds::Object,
    };
    let maps = |arg: &OsString| {
        [&b"-fdebug-prefix-map"[..], b"-ffile-prefix-map"].iter().any(|option| arg.as_bytes().starts_with(option))
    };
    let maps = argv.iter().any(maps);
    let unmarked = if args.preprocesses_only { argv.iter().any(|arg| arg == "-P") } else { !debugs(argv) };
    Ok(Compiled { assembler: reached.assembler.into_iter().collect(), holds, maps, unmarked })
}

/// Whether these arguments of cc1 ask for what debuggers read, and nothing in them makes that doubtful.
fn debugs(argv: &[OsString]) -> bool {
    let level = |arg: &&[u8]| {
        let kind = arg.strip_prefix(b"-g");
        kind.is_some_and(|kind| {
            kind.first().is_none_or(u8::is_ascii_digit) || kind.starts_with(b"dwarf") || kind.starts_with(b"gdb")
        })
    };
    let args = || argv.iter().map(|arg| arg.as_bytes());
    let doubtful = args().any(|arg| matches!(arg, b"-gtoggle" | b"-gno-as-loc-support"));
    !doubtful && args().rfind(level).is_some_and(|level| !level.ends_with(b"0"))
}
