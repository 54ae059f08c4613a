//! Notes which definitions a condition asks a run for, and whether it asks for anything else.

use std::cell::RefCell;

use super::Run;
use crate::scan::exact::expand::Host;
use crate::scan::exact::macros::{Builtin, Definition};
use crate::scan::exact::outline::Asked;
use crate::scan::exact::symbol::Symbol;
use crate::scan::exact::token::Kind;
use crate::scan::exact::unsure::{Stop, Unsure};

pub(super) struct Listener<'r, 'a> {
    run: &'r mut Run<'a>,
    asked: RefCell<Vec<Asked>>,
    /// It asks for definitions and nothing else.
    plain: bool,
}

impl<'r, 'a> Listener<'r, 'a> {
    pub(super) fn new(run: &'r mut Run<'a>) -> Self {
        Self { run, asked: RefCell::default(), plain: true }
    }

    /// The definitions, if they alone decide.
    pub(super) fn asked(self) -> Option<Vec<Asked>> {
        self.plain.then(|| self.asked.into_inner())
    }
}

impl Host for Listener<'_, '_> {
    fn definition(&self, name: Symbol) -> Result<Option<Definition>, Unsure> {
        let definition = self.run.definition(name)?;
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|(known, _)| *known == name) {
            asked.push((name, definition));
        }
        Ok(definition)
    }

    fn has_include(&mut self, name: &[u8], angle: bool, next: bool) -> Result<bool, Stop> {
        self.plain = false;
        self.run.has_include(name, angle, next)
    }

    fn answer(&mut self, question: u8, operand: &[u8]) -> Result<i64, Stop> {
        self.plain = false;
        self.run.answer(question, operand)
    }

    fn value(&mut self, builtin: Builtin) -> Result<(Kind, Vec<u8>), Stop> {
        self.plain = false;
        self.run.value(builtin)
    }
}
