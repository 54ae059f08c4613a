//! The archiver.
//!
//! Knows its command line; what stands in archives only as far as thin ones are told apart.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::binutils::getopt::{Opt, Value, Word, parse};
use crate::binutils::{Call, determinism, output};
use crate::verdict::{Holds, Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Pure,
    /// What to do: one of `d m p q r t x`.
    Operation(u8),
    Index,
    /// Its word comes before the archive's name.
    Position,
    Newer,
    RealTimes,
    NoTimes,
    Ignored,
    Probe,
    Unmodelled(&'static str),
}

const fn letter(letters: &'static str, effect: Effect) -> Opt<Effect> {
    Opt { letters, names: "", value: Value::None, effect }
}

const fn name(names: &'static str, value: Value, effect: Effect) -> Opt<Effect> {
    Opt { letters: "", names, value, effect }
}

static TABLE: &[Opt<Effect>] = &[
    letter("d", Effect::Operation(b'd')),
    letter("m", Effect::Operation(b'm')),
    letter("p", Effect::Operation(b'p')),
    letter("q", Effect::Operation(b'q')),
    letter("r", Effect::Operation(b'r')),
    letter("t", Effect::Operation(b't')),
    letter("x", Effect::Operation(b'x')),
    letter("s", Effect::Index),
    letter("abiN", Effect::Position),
    letter("u", Effect::Newer),
    letter("U", Effect::RealTimes),
    letter("D", Effect::NoTimes),
    letter("cfOoPSv", Effect::Pure),
    letter("l", Effect::Unmodelled("l: dependencies of a library")),
    letter("M", Effect::Unmodelled("M: a script on standard input")),
    letter("T", Effect::Unmodelled("T: thin archives")),
    letter("Vh", Effect::Probe),
    name("help version", Value::None, Effect::Probe),
    name("target", Value::Required, Effect::Pure),
    name("output", Value::Required, Effect::Pure),
    name("X32_64", Value::None, Effect::Ignored),
    name("thin", Value::None, Effect::Unmodelled("thin archives")),
    name("record-libdeps", Value::Required, Effect::Unmodelled("dependencies of a library")),
    name("plugin", Value::Required, Effect::Unmodelled("a plugin")),
];

struct Parsed {
    operation: Option<u8>,
    index: bool,
    newer: bool,
    real_times: Option<bool>,
    /// Words before the archive's name.
    skipped: usize,
    operands: Vec<OsString>,
    options: Vec<OsString>,
}

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    let parsed = command_line(&call.args)?;
    for option in &parsed.options {
        call.shape(option);
    }
    match parsed.operation {
        Some(b'p' | b't') => return Err(Reason::new(ReasonKind::ReadsOnly, "ar prints")),
        Some(b'x') => return Err(Reason::new(ReasonKind::UnmodelledOption, "x: extracts members")),
        None if !parsed.index => return Err(Reason::new(ReasonKind::Usage, "ar without an operation")),
        _ => {}
    }
    let real_times = match parsed.real_times {
        Some(real) => real,
        None => !determinism::by_default(&call.req.exe, call.world)?,
    };
    if real_times {
        return Err(Reason::new(ReasonKind::Times, if parsed.newer { "ar u" } else { "ar U" }));
    }
    let mut operands = parsed.operands.iter().skip(parsed.skipped);
    let Some(archive) = operands.next() else { return Err(Reason::new(ReasonKind::Usage, "ar without an archive")) };
    let path = call.path(archive);
    if output::regular(&path, call.world)?.is_some() {
        determinism::archive(&path, call.world)?;
        call.modifies(archive)?;
    } else if matches!(parsed.operation, Some(b'r' | b'q')) {
        // One that holds anything but objects of a compiler may hold code for a plugin.
        let mut holds = Holds::Archive;
        for member in operands.clone() {
            if call.promised(&call.path(member))? != Some(Holds::Object) {
                holds = Holds::Binary;
            }
        }
        let output = output::by_stdio("out", &path, holds, call.world)?;
        call.writes(output)?;
    } else {
        return Err(Reason::new(ReasonKind::Input, format!("{} not found", archive.display())));
    }
    if matches!(parsed.operation, Some(b'r' | b'q')) {
        for member in operands {
            call.reads(member)?;
        }
    } else {
        // Members' names count as the options do not, but they name no files.
        call.shape(OsStr::new("names"));
    }
    call.loads_plugins()
}

fn command_line(args: &[OsString]) -> Result<Parsed, Reason> {
    let mut parsed = Parsed {
        operation: None,
        index: false,
        newer: false,
        real_times: None,
        skipped: 0,
        operands: Vec::new(),
        options: Vec::new(),
    };
    for word in parse(&exploded(args), TABLE)? {
        let (spelled, effect) = match word {
            Word::Option(spelled, effect, _) => (spelled, effect),
            Word::Operand(operand) => {
                parsed.operands.push(operand);
                continue;
            }
        };
        match effect {
            Effect::Pure | Effect::Ignored => {}
            Effect::Operation(_) if parsed.operation.is_some() => {
                return Err(Reason::new(ReasonKind::Usage, "ar: two operations"));
            }
            Effect::Operation(operation) => parsed.operation = Some(operation),
            Effect::Index => parsed.index = true,
            Effect::Position => {
                let is_count = spelled == "N";
                let known = parsed.options.iter().any(|option| {
                    if is_count { option == "N" } else { option == "a" || option == "b" || option == "i" }
                });
                parsed.skipped += usize::from(!known);
            }
            Effect::Newer => parsed.newer = true,
            Effect::RealTimes => parsed.real_times = Some(true),
            Effect::NoTimes => parsed.real_times = Some(false),
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
            Effect::Unmodelled(what) => return Err(Reason::new(ReasonKind::UnmodelledOption, what)),
        }
        parsed.options.push(spelled);
    }
    Ok(parsed)
}

/// The old style: letters without a dash in the first word, each an option of its own.
fn exploded(args: &[OsString]) -> Vec<OsString> {
    let Some(first) = args.first().filter(|first| !first.as_bytes().starts_with(b"-")) else { return args.to_vec() };
    let letters = first.as_bytes().iter().map(|letter| OsStr::from_bytes(&[b'-', *letter]).to_owned());
    letters.chain(args[1..].iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(words: &str) -> Result<String, ReasonKind> {
        let args: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let show = |parsed: Parsed| {
            let operands: Vec<_> =
                parsed.operands.iter().skip(parsed.skipped).map(|name| name.to_string_lossy()).collect();
            format!("{} {:?} {}", parsed.operation.map_or('-', char::from), parsed.real_times, operands.join(" "))
        };
        command_line(&args).map(show).map_err(|reason| reason.kind)
    }

    #[test]
    fn command_lines() {
        assert_eq!(summary("rcs l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("-rc -s l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("rvbU x.o l.a a.o").as_deref(), Ok("r Some(true) l.a a.o"));
        assert_eq!(summary("dN 2 l.a a.o").as_deref(), Ok("d None l.a a.o"));
        assert_eq!(summary("s l.a").as_deref(), Ok("- None l.a"));
        assert_eq!(summary("Dqc l.a --target=elf64-x86-64 a.o").as_deref(), Ok("q Some(false) l.a a.o"));
        assert_eq!(summary("rd l.a"), Err(ReasonKind::Usage));
        assert_eq!(summary("rT l.a a.o"), Err(ReasonKind::UnmodelledOption));
        assert_eq!(summary("-M"), Err(ReasonKind::UnmodelledOption));
        assert_eq!(summary("--version"), Err(ReasonKind::ProbeVersion));
        assert_eq!(summary("rZ l.a"), Err(ReasonKind::UnknownOption));
    }

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let help = std::process::Command::new("ar").arg("--help").output().expect("ar runs");
        let help = String::from_utf8_lossy(&help.stdout);
        let long = help
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("--"))
            .map(|line| line.split([' ', '=']).next().unwrap_or_default());
        let long: Vec<&str> = long.collect();
        assert!(long.len() >= 3, "{help}");
        for name in long {
            assert!(TABLE.iter().any(|opt| opt.names.split(' ').any(|known| known == name)), "{name}");
        }
    }
}
