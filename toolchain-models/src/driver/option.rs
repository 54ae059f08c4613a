//! The driver's options that do more than choose how code is made: a table, and the rule that finds an option in it.
//!
//! Knows nothing of files or of what the driver makes of an option; the plan that it prints tells that. Names that no row but
//! a family's spells are the [inventory](super::inventory)'s to know.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::verdict::{Reason, ReasonKind};

mod table;

pub(crate) use table::DRIVER;

/// How the driver finds an option's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The argument is the name.
    Flag,
    /// The value follows the name in the same argument, and may be empty.
    Joined,
    /// The value is the next argument.
    Separate,
    /// Either.
    JoinedOrSeparate,
}

/// What the option means to the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// It shows in the plan, and the models of its commands know it.
    Planned,
    /// It is one of many that only choose how code is made, if the compiler knows it.
    Family,
    /// The compiler reads or writes files of its own for it, beside what the plan shows; its model knows which.
    Beside,
    /// It asks for something that is not modelled.
    Unmodelled(ReasonKind),
    /// Without an input it asks the driver about itself, as configure scripts do; beside one it is this.
    Asks(ReasonKind),
}

use Effect::{Asks, Beside, Family, Planned, Unmodelled};
use Kind::{Flag, Joined, JoinedOrSeparate, Separate};

/// One row.
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) effect: Effect,
}

/// Options whose value changes from file to file and not the way in which a command works.
const PER_FILE: &[&str] = &[
    "-D",
    "-I",
    "-L",
    "-MF",
    "-MQ",
    "-MT",
    "-U",
    "-aux-info",
    "-dumpbase",
    "-dumpdir",
    "-fprofile-note=",
    "-idirafter",
    "-imacros",
    "-include",
    "-iquote",
    "-isystem",
    "-o",
];

/// What the arguments hold besides options.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Parsed {
    pub(crate) operands: Vec<OsString>,
    /// The arguments without names of files and without values that only the preprocessor looks at.
    pub(crate) shape: Vec<OsString>,
}

/// The row whose name is the longest that spells the argument.
pub(crate) fn find(arg: &[u8]) -> Option<&'static Opt> {
    let mut start = arg;
    loop {
        // The table is sorted: what spells the argument begins as the last name does that is not behind it.
        let opt = &DRIVER[DRIVER.partition_point(|opt| opt.name.as_bytes() <= start).checked_sub(1)?];
        let name = opt.name.as_bytes();
        let shared = name.iter().zip(start).take_while(|(a, b)| a == b).count();
        if shared == name.len() && (name == arg || matches!(opt.kind, Joined | JoinedOrSeparate)) {
            return Some(opt);
        }
        start = &arg[..shared.min(name.len() - 1)];
    }
}

/// Says whether the compiler has an option of this name that does no more than its family does.
pub(crate) type Inventory<'a> = &'a dyn Fn(&[u8]) -> Result<bool, Reason>;

/// The row of an argument, as it was found, unless no model covers it.
pub(crate) fn covered(
    arg: &OsStr,
    found: Option<&'static Opt>,
    inventory: Inventory<'_>,
) -> Result<&'static Opt, Reason> {
    let reason = |kind| Reason::new(kind, arg.to_string_lossy());
    let opt = found.ok_or_else(|| reason(ReasonKind::UnknownOption))?;
    match opt.effect {
        Planned | Beside | Asks(_) => Ok(opt),
        Family if inventory(arg.as_bytes())? => Ok(opt),
        Family => Err(reason(ReasonKind::UnknownOption)),
        Unmodelled(kind) => Err(reason(kind)),
    }
}

/// Goes through the arguments (`@file`s expanded). The first option that no model covers is the reason to run the real
/// tool; one that may ask the driver about itself only if there is no other.
pub(crate) fn parse(args: &[OsString], inventory: Inventory<'_>) -> Result<Parsed, Reason> {
    let mut parsed = Parsed::default();
    let mut asks: Option<(ReasonKind, &OsString)> = None;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        if bytes == b"-" {
            return Err(Reason::new(ReasonKind::Stdin, "-"));
        }
        if !bytes.starts_with(b"-") {
            parsed.operands.push(arg.clone());
            let suffix = bytes.iter().rposition(|byte| matches!(byte, b'.' | b'/')).map_or(&b""[..], |at| &bytes[at..]);
            parsed.shape.push(OsStr::from_bytes(suffix).to_owned());
            continue;
        }
        let opt = covered(arg, find(bytes), inventory)?;
        if let Asks(kind) = opt.effect {
            asks = asks.or(Some((kind, arg)));
        }
        let joined = &bytes[opt.name.len().min(bytes.len())..];
        let value: &OsStr = match opt.kind {
            Flag => OsStr::new(""),
            Joined => OsStr::from_bytes(joined),
            JoinedOrSeparate if !joined.is_empty() => OsStr::from_bytes(joined),
            JoinedOrSeparate | Separate => {
                rest.next().ok_or_else(|| Reason::new(ReasonKind::Usage, format!("{} lacks its value", opt.name)))?
            }
        };
        let varies = PER_FILE.contains(&opt.name);
        let separate = opt.kind == Separate || (opt.kind == JoinedOrSeparate && joined.is_empty());
        let depfile = b"-Wp,-M".as_slice();
        parsed.shape.push(match bytes.iter().skip(depfile.len()).position(|byte| *byte == b',') {
            _ if varies => opt.name.into(),
            // kbuild's, with a file of its own for each object.
            Some(comma) if bytes.starts_with(depfile) => OsStr::from_bytes(&bytes[..depfile.len() + comma]).to_owned(),
            _ => arg.clone(),
        });
        if separate && !varies {
            parsed.shape.push(value.to_owned());
        }
        if opt.name == "-o" && (value == "-" || value.is_empty()) {
            return Err(Reason::new(ReasonKind::Stdout, "-o -"));
        }
    }
    if let Some((beside_input, arg)) = asks {
        let kind = if parsed.operands.is_empty() { ReasonKind::ProbeVersion } else { beside_input };
        return Err(Reason::new(kind, arg.to_string_lossy()));
    }
    Ok(parsed)
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
