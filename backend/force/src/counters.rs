//! What a coordinator has done so far. Knows not who reads it.

use std::collections::BTreeMap;

/// Counts since the coordinator was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs that came to an end on each engine, whatever their end.
    pub executed: BTreeMap<String, u64>,
    /// Thunks answered from the memo.
    pub memo_hits: u64,
    /// Runs whose result could not be remembered though it should have been (a full disk, say).
    pub memo_errors: u64,
    /// Runs that came out well but are not remembered, as nothing sealed them off.
    pub unsealed: u64,
    /// Runs that an engine could not do and that went on to the next one.
    pub passed_on: u64,
}
