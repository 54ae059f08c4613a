//! One macro's definition.
//!
//! Knows nothing of expansion. A body is cut into words when it is first looked at.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::dialect::Dialect;
use super::symbol::{Symbol, Symbols, VA_ARGS, VA_OPT};
use super::token::{Kind, ODD, Op, PASTE, STRINGIFY, Token, WHITE, is_blank, tokens};
use super::unsure::Unsure;

/// What the preprocessor itself computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Builtin {
    File,
    BaseFile,
    Line,
    IncludeLevel,
    Counter,
    Clock,
    HasInclude,
    HasIncludeNext,
    /// A question to the compiler: its number in [`QUESTIONS`].
    Question(u8),
    /// `_Pragma`: a plain name in directives.
    Pragma,
}

/// The names of questions that the compiler answers.
pub(crate) const QUESTIONS: &[&str] =
    &["__has_attribute", "__has_cpp_attribute", "__has_c_attribute", "__has_builtin", "__has_feature"];

/// All names that have no definition.
pub(crate) const BUILTINS: &[(&str, Builtin)] = &[
    ("__FILE__", Builtin::File),
    ("__BASE_FILE__", Builtin::BaseFile),
    ("__LINE__", Builtin::Line),
    ("__INCLUDE_LEVEL__", Builtin::IncludeLevel),
    ("__COUNTER__", Builtin::Counter),
    ("__DATE__", Builtin::Clock),
    ("__TIME__", Builtin::Clock),
    ("__TIMESTAMP__", Builtin::Clock),
    ("__has_include", Builtin::HasInclude),
    ("__has_include_next", Builtin::HasIncludeNext),
    ("__has_attribute", Builtin::Question(0)),
    ("__has_cpp_attribute", Builtin::Question(1)),
    ("__has_c_attribute", Builtin::Question(2)),
    ("__has_builtin", Builtin::Question(3)),
    ("__has_feature", Builtin::Question(4)),
    ("_Pragma", Builtin::Pragma),
];

/// A definition.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) builtin: Option<Builtin>,
    /// What stands behind the name.
    text: Box<[u8]>,
    dialect: Option<Dialect>,
    body: OnceLock<Result<Body, Unsure>>,
}

/// A definition, cut into words.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) function: bool,
    pub(crate) params: usize,
    pub(crate) variadic: bool,
    pub(crate) tokens: Box<[Token]>,
    /// Whether words are pasted.
    pub(crate) pastes: bool,
}

impl Macro {
    pub(crate) fn new(text: &[u8], dialect: Dialect) -> Self {
        Self { builtin: None, text: text.into(), dialect: Some(dialect), body: OnceLock::new() }
    }

    pub(crate) fn builtin(builtin: Builtin) -> Self {
        Self { builtin: Some(builtin), text: Box::default(), dialect: None, body: OnceLock::new() }
    }

    /// What stands behind the name.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn body(&self, symbols: &Symbols) -> Result<&Body, Unsure> {
        let Some(dialect) = self.dialect else { return Err(Unsure::Malformed) };
        self.body.get_or_init(|| parse(&self.text, dialect, symbols)).as_ref().map_err(|unsure| *unsure)
    }
}

impl PartialEq for Macro {
    fn eq(&self, other: &Self) -> bool {
        (self.builtin, &self.text, self.dialect) == (other.builtin, &other.text, other.dialect)
    }
}

impl Eq for Macro {}

impl Hash for Macro {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// A definition, as a number whose highest bit is never set: a session ends its shelf long before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Definition(NonZeroU32);

impl Definition {
    /// Its number, by which [`Definition::numbered`] gives it again.
    pub(super) fn number(self) -> u32 {
        self.0.get()
    }

    /// None has the number 0.
    pub(super) fn numbered(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }
}

/// All definitions of a session: those of the same text in the same dialect are one.
#[derive(Default)]
pub(crate) struct Definitions(RwLock<Numbered>);

#[derive(Default)]
struct Numbered {
    numbers: FxHashMap<Arc<Macro>, Definition>,
    all: Vec<Arc<Macro>>,
}

impl Definitions {
    pub(crate) fn of(&self, is: Macro) -> Definition {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).numbers.get(&is) {
            return *known;
        }
        let mut numbered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = numbered.numbers.get(&is) {
            return *known;
        }
        let is = Arc::new(is);
        numbered.all.push(Arc::clone(&is));
        let number = u32::try_from(numbered.all.len()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        numbered.numbers.insert(is, Definition(number));
        Definition(number)
    }

    pub(crate) fn get(&self, definition: Definition) -> Arc<Macro> {
        let numbered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&numbered.all[definition.0.get() as usize - 1])
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).all.len()
    }
}

fn parse(text: &[u8], dialect: Dialect, symbols: &Symbols) -> Result<Body, Unsure> {
    let mut words = tokens(text, dialect, symbols);
    let function = text.first() == Some(&b'(');
    let mut params = Vec::new();
    let mut variadic = false;
    if function {
        let end = words.iter().position(|word| word.is(Op::Close)).ok_or(Unsure::Malformed)?;
        let body = words.split_off(end + 1);
        (params, variadic) = parameters(&words[1..end])?;
        words = body;
    } else if text.first().is_some_and(|byte| !is_blank(*byte)) && words.first().is_some_and(|word| word.has(ODD)) {
        return Err(Unsure::Characters);
    }
    let mut tokens: Vec<Token> = Vec::with_capacity(words.len());
    let mut hash: Option<Token> = None;
    let mut pastes = false;
    for mut word in words {
        let number = (word.kind == Kind::Name).then(|| params.iter().position(|param| *param == word.text)).flatten();
        if let Some(number) = number {
            word.kind = Kind::Param;
            word.param = u16::try_from(number).map_err(|_| Unsure::Large)?;
        }
        if let Some(hash) = hash.take() {
            if number.is_some() {
                word.flags = word.flags & !WHITE | hash.flags & WHITE | STRINGIFY;
            } else if dialect.assembly {
                tokens.push(hash);
            } else if word.text == VA_OPT {
                return Err(Unsure::VaOpt);
            } else {
                return Err(Unsure::Malformed);
            }
        }
        match word.kind {
            Kind::Op(Op::Hash) if function => hash = Some(word),
            Kind::Op(Op::HashHash) => {
                tokens.last_mut().ok_or(Unsure::Malformed)?.flags |= PASTE;
                pastes = true;
            }
            _ => tokens.push(word),
        }
    }
    match hash {
        Some(hash) if dialect.assembly => tokens.push(hash),
        Some(_) => return Err(Unsure::Malformed),
        None => {}
    }
    if let Some(last) = tokens.last()
        && last.has(PASTE)
    {
        return Err(Unsure::Malformed);
    }
    if let Some(first) = tokens.first_mut() {
        first.flags &= !WHITE;
    }
    Ok(Body { function, params: params.len(), variadic, tokens: tokens.into(), pastes })
}

fn parameters(words: &[Token]) -> Result<(Vec<Symbol>, bool), Unsure> {
    let mut params = Vec::new();
    let mut words = words.iter().peekable();
    if words.peek().is_none() {
        return Ok((params, false));
    }
    loop {
        let word = words.next().ok_or(Unsure::Malformed)?;
        let variadic = match word.kind {
            _ if word.has(ODD) => return Err(Unsure::Characters),
            Kind::Name if !params.contains(&word.text) => {
                params.push(word.text);
                words.next_if(|word| word.is(Op::Ellipsis)).is_some()
            }
            Kind::Op(Op::Ellipsis) => {
                params.push(VA_ARGS);
                true
            }
            _ => return Err(Unsure::Malformed),
        };
        match words.next() {
            None => return Ok((params, variadic)),
            Some(comma) if comma.is(Op::Comma) && !variadic => {}
            Some(_) => return Err(Unsure::Malformed),
        }
    }
}

/// What the compiler defines before it reads anything, and what it answers.
#[derive(Default, Debug)]
pub(crate) struct Predefined {
    pub(crate) macros: FxHashMap<Symbol, Definition>,
    /// Answers to questions: the name, and the operand without blanks.
    pub(crate) answers: std::collections::BTreeMap<(u8, Vec<u8>), i64>,
}
