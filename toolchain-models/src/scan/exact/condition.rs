//! The truth of an `#if`.
//!
//! Knows operators and their precedence; names are expanded elsewhere. What the compiler would complain of is not decided.

use super::expand::{Expander, Host};
use super::number::{self, Value};
use super::symbol::{DEFINED, FALSE, Symbol, TRUE, UNSIGNED_CHAR};
use super::token::{Kind, Op, Token};
use super::unsure::{Stop, Unsure};

/// So deep may parentheses and operators be nested.
const DEPTH: u32 = 200;

/// Whether the expression, all that the expander gives, is true.
pub(crate) fn holds(expander: &mut Expander<'_>, host: &mut impl Host) -> Result<bool, Stop> {
    let mut parser = Parser { expander, host, ahead: None, depth: 0 };
    let value = parser.comma()?;
    match parser.peek()?.kind {
        Kind::End => Ok(value.truth()),
        _ => Err(Unsure::Malformed.into()),
    }
}

struct Parser<'p, 'a, H> {
    expander: &'p mut Expander<'a>,
    host: &'p mut H,
    /// A word that was looked at; whether it is evaluated was decided before.
    ahead: Option<Token>,
    depth: u32,
}

/// How tightly an operator of two operands binds.
fn binds(op: Op) -> Option<u8> {
    Some(match op {
        Op::Star | Op::Slash | Op::Percent => 10,
        Op::Plus | Op::Minus => 9,
        Op::ShiftLeft | Op::ShiftRight => 8,
        Op::Less | Op::Greater | Op::LessEqual | Op::GreaterEqual => 7,
        Op::Equal | Op::Unequal => 6,
        Op::And => 5,
        Op::Xor => 4,
        Op::Or => 3,
        Op::AndAnd => 2,
        Op::OrOr => 1,
        _ => return None,
    })
}

impl<H: Host> Parser<'_, '_, H> {
    fn peek(&mut self) -> Result<Token, Stop> {
        if let Some(token) = self.ahead {
            return Ok(token);
        }
        let token = self.expander.word(self.host)?;
        self.ahead = Some(token);
        Ok(token)
    }

    fn take(&mut self) -> Result<Token, Stop> {
        let token = self.peek()?;
        self.ahead = None;
        Ok(token)
    }

    /// Works out something on which nothing depends if `skipping`, and looks at the word behind it.
    fn under(&mut self, skipping: bool, work: impl FnOnce(&mut Self) -> Result<Value, Stop>) -> Result<Value, Stop> {
        let before = self.expander.skipping;
        self.expander.skipping |= skipping;
        let value = work(self)?;
        self.peek()?;
        self.expander.skipping = before;
        Ok(value)
    }

    fn comma(&mut self) -> Result<Value, Stop> {
        let mut value = self.choice()?;
        while self.peek()?.is(Op::Comma) {
            self.take()?;
            value = self.choice()?;
        }
        Ok(value)
    }

    fn choice(&mut self) -> Result<Value, Stop> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unsure::Large.into());
        }
        let mut value = self.binary(1)?;
        if self.peek()?.is(Op::Query) {
            self.take()?;
            let truth = value.truth();
            let yes = self.under(!truth, Self::comma)?;
            if !self.take()?.is(Op::Colon) {
                return Err(Unsure::Malformed.into());
            }
            let no = self.under(truth, Self::choice)?;
            value = Value { unsigned: yes.unsigned || no.unsigned, ..if truth { yes } else { no } };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn binary(&mut self, least: u8) -> Result<Value, Stop> {
        let mut left = self.unary()?;
        loop {
            let Kind::Op(op) = self.peek()?.kind else { return Ok(left) };
            let Some(strength) = binds(op).filter(|strength| *strength >= least) else { return Ok(left) };
            self.take()?;
            left = match op {
                Op::AndAnd | Op::OrOr => {
                    let decided = left.truth() == (op == Op::OrOr);
                    let right = self.under(decided, |parser| parser.binary(strength + 1))?;
                    if decided { left.truth().into() } else { right.truth().into() }
                }
                op => {
                    let right = self.binary(strength + 1)?;
                    left.with(op, right, self.expander.skipping)?
                }
            };
        }
    }

    fn unary(&mut self) -> Result<Value, Stop> {
        let mut prefixes = Vec::new();
        loop {
            let token = self.take()?;
            let mut value = match token.kind {
                Kind::Op(op @ (Op::Plus | Op::Minus | Op::Complement | Op::Not)) => {
                    prefixes.push(op);
                    continue;
                }
                Kind::Op(Op::Open) => {
                    let value = self.comma()?;
                    if !self.take()?.is(Op::Close) {
                        return Err(Unsure::Malformed.into());
                    }
                    value
                }
                Kind::Op(Op::Hash) => return Err(Unsure::Assertion.into()),
                Kind::Number => number::integer(&self.expander.spelled(token))?,
                Kind::Char => {
                    let unsigned = self.host.definition(UNSIGNED_CHAR)?.is_some();
                    number::character(&self.expander.spelled(token), unsigned)?
                }
                Kind::Name if token.text == DEFINED => self.defined()?.into(),
                Kind::Name if self.expander.dialect.cxx && token.text == TRUE => true.into(),
                Kind::Name if self.expander.dialect.cxx && token.text == FALSE => Value::ZERO,
                Kind::Name => Value::ZERO,
                _ => return Err(Unsure::Malformed.into()),
            };
            for op in prefixes.into_iter().rev() {
                value = value.prefixed(op);
            }
            return Ok(value);
        }
    }

    /// Behind `defined`.
    fn defined(&mut self) -> Result<bool, Stop> {
        self.expander.verbatim += 1;
        let name = self.defined_name();
        self.expander.verbatim -= 1;
        Ok(self.host.definition(name?)?.is_some())
    }

    fn defined_name(&mut self) -> Result<Symbol, Stop> {
        let mut token = self.take()?;
        let open = token.is(Op::Open);
        if open {
            token = self.take()?;
        }
        if token.kind != Kind::Name || open && !self.take()?.is(Op::Close) {
            return Err(Unsure::Malformed.into());
        }
        Ok(token.text)
    }
}
