//! The linker's command line: which words are options, which are their values, which are files.
//!
//! Does no I/O and gives no meaning beyond [`Effect`]; response files are expanded before.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::ld::linker::Linker;
use crate::ld::option::{Effect, LONG, Opt, SHORT, Value};
use crate::verdict::{Reason, ReasonKind};

/// One option with its value, or one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    /// A file to link.
    File(OsString),
    /// An option, by its name in the table.
    Option {
        /// The name as the table has it.
        name: &'static str,
        /// What it does to files.
        effect: Effect,
        /// Its value, empty if it takes none.
        value: OsString,
    },
}

/// Splits a command line of this linker, without `argv[0]`.
pub(crate) fn parse(args: &[OsString], linker: Linker) -> Result<Vec<Item>, Reason> {
    let mut items = Vec::with_capacity(args.len());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        if bytes == b"-G"
            && rest.as_slice().first().is_none_or(|next| !next.as_bytes().first().is_some_and(u8::is_ascii_digit))
        {
            // Without a number it is another tool's `--shared`.
            option(b"--shared", &mut rest, &mut items, linker)?;
        } else if bytes == b"--" {
            items.extend(rest.by_ref().map(|file| Item::File(file.clone())));
        } else if bytes.len() < 2 || bytes[0] != b'-' {
            items.push(Item::File(arg.clone()));
        } else {
            option(bytes, &mut rest, &mut items, linker)?;
        }
    }
    Ok(items)
}

fn option<'a>(
    bytes: &[u8],
    rest: &mut impl Iterator<Item = &'a OsString>,
    items: &mut Vec<Item>,
    linker: Linker,
) -> Result<(), Reason> {
    let unknown = || Reason::new(ReasonKind::UnknownOption, String::from_utf8_lossy(bytes).into_owned());
    let missing = || Reason::new(ReasonKind::Usage, format!("{} without its value", String::from_utf8_lossy(bytes)));
    let two_dashes = bytes.starts_with(b"--");
    let (name, joined) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&bytes[..equals], Some(&bytes[equals + 1..])),
        None => (bytes, None),
    };
    let is_library = bytes.starts_with(b"-l") && bytes.len() > 2;
    if let Some(opt) = long(name, linker).filter(|_| !is_library) {
        let value = match (opt.value, joined) {
            (Value::None, None) | (Value::Optional, None) => OsString::new(),
            (Value::None, Some(_)) => return Err(unknown()),
            (Value::Required | Value::Optional, Some(value)) => OsStr::from_bytes(value).to_owned(),
            (Value::Required, None) => rest.next().ok_or_else(missing)?.clone(),
        };
        items.push(Item::Option { name: opt.name, effect: opt.effect, value });
        return Ok(());
    }
    if two_dashes || (!is_library && abbreviates(name)) {
        return Err(unknown());
    }
    // Short options, which may stand together: `-sx`; one with a value takes the rest of the word.
    let mut letters = &bytes[1..];
    while let Some((letter, after)) = letters.split_first() {
        let opt = SHORT.iter().find(|opt| opt.name.as_bytes() == [*letter]).ok_or_else(unknown)?;
        letters = after;
        let value = match opt.value {
            Value::None => OsString::new(),
            Value::Optional => OsStr::from_bytes(std::mem::take(&mut letters)).to_owned(),
            Value::Required if after.is_empty() => rest.next().ok_or_else(missing)?.clone(),
            Value::Required => OsStr::from_bytes(std::mem::take(&mut letters)).to_owned(),
        };
        items.push(Item::Option { name: opt.name, effect: opt.effect, value });
    }
    Ok(())
}

/// Whether a word with one dash may be the beginning of a long name: those go before letters that stand together.
fn abbreviates(word: &[u8]) -> bool {
    match word {
        [b'-', b'o', ..] | [b'-', _] => false,
        [b'-', name @ ..] => LONG.iter().any(|opt| opt.name.as_bytes().starts_with(name)),
        _ => false,
    }
}

/// A long name with one dash or two; names that begin with `o` need two, because `-o` takes the rest of its word.
fn long(word: &[u8], linker: Linker) -> Option<&'static Opt> {
    let name = match word {
        [b'-', b'-', name @ ..] => name,
        [b'-', b'o', ..] => return None,
        [b'-', name @ ..] if name.len() > 1 => name,
        _ => return None,
    };
    let known = LONG.binary_search_by(|opt| opt.name.as_bytes().cmp(name)).ok().map(|at| &LONG[at]);
    known.or_else(|| linker.own(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Vec<String>, ReasonKind> {
        let args: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
        let show = |item| match item {
            Item::File(file) => format!("file {}", file.display()),
            Item::Option { name, value, .. } => format!("{name} {}", value.display()).trim_end().to_owned(),
        };
        parse(&args, Linker::Bfd).map(|items| items.into_iter().map(show).collect()).map_err(|reason| reason.kind)
    }

    #[test]
    fn spellings() {
        let words = "-lfoo -l bar -L/x -o out -omagic --output=z -rpath /a -rpath=/b --rpath-link /c -T s.ld -Ttext 0x10 -sx a.o -- -b.o";
        let expect = "l foo|l bar|L /x|o out|o magic|output z|rpath /a|rpath /b|rpath-link /c|T s.ld|Ttext 0x10|s|x|file a.o|file -b.o";
        assert_eq!(parsed(words).map(|items| items.join("|")), Ok(expect.to_owned()));
        let words = "-plugin /p.so -plugin-opt=-fresolution=/tmp/r --build-id --build-id=sha1 -z now -znow -m elf_x86_64 --hash-style=gnu -pie -( x.a -)";
        let expect = "plugin /p.so|plugin-opt -fresolution=/tmp/r|build-id|build-id sha1|z now|z now|m elf_x86_64|hash-style gnu|pie|(|file x.a|)";
        assert_eq!(parsed(words).map(|items| items.join("|")), Ok(expect.to_owned()));
    }

    #[test]
    fn words_that_are_not_what_they_begin_like() {
        let parsed = |words: &str| parsed(words).map(|items| items.join("|"));
        assert_eq!(parsed("-library x.o -lib").as_deref(), Ok("l ibrary|file x.o|l ib"));
        assert_eq!(parsed("-G x.o -G 8 -G").as_deref(), Ok("shared|file x.o|G 8|shared"));
        assert_eq!(parsed("-ooutput -z now").as_deref(), Ok("o output|z now"));
    }

    #[test]
    fn unknown_and_incomplete() {
        assert_eq!(parsed("--no-such-option"), Err(ReasonKind::UnknownOption));
        // An abbreviation of `--shared`, not `-s -h ar`.
        assert_eq!(parsed("-shar a.o"), Err(ReasonKind::UnknownOption));
        assert_eq!(parsed("-shared=1"), Err(ReasonKind::UnknownOption));
        assert_eq!(parsed("a.o -o"), Err(ReasonKind::Usage));
        assert_eq!(parsed("-rpath"), Err(ReasonKind::Usage));
    }
}
