//! Whether `##` may make one of the names that tell the time: `__DATE__`, `__TIME__`, `__TIMESTAMP__`.
//!
//! Knows the words of files and of macros' bodies, not which arguments a macro has: what begins such a name, what ends it and
//! what stands between have to be there somewhere, and most code has nothing that ends one.

use std::borrow::Cow;

use super::lex::{find, is_word};

const NAMES: [&[u8]; 3] = [b"__DATE__", b"__TIME__", b"__TIMESTAMP__"];

/// Some macro pastes words.
const PASTES: u16 = 1;
/// A word that begins a name.
const OPENS: u16 = 2;
/// A word that ends one.
const CLOSES: u16 = 4;
/// A word with the first or the last letters of one, more than a letter alone.
const LETTERS: u16 = 8;
/// `_` by itself, which is a function's name in many programs.
const UNDERSCORE: u16 = 16;
/// Some macro pastes so many words that single underscores would do.
const MANY: u16 = 32;
/// Some macro may put together single letters.
const LOOSE: u16 = 64;
/// `__` as the first of several arguments, as the C library's headers have it: it opens a name.
const FIRST: u16 = 128;
/// Some macro has its first argument close one.
const TURNS: u16 = 256;

/// What was met of all that.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pasted(u16);

impl Pasted {
    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// What counts of a system header: its macros may be called to paste, but those that have a part of such a name themselves
    /// (`__##type##__` in `<sys/socket.h>`) are its own.
    pub(crate) fn of_system(self) -> Self {
        Self(self.0 & (PASTES | MANY | LOOSE | TURNS))
    }

    /// The facts as a number.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// Whether a name may come of it.
    pub(crate) fn may_tell_time(self) -> bool {
        let ends = self.has(OPENS | CLOSES) || self.has(FIRST | TURNS);
        self.has(PASTES) && (ends && self.0 & (LETTERS | LOOSE) != 0 || self.has(UNDERSCORE | MANY | LETTERS))
    }

    fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }

    /// Takes in a word of a text that is no operand of `##`.
    pub(crate) fn word(&mut self, before: &[u8], word: &[u8], after: &[u8]) {
        self.0 |= match word {
            b"_" => UNDERSCORE,
            b"__" if before.trim_ascii_end().ends_with(b"(") && after.trim_ascii_start().starts_with(b",") => {
                OPENS | FIRST
            }
            _ => parts(word),
        };
    }

    /// Takes in what stands behind the name of a macro that is defined.
    pub(crate) fn body(&mut self, text: &[u8]) {
        let (params, body) = match text.strip_prefix(b"(") {
            Some(rest) => rest.split_at(rest.iter().position(|byte| *byte == b')').unwrap_or(rest.len())),
            None => (&b""[..], text),
        };
        let is_param = |word: &[u8]| words(params).any(|param| param == word);
        let is_first = |word: &[u8]| words(params).next() == Some(word);
        let body = without_strings(body);
        let body = with_plain_hashes(&body);
        let mut rest = &body[..];
        let mut before: Option<&[u8]> = None;
        // How many operands stand between others.
        let mut between = 0;
        loop {
            let end = find(rest, b"##");
            let operand = rest[..end.unwrap_or(rest.len())].trim_ascii();
            for word in words(operand).filter(|word| !is_param(word)) {
                let at = word.as_ptr() as usize - operand.as_ptr() as usize;
                let behind = at + word.len();
                let (left, right) = (before.is_some() && at == 0, end.is_some() && behind == operand.len());
                match (left, right) {
                    (false, false) => self.word(&operand[..at], word, &operand[behind..]),
                    (true, true) if word == b"_" => {}
                    (true, true) => self.0 |= parts(word),
                    (true, false) => self.0 |= parts(word) & !OPENS,
                    (false, true) => self.0 |= parts(word) & !CLOSES,
                }
            }
            let left = before.and_then(|before| words(before).last().filter(|word| before.ends_with(word)));
            let right = words(operand).next().filter(|word| operand.starts_with(word));
            if let Some((left, right)) = left.zip(right) {
                self.0 |= PASTES;
                if is_first(right) && (is_param(left) || parts(left) & LETTERS != 0) {
                    self.0 |= TURNS;
                }
            }
            let Some(end) = end else { return };
            between = if before.is_some() && is_param(operand) { between + 1 } else { 0 };
            self.0 |= if between > 1 { LOOSE } else { 0 } | if between > 2 { MANY } else { 0 };
            before = Some(operand);
            rest = &rest[end + 2..];
        }
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty())
}

/// What of a name a word may be.
fn parts(word: &[u8]) -> u16 {
    if word.len() > 12 || !word.first().is_some_and(|byte| b"_DATESIMP".contains(byte)) {
        return 0;
    }
    let mut bits = 0;
    for name in NAMES.into_iter().filter(|name| find(name, word).is_some() && *name != word) {
        bits |= if name.starts_with(word) { OPENS } else { 0 } | if name.ends_with(word) { CLOSES } else { 0 };
        let letters = word.split(|byte| *byte == b'_').find(|part| !part.is_empty());
        let ends =
            letters.is_some_and(|letters| name[2..].starts_with(letters) || name[..name.len() - 2].ends_with(letters));
        bits |= if word.len() > 1 && ends { LETTERS } else { 0 };
    }
    bits
}

/// With nothing in the strings. Raw ones are left: what stands there is taken for words.
fn without_strings(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'"') || find(text, b"R\"").is_some() {
        return Cow::Borrowed(text);
    }
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        let quote = [&b"'\"'"[..], b"'\\\"'"].into_iter().find(|quote| rest.starts_with(quote));
        rest = match (quote, byte) {
            (Some(quote), _) => &rest[quote.len()..],
            (None, b'"') => {
                let mut bytes = behind.iter();
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
                bytes.as_slice()
            }
            (None, _) => behind,
        };
        kept.push(if quote.is_some() || byte == b'"' { b' ' } else { byte });
    }
    Cow::Owned(kept)
}

/// With `##` for its other spellings.
fn with_plain_hashes(text: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(text);
    for other in [&b"%:%:"[..], b"??=??="] {
        while let Some(at) = find(&text, other) {
            text = [&text[..at], b"##", &text[at + other.len()..]].concat().into();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tells(bodies: &[&str], text: &str) -> bool {
        let mut pasted = Pasted::default();
        bodies.iter().for_each(|body| pasted.body(body.as_bytes()));
        let text = text.as_bytes();
        for word in words(text) {
            let at = word.as_ptr() as usize - text.as_ptr() as usize;
            pasted.word(&text[..at], word, &text[at + word.len()..]);
        }
        pasted.may_tell_time()
    }

    #[test]
    fn what_may_be_a_name() {
        for (bodies, text) in [
            (&["(x) __##x##__"][..], "M(DATE)"),
            (&["(x) __ %:%: x ## __"], "M(TIMESTAMP)"),
            (&["(a,b)a##b"], "P(__TI, ME__)"),
            (&["(a, b) a ## b", " P(__TIM, E__)"], ""),
            (&["(a, b) a ## b"], "P(P(__, TIME), __)"),
            (&["(x) __##x", "(x) x##__"], "C(O(TIME))"),
            (&["(a,b,c,d) __##a##b##c##d##__"], "M(T, I, M, E)"),
            (&["(a,b,c,d,e) a##b##c##d##e"], "M(_, _, TIME, _, _)"),
            (&["(x) _##x##_"], "M(_TIME_)"),
            (&["(a,b) b##a"], "R(__, __DATE)"),
            (&["(a,b) b##a", " '\"' 1'000 P(__DA, TE__)"], ""),
            (&["(a,b) __TIME##a"], "R(__, )"),
            (&["(a) a", "(a,b) a##b", "(a) __TIME##a"], "R(__)"),
        ] {
            assert!(tells(bodies, text), "{bodies:?} {text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (bodies, text) in [
            (&["(x,y) x ## y", "(f) __ ## f ## _alias", "(a, ...) f(a, ##__VA_ARGS__)"][..], "DATE TIME T I M E _"),
            (&["(a,b,c,d,e) a##b##c##d##e"], "_ T"),
            (&["(x) __##x##__"], "T D ONE __TIMER__ other"),
            (&[" __ DATE"], "TIME __"),
            (&["(x,y) x ## y", "(f) F(\"__\" #f) f(__CONCAT(__,f))"], "TIME"),
            (&["(a) a##_##b", "(TIME) __##TIME##__"], "_"),
        ] {
            assert!(!tells(bodies, text), "{bodies:?} {text}");
        }
    }
}
