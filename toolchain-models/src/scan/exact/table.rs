//! The definitions that hold at a place.
//!
//! Knows nothing of what they say. A unit makes thousands of them and asks for tens of thousands: names are places in a list, and
//! lists are used again.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::macros::{Definition, Predefined};
use super::symbol::Symbol;

/// Of a definition's number: the sources read so far made it.
const OWN: u32 = 1 << 31;

/// Lists in which no name has a definition, for tables to come.
#[derive(Default)]
pub(crate) struct Lists(Mutex<Vec<Vec<u32>>>);

/// The definitions that hold at a place.
pub(crate) struct Table<'a> {
    pub(crate) base: Arc<Predefined>,
    /// By a name's number that of its definition, perhaps with [`OWN`]; 0 if it has none. Names beyond its end have none.
    list: Vec<u32>,
    /// Names to which the sources gave a definition, some of them more than once.
    own: Vec<Symbol>,
    pushed: FxHashMap<Symbol, Vec<Option<Definition>>>,
    lists: &'a Lists,
}

impl<'a> Table<'a> {
    pub(crate) fn new(base: Arc<Predefined>, lists: &'a Lists) -> Self {
        let list = lists.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut table = Self { base: Arc::clone(&base), list, own: Vec::new(), pushed: FxHashMap::default(), lists };
        for (name, is) in &base.macros {
            *table.at(*name) = is.number();
        }
        table
    }

    pub(crate) fn get(&self, name: Symbol) -> Option<Definition> {
        Definition::numbered(self.list.get(name.0 as usize).copied().unwrap_or_default() & !OWN)
    }

    /// Whether the sources read so far define it.
    pub(crate) fn is_own(&self, name: Symbol) -> bool {
        self.list.get(name.0 as usize).is_some_and(|is| is & OWN != 0)
    }

    pub(crate) fn define(&mut self, name: Symbol, is: Definition) {
        let was = std::mem::replace(self.at(name), is.number() | OWN);
        if was & OWN == 0 {
            self.own.push(name);
        }
    }

    pub(crate) fn undefine(&mut self, name: Symbol) {
        *self.at(name) = 0;
    }

    pub(crate) fn push(&mut self, name: Symbol) {
        let now = self.get(name);
        self.pushed.entry(name).or_default().push(now);
    }

    pub(crate) fn pop(&mut self, name: Symbol) {
        match self.pushed.get_mut(&name).and_then(Vec::pop) {
            Some(Some(was)) => self.define(name, was),
            Some(None) => self.undefine(name),
            None => {}
        }
    }

    fn at(&mut self, name: Symbol) -> &mut u32 {
        let at = name.0 as usize;
        if at >= self.list.len() {
            self.list.resize((at + 1).next_power_of_two(), 0);
        }
        &mut self.list[at]
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        for name in self.base.macros.keys().chain(&self.own) {
            if let Some(is) = list.get_mut(name.0 as usize) {
                *is = 0;
            }
        }
        self.lists.0.lock().unwrap_or_else(PoisonError::into_inner).push(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_table_knows_nothing_of_the_last() {
        let [first, second, third] = [1, 2, 3].map(|number| Definition::numbered(number).unwrap());
        let (builtin, name, other) = (Symbol(3), Symbol(70), Symbol(5000));
        let base = Arc::new(Predefined { macros: [(builtin, first)].into_iter().collect(), ..Predefined::default() });
        let lists = Lists::default();
        let mut table = Table::new(Arc::clone(&base), &lists);
        assert_eq!((table.get(builtin), table.get(name), table.get(other)), (Some(first), None, None));
        assert!(!table.is_own(builtin) && !table.is_own(other));
        table.define(name, second);
        table.push(name);
        table.push(other);
        table.define(name, third);
        table.define(other, third);
        table.undefine(builtin);
        assert_eq!((table.get(builtin), table.get(name), table.get(other)), (None, Some(third), Some(third)));
        table.define(builtin, second);
        assert!(table.is_own(builtin) && table.is_own(name));
        table.pop(name);
        table.pop(other);
        table.pop(other);
        assert_eq!((table.get(builtin), table.get(name), table.get(other)), (Some(second), Some(second), None));
        drop(table);
        assert!(lists.0.lock().unwrap().iter().all(|list| list.iter().all(|is| *is == 0)));
        let table = Table::new(base, &lists);
        assert!(lists.0.lock().unwrap().is_empty(), "the list is used again");
        assert_eq!((table.get(builtin), table.get(name), table.get(other)), (Some(first), None, None));
        assert!(!table.is_own(builtin));
    }
}
