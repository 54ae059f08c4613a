//! What a compilation's footprint rests on in its source: the directives, and not the rest of the text. Edited elsewhere, the
//! source has the same footprint.

use serde::{Deserialize, Serialize};

use crate::scan::exact::Dialect;

/// The directives of a source that was scanned exactly.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Directives {
    /// The source's path, absolute, as the compiler opens it.
    pub source: Vec<u8>,
    /// Of all that the scan goes by in the source.
    pub(crate) digest: [u8; 32],
    /// How the source is read.
    pub(crate) dialect: Dialect,
}
