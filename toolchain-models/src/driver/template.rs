//! The plan of the usual compile, asked for once for all files that are compiled with the same flags.
//!
//! The names of source and output and the values of preprocessor options are replaced by marks of the same kind, the
//! driver is asked with these, and each mark in its answer gives way to what it stands for. Knows nothing of what the
//! commands do. A call of any other kind, a name that the driver might treat in its own way, a mark in an unexpected
//! place: the very command is asked for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::option::{self, Kind};
use super::plan::{self, Command, Plan};
use crate::derive::derive;
use crate::request::Request;
use crate::verdict::Reason;
use crate::world::World;

/// How a mark begins; a number of two digits and [`MARK_END`] follow.
const MARK: &[u8] = b"GgM";
const MARK_END: u8 = b'Q';
const MARK_LEN: usize = MARK.len() + 3;

/// Suffixes of sources whose compile is the usual one.
const SUFFIXES: &[&[u8]] = &[b".S", b".c", b".cc", b".cpp", b".cxx", b".s"];

/// Options whose value the driver hands on as it is.
const VALUES: &[&str] = &["-I", "-MF", "-MQ", "-MT", "-idirafter", "-imacros", "-include", "-iquote", "-isystem"];

/// The same, handed through.
const PASSED_ON: &[&[u8]] = &[b"-Wp,-MD,", b"-Wp,-MF,", b"-Wp,-MMD,", b"-Wp,-MQ,", b"-Wp,-MT,"];

/// Arguments that make the answer depend on more than the toolchain and the flags: directories, files, the processor.
const REFUSED: &[&str] = &[
    "-B",
    "-E",
    "-M",
    "-MM",
    "--sysroot",
    "--sysroot=",
    "-Xpreprocessor",
    "-no-canonical-prefixes",
    "-save-temps",
    "-save-temps=",
    "-specs",
    "-specs=",
];

/// What of the environment the driver's plan depends on.
const VARIABLES: &[&str] = &[
    "COLLECT_GCC",
    "COLLECT_GCC_OPTIONS",
    "COMPILER_PATH",
    "DEB_BUILD_OPTIONS",
    "GCC_EXEC_PREFIX",
    "GCC_NOAPPORT",
    "GCC_ROOT",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "LPATH",
    "PATH",
];

/// What a mark stands for, and so where it may show up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// A directory, without a slash at its start or end.
    Dir,
    /// A file's name without its suffix.
    Stem,
    /// All of a value, or its end.
    Value,
}

/// A call with marks in place of what changes from file to file.
#[derive(Default)]
struct Marked {
    args: Vec<OsString>,
    parts: Vec<(Part, Vec<u8>)>,
    source: PathBuf,
    output: Option<PathBuf>,
}

impl Marked {
    /// The mark for one more part.
    fn mark(&mut self, part: Part, text: &[u8]) -> Option<Vec<u8>> {
        let number = self.parts.len();
        if number > 99 {
            return None;
        }
        self.parts.push((part, text.to_vec()));
        let mut mark = MARK.to_vec();
        mark.extend([b'0' + u8::try_from(number / 10).ok()?, b'0' + u8::try_from(number % 10).ok()?, MARK_END]);
        Some(mark)
    }

    /// A file's name with its directory and its stem marked; its suffix, and whether its directory is absolute, are kept.
    fn name(&mut self, name: &[u8], known: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        if name.starts_with(b"/dev/") {
            return None;
        }
        let mut marked = Vec::new();
        let base = match name.iter().rposition(|byte| *byte == b'/') {
            None => name,
            Some(slash) => {
                let dir = &name[..slash];
                let relative = dir.strip_prefix(b"/").unwrap_or(dir);
                if relative.is_empty() || relative.ends_with(b"/") || relative.starts_with(b"/") {
                    return None;
                }
                if relative.len() < dir.len() {
                    marked.push(b'/');
                }
                marked.extend(self.mark(Part::Dir, relative)?);
                marked.push(b'/');
                &name[slash + 1..]
            }
        };
        let dot = base.iter().rposition(|byte| *byte == b'.').unwrap_or(base.len());
        let (stem, suffix) = base.split_at(dot);
        if stem.is_empty() || stem.starts_with(b".") || stem.ends_with(b".") || !known(suffix) {
            return None;
        }
        marked.extend(self.mark(Part::Stem, stem)?);
        marked.extend_from_slice(suffix);
        Some(marked)
    }

    /// An option's value marked, or as it is where it has a look of its own.
    fn value(&mut self, name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let kept = match name {
            // The macro's name stays: what the driver makes of `-D` it could make of certain macros only.
            "-D" => match value.iter().position(|byte| *byte == b'=') {
                Some(equals) => equals + 1,
                None => return Some(value.to_vec()),
            },
            _ => 0,
        };
        let (kept, varies) = value.split_at(kept);
        if varies.is_empty() || kept.is_empty() && matches!(varies[0], b'-' | b'@' | b'=' | b'$') {
            return Some(value.to_vec());
        }
        let mut marked = kept.to_vec();
        marked.extend(self.mark(Part::Value, varies)?);
        Some(marked)
    }
}

/// Marks a call, if it is a usual compile.
fn mark(args: &[OsString]) -> Option<Marked> {
    if args.iter().any(|arg| contains(arg.as_bytes(), MARK)) {
        return None;
    }
    let mut marked = Marked::default();
    let (mut sources, mut modes) = (0, 0);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        if !bytes.starts_with(b"-") {
            sources += 1;
            let name = marked.name(bytes, |suffix| SUFFIXES.contains(&suffix))?;
            marked.source = PathBuf::from(arg);
            marked.args.push(OsString::from_vec(name));
            continue;
        }
        let opt = option::find(bytes)?;
        if REFUSED.contains(&opt.name) || bytes.starts_with(b"-m") && bytes.ends_with(b"=native") {
            return None;
        }
        modes += usize::from(matches!(bytes, b"-c" | b"-S"));
        if let Some(passed) = PASSED_ON.iter().find(|passed| bytes.starts_with(passed)) {
            let value = &bytes[passed.len()..];
            if value.contains(&b',') {
                return None;
            }
            let mut whole = passed.to_vec();
            whole.extend(marked.value("-Wp,", value)?);
            marked.args.push(OsString::from_vec(whole));
            continue;
        }
        let joined = &bytes[opt.name.len()..];
        let separate = match opt.kind {
            Kind::Flag | Kind::Joined => {
                marked.args.push(arg.clone());
                continue;
            }
            Kind::Separate => true,
            Kind::JoinedOrSeparate => joined.is_empty(),
        };
        let value = if separate { rest.next()?.as_bytes() } else { joined };
        let replaced = if opt.name == "-o" {
            if marked.output.replace(PathBuf::from(OsStr::from_bytes(value))).is_some() {
                return None;
            }
            let plain = |suffix: &[u8]| suffix.len() <= 5 && suffix.iter().skip(1).all(u8::is_ascii_alphanumeric);
            marked.name(value, plain)?
        } else if opt.name == "-D" || VALUES.contains(&opt.name) {
            marked.value(opt.name, value)?
        } else {
            value.to_vec()
        };
        if separate {
            marked.args.push(arg.clone());
            marked.args.push(OsString::from_vec(replaced));
        } else {
            let mut whole = opt.name.as_bytes().to_vec();
            whole.extend(replaced);
            marked.args.push(OsString::from_vec(whole));
        }
    }
    (sources == 1 && modes == 1 && marked.output.as_ref() != Some(&marked.source)).then_some(marked)
}

/// The driver's answer with the marks in it.
#[derive(Serialize, Deserialize)]
struct Template {
    commands: Vec<Vec<String>>,
    exported: Vec<(String, String)>,
}

impl Template {
    /// Takes the answer, unless a mark shows up where its meaning is not known.
    fn of(plan: Plan, parts: &[(Part, Vec<u8>)]) -> Option<Self> {
        let text =
            |words: Vec<OsString>| words.into_iter().map(|word| word.into_string().ok()).collect::<Option<Vec<_>>>();
        if !plan.specs.is_empty() {
            return None;
        }
        let mut commands = Vec::new();
        for command in plan.commands {
            let argv = text(command.argv)?;
            if !argv.iter().all(|word| understood(word.as_bytes(), parts)) {
                return None;
            }
            commands.push(argv);
        }
        let mut exported = Vec::new();
        for (name, value) in plan.exported {
            if contains(value.as_bytes(), MARK) {
                return None;
            }
            exported.push((name.into_string().ok()?, value.into_string().ok()?));
        }
        Some(Self { commands, exported })
    }

    fn instantiate(&self, parts: &[(Part, Vec<u8>)]) -> Option<Plan> {
        let command = |argv: &Vec<String>| -> Option<Command> {
            let argv = argv.iter().map(|word| fill(word.as_bytes(), parts)).collect::<Option<Vec<_>>>()?;
            Some(Command { argv, collect_options: OsString::new() })
        };
        let commands = self.commands.iter().map(command).collect::<Option<Vec<_>>>()?;
        let exported = self.exported.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Some(Plan { commands, exported, specs: Vec::new() })
    }
}

/// Whether each mark of a word stands where its kind may: directories and stems as components, values at the end.
fn understood(word: &[u8], parts: &[(Part, Vec<u8>)]) -> bool {
    let mut at = 0;
    while let Some(found) = position(&word[at..], MARK) {
        let start = at + found;
        let Some(number) = number_at(word, start) else { return false };
        let (before, after) = (start.checked_sub(1).map(|before| word[before]), word.get(start + MARK_LEN).copied());
        let fits = match parts.get(number) {
            Some((Part::Dir, _)) => {
                matches!((before, after), (None, Some(b'/')))
                    || start == 1 && before == Some(b'/') && after == Some(b'/')
            }
            Some((Part::Stem, _)) => matches!(before, None | Some(b'/')) && matches!(after, None | Some(b'.')),
            Some((Part::Value, _)) => matches!(before, None | Some(b'=')) && after.is_none(),
            None => false,
        };
        if !fits {
            return false;
        }
        at = start + MARK_LEN;
    }
    true
}

fn fill(word: &[u8], parts: &[(Part, Vec<u8>)]) -> Option<OsString> {
    let mut filled = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(found) = position(rest, MARK) {
        filled.extend_from_slice(&rest[..found]);
        filled.extend_from_slice(&parts.get(number_at(rest, found)?)?.1);
        rest = &rest[found + MARK_LEN..];
    }
    filled.extend_from_slice(rest);
    Some(OsString::from_vec(filled))
}

/// The number of the mark that begins here.
fn number_at(word: &[u8], start: usize) -> Option<usize> {
    let &[tens @ b'0'..=b'9', ones @ b'0'..=b'9', MARK_END] = word.get(start + MARK.len()..start + MARK_LEN)? else {
        return None;
    };
    Some(usize::from(tens - b'0') * 10 + usize::from(ones - b'0'))
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    position(haystack, needle).is_some()
}

/// The driver's plan for these arguments (`@file`s expanded).
pub(crate) fn plan(req: &Request, args: &[OsString], world: &dyn World) -> Result<Plan, Reason> {
    if let Some(plan) = known(req, args, world)? {
        return Ok(plan);
    }
    plan::ask(req, args, world)
}

/// The plan made from that for the marked arguments.
fn known(req: &Request, args: &[OsString], world: &dyn World) -> Result<Option<Plan>, Reason> {
    let Some(marked) = mark(args).filter(|_| independent(req)) else { return Ok(None) };
    plan::check(args)?;
    if same_file(req, &marked, world)? {
        return Ok(None);
    }
    let mut key = b"plan 3".to_vec();
    for part in [req.exe.as_os_str(), req.argv.first().unwrap_or(&req.tool)]
        .into_iter()
        .chain(VARIABLES.iter().map(|name| req.var(name).unwrap_or_default()))
        .chain(marked.args.iter().map(OsString::as_os_str))
    {
        key.push(0);
        key.extend_from_slice(part.as_bytes());
    }
    let template: Option<Template> = derive(world, &key, |world| ask_marked(req, &marked, world))?;
    Ok(template.and_then(|template| template.instantiate(&marked.parts)))
}

/// Asks with the marks, and makes the look-ups on which the answer rests.
fn ask_marked(req: &Request, marked: &Marked, world: &dyn World) -> Result<Option<Template>, Reason> {
    let look = |path: &Path| world.stat(path).map_err(|error| Reason::io(path, &error));
    look(&req.exe)?;
    // What the driver says against the marks it says against the very command, if that is at fault.
    let Ok(plan) = plan::ask(req, &marked.args, world) else { return Ok(None) };
    for command in &plan.commands {
        let Some(name) = command.argv.first() else { return Ok(None) };
        plan::find_program(name, plan.var("COMPILER_PATH"), req.var("PATH"), &req.cwd, world)?;
    }
    let mut dirs: Vec<&[u8]> = Vec::new();
    for dir in plan.var("COMPILER_PATH").unwrap_or_default().as_bytes().split(|byte| *byte == b':') {
        if dir.starts_with(b"/") && !dirs.contains(&dir) {
            dirs.push(dir);
            if look(&Path::new(OsStr::from_bytes(dir)).join("specs"))?.is_some() {
                return Ok(None);
            }
        }
    }
    Ok(Template::of(plan, &marked.parts))
}

/// Whether the driver finds itself and its programs without looking from the working directory.
fn independent(req: &Request) -> bool {
    let name = req.argv.first().unwrap_or(&req.tool).as_bytes();
    let lists = ["PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "LIBRARY_PATH", "LPATH", "LD_LIBRARY_PATH"];
    let absolute = |list: &OsStr| list.as_bytes().split(|byte| *byte == b':').all(|dir| dir.starts_with(b"/"));
    (name.starts_with(b"/") || !name.contains(&b'/')) && lists.iter().filter_map(|name| req.var(name)).all(absolute)
}

/// Whether the output is the source under another name, which the driver refuses.
fn same_file(req: &Request, marked: &Marked, world: &dyn World) -> Result<bool, Reason> {
    let Some(output) = &marked.output else { return Ok(false) };
    let place = |path: &Path| {
        let path = req.cwd.join(path);
        let stat = world.stat_output(&path);
        stat.map_err(|error| Reason::io(&path, &error))
    };
    let (Some(output), Some(source)) = (place(output)?, place(&marked.source)?) else { return Ok(false) };
    Ok((output.dev, output.ino) == (source.dev, source.ino))
}

#[cfg(test)]
mod tests;
