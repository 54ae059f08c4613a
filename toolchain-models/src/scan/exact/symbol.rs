//! Names, spellings and definitions as small numbers, one table for all files of a session.
//!
//! Knows nothing of what they mean, but for the few that the preprocessor itself gives a meaning.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::macros::Definitions;

/// A spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Symbol(pub(super) u32);

macro_rules! known {
    ($($name:ident = $text:literal,)*) => {
        known!(@number 0; $($name = $text,)*);
        const KNOWN: &[&[u8]] = &[$($text,)*];
    };
    (@number $number:expr; $name:ident = $text:literal, $($rest:tt)*) => {
        pub(crate) const $name: Symbol = Symbol($number);
        known!(@number $number + 1; $($rest)*);
    };
    (@number $number:expr;) => {};
}

known! {
    NONE = b"",
    DEFINED = b"defined",
    VA_ARGS = b"__VA_ARGS__",
    VA_OPT = b"__VA_OPT__",
    TRUE = b"true",
    FALSE = b"false",
    HOSTED = b"__STDC_HOSTED__",
    UNSIGNED_CHAR = b"__CHAR_UNSIGNED__",
    STDC_PREDEF = b"stdc-predef.h",
}

/// The table.
pub(crate) struct Symbols {
    inner: RwLock<Inner>,
    pub(crate) definitions: Definitions,
}

struct Inner {
    numbers: FxHashMap<Arc<[u8]>, u32>,
    texts: Vec<Arc<[u8]>>,
}

impl Default for Symbols {
    fn default() -> Self {
        let texts: Vec<Arc<[u8]>> = KNOWN.iter().map(|text| Arc::from(*text)).collect();
        let numbers = texts.iter().cloned().zip(0..).collect();
        Self { inner: RwLock::new(Inner { numbers, texts }), definitions: Definitions::default() }
    }
}

impl Symbols {
    pub(crate) fn of(&self, text: &[u8]) -> Symbol {
        if let Some(number) = self.inner.read().unwrap_or_else(PoisonError::into_inner).numbers.get(text) {
            return Symbol(*number);
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = inner.numbers.get(text) {
            return Symbol(*number);
        }
        let number = u32::try_from(inner.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<[u8]> = text.into();
        inner.texts.push(Arc::clone(&text));
        inner.numbers.insert(text, number);
        Symbol(number)
    }

    pub(crate) fn text(&self, symbol: Symbol) -> Arc<[u8]> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.texts.get(symbol.0 as usize).cloned().unwrap_or_default()
    }

    /// How many there are, definitions among them.
    pub(crate) fn len(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).texts.len() + self.definitions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ones_have_their_numbers() {
        let symbols = Symbols::default();
        for (symbol, text) in [(NONE, &b""[..]), (DEFINED, b"defined"), (STDC_PREDEF, b"stdc-predef.h")] {
            assert_eq!(symbols.of(text), symbol);
            assert_eq!(*symbols.text(symbol), *text);
        }
        assert_eq!(symbols.of(b"new"), symbols.of(b"new"));
        assert_ne!(symbols.of(b"new"), symbols.of(b"old"));
    }
}
