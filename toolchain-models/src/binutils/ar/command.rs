//! The archiver's command line: letters with a dash, without one, and long names.
//!
//! Does no I/O; what the letters do to files is the model's concern.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::binutils::getopt::{Opt, Words, flag, parse, with_value};
use crate::verdict::{Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Pure,
    /// What to do: one of `d m p q r t x`.
    Operation(u8),
    /// Whether the archive gets an index.
    Index(bool),
    /// A member's name comes before the archive's.
    Position,
    /// A number comes before the archive's name.
    Count,
    /// Members that are not newer stay.
    Newer,
    RealTimes(bool),
    /// Extracted files get the members' times.
    KeepsDates,
    /// Nothing is said of a new archive; together with `m` members are added.
    Create,
    Thin,
    /// The directory into which members are extracted.
    Directory,
    /// Text that becomes a member.
    Dependencies,
    /// A shared object that is loaded.
    Plugin,
    /// Names are compared whole.
    FullNames,
    /// Names are cut off.
    Truncates,
    Probe,
    Unmodelled(&'static str),
}

pub(super) static TABLE: &[Opt<Effect>] = &[
    flag("d", "", Effect::Operation(b'd')),
    flag("m", "", Effect::Operation(b'm')),
    flag("p", "", Effect::Operation(b'p')),
    flag("q", "", Effect::Operation(b'q')),
    flag("r", "", Effect::Operation(b'r')),
    flag("t", "", Effect::Operation(b't')),
    flag("x", "", Effect::Operation(b'x')),
    flag("s", "", Effect::Index(true)),
    flag("S", "", Effect::Index(false)),
    flag("abi", "", Effect::Position),
    flag("N", "", Effect::Count),
    flag("u", "", Effect::Newer),
    flag("U", "", Effect::RealTimes(true)),
    flag("D", "", Effect::RealTimes(false)),
    flag("o", "", Effect::KeepsDates),
    flag("c", "", Effect::Create),
    flag("Ov", "", Effect::Pure),
    flag("P", "", Effect::FullNames),
    flag("f", "", Effect::Truncates),
    flag("T", "thin", Effect::Thin),
    with_value("l", "record-libdeps", Effect::Dependencies),
    flag("M", "", Effect::Unmodelled("M: a script on standard input")),
    flag("Vh", "help version", Effect::Probe),
    with_value("", "target", Effect::Pure),
    with_value("", "output", Effect::Directory),
    with_value("", "plugin", Effect::Plugin),
];

/// A call of the archiver.
#[derive(Default)]
pub(super) struct Parsed {
    pub operation: Option<u8>,
    pub index: Option<bool>,
    pub newer: bool,
    pub real_times: Option<bool>,
    pub keeps_dates: bool,
    pub create: bool,
    pub thin: bool,
    pub dependencies: bool,
    pub full_names: bool,
    pub truncates: bool,
    pub directory: Option<OsString>,
    pub plugin: Option<OsString>,
    /// Which of several members of one name is meant.
    pub count: Option<OsString>,
    /// The archive and the names after it.
    pub operands: Vec<OsString>,
    /// The options as they were spelled, with values that are no files.
    pub options: Vec<OsString>,
    position: bool,
    counted: bool,
}

/// What `args`, without `argv[0]`, ask for.
pub(super) fn command_line(args: &[OsString]) -> Result<Parsed, Reason> {
    let mut parsed = Parsed::default();
    let mut rest = exploded(args);
    loop {
        let Words { options, operands } = parse(&rest, TABLE)?;
        for (spelled, effect, value) in options {
            parsed.option(spelled, effect, value)?;
        }
        // After `--plugin=x` and its like, letters may still come without a dash.
        let letters = parsed.operation.is_none() && parsed.index != Some(true);
        match operands.first() {
            Some(first) if letters => {
                if first.as_bytes().starts_with(b"-") {
                    return Err(Reason::new(ReasonKind::Usage, "ar without an operation"));
                }
                rest = exploded(&operands);
            }
            _ => {
                parsed.operands = operands;
                break;
            }
        }
    }
    let mut operands = std::mem::take(&mut parsed.operands).into_iter();
    if parsed.position {
        operands.next();
    }
    if parsed.counted {
        parsed.count = operands.next();
    }
    parsed.operands = operands.collect();
    Ok(parsed)
}

impl Parsed {
    fn option(&mut self, spelled: OsString, effect: Effect, value: OsString) -> Result<(), Reason> {
        match effect {
            Effect::Pure => {}
            Effect::Operation(_) if self.operation.is_some() => {
                return Err(Reason::new(ReasonKind::Usage, "ar: two operations"));
            }
            Effect::Operation(operation) => self.operation = Some(operation),
            Effect::Index(index) => self.index = Some(index),
            Effect::Position => self.position = true,
            Effect::Count => self.counted = true,
            Effect::Newer => self.newer = true,
            Effect::RealTimes(real) => self.real_times = Some(real),
            Effect::KeepsDates => self.keeps_dates = true,
            Effect::Create => self.create = true,
            Effect::Thin => self.thin = true,
            Effect::Directory => self.directory = Some(value),
            Effect::Dependencies => self.dependencies = true,
            Effect::Plugin => self.plugin = Some(value),
            Effect::FullNames => self.full_names = true,
            Effect::Truncates => self.truncates = true,
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
            Effect::Unmodelled(what) => return Err(Reason::new(ReasonKind::UnmodelledOption, what)),
        }
        self.options.push(spelled);
        Ok(())
    }

    /// What is done, by its letter: `s` is the index alone.
    pub fn act(&self) -> Result<u8, Reason> {
        let usage = |what: &str| Err(Reason::new(ReasonKind::Usage, what));
        let act = match self.operation {
            None | Some(b't') if self.index == Some(true) => b's',
            None => return usage("ar without an operation"),
            // Asked not to speak of a new archive it makes one.
            Some(b'm') if self.create => b'r',
            Some(operation) => operation,
        };
        if self.newer && self.operation != Some(b'r') {
            return usage("ar u without r");
        }
        if self.newer && self.real_times == Some(false) {
            return usage("ar u with D");
        }
        if self.counted && !matches!(self.operation, Some(b'x' | b'd')) {
            return usage("ar N without x or d");
        }
        Ok(act)
    }
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
            let operands: Vec<_> = parsed.operands.iter().map(|name| name.to_string_lossy()).collect();
            let act = parsed.act().map_err(|reason| reason.kind)?;
            Ok(format!("{} {:?} {}", char::from(act), parsed.real_times, operands.join(" ")))
        };
        command_line(&args).map_err(|reason| reason.kind).and_then(show)
    }

    #[test]
    fn command_lines() {
        assert_eq!(summary("rcs l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("-rc -s l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("rvbU x.o l.a a.o").as_deref(), Ok("r Some(true) l.a a.o"));
        assert_eq!(summary("dN 2 l.a a.o").as_deref(), Ok("d None l.a a.o"));
        assert_eq!(summary("s l.a").as_deref(), Ok("s None l.a"));
        assert_eq!(summary("-s l.a").as_deref(), Ok("s None l.a"));
        assert_eq!(summary("ts l.a").as_deref(), Ok("s None l.a"));
        assert_eq!(summary("mc l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("Dqc l.a --target=elf64-x86-64 a.o").as_deref(), Ok("q Some(false) l.a a.o"));
        assert_eq!(summary("--plugin p.so rcs l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("--plugin=p.so -c r l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("rcl deps l.a a.o").as_deref(), Ok("r None l.a a.o"));
        assert_eq!(summary("rcT l.a a.o").as_deref(), Ok("r None l.a a.o"));
        for usage in ["rd l.a", "c l.a", "qu l.a a.o", "ruD l.a a.o", "rN 1 l.a a.o", "-c"] {
            assert_eq!(summary(usage), Err(ReasonKind::Usage), "{usage}");
        }
        assert_eq!(summary("-M"), Err(ReasonKind::UnmodelledOption));
        assert_eq!(summary("--version"), Err(ReasonKind::ProbeVersion));
        assert_eq!(summary("rZ l.a"), Err(ReasonKind::UnknownOption));
    }

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let help = std::process::Command::new("ar").arg("--help").env("LC_ALL", "C").output().expect("ar runs");
        let help = String::from_utf8_lossy(&help.stdout);
        let mut long = 0;
        let mut letters = 0;
        for line in help.lines().map(str::trim_start) {
            if let Some(name) = line.strip_prefix("--").map(|line| line.split([' ', '=']).next().unwrap_or_default()) {
                assert!(TABLE.iter().any(|opt| opt.names.split(' ').any(|known| known == name)), "{name}");
                long += 1;
            } else if let Some((spelled, _)) = line.split_once(" - ") {
                let spelled = spelled.chars().filter(|letter| letter.is_ascii_alphabetic()).take(1);
                for letter in spelled {
                    assert!(TABLE.iter().any(|opt| opt.letters.contains(letter)), "{letter}: {line}");
                    letters += 1;
                }
            }
        }
        assert!(long >= 3 && letters >= 20, "{help}");
    }
}
