//! The words of one directive, of which comments and splices have been taken out.
//!
//! Knows nothing of macros.

use super::dialect::Dialect;
use super::symbol::{NONE, Symbol, Symbols};

/// What a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Name,
    Number,
    /// A character constant.
    Char,
    /// `"…"` without a prefix or a suffix.
    Str,
    /// Any other string.
    OtherStr,
    /// What stands between `<` and `>` where a header's name may stand.
    Header,
    Op(Op),
    /// What is no word of the language: an unclosed quote, a stray character.
    Other,
    /// A parameter of the macro in whose body it stands.
    Param,
    /// No word: a place between words, of which `WHITE` may count.
    Padding,
    End,
}

/// Punctuation that means something to the preprocessor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Open,
    Close,
    Comma,
    Less,
    Greater,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    And,
    Or,
    Xor,
    Complement,
    Not,
    Query,
    Colon,
    ShiftLeft,
    ShiftRight,
    LessEqual,
    GreaterEqual,
    Equal,
    Unequal,
    AndAnd,
    OrOr,
    Ellipsis,
    Hash,
    HashHash,
    /// Any other.
    Else,
}

/// Blanks stand before it.
pub(crate) const WHITE: u8 = 1;
/// `##` stands behind it.
pub(crate) const PASTE: u8 = 2;
/// `#` stood before the parameter.
pub(crate) const STRINGIFY: u8 = 4;
/// A macro's name that is never to be expanded again.
pub(crate) const SPENT: u8 = 8;
/// It is not clear what the compiler makes of it.
pub(crate) const ODD: u8 = 16;

/// One word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// The number of a parameter.
    pub(crate) param: u16,
    pub(crate) text: Symbol,
    /// Where it begins in the directive's text.
    pub(crate) at: u32,
}

impl Token {
    pub(crate) const END: Self = Self { kind: Kind::End, flags: 0, param: 0, text: NONE, at: u32::MAX };

    pub(crate) fn new(kind: Kind, text: Symbol) -> Self {
        Self { kind, flags: 0, param: 0, text, at: u32::MAX }
    }

    pub(crate) fn is(self, op: Op) -> bool {
        self.kind == Kind::Op(op)
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\0')
}

/// All words of a text.
pub(crate) fn tokens(text: &[u8], dialect: Dialect, symbols: &Symbols) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, dialect };
    let mut all = Vec::new();
    loop {
        let blanks = text[lexer.at..].iter().take_while(|byte| is_blank(**byte)).count();
        lexer.at += blanks;
        if lexer.at >= text.len() {
            return all;
        }
        let start = lexer.at;
        let (kind, odd) = lexer.token();
        let flags = if blanks > 0 { WHITE } else { 0 } | if odd { ODD } else { 0 };
        let spelling = &text[start..lexer.at];
        let kind = if dialect.cxx && kind == Kind::Name { named_operator(spelling) } else { kind };
        let at = u32::try_from(start).unwrap_or(u32::MAX);
        all.push(Token { kind, flags, param: 0, text: symbols.of(spelling), at });
    }
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    dialect: Dialect,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(b'\n')
    }

    fn name_byte(&self, byte: u8) -> bool {
        is_name(byte) || byte == b'$' && self.dialect.dollars
    }

    /// The next word, and whether it is odd.
    fn token(&mut self) -> (Kind, bool) {
        let byte = self.peek(0);
        match byte {
            b'"' => self.string(false),
            b'\'' => (self.quoted(b'\'', Kind::Char), false),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b'\\' if matches!(self.peek(1), b'u' | b'U') => {
                self.at += 1;
                (Kind::Name, true)
            }
            byte if self.name_byte(byte) => self.name(),
            _ => (self.punctuation(), false),
        }
    }

    fn name(&mut self) -> (Kind, bool) {
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|byte| self.name_byte(**byte)).count();
        let (name, next) = (&rest[..length], rest.get(length).copied().unwrap_or(b'\n'));
        let odd = !name.is_ascii() || next == b'\\' && matches!(rest.get(length + 1), Some(b'u' | b'U'));
        self.at += length;
        let prefix = match name {
            b"L" => true,
            b"u" | b"U" => self.dialect.unicode_strings,
            b"u8" => self.dialect.unicode_strings && next == b'"',
            _ => false,
        };
        match next {
            b'"' if prefix => (self.string(true).0, false),
            b'\'' if prefix => (self.quoted(b'\'', Kind::Char), true),
            b'"' if self.dialect.raw_strings && matches!(name, b"R" | b"LR" | b"uR" | b"UR" | b"u8R") => {
                self.raw_string();
                (Kind::OtherStr, true)
            }
            _ => (Kind::Name, odd),
        }
    }

    fn string(&mut self, prefixed: bool) -> (Kind, bool) {
        let kind = self.quoted(b'"', Kind::Str);
        if kind == Kind::Other {
            return (kind, false);
        }
        // The suffix of a literal of the user's own.
        if self.dialect.cxx && self.dialect.raw_strings && self.name_byte(self.peek(0)) {
            return (Kind::OtherStr, true);
        }
        (if prefixed { Kind::OtherStr } else { kind }, false)
    }

    fn quoted(&mut self, close: u8, kind: Kind) -> Kind {
        self.at += 1;
        while self.at < self.text.len() {
            let byte = self.text[self.at];
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == close {
                return kind;
            }
        }
        self.at = self.text.len();
        Kind::Other
    }

    fn raw_string(&mut self) {
        let body = &self.text[self.at + 1..];
        let open = body.iter().take(17).position(|byte| *byte == b'(').unwrap_or(0);
        let close = [b")", &body[..open], b"\""].concat();
        let end = body.windows(close.len()).position(|window| window == close);
        self.at = end.map_or(self.text.len(), |end| self.at + 1 + end + close.len());
    }

    fn number(&mut self) -> (Kind, bool) {
        let start = self.at;
        while self.at < self.text.len() {
            let byte = self.peek(0);
            let sign = matches!(byte, b'+' | b'-')
                && self.at > start
                && matches!(self.text[self.at - 1], b'e' | b'E' | b'p' | b'P');
            let separator = byte == b'\'' && self.dialect.separators && is_name(self.peek(1));
            if !(self.name_byte(byte) || byte == b'.' || sign || separator) {
                break;
            }
            self.at += 1;
        }
        let odd = self.peek(0) == b'\\' && matches!(self.peek(1), b'u' | b'U');
        (Kind::Number, odd || !self.text[start..self.at].is_ascii())
    }

    fn punctuation(&mut self) -> Kind {
        const LONG: &[(&[u8], Op)] = &[
            (b"%:%:", Op::HashHash),
            (b"...", Op::Ellipsis),
            (b"<<=", Op::Else),
            (b">>=", Op::Else),
            (b"->*", Op::Else),
            (b"##", Op::HashHash),
            (b"%:", Op::Hash),
            (b"<:", Op::Else),
            (b":>", Op::Else),
            (b"<%", Op::Else),
            (b"%>", Op::Else),
            (b"<<", Op::ShiftLeft),
            (b">>", Op::ShiftRight),
            (b"<=", Op::LessEqual),
            (b">=", Op::GreaterEqual),
            (b"==", Op::Equal),
            (b"!=", Op::Unequal),
            (b"&&", Op::AndAnd),
            (b"||", Op::OrOr),
            (b"++", Op::Else),
            (b"--", Op::Else),
            (b"->", Op::Else),
            (b"+=", Op::Else),
            (b"-=", Op::Else),
            (b"*=", Op::Else),
            (b"/=", Op::Else),
            (b"%=", Op::Else),
            (b"&=", Op::Else),
            (b"|=", Op::Else),
            (b"^=", Op::Else),
            (b"::", Op::Else),
            (b".*", Op::Else),
        ];
        let rest = &self.text[self.at..];
        let known = |name: &[u8]| match name {
            b"%:%:" | b"%:" | b"<:" | b":>" | b"<%" | b"%>" => self.dialect.digraphs,
            b"->*" | b".*" => self.dialect.cxx,
            b"::" => self.dialect.scope,
            _ => true,
        };
        if let Some((name, op)) = LONG.iter().find(|(name, _)| rest.starts_with(name) && known(name)) {
            self.at += name.len();
            return Kind::Op(*op);
        }
        self.at += 1;
        Kind::Op(match rest[0] {
            b'(' => Op::Open,
            b')' => Op::Close,
            b',' => Op::Comma,
            b'<' => Op::Less,
            b'>' => Op::Greater,
            b'+' => Op::Plus,
            b'-' => Op::Minus,
            b'*' => Op::Star,
            b'/' => Op::Slash,
            b'%' => Op::Percent,
            b'&' => Op::And,
            b'|' => Op::Or,
            b'^' => Op::Xor,
            b'~' => Op::Complement,
            b'!' => Op::Not,
            b'?' => Op::Query,
            b':' => Op::Colon,
            b'#' => Op::Hash,
            b'=' | b';' | b'.' | b'[' | b']' | b'{' | b'}' => Op::Else,
            _ => return Kind::Other,
        })
    }
}

/// C++ spells some operators as names.
fn named_operator(name: &[u8]) -> Kind {
    Kind::Op(match name {
        b"and" => Op::AndAnd,
        b"bitand" => Op::And,
        b"bitor" => Op::Or,
        b"compl" => Op::Complement,
        b"not" => Op::Not,
        b"not_eq" => Op::Unequal,
        b"or" => Op::OrOr,
        b"xor" => Op::Xor,
        b"and_eq" | b"or_eq" | b"xor_eq" => Op::Else,
        _ => return Kind::Name,
    })
}
