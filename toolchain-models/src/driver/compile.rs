//! What one run of cc1 or cc1plus reads and writes, from its own arguments.
//!
//! Knows nothing of the driver. Headers are found by the exact scan; where that is not sure, by the one that takes every
//! include of every file, and where it is not clear what an include names the compiler is asked.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gg_thunk::Writes;

use super::beside::Beside;
use super::builder::Builder;
use super::clock;
use super::inventory;
use super::option::{self, Effect, Inventory};
use super::scanned::{self, Preprocessing, Scanned};
use crate::derive::{derive, key_of};
use crate::scan::{Chain, Flavour, Headers, Reached, Walk};
use crate::verdict::{Holds, Input, Reason, ReasonKind};
use crate::world::{FileKind, World};

/// Operands of assembler directives in inline assembly, to be found by the assembler's step.
pub(crate) type AssemblerNames = Vec<(bool, Vec<u8>)>;

/// What a compiler's step leaves to the assembler's.
pub(crate) struct Compiled {
    pub(crate) assembler: AssemblerNames,
    /// What the object will be.
    pub(crate) holds: Holds,
    /// Sources go by other names.
    pub(crate) maps: bool,
}

impl Compiled {
    /// What two steps leave, of which the second goes on with what the first made.
    pub(crate) fn then(mut self, later: Self) -> Self {
        self.assembler.extend(later.assembler);
        Self { assembler: self.assembler, holds: later.holds, maps: self.maps || later.maps }
    }
}

impl Default for Compiled {
    fn default() -> Self {
        Self { assembler: AssemblerNames::default(), holds: Holds::Object, maps: false }
    }
}

/// Options of cc1's whose value is the next argument, or may be joined.
const VALUED: &[&str] = &[
    "--param",
    "-A",
    "-D",
    "-I",
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
    "-idirafter",
    "-imacros",
    "-imultiarch",
    "-imultilib",
    "-include",
    "-iprefix",
    "-iquote",
    "-isysroot",
    "-isystem",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-o",
];

/// Of these, what the search path depends on.
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

/// The environment that the search path depends on.
const SEARCH_ENV: &[&str] = &["CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX"];

#[derive(Default)]
pub(super) struct Arguments {
    main: Option<OsString>,
    forced: Vec<OsString>,
    defined: Vec<OsString>,
    search: Vec<OsString>,
    output: Option<OsString>,
    /// The precompiled header that is made.
    precompiles: Option<OsString>,
    pub(super) depfile: Option<OsString>,
    /// The arguments without those that choose outputs, for asking again.
    asking: Vec<OsString>,
    preprocesses_only: bool,
    pub(super) dependencies_only: bool,
    /// `-fpch-preprocess`: the preprocessor alone takes precompiled headers, and says so.
    precompiled_in_text: bool,
    /// `-flto`: what is made holds code that only a plugin understands.
    intermediate: bool,
    /// `-frandom-seed`: nothing is drawn by lot.
    seeded: bool,
    preprocessed: bool,
    pub(super) assembly: bool,
    /// The value of `-std=`.
    pub(super) standard: Option<OsString>,
    /// `-trigraphs`.
    pub(super) trigraphs: bool,
    pub(super) preprocessing: Preprocessing,
    beside: Beside,
}

impl Arguments {
    /// Whether the precompiled form of a header is taken: the preprocessor alone takes none, nor does who makes one.
    pub(super) fn takes_precompiled(&self) -> bool {
        let text = self.preprocesses_only && !self.precompiled_in_text;
        !(text || self.dependencies_only || self.precompiles.is_some())
    }

    /// Whether what is made has something in it that is drawn by lot: names of sections, stamps of counters.
    fn draws_lots(&self) -> bool {
        !self.seeded && (self.intermediate || self.beside.counts_runs())
    }

    /// Whether trigraphs may be replaced: in the strict standards (some of the latest have none), or where they are asked for.
    fn has_trigraphs(&self) -> bool {
        self.trigraphs || self.standard.as_ref().is_some_and(|standard| !standard.as_bytes().starts_with(b"gnu"))
    }

    /// How the sources are read. Raw strings are known to C++ from 2011 on and to GNU C from 1999 on (`lang_defaults` in
    /// cpplib); the last `-std=` counts.
    fn flavour(&self, exe: &Path) -> Flavour {
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

fn parse(args: &[OsString], inventory: Inventory<'_>) -> Result<Arguments, Reason> {
    let mut parsed = Arguments::default();
    let mut named_depfile = None;
    let mut rest = args.iter();
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
        let whole = VALUED.iter().find(|name| bytes == name.as_bytes());
        let joined = || {
            let names =
                VALUED.iter().filter(|name| bytes.starts_with(name.as_bytes()) && !matches!(**name, "-MD" | "-MMD"));
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
            "-MF" => named_depfile = Some(value),
            "-MD" | "-MMD" => parsed.depfile = Some(value),
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
    if named_depfile.is_some() {
        parsed.depfile = named_depfile;
    }
    Ok(parsed)
}

fn flag(arg: &OsString, inventory: Inventory<'_>, parsed: &mut Arguments) -> Result<(), Reason> {
    parsed.beside.flag(arg);
    if option::find(arg.as_bytes()).is_some_and(|opt| opt.effect == Effect::Beside) {
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
        bytes => {
            let known = option::covered(arg, inventory)?;
            if let Effect::Asks(kind) = known.effect {
                return Err(Reason::new(kind, arg.to_string_lossy()));
            }
            match known.name {
                "-flto" | "-flto=" => parsed.intermediate = true,
                _ if bytes == b"-fno-lto" => parsed.intermediate = false,
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

/// Adds the step: `argv` with `argv[0]`.
pub(crate) fn add(
    builder: &mut Builder<'_>,
    headers: &Headers,
    exe: &Path,
    argv: &[OsString],
) -> Result<Compiled, Reason> {
    let inventory = |arg: &[u8]| inventory::has(builder.req, builder.world, arg);
    let args = parse(argv.get(1..).unwrap_or_default(), &inventory)?;
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
        walk.alone(Path::new(&main))?
    } else {
        let chain = search_path(builder, exe, &args)?;
        match scanned::reached(builder, headers, exe, &args, &chain, Path::new(&main))? {
            Ok(Scanned { reached, depfile }) => {
                depfile_bytes = depfile;
                reached
            }
            Err(unsure) => {
                builder.unsure.push(unsure.name());
                headers_of(builder, headers, exe, &args, &chain, Path::new(&main)).map_err(|reason| {
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
    Ok(Compiled { assembler: reached.assembler.into_iter().collect(), holds, maps })
}

fn headers_of(
    builder: &Builder<'_>,
    headers: &Headers,
    exe: &Path,
    args: &Arguments,
    chain: &Chain,
    main: &Path,
) -> Result<Reached, Reason> {
    let flavour = args.flavour(exe);
    let cwd = &builder.req.cwd;
    let forced: Vec<&OsStr> = args.forced.iter().map(OsString::as_os_str).collect();
    let walk = || {
        let mut walk = Walk::new(headers, builder.world, cwd, chain, flavour);
        walk.trigraphs = args.has_trigraphs();
        walk.precompiled = args.takes_precompiled();
        walk.define(&args.defined).map(|()| walk)
    };
    let mut reached = walk()?.run(main, &forced)?;
    if !reached.computed.is_empty() {
        for file in &reached.precompiled {
            // It must be there before the compiler is asked.
            let read = builder.world.read_at(file, 0, 1);
            read.map_err(|error| Reason::new(ReasonKind::Io, format!("{}: {error}", file.display())))?;
        }
        let how = (!reached.precompiled.is_empty()).then_some("-fpch-preprocess");
        let asked = ask_for_headers(builder, exe, args, how, main)?;
        let more = walk()?.run_all(&asked, &reached.computed, main)?;
        merge(&mut reached, more);
    }
    Ok(reached)
}

fn merge(reached: &mut Reached, more: Reached) {
    reached.files.extend(more.files);
    reached.precompiled.extend(more.precompiled);
    reached.assembler.extend(more.assembler);
    reached.bodies.extend(more.bodies);
    reached.timestamp = reached.timestamp.take().or(more.timestamp);
    reached.dependency = reached.dependency.take().or(more.dependency);
    reached.clock = reached.clock.take().or(more.clock);
}

/// The list that `-M` gives, for what the scanner cannot compute. It is asked for each time: what it rests on is not known
/// before the files on it are, and a file that hides one of them is not on it.
fn ask_for_headers(
    builder: &Builder<'_>,
    exe: &Path,
    args: &Arguments,
    how: Option<&str>,
    main: &Path,
) -> Result<Vec<PathBuf>, Reason> {
    let mut argv = vec![exe.as_os_str().to_owned(), "-E".into()];
    argv.extend(args.asking.iter().cloned());
    // Paths as they are found, so that the directory of the search path can be told from each.
    argv.extend(how.iter().map(OsString::from));
    argv.extend(["-fno-canonical-system-headers".into(), "-M".into(), main.as_os_str().to_owned()]);
    let output = builder
        .world
        .run(exe, &argv, &asking_env(builder), &builder.req.cwd)
        .map_err(|error| Reason::new(ReasonKind::Io, format!("{}: {error}", exe.display())))?;
    if output.status != Some(0) {
        let what = format!("{}: the compiler cannot list its headers", main.display());
        return Err(Reason::new(ReasonKind::Footprint, what));
    }
    Ok(prerequisites(&output.stdout))
}

pub(super) fn asking_env(builder: &Builder<'_>) -> Vec<(OsString, OsString)> {
    let kept = builder.env.iter().filter(|(key, _)| !key.starts_with(b"LC_") && !key.starts_with(b"LANG"));
    let mut env: Vec<_> =
        kept.map(|(key, value)| (OsString::from_vec(key.clone()), OsString::from_vec(value.clone()))).collect();
    env.push(("LC_ALL".into(), "C".into()));
    env
}

/// The names behind the colon of the one rule that `-M` prints.
fn prerequisites(rule: &[u8]) -> Vec<PathBuf> {
    let Some(colon) = rule.windows(2).position(|pair| pair[0] == b':' && matches!(pair[1], b' ' | b'\n' | b'\\'))
    else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut name = Vec::new();
    let mut bytes = rule[colon + 1..].iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'\n')) => {
                bytes.next();
                end(&mut name, &mut names);
            }
            (b'\\', Some(&escaped @ (b' ' | b'#'))) | (b'$', Some(&escaped @ b'$')) => {
                bytes.next();
                name.push(escaped);
            }
            (b' ', _) => end(&mut name, &mut names),
            (b'\n', _) => break,
            _ => name.push(byte),
        }
    }
    end(&mut name, &mut names);
    names
}

fn end(name: &mut Vec<u8>, names: &mut Vec<PathBuf>) {
    if !name.is_empty() {
        names.push(PathBuf::from(OsString::from_vec(std::mem::take(name))));
    }
}

/// The search path that the compiler itself prints for these arguments; directories that exist become inputs.
fn search_path(builder: &mut Builder<'_>, exe: &Path, args: &Arguments) -> Result<Chain, Reason> {
    let mut argv = vec![exe.as_os_str().to_owned()];
    argv.extend(["-E", "-quiet", "-v"].map(OsString::from));
    argv.extend(args.search.iter().cloned());
    argv.extend(["/dev/null", "-o", "/dev/null"].map(OsString::from));
    let variables: Vec<_> = SEARCH_ENV.iter().map(|name| builder.env.get(name.as_bytes())).collect();
    let key = format!("search 3\0{argv:?}\0{variables:?}\0{}", key_of(&builder.req.cwd));
    type Found = (Vec<PathBuf>, Vec<PathBuf>, Vec<PathBuf>, Vec<PathBuf>);
    let (quote, bracket, doubles, hidden): Found = derive(builder.world, &key, |world| {
        look(world, exe)?;
        let output = world
            .run(exe, &argv, &asking_env(builder), &builder.req.cwd)
            .map_err(|error| Reason::new(ReasonKind::Io, format!("{}: {error}", exe.display())))?;
        let listed = parse_search(&output.stderr).filter(|_| output.status == Some(0));
        let listed =
            listed.ok_or_else(|| Reason::new(ReasonKind::Plan, "the compiler does not print its search path"))?;
        for dir in listed.quote.iter().chain(&listed.bracket) {
            look(world, &builder.req.cwd.join(dir))?;
        }
        let mut doubles = Vec::new();
        for dir in listed.ignored {
            if look(world, &builder.req.cwd.join(&dir))? == Some(FileKind::Dir) {
                doubles.push(dir);
            }
        }
        Ok((listed.quote, listed.bracket, doubles, listed.hidden))
    })?;
    // One that is ignored leads to one that is not: the links on its way count.
    let dirs = quote.iter().chain(&bracket).chain(&doubles);
    let dirs: Vec<_> = dirs.map(|dir| Input::Dir(builder.absolute(dir))).collect();
    builder.add(dirs);
    // Those of `-I` and `CPATH` come first, but for one that is among the system's, too.
    let elements = builder.env.get(&b"CPATH"[..]).into_iter().flat_map(|list| list.split(|byte| *byte == b':'));
    let elements = elements.map(|dir| if dir.is_empty() { b"." } else { dir });
    let own: Vec<&[u8]> = args.preprocessing.own_dirs.iter().map(|dir| dir.as_bytes()).chain(elements).collect();
    let of_system = |dir: &PathBuf| !own.contains(&dir.as_os_str().as_bytes()) || hidden.contains(dir);
    let system = quote.len() + bracket.iter().position(of_system).unwrap_or(bracket.len());
    let beside = !args.preprocessing.split;
    Ok(Chain { bracket: quote.len(), dirs: quote.into_iter().chain(bracket).collect(), system, beside })
}

pub(super) fn look(world: &dyn World, path: &Path) -> Result<Option<FileKind>, Reason> {
    let stat = world.stat(path).map_err(|error| Reason::new(ReasonKind::Io, format!("{}: {error}", path.display())))?;
    Ok(stat.map(|stat| stat.kind))
}

#[derive(Default)]
struct Listed {
    quote: Vec<PathBuf>,
    bracket: Vec<PathBuf>,
    ignored: Vec<PathBuf>,
    /// Those that are left to the system's directories.
    hidden: Vec<PathBuf>,
}

fn parse_search(text: &[u8]) -> Option<Listed> {
    let mut listed = Listed::default();
    let (mut in_quote, mut in_bracket, mut ended) = (false, false, false);
    for line in text.split(|byte| *byte == b'\n') {
        let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
        if let Some(rest) = line.strip_prefix(b"ignoring ") {
            let open = rest.iter().position(|byte| *byte == b'"')?;
            listed.ignored.push(path(rest[open + 1..].strip_suffix(b"\"")?));
        } else if line.starts_with(b"  as it is a non-system directory that duplicates a system directory") {
            listed.hidden.extend(listed.ignored.last().cloned());
        } else if line.starts_with(b"#include \"...\" search starts here:") {
            in_quote = true;
        } else if line.starts_with(b"#include <...> search starts here:") {
            (in_quote, in_bracket) = (false, true);
        } else if line == b"End of search list." {
            (in_bracket, ended) = (false, true);
        } else if let Some(dir) = line.strip_prefix(b" ") {
            match (in_quote, in_bracket) {
                (true, _) => listed.quote.push(path(dir)),
                (_, true) => listed.bracket.push(path(dir)),
                _ => {}
            }
        }
    }
    ended.then_some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule() {
        let names = prerequisites(b"a.o: a.c /usr/x.h \\\n my\\ file.h d$$x.h\nother:\n");
        assert_eq!(names, ["a.c", "/usr/x.h", "my file.h", "d$x.h"].map(PathBuf::from));
    }

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
