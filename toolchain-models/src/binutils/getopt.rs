//! Command lines as `getopt_long` reads them: letters that stand together, long names, operands anywhere.
//!
//! Does no I/O and knows no tool. Abbreviated long names are refused, so that nothing is guessed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::verdict::{Reason, ReasonKind};

/// Whether an option has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// It has none.
    None,
    /// It has one: in the same word or the next.
    Required,
    /// It may have one: in the same word.
    Optional,
}

/// One option of a tool: its letters and its long names, separated by spaces.
pub(crate) struct Opt<E> {
    /// Letters that spell it.
    pub letters: &'static str,
    /// Long names that spell it, separated by spaces.
    pub names: &'static str,
    /// Whether it has a value.
    pub value: Value,
    /// What it means.
    pub effect: E,
}

/// An option without a value.
pub(crate) const fn flag<E: Copy>(letters: &'static str, names: &'static str, effect: E) -> Opt<E> {
    Opt { letters, names, value: Value::None, effect }
}

/// An option that needs a value.
pub(crate) const fn with_value<E: Copy>(letters: &'static str, names: &'static str, effect: E) -> Opt<E> {
    Opt { letters, names, value: Value::Required, effect }
}

/// A command line without `argv[0]`, each part in its order.
pub(crate) struct Words<E> {
    /// Each option: how it was spelled, what it means, its value.
    pub options: Vec<(OsString, E, OsString)>,
    /// What is no option and no option's value.
    pub operands: Vec<OsString>,
}

/// Splits a command line without `argv[0]`.
pub(crate) fn parse<E: Copy>(args: &[OsString], table: &[Opt<E>]) -> Result<Words<E>, Reason> {
    let mut words = Words { options: Vec::new(), operands: Vec::new() };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let unknown = || Reason::new(ReasonKind::UnknownOption, arg.to_string_lossy());
        let missing = || Reason::new(ReasonKind::Usage, format!("{} without its value", arg.display()));
        match arg.as_bytes() {
            b"--" => words.operands.extend(rest.by_ref().cloned()),
            [b'-', b'-', long @ ..] => {
                let (name, joined) = match long.iter().position(|byte| *byte == b'=') {
                    Some(equals) => (&long[..equals], Some(OsStr::from_bytes(&long[equals + 1..]))),
                    None => (long, None),
                };
                let has =
                    |opt: &&Opt<E>| opt.names.split(' ').any(|known| !known.is_empty() && known.as_bytes() == name);
                let opt = table.iter().find(has).ok_or_else(unknown)?;
                let value = match (opt.value, joined) {
                    (Value::None | Value::Optional, None) => OsString::new(),
                    (Value::None, Some(_)) => return Err(unknown()),
                    (_, Some(value)) => value.to_owned(),
                    (Value::Required, None) => rest.next().ok_or_else(missing)?.clone(),
                };
                words.options.push((OsStr::from_bytes(name).to_owned(), opt.effect, value));
            }
            [b'-', letters @ ..] if !letters.is_empty() => {
                let mut letters = letters;
                while let Some((letter, after)) = letters.split_first() {
                    let opt = table.iter().find(|opt| opt.letters.as_bytes().contains(letter)).ok_or_else(unknown)?;
                    letters = after;
                    let value = match opt.value {
                        Value::None => OsString::new(),
                        Value::Required if after.is_empty() => rest.next().ok_or_else(missing)?.clone(),
                        _ => OsStr::from_bytes(std::mem::take(&mut letters)).to_owned(),
                    };
                    words.options.push((OsStr::from_bytes(&[*letter]).to_owned(), opt.effect, value));
                }
            }
            _ => words.operands.push(arg.clone()),
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Opt<u8>] = &[
        Opt { letters: "gS", names: "strip-debug", value: Value::None, effect: 1 },
        Opt { letters: "R", names: "remove-section", value: Value::Required, effect: 2 },
        Opt { letters: "i", names: "interleave", value: Value::Optional, effect: 3 },
    ];

    fn parsed(words: &str) -> Result<String, ReasonKind> {
        let args: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let words = parse(&args, TABLE).map_err(|reason| reason.kind)?;
        let options = words.options.iter().map(|(_, effect, value)| format!("{effect}={}", value.display()));
        let operands = words.operands.iter().map(|name| name.to_string_lossy().into_owned());
        Ok(options.chain(operands).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn words() {
        assert_eq!(parsed("a -gR.x -R .y -i -i4 b").as_deref(), Ok("1= 2=.x 2=.y 3= 3=4 a b"));
        assert_eq!(
            parsed("--strip-debug --remove-section=.x --remove-section .y --interleave=2 -- -g").as_deref(),
            Ok("1= 2=.x 2=.y 3=2 -g")
        );
        assert_eq!(parsed("-q"), Err(ReasonKind::UnknownOption));
        assert_eq!(parsed("--strip-deb"), Err(ReasonKind::UnknownOption));
        assert_eq!(parsed("-R"), Err(ReasonKind::Usage));
        assert_eq!(parsed("-").as_deref(), Ok("-"));
    }
}
