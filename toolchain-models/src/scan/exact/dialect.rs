//! What of a language and its standard decides how a source is cut into words.
//!
//! Knows how the standards are named, nothing of other options.

use serde::{Deserialize, Serialize};

use super::unsure::Unsure;

/// How sources are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Dialect {
    pub(crate) assembly: bool,
    pub(crate) cxx: bool,
    /// `R"(…)"`.
    pub(crate) raw_strings: bool,
    /// `u"…"`, `U"…"`, `u8"…"`.
    pub(crate) unicode_strings: bool,
    /// `//`.
    pub(crate) line_comments: bool,
    /// `%:` and its kin.
    pub(crate) digraphs: bool,
    pub(crate) trigraphs: bool,
    /// `1'000`.
    pub(crate) separators: bool,
    /// `$` in names.
    pub(crate) dollars: bool,
    /// `#elifdef` is a directive.
    pub(crate) elifdef: bool,
    /// `::` is one word.
    pub(crate) scope: bool,
    /// A macro's last argument may be left out together with its comma only in the way of the standard.
    pub(crate) strict: bool,
}

impl Dialect {
    /// Of cc1, cc1plus or an assembler's source, with the value of `-std=` if there is one (`-ansi` is `c90` or `c++98`).
    pub(crate) fn of(cxx: bool, assembly: bool, standard: Option<&[u8]>) -> Result<Self, Unsure> {
        if assembly {
            return Ok(Self {
                assembly,
                cxx: false,
                raw_strings: false,
                unicode_strings: false,
                line_comments: true,
                digraphs: false,
                trigraphs: false,
                separators: false,
                dollars: false,
                elifdef: false,
                scope: false,
                strict: false,
            });
        }
        if cxx { Self::of_cxx(standard) } else { Self::of_c(standard) }
    }

    fn of_cxx(standard: Option<&[u8]>) -> Result<Self, Unsure> {
        let standard = standard.unwrap_or(b"gnu++17");
        let (strict, year) = match (standard.strip_prefix(b"gnu++"), standard.strip_prefix(b"c++")) {
            (Some(year), _) => (false, year),
            (_, Some(year)) => (true, year),
            _ => return Err(Unsure::Standard),
        };
        let year = match year {
            b"98" | b"03" => 98,
            b"0x" | b"11" => 111,
            b"1y" | b"14" => 114,
            b"1z" | b"17" => 117,
            b"2a" | b"20" => 120,
            b"2b" | b"23" => 123,
            _ => return Err(Unsure::Standard),
        };
        Ok(Self {
            assembly: false,
            cxx: true,
            raw_strings: year >= 111,
            unicode_strings: year >= 111,
            line_comments: true,
            digraphs: true,
            trigraphs: strict && year < 117,
            separators: year >= 114,
            dollars: true,
            elifdef: !strict || year >= 123,
            scope: true,
            strict,
        })
    }

    fn of_c(standard: Option<&[u8]>) -> Result<Self, Unsure> {
        let (strict, year) = match standard.unwrap_or(b"gnu17") {
            b"gnu89" | b"gnu90" => (false, 90),
            b"c89" | b"c90" | b"iso9899:1990" => (true, 90),
            b"iso9899:199409" => (true, 94),
            b"gnu99" | b"gnu9x" => (false, 99),
            b"c99" | b"c9x" | b"iso9899:1999" | b"iso9899:199x" => (true, 99),
            b"gnu11" | b"gnu1x" => (false, 111),
            b"c11" | b"c1x" | b"iso9899:2011" => (true, 111),
            b"gnu17" | b"gnu18" => (false, 117),
            b"c17" | b"c18" | b"iso9899:2017" | b"iso9899:2018" => (true, 117),
            b"gnu2x" => (false, 123),
            b"c2x" => (true, 123),
            _ => return Err(Unsure::Standard),
        };
        Ok(Self {
            assembly: false,
            cxx: false,
            raw_strings: !strict && year >= 99,
            unicode_strings: if strict { year >= 111 } else { year >= 99 },
            line_comments: !strict || year >= 99,
            digraphs: !strict || year >= 94,
            trigraphs: strict,
            separators: year >= 123,
            dollars: true,
            elifdef: !strict || year >= 123,
            scope: !strict || year >= 123,
            strict,
        })
    }
}
