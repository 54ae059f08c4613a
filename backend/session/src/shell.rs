//! Whether a text for a shell is a list of simple commands, each to be run if the one before went well, in which nothing that
//! follows a tool's call tells whether it went well. Only what is surely so is taken for it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gg_models::makes_thunks;

/// Commands that only carry a file along: what they leave is gone when the file is.
const CARRIERS: [&[u8]; 6] = [b":", b"chmod", b"ln", b"mv", b"rm", b"true"];

/// Words that begin something else than a simple command, or after which the text is not all there is.
const NOT_SIMPLE: &[&[u8]] = &[
    b"if",
    b"then",
    b"else",
    b"elif",
    b"fi",
    b"for",
    b"while",
    b"until",
    b"do",
    b"done",
    b"case",
    b"esac",
    b"select",
    b"function",
    b"time",
    b"coproc",
    b"!",
    b"{",
    b"}",
    b"[[",
    b"eval",
    b".",
    b"source",
    b"trap",
    b"exec",
    b"set",
    b"alias",
    b"return",
    b"break",
    b"continue",
    b"wait",
    b"read",
    b"readarray",
    b"mapfile",
];

/// Whether the text is nothing but simple commands joined by `&&`, or by newlines where the shell stops at a failure, one of
/// them a call of `tool`, and after that only others of the toolchain or such as carry files along.
pub(crate) fn is_plain(text: &[u8], tool: &[u8], stops: bool) -> bool {
    let mut bytes = text.iter().copied().peekable();
    let mut words = Words { tool, ..Words::default() };
    if !stops && text.trim_ascii_end().windows(2).any(|two| two[1] == b'\n' && two[0] != b'\\') {
        return false;
    }
    while let Some(byte) = bytes.next() {
        match byte {
            // Substitutions, and a status that is looked at.
            b'`' => return false,
            b'$' if matches!(bytes.peek(), Some(b'(' | b'?' | b'\'')) => return false,
            b'$' if bytes.peek() == Some(&b'{') => {
                // `${?}`, and what is substituted within.
                let mut inside = Vec::new();
                loop {
                    match bytes.next() {
                        Some(b'}') => break,
                        Some(byte) => inside.push(byte),
                        None => return false,
                    }
                }
                if !inside[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
                    return false;
                }
                words.add(b"$");
            }
            b'\'' => loop {
                match bytes.next() {
                    Some(b'\'') => break words.quote(),
                    Some(byte) => words.add(&[byte]),
                    None => return false,
                }
            },
            b'"' => loop {
                match bytes.next() {
                    Some(b'"') => break words.quote(),
                    Some(b'`') => return false,
                    Some(b'$') if !bytes.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') => {
                        return false;
                    }
                    Some(b'\\') => match bytes.next() {
                        Some(byte) => words.add(&[byte]),
                        None => return false,
                    },
                    Some(byte) => words.add(&[byte]),
                    None => return false,
                }
            },
            b'\\' => match bytes.next() {
                // The line goes on.
                Some(b'\n') => {}
                Some(byte) => {
                    words.add(&[byte]);
                    words.quote();
                }
                None => return false,
            },
            b'&' if bytes.peek() == Some(&b'&') => {
                bytes.next();
                if !words.end_command() {
                    return false;
                }
            }
            b'\n' => {
                if !words.end_command() {
                    return false;
                }
            }
            b'>' => {
                // `>&2` and `>|`.
                if matches!(bytes.peek(), Some(b'&' | b'|' | b'>')) {
                    bytes.next();
                }
                words.end_word();
                words.redirected = true;
                words.writes = true;
            }
            b'#' if words.word.is_empty() && !words.quoted => return false,
            b';' | b'&' | b'|' | b'<' | b'(' | b')' => return false,
            b' ' | b'\t' => words.end_word(),
            byte => words.add(&[byte]),
        }
    }
    words.end_command() && words.met
}

/// The words of a command, as far as they matter.
#[derive(Default)]
struct Words<'a> {
    tool: &'a [u8],
    /// Whether a call of the tool has been read.
    met: bool,
    /// Whether the command writes to a file by its own name.
    writes: bool,
    word: Vec<u8>,
    quoted: bool,
    /// The command's first word that is no assignment, and whether one has been read.
    name: Option<Vec<u8>>,
    /// The next word is a file's name.
    redirected: bool,
}

impl Words<'_> {
    fn add(&mut self, bytes: &[u8]) {
        self.word.extend_from_slice(bytes);
    }

    fn quote(&mut self) {
        self.quoted = true;
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        let quoted = std::mem::take(&mut self.quoted);
        if word.is_empty() && !quoted {
            return;
        }
        if std::mem::take(&mut self.redirected) {
            return;
        }
        if self.name.is_none() && !is_assignment(&word) {
            self.name = Some(word);
        }
    }

    /// Whether what ends here was a simple command, or nothing.
    fn end_command(&mut self) -> bool {
        self.end_word();
        let name = self.name.take();
        let writes = std::mem::take(&mut self.writes);
        if std::mem::take(&mut self.redirected) {
            return false;
        }
        let Some(name) = name else { return !(writes && self.met) };
        if NOT_SIMPLE.contains(&name.as_slice()) {
            return false;
        }
        let name = Path::new(OsStr::from_bytes(&name)).file_name().unwrap_or_default();
        let name = name.as_bytes().strip_prefix(b"gg-").unwrap_or(name.as_bytes());
        if self.met {
            return !writes && (CARRIERS.contains(&name) || makes_thunks(OsStr::from_bytes(name)));
        }
        self.met = name == self.tool;
        true
    }
}

fn is_assignment(word: &[u8]) -> bool {
    word.iter().position(|byte| *byte == b'=').is_some_and(|at| {
        let name = &word[..at];
        !name.is_empty()
            && !name[0].is_ascii_digit()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn plain_calls() {
        for text in [
            "gcc -c a.c",
            "gcc -DX='\"a b\"' -c a.c && mv -f .deps/a.Tpo .deps/a.Po",
            "cd src && gcc -c a.c -o ../a.o",
            "rm -f a.o && echo \"  CC a.o\" && gcc -c \\\n  a.c",
            "A=b C=\"d e\" gcc -c a.c",
            "gcc -c a.c -o \"$DIR/a.o\"",
            "gcc -D'if' -c a.c && : ${X} if then",
            "gg-gcc -c a#b.c && ar rc liba.a a.o && ranlib liba.a && chmod 644 liba.a",
            "echo \\; \\| '`;|' >log && gcc -c a.c",
            "/opt/bin/gcc -c a.c\n",
        ] {
            assert!(is_plain(text.as_bytes(), b"gcc", false), "{text}");
        }
        assert!(is_plain(b"gcc -c a.c\ngcc -c b.c\n", b"gcc", true));
    }

    #[test]
    fn everything_else() {
        for text in [
            "",
            "cc -c a.c",
            "gcc -c a.c; true",
            "gcc -c a.c || true",
            "gcc -c a.c | cat",
            "gcc -c a.c & wait",
            "if gcc -c a.c; then :; fi",
            "! gcc -c a.c",
            "(gcc -c a.c)",
            "{ gcc -c a.c; }",
            "x=`gcc -c a.c`",
            "x=$(gcc -c a.c)",
            "gcc -c a.c && echo '#define HAVE' >config.h",
            "gcc -c a.c && touch a.stamp",
            "gcc -c a.c && >a.stamp",
            "gcc -c a.c && : >a.stamp",
            "gcc -c a.c && ./test",
            "gcc -c a.c && test ${?}",
            "gcc -c a.c && : ${x:-`true`}",
            "echo \"`gcc -c a.c`\"",
            "echo \"$(gcc -c a.c)\"",
            "eval gcc -c a.c",
            ". ./build.sh && gcc -c a.c",
            "gcc -c a.c < b",
            "cat <<E && gcc -c a.c\nE",
            "gcc -c 'a.c",
            "gcc -c \"a.c",
            "gcc -c a.c # comment",
            "while gcc -c a.c\ndo :\ndone",
            "gcc -c a.c &&\nif true\nthen :\nfi",
            "gcc $'a' && true",
        ] {
            assert!(!is_plain(text.as_bytes(), b"gcc", true), "{text}");
        }
        for text in ["gcc -c a.c\ngcc -c b.c\n", "true\ngcc -c a.c"] {
            assert!(!is_plain(text.as_bytes(), b"gcc", false), "{text}");
        }
    }
}
