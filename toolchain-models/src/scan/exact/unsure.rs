//! The closed list of what the exact scan leaves to the compiler.
//!
//! Knows nothing of what is done about it.

use crate::verdict::Reason;

macro_rules! doubts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why the exact scan cannot be sure.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) enum Unsure { $($(#[$doc])* $variant,)* }

        impl Unsure {
            /// The stable name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

doubts! {
    /// An option of the command line that changes how sources are read.
    Option = "option",
    /// A standard that is not known here.
    Standard = "standard",
    /// A target with macros that depend on what stands around them.
    Processor = "processor",
    /// A directive or an expression in which the compiler would find an error.
    Malformed = "malformed",
    /// An answer of `#assert`.
    Assertion = "assertion",
    /// `__COUNTER__` in a directive: the text between directives counts, too.
    Counter = "counter",
    /// `__LINE__` in a directive of several lines, or behind a `#line` that is computed.
    Line = "line",
    /// `__FILE__` where prefixes are mapped, or of a file whose name cannot stand in an include.
    FileName = "file-name",
    /// `__DATE__`, `__TIME__` or `__TIMESTAMP__` in a directive.
    Clock = "clock",
    /// A name or a constant with characters beyond ASCII, or with an escape for one.
    Characters = "characters",
    /// `//` in a standard that has no such comments: what it is depends on where it stands.
    Comment = "comment",
    /// A raw string with a line's end in it that is taken out elsewhere, or within a directive.
    RawString = "raw-string",
    /// A carriage return within a line.
    Return = "carriage-return",
    /// `_Pragma` of what macros make, where it may matter.
    Pragma = "pragma",
    /// A macro that `#pragma GCC target` or `optimize` may have changed: `-E` and a compilation differ.
    Target = "target",
    /// A built-in function that a declaration may have hidden: `-E` and a compilation differ.
    Declared = "declared",
    /// A precompiled header where the compiler may take it: what it defines is not known here.
    Precompiled = "precompiled",
    /// A question that the compiler did not answer.
    Unanswered = "unanswered",
    /// `__VA_OPT__` beside `#` or `##`.
    VaOpt = "va-opt",
    /// A line marker that enters or leaves files.
    Marker = "marker",
    /// More than a preprocessor should have to do.
    Large = "large",
}

/// Why a scan ends before its end.
pub(crate) enum Stop {
    /// The compiler must be asked.
    Unsure(Unsure),
    /// The real tool must run.
    Reason(Reason),
}

impl From<Unsure> for Stop {
    fn from(unsure: Unsure) -> Self {
        Self::Unsure(unsure)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}
