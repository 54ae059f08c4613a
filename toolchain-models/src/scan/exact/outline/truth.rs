//! What an `#if` came to, kept with the definitions that it asked for: while each of them is the same, so is its truth. Headers
//! are read by many units, and most of their conditions ask for a name or two.
//!
//! Knows nothing of expressions.

use std::sync::{Mutex, PoisonError};

use crate::scan::exact::macros::Definition;
use crate::scan::exact::symbol::Symbol;

/// So many answers are kept of one condition: units of a build differ in few.
const MOST: usize = 2;

/// A name and its definition, as a condition found it.
pub(crate) type Asked = (Symbol, Option<Definition>);

/// What a condition asked for, and what it came to. Most ask for a name or two, which stand here, so that nothing else is fetched.
#[derive(Debug)]
struct Answer {
    asked: [Option<Asked>; 2],
    others: Box<[Asked]>,
    truth: bool,
}

/// The answers of one condition, the latest first.
#[derive(Default, Debug)]
pub(crate) struct Truths(Mutex<[Option<Answer>; MOST]>);

impl Truths {
    /// The truth, if the names have definitions with which it is known.
    pub(crate) fn known(&self, definition: impl Fn(Symbol) -> Option<Definition>) -> Option<bool> {
        let is = |(name, then): &Asked| *then == definition(*name);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |answer: &&Answer| answer.asked.iter().flatten().all(is) && answer.others.iter().all(is);
        kept.iter().flatten().find(holds).map(|answer| answer.truth)
    }

    /// Keeps one more, in place of the oldest if need be.
    pub(crate) fn keep(&self, asked: Vec<Asked>, truth: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.rotate_right(1);
        let mut asked = asked.into_iter();
        kept[0] = Some(Answer { asked: [asked.next(), asked.next()], others: asked.collect(), truth });
    }
}
