//! What an `#if` came to, kept with the definitions that it asked for: while each of them is the same, so is its truth. Headers
//! are read by many units, and most of their conditions ask for a name or two.
//!
//! Knows nothing of expressions.

use std::sync::{Arc, Mutex, PoisonError};

use crate::scan::exact::macros::Macro;
use crate::scan::exact::symbol::Symbol;

/// So many answers are kept of one condition: units of a build differ in few.
const MOST: usize = 2;

/// A name and its definition, as a condition found it.
pub(crate) type Asked = (Symbol, Option<Arc<Macro>>);

/// The answers of one condition.
#[derive(Default, Debug)]
pub(crate) struct Truths(Mutex<Vec<(Box<[Asked]>, bool)>>);

impl Truths {
    /// The truth, if the names have definitions with which it is known.
    pub(crate) fn known<'d>(&self, definition: impl Fn(Symbol) -> Option<&'d Arc<Macro>>) -> Option<bool> {
        let is = |(name, then): &Asked| match (then, definition(*name)) {
            (None, None) => true,
            (Some(then), Some(now)) => Arc::ptr_eq(then, now),
            _ => false,
        };
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(asked, _)| asked.iter().all(is)).map(|(_, truth)| *truth)
    }

    /// Keeps one more, in place of the oldest if need be.
    pub(crate) fn keep(&self, asked: Vec<Asked>, truth: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(MOST - 1);
        kept.insert(0, (asked.into(), truth));
    }
}
