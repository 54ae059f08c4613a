//! Reads a file into its outline.

use super::{Does, How, Item, Operand, Outline, Text};
use crate::scan::exact::dialect::Dialect;
use crate::scan::exact::facts::{Facts, Pragma, assembler_in, assembler_operand, starts_directive};
use crate::scan::exact::macros::Macro;
use crate::scan::exact::source::Source;
use crate::scan::exact::symbol::{DEFINED, Symbol, Symbols};
use crate::scan::exact::token::is_name;
use crate::scan::exact::unsure::Unsure;
use crate::scan::lex::{find, splices_in_raw_strings};

pub(super) fn outline(bytes: &[u8], dialect: Dialect, symbols: &Symbols) -> Outline {
    let source = Source::of(bytes, dialect.trigraphs);
    let mut unsure = None;
    if dialect.raw_strings && (splices_in_raw_strings(bytes) || source.replaced && find(bytes, b"R\"").is_some()) {
        unsure = Some(Unsure::RawString);
    }
    let returns = |pair: &[u8]| pair[0] == b'\r' && pair[1] != b'\n';
    if source.text.contains(&b'\r') && (source.text.windows(2).any(returns) || source.text.ends_with(b"\r")) {
        unsure = Some(Unsure::Return);
    }
    let mut reader = Reader::new(&source.text, &source.splices, dialect, symbols);
    reader.run();
    reader.flush();
    if !reader.open.is_empty() {
        reader.unsure = Some(Unsure::Malformed);
    }
    let (mut items, unsure) = (reader.items, reader.unsure.or(unsure));
    items.shrink_to_fit();
    let guard = match items.first() {
        Some(Item { does: Does::Ifdef(name, false), next, .. }) if *next as usize + 1 == items.len() => Some(*name),
        Some(Item { does: Does::If(text), next, .. }) if *next as usize + 1 == items.len() => {
            not_defined(&text.bytes).map(|name| symbols.of(name))
        }
        _ => None,
    };
    Outline { items: items.into(), guard: guard.filter(|_| unsure.is_none()), unsure }
}

/// The name of `!defined NAME` or `!defined(NAME)`.
fn not_defined(text: &[u8]) -> Option<&[u8]> {
    let rest = text.trim_ascii().strip_prefix(b"!")?.trim_ascii_start().strip_prefix(b"defined")?;
    let open = rest.trim_ascii_start().strip_prefix(b"(");
    let name = match open {
        Some(inner) => inner.strip_suffix(b")")?.trim_ascii(),
        None if rest.starts_with(b" ") || rest.starts_with(b"\t") => rest.trim_ascii(),
        None => return None,
    };
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (plain && name.first().is_some_and(|byte| !byte.is_ascii_digit())).then_some(name)
}

/// Words of which a macro's body may hold some that matter.
const OF_INTEREST: &[&[u8]] =
    &[b"_Pragma", b"__TIME", b"__DATE__", b"_macro", b"system_header", b"poison", b"once", b"GCC", b"pch_pre"];

struct Reader<'a> {
    source: &'a [u8],
    splices: &'a [usize],
    at: usize,
    line_start: bool,
    /// It is a macro's body that is read.
    body: bool,
    dialect: Dialect,
    symbols: &'a Symbols,
    facts: Facts,
    items: Vec<Item>,
    /// The branches of the open conditionals.
    open: Vec<Vec<usize>>,
    unsure: Option<Unsure>,
    /// How many parentheses are open in the text: perhaps those of a macro's arguments.
    parens: u32,
    /// Such a line was met.
    slashes: bool,
    /// The line of a place, from which the next is counted.
    counted: (usize, u32, usize),
}

impl<'a> Reader<'a> {
    fn new(source: &'a [u8], splices: &'a [usize], dialect: Dialect, symbols: &'a Symbols) -> Self {
        Self {
            source,
            splices,
            at: 0,
            line_start: true,
            body: false,
            dialect,
            symbols,
            facts: Facts::default(),
            items: Vec::new(),
            open: Vec::new(),
            unsure: None,
            parens: 0,
            slashes: false,
            counted: (0, 1, 0),
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.source.get(self.at + ahead).copied().unwrap_or(b'\n')
    }

    fn run(&mut self) {
        while let Some(&byte) = self.source.get(self.at) {
            match byte {
                b'\n' => {
                    self.line_start = true;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\0' | b'\r' => self.at += 1,
                b'/' if self.at_comment() => self.skip_comment(),
                b'/' if self.peek(1) == b'/' => self.skip_slashes(),
                b'#' if self.line_start => {
                    self.at += 1;
                    self.directive();
                }
                b'%' if self.line_start && self.dialect.digraphs && self.peek(1) == b':' => {
                    self.at += 2;
                    self.directive();
                }
                _ => {
                    self.line_start = false;
                    self.token();
                }
            }
        }
    }

    fn at_comment(&self) -> bool {
        self.peek(0) == b'/' && (self.peek(1) == b'*' || self.peek(1) == b'/' && self.dialect.line_comments)
    }

    fn skip_comment(&mut self) {
        let body = &self.source[self.at + 2..];
        if self.peek(1) == b'/' {
            self.at += 2 + body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
        } else if let Some(end) = find(body, b"*/") {
            self.at += end + 4;
        } else {
            self.unsure = Some(Unsure::Malformed);
            self.at = self.source.len();
        }
    }

    /// The rest of a line behind `//` where the standard has no such comments: a comment for gcc in some places.
    fn skip_slashes(&mut self) {
        let rest = &self.source[self.at + 1..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        if find(&rest[..end], b"/*").is_some() {
            self.unsure = Some(Unsure::Comment);
        }
        self.slashes = true;
        self.at += 1 + end;
    }

    fn skip_blanks(&mut self) {
        while self.at < self.source.len() {
            match self.peek(0) {
                b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\r' | b'\0' => self.at += 1,
                b'/' if self.peek(1) == b'*' => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn word(&mut self) -> &'a [u8] {
        let dollars = self.dialect.dollars;
        let rest = &self.source[self.at.min(self.source.len())..];
        let length = rest.iter().take_while(|byte| is_name(**byte) || dollars && **byte == b'$').count();
        self.at += length;
        &rest[..length]
    }

    fn token(&mut self) {
        let byte = self.peek(0);
        match byte {
            b'"' => {
                let content = self.quoted(b'"');
                self.string(content);
            }
            b'\'' => {
                self.quoted(b'\'');
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.dialect.assembly => {
                let rest = &self.source[self.at..];
                if starts_directive(rest) && (self.at == 0 || !is_name(self.source[self.at - 1])) {
                    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    assembler_operand(&rest[..end], true, &mut self.facts);
                }
                self.at += 1;
            }
            byte if is_name(byte) || byte == b'$' && self.dialect.dollars => {
                let start = self.at;
                let word = self.word();
                self.of_interest(start, word);
            }
            byte => {
                match byte {
                    b'(' => self.parens += 1,
                    b')' => self.parens = self.parens.saturating_sub(1),
                    _ => {}
                }
                self.at += 1;
            }
        }
    }

    fn of_interest(&mut self, start: usize, word: &[u8]) {
        match word {
            b"__DATE__" | b"__TIME__" => self.facts.clock = true,
            b"__TIMESTAMP__" => self.facts.timestamp = true,
            b"_Pragma" => self.pragma_operator(),
            b"push_macro" | b"pop_macro" | b"system_header" | b"poison" | b"pch_preprocess" => self.facts.words = true,
            b"once" => {
                let before = self.source[..start].trim_ascii_end().last() == Some(&b'(');
                self.facts.words |= before && self.source[self.at..].trim_ascii_start().starts_with(b")");
            }
            b"GCC" => {
                let rest = self.source[self.at..].trim_ascii_start();
                let names = [&b"target"[..], b"optimize", b"push_options", b"pop_options", b"reset_options"];
                self.facts.option_words |= names.iter().any(|name| rest.starts_with(name));
            }
            b"R" | b"LR" | b"uR" | b"UR" | b"u8R" if self.peek(0) == b'"' && self.dialect.raw_strings => {
                self.raw_string();
            }
            // A body's words are looked at with what stands beside them.
            word if !self.body => self.facts.pasted.word(&self.source[..start], word, &self.source[self.at..]),
            _ => {}
        }
    }

    fn string(&mut self, content: &[u8]) {
        assembler_in(content, &mut self.facts);
        self.facts.words |= content.starts_with(b"push_macro") || content.starts_with(b"pop_macro");
    }

    fn number(&mut self) {
        while self.at < self.source.len() {
            let byte = self.peek(0);
            let separator = byte == b'\'' && self.dialect.separators && is_name(self.peek(1));
            let sign = matches!(byte, b'+' | b'-') && matches!(self.source[self.at - 1], b'e' | b'E' | b'p' | b'P');
            if !(is_name(byte) || byte == b'.' || separator || sign) {
                return;
            }
            self.at += 1;
        }
    }

    /// A string or character constant; one that is not closed ends with its line, as in gcc.
    fn quoted(&mut self, close: u8) -> &'a [u8] {
        let start = self.at + 1;
        self.at = start;
        while let Some(&byte) = self.source.get(self.at) {
            match byte {
                b'\n' => return &self.source[start..self.at],
                // Not the line's end: that was taken out.
                b'\\' if self.peek(1) != b'\n' => self.at += 2,
                byte if byte == close => {
                    self.at += 1;
                    return &self.source[start..self.at - 1];
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.source.len());
        &self.source[start.min(self.at)..self.at]
    }

    fn raw_string(&mut self) {
        let body = &self.source[self.at + 1..];
        let open = body.iter().take(17).position(|byte| *byte == b'(');
        let plain = |byte: &u8| !matches!(byte, b' ' | b')' | b'\\' | b'\t' | b'\x0b' | b'\x0c' | b'\n' | b'"');
        let Some(open) = open.filter(|open| body[..*open].iter().all(plain)) else {
            self.unsure = Some(Unsure::Malformed);
            self.quoted(b'"');
            return;
        };
        let close = [b")", &body[..open], b"\""].concat();
        let content = &body[open + 1..];
        let Some(end) = find(content, &close) else {
            self.unsure = Some(Unsure::Malformed);
            self.at = self.source.len();
            return;
        };
        self.string(&content[..end]);
        self.at += 1 + open + 1 + end + close.len();
    }

    /// Behind the word `_Pragma`; its operand is left to be read as any other text.
    fn pragma_operator(&mut self) {
        let rest = self.source[self.at..].trim_ascii_start();
        let literal = rest.strip_prefix(b"(").map(<[u8]>::trim_ascii_start);
        let literal =
            literal.map(|text| text.strip_prefix(b"L").unwrap_or(text)).and_then(|text| text.strip_prefix(b"\""));
        let Some(literal) = literal else {
            self.facts.computed |= self.body;
            self.facts.unclear |= !self.body;
            return;
        };
        let mut text = Vec::new();
        let mut bytes = literal.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => text.extend(bytes.next()),
                byte => text.push(*byte),
            }
        }
        match Pragma::of(&text) {
            None => {}
            Some(pragma) if !self.body && self.parens == 0 => self.put(Does::Pragma(Box::new(pragma))),
            Some(pragma) if pragma.is_of_options() => self.facts.options = true,
            Some(Pragma::Dependency) => self.facts.dependency = true,
            Some(_) => self.facts.unclear = true,
        }
    }

    fn line(&mut self, at: usize) -> u32 {
        let (from, mut line, mut splices) = self.counted;
        line += self.source[from..at].iter().filter(|byte| **byte == b'\n').count() as u32;
        while self.splices.get(splices).is_some_and(|splice| *splice <= at) {
            splices += 1;
            line += 1;
        }
        self.counted = (at, line, splices);
        line
    }

    fn flush(&mut self) {
        if self.facts != Facts::default() {
            let facts = Box::new(std::mem::take(&mut self.facts));
            self.items.push(Item { does: Does::Facts(facts), line: 0, spliced: false, next: 0, end: 0 });
        }
    }

    fn put(&mut self, does: Does) {
        self.flush();
        self.items.push(Item { does, line: 0, spliced: false, next: 0, end: 0 });
    }

    fn directive(&mut self) {
        self.flush();
        self.line_start = false;
        self.slashes = false;
        let begin = self.at;
        let line = self.line(begin);
        self.skip_blanks();
        let start = self.at;
        let does = match self.word() {
            b"if" => Some(Does::If(self.text())),
            b"ifdef" => Some(self.ifdef(true, false)),
            b"ifndef" => Some(self.ifdef(false, false)),
            b"elif" => Some(Does::Elif(self.text())),
            b"elifdef" if self.dialect.elifdef => Some(self.ifdef(true, true)),
            b"elifndef" if self.dialect.elifdef => Some(self.ifdef(false, true)),
            b"else" => Some(Does::Else),
            b"endif" => Some(Does::Endif),
            b"include" => Some(self.include(How::Plain)),
            b"include_next" => Some(self.include(How::Next)),
            b"import" => Some(self.include(How::Import)),
            b"define" => Some(self.define()),
            b"undef" => Some(self.name().map_or_else(Does::Unsure, Does::Undef)),
            b"pragma" => Pragma::of(&self.rest()).map(|pragma| Does::Pragma(Box::new(pragma))),
            b"error" => Some(Does::Error),
            b"line" => Some(Does::Line(false, self.text())),
            word if word.first().is_some_and(u8::is_ascii_digit) && !self.dialect.assembly => {
                self.at = start;
                Some(Does::Line(true, self.text()))
            }
            _ => None,
        };
        // What follows the last line of the directive is on a line of its own.
        self.rest();
        let spliced = self.line(self.at) != line;
        self.flush();
        let does = match does {
            Some(Does::If(_)) if self.slashes => Does::If(Text::new(b"", self.dialect)),
            Some(Does::Elif(_)) if self.slashes => Does::Elif(Text::new(b"", self.dialect)),
            Some(Does::Define(..) | Does::Include(_, Operand::Computed(_))) if self.slashes => {
                Does::Unsure(Unsure::Comment)
            }
            Some(does) => does,
            None => return,
        };
        self.link(&does);
        self.items.push(Item { does, line, spliced, next: 0, end: 0 });
    }

    /// Links the branches of a conditional.
    fn link(&mut self, does: &Does) {
        let here = self.items.len();
        match does {
            Does::If(_) | Does::Ifdef(..) => self.open.push(vec![here]),
            Does::Elif(_) | Does::Elifdef(..) | Does::Else | Does::Endif => {
                let Some(branches) = self.open.last_mut() else {
                    self.unsure = Some(Unsure::Malformed);
                    return;
                };
                let Some(&last) = branches.last() else { return };
                if matches!(self.items[last].does, Does::Else) && !matches!(does, Does::Endif) {
                    self.unsure = Some(Unsure::Malformed);
                }
                self.items[last].next = here as u32;
                branches.push(here);
                if matches!(does, Does::Endif) {
                    for branch in self.open.pop().unwrap_or_default() {
                        if let Some(item) = self.items.get_mut(branch) {
                            item.end = here as u32;
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self) -> Box<Text> {
        let bytes = self.rest();
        Text::new(&bytes, self.dialect)
    }

    /// The rest of the directive, a blank for each comment.
    fn rest(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(&byte) = self.source.get(self.at) {
            let start = self.at;
            match byte {
                b'\n' => break,
                b'/' if self.at_comment() => {
                    self.skip_comment();
                    text.push(b' ');
                    continue;
                }
                b'/' if self.peek(1) == b'/' => {
                    self.skip_slashes();
                    break;
                }
                b'"' | b'\'' => {
                    self.quoted(byte);
                }
                b'0'..=b'9' => self.number(),
                byte if is_name(byte) => {
                    let word = self.word();
                    let raw = matches!(word, b"R" | b"LR" | b"uR" | b"UR" | b"u8R");
                    if raw && self.peek(0) == b'"' && self.dialect.raw_strings {
                        self.raw_string();
                        if self.source[start..self.at].contains(&b'\n') {
                            self.unsure = Some(Unsure::RawString);
                        }
                    }
                }
                _ => self.at += 1,
            }
            text.extend_from_slice(&self.source[start..self.at]);
        }
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' | b'\0');
        let length = text.len() - text.iter().rev().take_while(|byte| blank(byte)).count();
        text.truncate(length);
        text
    }

    fn name(&mut self) -> Result<Symbol, Unsure> {
        self.skip_blanks();
        let name = self.word();
        if !name.is_ascii() || self.peek(0) == b'\\' {
            return Err(Unsure::Characters);
        }
        if name.is_empty() || name[0].is_ascii_digit() {
            return Err(Unsure::Malformed);
        }
        Ok(self.symbols.of(name))
    }

    fn ifdef(&mut self, defined: bool, again: bool) -> Does {
        match self.name() {
            Ok(name) if again => Does::Elifdef(name, defined),
            Ok(name) => Does::Ifdef(name, defined),
            // As an expression it is not clear, either.
            Err(_) if again => Does::Elif(Text::new(b"", self.dialect)),
            Err(_) => Does::If(Text::new(b"", self.dialect)),
        }
    }

    fn include(&mut self, how: How) -> Does {
        self.skip_blanks();
        let close = match self.peek(0) {
            b'"' => Some(b'"'),
            b'<' => Some(b'>'),
            _ => None,
        };
        let body = self.source.get(self.at + 1..).unwrap_or_default();
        let end = close.and_then(|close| {
            body.iter().position(|byte| *byte == close || *byte == b'\n').filter(|end| body[*end] == close)
        });
        if let (Some(close), Some(end)) = (close, end) {
            if find(&body[..end], b"/*").is_some() {
                // In a group that is skipped a comment would begin there.
                self.unsure = Some(Unsure::Malformed);
            }
            self.at += end + 2;
            if self.dialect.cxx && is_name(self.peek(0)) {
                // gcc takes that for the suffix of a literal, and a part of the name.
                return Does::Unsure(Unsure::Malformed);
            }
            let name = self.symbols.of(&body[..end]);
            return Does::Include(how, if close == b'"' { Operand::Quoted(name) } else { Operand::Angled(name) });
        }
        Does::Include(how, Operand::Computed(self.text()))
    }

    fn define(&mut self) -> Does {
        let name = match self.name() {
            Ok(DEFINED) => return Does::Unsure(Unsure::Malformed),
            Ok(name) => name,
            Err(unsure) => return Does::Unsure(unsure),
        };
        let text = self.rest();
        let starts = |(at, byte): (usize, &u8)| *byte == b'.' && starts_directive(&text[at..]);
        if text.iter().enumerate().any(starts) || OF_INTEREST.iter().any(|word| find(&text, word).is_some()) {
            let mut body = Reader::new(&text, &[], self.dialect, self.symbols);
            body.body = true;
            body.line_start = false;
            body.run();
            self.facts = body.facts;
        }
        self.facts.pasted.body(&text);
        Does::Define(name, self.symbols.definitions.of(Macro::new(&text, self.dialect)))
    }
}
