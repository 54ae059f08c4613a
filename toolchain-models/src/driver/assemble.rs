//! What one run of the assembler reads and writes, from its own arguments.
//!
//! Knows nothing of the driver or of instructions; `.include` and `.incbin` are found by the scanner.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_thunk::Writes;

use super::builder::{Builder, is_temporary};
use super::compile::{AssemblerNames, Compiled};
use crate::scan::{Chain, Flavour, Headers, Walk};
use crate::verdict::{Holds, Input, Reason, ReasonKind};
use crate::world::FileKind;

/// Flags without a value; those of one letter first.
const FLAGS: &[&str] = &[
    "--32",
    "--64",
    "--divide",
    "--dump-config",
    "--elf-stt-common=no",
    "--elf-stt-common=yes",
    "--execstack",
    "--fatal-warnings",
    "--generate-missing-build-notes=no",
    "--generate-missing-build-notes=yes",
    "--keep-locals",
    "--multibyte-handling=allow",
    "--no-pad-sections",
    "--no-warn",
    "--noexecstack",
    "--nocompress-debug-sections",
    "--reduce-memory-overheads",
    "--statistics-none",
    "--strip-local-absolute",
    "--traditional-format",
    "--warn",
    "--x32",
    "-D",
    "-EB",
    "-EL",
    "-J",
    "-K",
    "-L",
    "-O",
    "-O0",
    "-O1",
    "-O2",
    "-Os",
    "-Qn",
    "-Qy",
    "-R",
    "-W",
    "-Z",
    "-f",
    "-fno-pic",
    "-fpic",
    "-g",
    "-k",
    "-n",
    "-q",
    "-s",
    "-w",
    "-x",
];

/// Flags that begin so.
const FAMILIES: &[&str] = &[
    "--compress-debug-sections",
    "--gdwarf",
    "--gen-debug",
    "--gstabs",
    "--hash-size=",
    "--listing-",
    "--mlittle",
    "--mbig",
    "--size-check=",
    "-m",
];

#[derive(Default)]
struct Arguments {
    inputs: Vec<OsString>,
    dirs: Vec<OsString>,
    output: Option<OsString>,
    /// The rule that is written for make.
    depfile: Option<OsString>,
    /// The listing's file; nothing for standard output.
    listing: Option<OsString>,
    /// A listing is made: of a pipe it would be another.
    lists: bool,
    /// A listing quotes the sources that the compiler names.
    quotes: bool,
    /// `-g`: lines are described under the names that stand in the source, if some do.
    describes: bool,
    /// `--gstabs`: the source's own name stands there, too.
    stabs: bool,
    /// `--debug-prefix-map`: they may go by other names.
    maps: bool,
}

impl Arguments {
    /// `-a`, its letters and the name behind `=`; some assembler flags of targets begin so, too.
    fn listing(&mut self, arg: &OsStr) -> Result<(), Reason> {
        let bytes = &arg.as_bytes()[b"-a".len()..];
        let (letters, file) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&bytes[..equals], Some(&bytes[equals + 1..])),
            None => (bytes, None),
        };
        // With `g` it tells the time.
        if !letters.iter().all(|letter| b"cdhilmns".contains(letter)) || file.is_some_and(<[u8]>::is_empty) {
            return Err(Reason::new(ReasonKind::UnmodelledOption, format!("as {}", arg.to_string_lossy())));
        }
        self.lists = true;
        self.quotes |= letters.is_empty() || letters.contains(&b'h');
        if let Some(file) = file {
            self.listing = Some(OsStr::from_bytes(file).to_owned());
        }
        Ok(())
    }
}

fn parse(args: &[OsString]) -> Result<Arguments, Reason> {
    let mut parsed = Arguments::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        let mut value = |joined: &[u8]| -> Result<OsString, Reason> {
            if joined.is_empty() {
                rest.next()
                    .cloned()
                    .ok_or_else(|| Reason::new(ReasonKind::Usage, format!("{} lacks its value", arg.to_string_lossy())))
            } else {
                Ok(OsStr::from_bytes(joined).to_owned())
            }
        };
        if bytes == b"-" || bytes == b"--" {
            return Err(Reason::new(ReasonKind::Stdin, "as -"));
        } else if !bytes.starts_with(b"-") {
            parsed.inputs.push(arg.clone());
        } else if let Some(joined) = bytes.strip_prefix(b"-I") {
            parsed.dirs.push(value(joined)?);
        } else if let Some(joined) = bytes.strip_prefix(b"-o") {
            parsed.output = Some(value(joined)?);
        } else if bytes == b"--MD" {
            parsed.depfile = Some(value(b"")?);
        } else if let Some(joined) = bytes.strip_prefix(b"--MD=") {
            parsed.depfile = Some(value(joined)?);
        } else if let Some(joined) =
            bytes.strip_prefix(b"--defsym").or_else(|| bytes.strip_prefix(b"--debug-prefix-map"))
        {
            parsed.maps |= bytes.starts_with(b"--debug-prefix-map");
            value(joined.strip_prefix(b"=").unwrap_or(joined))?;
        } else if bytes == b"--version"
            || bytes == b"--help"
            || bytes == b"--target-help"
            || bytes == b"-v"
            || bytes == b"-V"
        {
            return Err(Reason::new(ReasonKind::ProbeVersion, arg.to_string_lossy()));
        } else if bytes.starts_with(b"-a") {
            parsed.listing(arg)?;
        } else if !(FLAGS.iter().any(|flag| bytes == flag.as_bytes())
            || FAMILIES.iter().any(|name| bytes.starts_with(name.as_bytes())))
        {
            let kind = if bytes == b"--statistics" { ReasonKind::UnmodelledOption } else { ReasonKind::UnknownOption };
            return Err(Reason::new(kind, format!("as {}", arg.to_string_lossy())));
        } else {
            let version = bytes.strip_prefix(b"--gdwarf-").and_then(<[u8]>::first);
            parsed.describes |= bytes == b"-g" || bytes == b"--gen-debug" || version.is_some_and(u8::is_ascii_digit);
            parsed.stabs |= bytes.starts_with(b"--gstabs");
        }
    }
    if parsed.inputs.is_empty() {
        return Err(Reason::new(ReasonKind::Stdin, "as without an input"));
    }
    Ok(parsed)
}

/// Adds the step: `argv` with `argv[0]`; `compiled` is what the compiler's step before left.
pub(crate) fn add(
    builder: &mut Builder<'_>,
    headers: &Headers,
    exe: &Path,
    argv: &[OsString],
    compiled: Compiled,
) -> Result<(), Reason> {
    let args = parse(argv.get(1..).unwrap_or_default())?;
    if args.quotes && (args.maps || compiled.maps) {
        return Err(Reason::new(ReasonKind::Footprint, "as -a, with sources under other names"));
    }
    let named = args.lists || args.stabs || args.describes && compiled.unmarked;
    if named && builder.piped && args.inputs.iter().any(|input| is_temporary(input)) {
        return Err(Reason::new(ReasonKind::UnmodelledOption, "as -a or -g with -pipe"));
    }
    builder.step(exe, argv)?;
    let mut dirs = vec![PathBuf::new()];
    dirs.extend(args.dirs.iter().map(PathBuf::from));
    for dir in &args.dirs {
        let dir = builder.absolute(dir);
        if builder.stat(&dir)?.is_some_and(|stat| stat.kind == FileKind::Dir) {
            builder.add([Input::Dir(dir)]);
        }
    }
    let mut seen = BTreeSet::new();
    let mut pending = compiled.assembler;
    // What a user's own assembler source makes may be meant for a plugin.
    let own = args.inputs.iter().any(|input| !builder.is_made(input));
    // It may be the compiler's source, too.
    builder.read_by_others |= own;
    for input in &args.inputs {
        builder.input(input)?;
        if !builder.is_made(input) {
            pending.extend(names_in(builder, headers, Path::new(input))?);
            if args.quotes && mentions(builder, input, &[b".file", b".loc", b".stab", b".ln", b"#"])? {
                return Err(Reason::new(ReasonKind::Footprint, format!("as -a: {} may name sources", input.display())));
            }
            builder.intermediate |= mentions(builder, input, &[b".gnu.lto_"])?;
        }
    }
    while let Some((include, name)) = pending.pop() {
        if !seen.insert((include, name.clone())) {
            continue;
        }
        for dir in &dirs {
            let path = dir.join(OsStr::from_bytes(&name));
            let absolute = builder.absolute(&path);
            match builder.stat(&absolute)? {
                Some(stat) if stat.kind == FileKind::File => {
                    builder.add([Input::File(absolute)]);
                    if include {
                        pending.extend(names_in(builder, headers, &path)?);
                    }
                    break;
                }
                // It stops at a directory, too.
                Some(_) => {
                    return Err(Reason::new(ReasonKind::Input, format!("{}: not a regular file", absolute.display())));
                }
                None => {}
            }
        }
    }
    let holds = if own { Holds::Binary } else { compiled.holds };
    builder.output(args.output.as_deref().unwrap_or(OsStr::new("a.out")), Writes::Replace, holds)?;
    for text in [&args.listing, &args.depfile].into_iter().flatten() {
        builder.output(text, Writes::Through, Holds::Text)?;
    }
    Ok(())
}

/// Whether one of these words stands in a user's assembler source.
fn mentions(builder: &Builder<'_>, input: &OsStr, words: &[&[u8]]) -> Result<bool, Reason> {
    let path = builder.absolute(input);
    let text = builder.world.read(&path).map_err(|error| Reason::io(&path, &error))?;
    Ok(words.iter().any(|word| text.windows(word.len()).any(|window| window == *word)))
}

fn names_in(builder: &Builder<'_>, headers: &Headers, path: &Path) -> Result<AssemblerNames, Reason> {
    let chain = Chain::default();
    let reached = Walk::new(headers, builder.world, &builder.req.cwd, &chain, Flavour::Assembly).alone(path)?;
    Ok(reached.assembler.into_iter().collect())
}
