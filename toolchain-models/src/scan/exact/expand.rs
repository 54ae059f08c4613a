//! The words of a directive as macro expansion gives them, one by one.
//!
//! Knows macros and their arguments as cpplib treats them; files and the compiler's answers only through [`Host`].

use std::sync::Arc;

use super::dialect::Dialect;
use super::macros::{Body, Builtin, Definition, Macro};
use super::paste;
use super::symbol::{Symbol, Symbols};
use super::token::{Kind, ODD, Op, PASTE, SPENT, STRINGIFY, Token, WHITE};
use super::unsure::{Stop, Unsure};

/// So deep may arguments be nested.
const DEPTH: usize = 100;
/// So many words may one directive give.
const WORDS: usize = 1 << 20;

/// What expansion must ask for.
pub(crate) trait Host {
    /// The definition of a name.
    fn definition(&self, name: Symbol) -> Result<Option<Definition>, Unsure>;
    /// Whether an include would find something.
    fn has_include(&mut self, name: &[u8], angle: bool, next: bool) -> Result<bool, Stop>;
    /// The compiler's answer to a question about what stands in the parentheses.
    fn answer(&mut self, question: u8, operand: &[u8]) -> Result<i64, Stop>;
    /// The value of one of the others: a number, or a string with its quotes.
    fn value(&mut self, builtin: Builtin) -> Result<(Kind, Vec<u8>), Stop>;
}

/// An argument of a macro.
#[derive(Default)]
pub(crate) struct Argument {
    /// As it was written.
    pub(crate) raw: Vec<Token>,
    /// It was left out together with its comma.
    pub(crate) absent: bool,
}

enum Words {
    Body(Arc<Macro>),
    Own(Vec<Token>),
}

struct Context {
    words: Words,
    at: usize,
    of: Option<Symbol>,
}

/// The words of one directive.
pub(crate) struct Expander<'a> {
    pub(crate) symbols: &'a Symbols,
    pub(crate) dialect: Dialect,
    text: &'a [u8],
    tokens: &'a [Token],
    at: usize,
    contexts: Vec<Context>,
    disabled: Vec<Symbol>,
    /// Above zero: names stay as they are.
    pub(crate) verbatim: u32,
    /// A header's name may come.
    pub(crate) angled: bool,
    /// It is an include: places between words count.
    padded: bool,
    /// Nothing depends on the value.
    pub(crate) skipping: bool,
    depth: usize,
    words: usize,
}

impl<'a> Expander<'a> {
    pub(crate) fn new(
        symbols: &'a Symbols,
        dialect: Dialect,
        text: &'a [u8],
        tokens: &'a [Token],
        padded: bool,
    ) -> Self {
        Self {
            symbols,
            dialect,
            text,
            tokens,
            at: 0,
            contexts: Vec::new(),
            disabled: Vec::new(),
            verbatim: 0,
            angled: false,
            padded,
            skipping: false,
            depth: 0,
            words: 0,
        }
    }

    fn read(&mut self) -> Result<Token, Unsure> {
        let Some(token) = self.tokens.get(self.at).copied() else { return Ok(Token::END) };
        self.at += 1;
        if self.angled && token.is(Op::Less) {
            let start = token.at as usize + 1;
            let rest = self.text.get(start..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|byte| *byte == b'>') {
                let end = start + length;
                while self.tokens.get(self.at).is_some_and(|token| token.at as usize <= end) {
                    self.at += 1;
                }
                // A word may reach beyond: `<a.h>=`.
                if self.tokens[self.at - 1].at as usize != end || self.spelled(self.tokens[self.at - 1]).len() != 1 {
                    return Err(Unsure::Malformed);
                }
                return Ok(Token { kind: Kind::Header, text: self.symbols.of(&rest[..length]), ..token });
            }
        }
        if self.angled && token.kind == Kind::Str && self.spelled(token).contains(&b'\\') {
            return Err(Unsure::Characters);
        }
        Ok(token)
    }

    pub(crate) fn spelled(&self, token: Token) -> Arc<[u8]> {
        self.symbols.text(token.text)
    }

    /// The next word that is no mere place.
    pub(crate) fn word(&mut self, host: &mut impl Host) -> Result<Token, Stop> {
        loop {
            let token = self.next(host)?;
            if token.kind != Kind::Padding {
                return Ok(token);
            }
        }
    }

    /// The next word, with macros expanded.
    pub(crate) fn next(&mut self, host: &mut impl Host) -> Result<Token, Stop> {
        loop {
            let mut token = match self.contexts.last_mut() {
                None => self.read()?,
                Some(context) => {
                    let word = match &context.words {
                        Words::Body(of) => of.body(self.symbols)?.tokens.get(context.at).copied(),
                        Words::Own(words) => words.get(context.at).copied(),
                    };
                    match word {
                        Some(word) => {
                            context.at += 1;
                            word
                        }
                        None => {
                            self.leave();
                            continue;
                        }
                    }
                }
            };
            if token.has(ODD) {
                return Err(Unsure::Characters.into());
            }
            if token.kind != Kind::Name || token.has(SPENT) {
                return Ok(token);
            }
            let Some(definition) = host.definition(token.text)? else { return Ok(token) };
            if self.disabled.contains(&token.text) {
                token.flags |= SPENT;
                return Ok(token);
            }
            if self.verbatim > 0 {
                return Ok(token);
            }
            if !self.enter(token, &self.symbols.definitions.get(definition), host)? {
                return Ok(token);
            }
        }
    }

    fn leave(&mut self) {
        if let Some(Context { of: Some(name), .. }) = self.contexts.pop()
            && let Some(at) = self.disabled.iter().rposition(|disabled| *disabled == name)
        {
            self.disabled.remove(at);
        }
    }

    fn push(&mut self, words: Vec<Token>, of: Option<Symbol>) -> Result<(), Unsure> {
        self.words += words.len() + 1;
        if self.words > WORDS {
            return Err(Unsure::Large);
        }
        self.disabled.extend(of);
        self.contexts.push(Context { words: Words::Own(words), at: 0, of });
        Ok(())
    }

    /// Begins the expansion of a name. False: it is no invocation.
    fn enter(&mut self, name: Token, definition: &Arc<Macro>, host: &mut impl Host) -> Result<bool, Stop> {
        if let Some(builtin) = definition.builtin {
            return self.builtin(builtin, host);
        }
        let body = definition.body(self.symbols)?;
        if !body.function {
            if body.pastes {
                let words = paste::substitute(self, body, &[], &[])?;
                self.push(words, Some(name.text))?;
            } else {
                self.words += body.tokens.len() + 1;
                if self.words > WORDS {
                    return Err(Unsure::Large.into());
                }
                self.disabled.push(name.text);
                self.contexts.push(Context { words: Words::Body(Arc::clone(definition)), at: 0, of: Some(name.text) });
            }
            return Ok(true);
        }
        self.verbatim += 1;
        let arguments = self.arguments(body, host);
        self.verbatim -= 1;
        let Some(arguments) = arguments? else { return Ok(false) };
        // Only what stands neither beside `#` nor beside `##` is expanded beforehand.
        let mut expanded: Vec<Option<Vec<Token>>> = arguments.iter().map(|_| None).collect();
        for (index, token) in body.tokens.iter().enumerate() {
            let pasted = token.has(PASTE) || index > 0 && body.tokens[index - 1].has(PASTE);
            let number = usize::from(token.param);
            if token.kind == Kind::Param && !token.has(STRINGIFY) && !pasted && expanded[number].is_none() {
                expanded[number] = Some(self.expand(&arguments[number].raw, host)?);
            }
        }
        let words = paste::substitute(self, body, &arguments, &expanded)?;
        self.push(words, Some(name.text))?;
        Ok(true)
    }

    fn expand(&mut self, raw: &[Token], host: &mut impl Host) -> Result<Vec<Token>, Stop> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unsure::Large.into());
        }
        let mut words = raw.to_vec();
        words.push(Token::END);
        self.push(words, None)?;
        let mut expanded = Vec::new();
        loop {
            let word = self.next(host)?;
            if word.kind == Kind::End {
                break;
            }
            expanded.push(word);
        }
        self.leave();
        self.depth -= 1;
        Ok(expanded)
    }

    /// The arguments behind a macro's name, if there are any.
    fn arguments(&mut self, body: &Body, host: &mut impl Host) -> Result<Option<Vec<Argument>>, Stop> {
        let mut padding = None;
        let open = loop {
            let word = self.next(host)?;
            if word.kind != Kind::Padding {
                break word;
            }
            padding = Some(word);
        };
        if !open.is(Op::Open) {
            match self.contexts.last_mut() {
                Some(context) => context.at -= 1,
                None if open.kind != Kind::End => self.at -= 1,
                None => {}
            }
            if let Some(padding) = padding {
                self.push(vec![padding], None)?;
            }
            return Ok(None);
        }
        let mut arguments = vec![Argument::default()];
        let mut depth = 0_u32;
        loop {
            let word = self.next(host)?;
            match word.kind {
                Kind::End => return Err(Unsure::Malformed.into()),
                Kind::Op(Op::Close) if depth == 0 => break,
                Kind::Op(Op::Comma) if depth == 0 && !(body.variadic && arguments.len() == body.params) => {
                    arguments.push(Argument::default());
                    continue;
                }
                Kind::Op(Op::Open) => depth += 1,
                Kind::Op(Op::Close) => depth -= 1,
                _ => {}
            }
            let Some(argument) = arguments.last_mut() else { break };
            if word.kind != Kind::Padding || !argument.raw.is_empty() {
                argument.raw.push(word);
            }
            self.words += 1;
            if self.words > WORDS {
                return Err(Unsure::Large.into());
            }
        }
        for argument in &mut arguments {
            while argument.raw.last().is_some_and(|word| word.kind == Kind::Padding) {
                argument.raw.pop();
            }
        }
        let given = arguments.len();
        if given == body.params {
            if body.variadic && given == 1 && arguments[0].raw.is_empty() && !self.dialect.strict {
                arguments[0].absent = true;
            }
        } else if given + 1 == body.params && body.variadic {
            arguments.push(Argument { absent: true, ..Argument::default() });
        } else if !(given == 1 && body.params == 0 && arguments[0].raw.is_empty()) {
            return Err(Unsure::Malformed.into());
        }
        Ok(Some(arguments))
    }

    fn builtin(&mut self, builtin: Builtin, host: &mut impl Host) -> Result<bool, Stop> {
        let (kind, text) = match builtin {
            Builtin::Pragma => return Ok(false),
            Builtin::HasInclude => (Kind::Number, self.has_include(false, host)?),
            Builtin::HasIncludeNext => (Kind::Number, self.has_include(true, host)?),
            Builtin::Question(question) => (Kind::Number, self.question(question, host)?),
            other => host.value(other)?,
        };
        let word = Token::new(kind, self.symbols.of(&text));
        self.push(vec![word], None)?;
        Ok(true)
    }

    fn has_include(&mut self, next: bool, host: &mut impl Host) -> Result<Vec<u8>, Stop> {
        self.angled = true;
        let open = self.word(host)?;
        if !open.is(Op::Open) {
            return Err(Unsure::Malformed.into());
        }
        let operand = self.word(host)?;
        self.angled = false;
        let (name, angle) = self.header_name(operand, host)?;
        let found = !self.skipping && host.has_include(&name, angle, next)?;
        if !self.word(host)?.is(Op::Close) {
            return Err(Unsure::Malformed.into());
        }
        Ok(if found { b"1".to_vec() } else { b"0".to_vec() })
    }

    /// The name of which this is the first word, and whether it stands between `<` and `>`.
    pub(crate) fn header_name(&mut self, first: Token, host: &mut impl Host) -> Result<(Vec<u8>, bool), Stop> {
        match first.kind {
            Kind::Header => Ok((self.spelled(first).to_vec(), true)),
            Kind::Str => {
                let text = self.spelled(first);
                Ok((text[1..text.len() - 1].to_vec(), false))
            }
            Kind::Op(Op::Less) => {
                let mut name = Vec::new();
                loop {
                    let word = self.word(host)?;
                    match word.kind {
                        Kind::Op(Op::Greater) => return Ok((name, true)),
                        Kind::End => return Err(Unsure::Malformed.into()),
                        _ => {}
                    }
                    if word.has(WHITE) {
                        name.push(b' ');
                    }
                    name.extend_from_slice(&self.spelled(word));
                }
            }
            _ => Err(Unsure::Malformed.into()),
        }
    }

    fn question(&mut self, question: u8, host: &mut impl Host) -> Result<Vec<u8>, Stop> {
        if !self.word(host)?.is(Op::Open) {
            return Err(Unsure::Malformed.into());
        }
        let mut operand = Vec::new();
        loop {
            let word = self.word(host)?;
            match word.kind {
                Kind::Op(Op::Close) => break,
                Kind::Name => operand.extend_from_slice(&self.spelled(word)),
                Kind::Op(Op::Colon | Op::Else) if self.spelled(word).iter().all(|byte| *byte == b':') => {
                    operand.extend_from_slice(&self.spelled(word));
                }
                _ => return Err(Unsure::Malformed.into()),
            }
        }
        if self.skipping {
            return Ok(b"0".to_vec());
        }
        Ok(host.answer(question, &operand)?.to_string().into_bytes())
    }

    /// Whether places between words are to be kept.
    pub(crate) fn padded(&self) -> bool {
        self.padded
    }
}
