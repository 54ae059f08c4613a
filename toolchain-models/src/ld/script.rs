//! The linker's command language, as far as it names files: `INPUT`, `GROUP`, `AS_NEEDED`, `INCLUDE`, `SEARCH_DIR`, `STARTUP`.
//!
//! Knows nothing of where such files are found.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What a script asks for, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    /// A file, or `-lNAME`, to link.
    Input(OsString),
    /// Another script, read in place.
    Include {
        /// Its name.
        name: OsString,
        /// It goes on inside of brackets.
        inside: bool,
    },
    /// A directory to search for libraries.
    SearchDir(OsString),
    /// A file named in an output section's description: linked if it is there.
    Mention(OsString),
    /// The format that objects have; a script of another is passed over by a library search.
    OutputFormat(OsString),
    /// The name of the output, where the command line gives none.
    Output(OsString),
    /// The format of the files that follow.
    Target(OsString),
    /// What stands here goes into the script that would be used without this one.
    Insert,
}

/// The commands of a script that name files.
pub(crate) fn commands(text: &[u8]) -> Vec<Command> {
    commands_at(text, false)
}

/// The commands of a script that is included, perhaps inside of another's brackets.
pub(crate) fn commands_at(text: &[u8], inside: bool) -> Vec<Command> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut depth = usize::from(inside);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let opens = tokens.get(at + 1).is_some_and(|next| next.is(b"("));
        match token.text {
            b"{" if !token.quoted => depth += 1,
            b"}" if !token.quoted => depth = depth.saturating_sub(1),
            b"INCLUDE" if !token.quoted => {
                if let Some(file) = tokens.get(at + 1) {
                    found.push(Command::Include { name: file.os(), inside: depth > 0 });
                    at += 1;
                }
            }
            b"INPUT" | b"GROUP" | b"STARTUP" if depth == 0 && opens => {
                let end = closing(&tokens, at + 1);
                found.extend(inputs(&tokens[at + 2..end]));
                at = end;
            }
            b"SEARCH_DIR" if opens => found.extend(tokens.get(at + 2).map(|dir| Command::SearchDir(dir.os()))),
            b"OUTPUT_FORMAT" if opens => {
                let end = closing(&tokens, at + 1);
                let names = tokens[at + 2..end].iter().filter(|token| !token.is(b","));
                found.extend(names.map(|name| Command::OutputFormat(name.os())));
                at = end;
            }
            b"OUTPUT" if depth == 0 && opens => found.extend(tokens.get(at + 2).map(|name| Command::Output(name.os()))),
            b"TARGET" if depth == 0 && opens => found.extend(tokens.get(at + 2).map(|name| Command::Target(name.os()))),
            b"INSERT"
                if depth == 0 && tokens.get(at + 1).is_some_and(|next| next.is(b"AFTER") || next.is(b"BEFORE")) =>
            {
                found.push(Command::Insert);
            }
            name if depth > 0 && may_be_file(name) => found.push(Command::Mention(OsStr::from_bytes(name).to_owned())),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The files in the brackets of `INPUT` and its like; `AS_NEEDED ( … )` only groups them.
fn inputs(tokens: &[Token<'_>]) -> Vec<Command> {
    let mut found = Vec::new();
    let mut joins_next = false;
    for token in tokens {
        match token.text {
            b"(" | b")" | b"," | b"AS_NEEDED" if !token.quoted => {}
            b"-l" if !token.quoted => joins_next = true,
            text => {
                let mut name = if std::mem::take(&mut joins_next) { OsString::from("-l") } else { OsString::new() };
                name.push(OsStr::from_bytes(text));
                found.push(Command::Input(name));
            }
        }
    }
    found
}

fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is(b"(") {
            depth += 1;
        } else if token.is(b")") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

/// Words that name no file wherever they stand.
const KEYWORDS: [&[u8]; 30] = [
    b"ABSOLUTE",
    b"ADDR",
    b"ALIGN",
    b"ASSERT",
    b"AT",
    b"BYTE",
    b"COMMON",
    b"CONSTANT",
    b"CONSTRUCTORS",
    b"DEFINED",
    b"EXCLUDE_FILE",
    b"FILL",
    b"HIDDEN",
    b"INPUT_SECTION_FLAGS",
    b"KEEP",
    b"LENGTH",
    b"LOADADDR",
    b"LONG",
    b"MAX",
    b"MIN",
    b"ORIGIN",
    b"PROVIDE",
    b"PROVIDE_HIDDEN",
    b"QUAD",
    b"SHORT",
    b"SIZEOF",
    b"SORT",
    b"SORT_BY_NAME",
    b"SORT_NONE",
    b"SUBALIGN",
];

/// Whether a word inside `SECTIONS` may be a file's name, which the linker opens: names of sections, numbers and operators are
/// not, nor patterns, nor what says in which archive a member is looked for.
fn may_be_file(name: &[u8]) -> bool {
    let is_odd = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b':' | b'=' | b'<' | b'>' | b'&' | b'|' | b'!' | b'~');
    let has_letter = name.iter().any(u8::is_ascii_alphabetic);
    let has_suffix = [&b".o"[..], b".a", b".so"].iter().any(|suffix| name.ends_with(suffix));
    let is_section = name.starts_with(b".") && !name.contains(&b'/') && !has_suffix;
    has_letter && !is_section && !name.iter().any(is_odd) && !KEYWORDS.contains(&name)
}

struct Token<'a> {
    text: &'a [u8],
    quoted: bool,
}

impl Token<'_> {
    fn is(&self, text: &[u8]) -> bool {
        !self.quoted && self.text == text
    }

    fn os(&self) -> OsString {
        OsStr::from_bytes(self.text).to_owned()
    }
}

fn tokens(mut text: &[u8]) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    while let Some(first) = text.first() {
        match first {
            b'/' if text.starts_with(b"/*") => {
                let end = text[2..].windows(2).position(|pair| pair == b"*/").map_or(text.len(), |at| at + 4);
                text = &text[end..];
            }
            b'"' => {
                let end = text[1..].iter().position(|byte| *byte == b'"').map_or(text.len(), |at| at + 1);
                found.push(Token { text: &text[1..end], quoted: true });
                text = text.get(end + 1..).unwrap_or_default();
            }
            b'(' | b')' | b'{' | b'}' | b',' | b';' => {
                found.push(Token { text: &text[..1], quoted: false });
                text = &text[1..];
            }
            byte if byte.is_ascii_whitespace() => text = &text[1..],
            _ => {
                let ends = |byte: &u8| {
                    byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'{' | b'}' | b',' | b';' | b'"')
                };
                let end = text.iter().position(ends).unwrap_or(text.len());
                let end = text[1..end].windows(2).position(|pair| pair == b"/*").map_or(end, |at| at + 1);
                found.push(Token { text: &text[..end], quoted: false });
                text = &text[end..];
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str) -> Command {
        Command::Input(name.into())
    }

    #[test]
    fn glibc_scripts() {
        let text = b"/* GNU ld script\n*/\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( /lib/libm.so.6  AS_NEEDED ( /lib/libmvec.so.1 ) )\n";
        assert_eq!(
            commands(text),
            [Command::OutputFormat("elf64-x86-64".into()), input("/lib/libm.so.6"), input("/lib/libmvec.so.1")]
        );
        assert_eq!(commands(b"GROUP(libgcc_s.so.1 -lgcc)"), [input("libgcc_s.so.1"), input("-lgcc")]);
        assert_eq!(commands(b"INPUT(\"a b.o\", -l c)"), [input("a b.o"), input("-lc")]);
    }

    #[test]
    fn sections_mention_files() {
        let text = b"SEARCH_DIR(\"/x\") INCLUDE other.ld SECTIONS { .text : { crt0.o(.text) *(.text) KEEP(*(.init)) foo/bar.o ( .data ) } }";
        assert_eq!(
            commands(text),
            [
                Command::SearchDir("/x".into()),
                Command::Include { name: "other.ld".into(), inside: false },
                Command::Mention("crt0.o".into()),
                Command::Mention("foo/bar.o".into()),
            ]
        );
        let text = b"SECTIONS { .text 0x10 : { lib.a:x.o(.text) plain(.text) \"quoted\"(.text) start = .; ASSERT(. > 1, \"no\") } >ram }";
        let mentions: Vec<_> =
            commands(text).into_iter().filter(|found| matches!(found, Command::Mention(_))).collect();
        assert_eq!(mentions, ["0x10", "plain", "quoted", "start", "no"].map(|name| Command::Mention(name.into())));
    }

    #[test]
    fn what_is_included_goes_on_where_it_stands() {
        let include = |inside| Command::Include { name: "x.ld".into(), inside };
        assert_eq!(commands(b"INCLUDE x.ld SECTIONS { .text : { INCLUDE x.ld } }"), [include(false), include(true)]);
        assert_eq!(commands_at(b"one.o(.text)", true), [Command::Mention("one.o".into())]);
        assert_eq!(commands_at(b"one.o(.text)", false), []);
    }

    #[test]
    fn output_and_formats() {
        let text = b"OUTPUT(here) TARGET(binary) OUTPUT_FORMAT(\"elf64-x86-64\", elf64-big, elf64-little)";
        assert_eq!(
            commands(text),
            [
                Command::Output("here".into()),
                Command::Target("binary".into()),
                Command::OutputFormat("elf64-x86-64".into()),
                Command::OutputFormat("elf64-big".into()),
                Command::OutputFormat("elf64-little".into()),
            ]
        );
    }

    #[test]
    fn broken_scripts_do_not_panic() {
        for text in
            [&b"GROUP ("[..], b"INPUT", b"\"open", b"/* open", b"INCLUDE", b"} ) (", b"GROUP ( AS_NEEDED ( a", b"/"]
        {
            let _ = commands(text);
        }
        assert_eq!(commands(b"GROUP ( a"), [input("a")]);
    }
}
