//! One file as the preprocessor acts on it: its directives, and what matters of the text between them.
//!
//! Knows no macro's meaning and no condition's truth, so that one outline serves all who read the file in one dialect.

mod digest;
mod read;
mod truth;

use std::sync::OnceLock;

use super::dialect::Dialect;
use super::facts::{Facts, Pragma};
use super::macros::Definition;
use super::symbol::{Symbol, Symbols};
use super::token::{Token, tokens};
use super::unsure::Unsure;
pub(crate) use truth::Asked;
use truth::Truths;

/// A directive's text, without comments, cut into words when it is first looked at.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) bytes: Box<[u8]>,
    dialect: Dialect,
    tokens: OnceLock<Box<[Token]>>,
    /// What it came to, if it is a condition.
    pub(crate) truths: Truths,
}

impl Text {
    fn new(bytes: &[u8], dialect: Dialect) -> Box<Self> {
        Box::new(Self { bytes: bytes.into(), dialect, tokens: OnceLock::new(), truths: Truths::default() })
    }

    pub(crate) fn tokens(&self, symbols: &Symbols) -> &[Token] {
        self.tokens.get_or_init(|| tokens(&self.bytes, self.dialect, symbols).into())
    }
}

/// How a file is included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Plain,
    Next,
    Import,
}

/// What is included.
#[derive(Debug)]
pub(crate) enum Operand {
    Quoted(Symbol),
    Angled(Symbol),
    Computed(Box<Text>),
}

/// What a place in a file does. There are ten thousand in a unit: they are small.
#[derive(Debug)]
pub(crate) enum Does {
    If(Box<Text>),
    Ifdef(Symbol, bool),
    Elif(Box<Text>),
    Elifdef(Symbol, bool),
    Else,
    Endif,
    Include(How, Operand),
    Define(Symbol, Definition),
    Undef(Symbol),
    Pragma(Box<Pragma>),
    /// `#line` (false) or a marker of the preprocessor's own (true).
    Line(bool, Box<Text>),
    Facts(Box<Facts>),
    /// `#error`: the compiler fails, but goes on.
    Error,
    Unsure(Unsure),
}

/// One place.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) does: Does,
    pub(crate) line: u32,
    /// It stands on several lines.
    pub(crate) spliced: bool,
    /// Of a conditional: the next branch.
    pub(crate) next: u32,
    /// Of a conditional: its `#endif`.
    pub(crate) end: u32,
}

/// A file.
#[derive(Default, Debug)]
pub(crate) struct Outline {
    pub(crate) items: Box<[Item]>,
    /// The macro that, if it is defined, makes all of the file nothing.
    pub(crate) guard: Option<Symbol>,
    /// Why the file as a whole is not clear.
    pub(crate) unsure: Option<Unsure>,
}

impl Outline {
    pub(crate) fn of(source: &[u8], dialect: Dialect, symbols: &Symbols) -> Self {
        read::outline(source, dialect, symbols)
    }

    /// What of it decides what a scan finds: all but the numbers of its lines.
    pub(crate) fn digest(&self, symbols: &Symbols) -> [u8; 32] {
        digest::of(self, symbols)
    }

    /// What `-D` with this value says.
    pub(crate) fn of_option(value: &[u8], dialect: Dialect, symbols: &Symbols) -> Self {
        let line = value.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => [b"#define ", &line[..at], b" ", &line[at + 1..], b"\n"].concat(),
            None => [b"#define ", line, b" 1\n"].concat(),
        };
        Self::of(&text, dialect, symbols)
    }
}
