//! What the driver's model knows of options, for who tries them all against the compiler.
//!
//! Knows no effects: whether an option is modelled, an inference tells.

use crate::driver::{inventory, option};

/// The names of the model's table, each as the driver spells it.
pub fn overlay() -> impl Iterator<Item = &'static str> {
    option::DRIVER.iter().map(|opt| opt.name)
}

/// The names that a compiler gave of itself when `scripts/inventory` asked it.
pub fn inventory() -> impl Iterator<Item = &'static str> {
    inventory::rows().map(|(name, _)| name)
}
