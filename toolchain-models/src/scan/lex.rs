//! The words of one source file that decide which other files are read.
//!
//! Knows nothing of paths, macros or conditions: what stands in a skipped group counts as well.

use std::borrow::Cow;

use super::macros::{ByName, Definition, Name};
use super::pasted::Pasted;

/// How a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Flavour {
    /// C or C++ with raw strings.
    C,
    /// C or C++ of a standard that has no raw strings: `R"` is a macro's name and a string.
    WithoutRawStrings,
    /// Assembly with preprocessor directives: the assembler's own directives stand outside strings.
    Assembly,
}

/// How an operand is spelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Form {
    /// `"name"`.
    Quote,
    /// `<name>`.
    Angle,
}

/// One operand of an include, or of a question whether an include would succeed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Operand {
    pub(crate) form: Form,
    /// Searched from behind the directory of the file that asks.
    pub(crate) next: bool,
    pub(crate) name: Vec<u8>,
    /// Only asked for, not read.
    pub(crate) probe: bool,
}

/// What a file says about other files.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lexed {
    pub(crate) operands: Vec<Operand>,
    /// Includes of which a macro's name is the whole operand.
    pub(crate) by_name: Vec<ByName>,
    /// An include whose operand is computed in another way.
    pub(crate) computed: bool,
    /// Macros that are defined as an operand of an include.
    pub(crate) named: Vec<Definition>,
    /// Macros that are defined as anything else.
    pub(crate) others: Vec<Name>,
    /// A `__has_include` whose operand a macro computes.
    pub(crate) computed_probe: bool,
    /// `__DATE__` or `__TIME__`.
    pub(crate) clock: bool,
    /// `__TIMESTAMP__`.
    pub(crate) timestamp: bool,
    /// What may be one of these when it is pasted.
    pub(crate) pasted: Pasted,
    /// `#pragma GCC dependency`.
    pub(crate) dependency: bool,
    /// `#pragma once`: of files with the same bytes and times, one is read.
    pub(crate) once: bool,
    /// `#import`, or `_Pragma` of `once` or of what cannot be told: so it may be for any file.
    pub(crate) any_once: bool,
    /// `#pragma GCC pch_preprocess`.
    pub(crate) pch: bool,
    /// Operands of the assembler's `.incbin` (false) and `.include` (true).
    pub(crate) assembler: Vec<(bool, Vec<u8>)>,
    /// One of those whose operand cannot be told.
    pub(crate) assembler_unclear: bool,
    /// A macro whose name is spelled with an escape: it may be any.
    pub(crate) any_macro: bool,
    /// Files that a line is said to be from: messages quote them.
    pub(crate) sources: Vec<Vec<u8>>,
    /// What is a backslash where there are trigraphs.
    pub(crate) trigraph: bool,
    /// Why this file cannot be read as the preprocessor reads it.
    pub(crate) unclear: Option<&'static str>,
}

impl Lexed {
    pub(crate) fn of(source: &[u8], flavour: Flavour) -> Self {
        let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
        let trigraph = find(source, b"??/").is_some();
        let raw = flavour == Flavour::C && splices_in_raw_strings(source);
        let unclear = raw.then_some("a raw string with a backslash at a line's end");
        let source = join_lines(source, |_| ());
        let mut lexer = Lexer { source: &source, at: 0, line_start: true, flavour, found: Self::default() };
        lexer.run();
        let mut found = lexer.found;
        found.trigraph = trigraph;
        found.unclear = found.unclear.or(unclear);
        found.operands.sort();
        found.operands.dedup();
        found.by_name.sort();
        found.by_name.dedup();
        found.others.sort();
        found.others.dedup();
        found.others.shrink_to_fit();
        found
    }
}

impl Lexed {
    /// What `-D` with this value says: as if it stood in a file.
    pub(crate) fn of_option(value: &[u8], flavour: Flavour) -> Self {
        let line = value.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => [b"#define ", &line[..at], b" ", &line[at + 1..], b"\n"].concat(),
            None => [b"#define ", line, b" 1\n"].concat(),
        };
        Self::of(&text, flavour)
    }
}

/// Whether anything that looks like a raw string, wherever it stands, holds a backslash at a line's end, which is not taken
/// out there.
pub(super) fn splices_in_raw_strings(source: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = source.get(from..).and_then(|rest| find(rest, b"R\"")) {
        let (before, body) = (&source[..from + at], &source[from + at + 2..]);
        from += at + 2;
        // What ends a longer name is no prefix; one that is split over lines is taken for one.
        let word = before.len() - before.iter().rev().take_while(|byte| is_word(**byte)).count();
        if !matches!(&before[word..], b"" | b"L" | b"u" | b"U" | b"u8") {
            continue;
        }
        let Some(open) = body.iter().take(17).position(|byte| *byte == b'(') else { continue };
        if body[..open].iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b')' | b'\\')) {
            continue;
        }
        let close = [b")", &body[..open], b"\""].concat();
        let content = &body[open + 1..];
        let content = &content[..find(content, &close).unwrap_or(content.len())];
        if join_lines(content, |_| ()).len() != content.len() {
            return true;
        }
    }
    false
}

/// Takes out backslash-newline (also with blanks between, as gcc does), telling where in the result each was.
pub(super) fn join_lines(source: &[u8], mut spliced: impl FnMut(usize)) -> Cow<'_, [u8]> {
    if !source.contains(&b'\\') {
        return Cow::Borrowed(source);
    }
    let mut joined = Vec::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let after = &rest[at + 1..];
        let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\r')).count();
        joined.extend_from_slice(&rest[..at]);
        if after.get(blanks) == Some(&b'\n') {
            spliced(joined.len());
            rest = &after[blanks + 1..];
        } else {
            joined.push(b'\\');
            rest = after;
        }
    }
    joined.extend_from_slice(rest);
    Cow::Owned(joined)
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line_start: bool,
    flavour: Flavour,
    found: Lexed,
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.source.get(self.at + ahead).copied().unwrap_or(b'\n')
    }

    fn run(&mut self) {
        while self.at < self.source.len() {
            match self.peek(0) {
                b'\n' | b'\r' => {
                    self.line_start = true;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\0' => self.at += 1,
                b'/' if matches!(self.peek(1), b'*' | b'/') => self.skip_comment(),
                b'#' if self.line_start => {
                    self.at += 1;
                    self.directive();
                }
                b'%' if self.line_start && self.peek(1) == b':' => {
                    self.at += 2;
                    self.directive();
                }
                b'?' if self.line_start && self.source[self.at..].starts_with(b"??=") => {
                    self.at += 3;
                    self.directive();
                }
                _ => {
                    self.line_start = false;
                    self.token(false);
                }
            }
        }
    }

    fn skip_comment(&mut self) {
        let line = self.peek(1) == b'/';
        let body = &self.source[self.at + 2..];
        let end = if line { body.iter().position(|byte| *byte == b'\n') } else { find(body, b"*/").map(|at| at + 2) };
        self.at = end.map_or(self.source.len(), |end| self.at + 2 + end);
    }

    /// Blanks and comments within a line.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\r' | b'\0' if self.at < self.source.len() => self.at += 1,
                b'/' if self.peek(1) == b'*' => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn word(&mut self) -> &'a [u8] {
        let rest = &self.source[self.at.min(self.source.len())..];
        let length = rest.iter().take_while(|byte| is_word(**byte)).count();
        self.at += length;
        &rest[..length]
    }

    fn directive(&mut self) {
        self.line_start = false;
        self.skip_blanks();
        match self.word() {
            b"include" => self.include(false),
            b"import" => {
                self.found.any_once = true;
                self.include(false);
            }
            b"include_next" => self.include(true),
            b"pragma" => self.pragma(),
            b"define" => self.define(),
            b"line" => self.line(),
            word if word.first().is_some_and(u8::is_ascii_digit) => self.line(),
            // Only whether it is defined counts.
            b"ifdef" | b"ifndef" | b"elifdef" | b"elifndef" | b"undef" => {
                self.skip_blanks();
                self.word();
            }
            _ => {}
        }
        self.rest_of_directive();
    }

    fn include(&mut self, next: bool) {
        self.skip_blanks();
        match self.operand() {
            Some((form, name)) => self.found.operands.push(Operand { form, next, name, probe: false }),
            None if matches!(self.peek(0), b'\n') => {}
            None => {
                let name = self.word();
                if !name.is_empty() && !name[0].is_ascii_digit() && self.ends() {
                    self.found.by_name.push(ByName { name: name.to_vec(), next });
                } else {
                    self.found.computed = true;
                }
            }
        }
    }

    /// Behind `#line`, or behind the number of `# 1 "file"`.
    fn line(&mut self) {
        while self.at < self.source.len() && self.peek(0) != b'\n' {
            match self.peek(0) {
                b'"' => {
                    match unescaped(self.quoted(b'"')) {
                        Some(name) => self.found.sources.push(name),
                        None => self.found.unclear = Some("a #line with an escape"),
                    }
                    return;
                }
                b'/' if self.peek(1) == b'*' => self.skip_comment(),
                b'/' if self.peek(1) == b'/' => return,
                byte if is_word(byte) => {
                    let word = self.word();
                    if !word[0].is_ascii_digit() && self.flavour != Flavour::Assembly {
                        self.found.unclear = Some("a #line of a macro");
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// The body is left to be read as any other text.
    fn define(&mut self) {
        self.skip_blanks();
        let name = self.word();
        self.found.any_macro |= self.peek(0) == b'\\';
        let body = self.at;
        let text = &self.source[body.min(self.source.len())..];
        self.found.pasted.body(&text[..text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len())]);
        self.skip_blanks();
        match self.operand().filter(|_| self.ends()) {
            Some(operand) => self.found.named.push(Definition { name: name.to_vec(), operand }),
            None => self.found.others.push(Name::of(name)),
        }
        self.at = body;
    }

    /// Whether nothing more stands on the line.
    fn ends(&mut self) -> bool {
        self.skip_blanks();
        matches!(self.peek(0), b'\n') || (self.peek(0) == b'/' && self.peek(1) == b'/')
    }

    fn operand(&mut self) -> Option<(Form, Vec<u8>)> {
        let (form, close) = match self.peek(0) {
            b'"' => (Form::Quote, b'"'),
            b'<' => (Form::Angle, b'>'),
            _ => return None,
        };
        let body = &self.source[self.at + 1..];
        let end = body.iter().position(|byte| *byte == close || *byte == b'\n').filter(|end| body[*end] == close)?;
        self.at += end + 2;
        Some((form, body[..end].to_vec()))
    }

    fn pragma(&mut self) {
        self.skip_blanks();
        match self.word() {
            b"GCC" => {}
            b"once" => {
                self.found.once = true;
                return;
            }
            _ => return,
        }
        self.skip_blanks();
        match self.word() {
            b"pch_preprocess" => self.found.pch = true,
            // Whether that file is newer than this one.
            b"dependency" => self.found.dependency = true,
            _ => {}
        }
    }

    /// Behind the word `_Pragma`; its operand is left to be read as any other text.
    fn pragma_operator(&mut self) {
        let rest = &self.source[self.at..];
        let rest = rest.trim_ascii_start();
        let text = rest.strip_prefix(b"(").map_or(rest, <[u8]>::trim_ascii_start);
        let text = text.strip_prefix(b"L").unwrap_or(text).strip_prefix(b"\"").map(<[u8]>::trim_ascii_start);
        self.found.any_once |= text.is_none_or(|text| text.starts_with(b"once"));
        self.found.dependency |= text.is_some_and(|text| find(text, b"dependency").is_some_and(|at| at < 40));
    }

    fn rest_of_directive(&mut self) {
        while self.at < self.source.len() && self.peek(0) != b'\n' {
            if self.peek(0) == b'/' && matches!(self.peek(1), b'*' | b'/') {
                self.skip_comment();
            } else {
                self.token(true);
            }
        }
    }

    fn token(&mut self, in_directive: bool) {
        let byte = self.peek(0);
        if byte == b'"' {
            self.string();
        } else if byte == b'\'' {
            self.quoted(b'\'');
        } else if byte.is_ascii_digit() {
            self.number();
        } else if byte == b'.' && matches!(self.flavour, Flavour::Assembly) && self.assembler_word(self.at) {
            let rest = &self.source[self.at..];
            let line = rest.iter().position(|byte| matches!(byte, b'\n')).map_or(rest, |end| &rest[..end]);
            self.assembler_operand(line);
            self.at += 1;
        } else if is_word(byte) {
            let word = self.word();
            match word {
                b"__DATE__" | b"__TIME__" => self.found.clock = true,
                b"__TIMESTAMP__" => self.found.timestamp = true,
                b"_Pragma" => self.pragma_operator(),
                b"__has_include" | b"__has_include__" if in_directive => self.has_include(false),
                b"__has_include_next" | b"__has_include_next__" if in_directive => self.has_include(true),
                // Half of a name that is pasted together.
                word if in_directive && word.starts_with(b"__has_inc") => self.found.computed_probe = true,
                b"R" | b"LR" | b"uR" | b"UR" | b"u8R" if self.peek(0) == b'"' && self.flavour == Flavour::C => {
                    self.raw_string()
                }
                word if !in_directive => {
                    let start = self.at - word.len();
                    self.found.pasted.word(&self.source[..start], word, &self.source[self.at..]);
                }
                _ => {}
            }
        } else {
            self.at += 1;
        }
    }

    fn has_include(&mut self, next: bool) {
        let before = self.at;
        self.skip_blanks();
        if self.peek(0) != b'(' {
            // The name alone: its parenthesis may come from elsewhere.
            self.found.computed_probe |= !self.is_asked_whether_defined(before);
            self.at = before;
            return;
        }
        self.at += 1;
        self.skip_blanks();
        match self.operand() {
            Some((form, name)) => self.found.operands.push(Operand { form, next, name, probe: true }),
            None => self.found.computed_probe = true,
        }
    }

    /// Whether `defined` or `defined (` stands before the word that ends here.
    fn is_asked_whether_defined(&self, end: usize) -> bool {
        let before = &self.source[..end];
        let length = before.iter().rev().take_while(|byte| is_word(**byte)).count();
        let before = before[..end - length].trim_ascii_end();
        let before = before.strip_suffix(b"(").map_or(before, <[u8]>::trim_ascii_end);
        before.strip_suffix(b"defined").is_some_and(|rest| !rest.last().is_some_and(|byte| is_word(*byte)))
    }

    /// A preprocessing number; `1'000` holds no character constant.
    fn number(&mut self) {
        while self.at < self.source.len() {
            let byte = self.peek(0);
            let separator = byte == b'\'' && self.flavour != Flavour::Assembly && is_word(self.peek(1));
            if !(is_word(byte) || byte == b'.' || separator) {
                return;
            }
            self.at += 1;
        }
    }

    /// A string or character constant; one that is not closed ends with its line, as in gcc.
    fn quoted(&mut self, close: u8) -> &'a [u8] {
        let start = self.at + 1;
        self.at = start;
        while self.at < self.source.len() {
            match self.source[self.at] {
                b'\n' => break,
                b'\\' => self.at += 2,
                byte if byte == close => {
                    self.at += 1;
                    return &self.source[start..self.at - 1];
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.source.len());
        &self.source[start..self.at]
    }

    fn string(&mut self) {
        let content = self.quoted(b'"');
        self.assembler_in(content);
    }

    fn raw_string(&mut self) {
        let body = &self.source[self.at + 1..];
        let Some(open) = body.iter().take(17).position(|byte| *byte == b'(') else {
            self.string();
            return;
        };
        if body[..open].iter().any(|byte| matches!(byte, b' ' | b')' | b'\\' | b'\t' | b'\n' | b'"')) {
            self.string();
            return;
        }
        let mut close = vec![b')'];
        close.extend_from_slice(&body[..open]);
        close.push(b'"');
        let content = &body[open + 1..];
        let end = find(content, &close).unwrap_or(content.len());
        self.assembler_in(&content[..end]);
        self.at = (self.at + 1 + open + 1 + end + close.len()).min(self.source.len());
    }

    /// Finds the assembler's directives in the text of inline assembly.
    fn assembler_in(&mut self, content: &[u8]) {
        let mut from = 0;
        while let Some(dot) = content[from..].iter().position(|byte| *byte == b'.') {
            let at = from + dot;
            if starts_directive(&content[at..])
                && (at == 0
                    || !is_word(content[at - 1])
                    || content[..at].ends_with(b"\\n")
                    || content[..at].ends_with(b"\\t"))
            {
                self.assembler_operand(&content[at..]);
            }
            from = at + 1;
        }
    }

    fn assembler_word(&self, at: usize) -> bool {
        starts_directive(&self.source[at..]) && (at == 0 || !is_word(self.source[at - 1]))
    }

    /// `text` begins with `.incbin` or `.include`.
    fn assembler_operand(&mut self, text: &[u8]) {
        let include = begins(text, b".include");
        let rest = &text[if include { b".include".len() } else { b".incbin".len() }..];
        let rest = rest.trim_ascii_start();
        let Some(rest) = rest.strip_prefix(b"\\\"").or_else(|| rest.strip_prefix(b"\"")) else {
            // Without a quote it is a macro's parameter, a stringized operand, or no directive at all.
            self.found.assembler_unclear |=
                rest.is_empty() || rest.starts_with(b"\\") || self.flavour == Flavour::Assembly;
            return;
        };
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(end) if rest[end] == b'"' || rest[end + 1..].starts_with(b"\"") => {
                self.found.assembler.push((include, rest[..end].to_vec()))
            }
            _ => self.found.assembler_unclear = true,
        }
    }
}

/// The text of a string that names a file; `None` where an escape is not as plain as a quote's.
pub(super) fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next()? {
                escaped @ (b'\\' | b'"') => plain.push(*escaped),
                _ => return None,
            },
            byte => plain.push(*byte),
        }
    }
    Some(plain)
}

/// The assembler takes its directives in capitals, too.
fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn starts_directive(text: &[u8]) -> bool {
    [&b".incbin"[..], b".include"]
        .iter()
        .any(|word| begins(text, word) && !text.get(word.len()).is_some_and(|byte| is_word(*byte)))
}

pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = needle.first()?;
    let mut from = 0;
    loop {
        let at = from + haystack.get(from..)?.iter().position(|byte| byte == first)?;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests;
