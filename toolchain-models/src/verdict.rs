//! What a model answers: a thunk in the making, or "run the real tool", with a reason that is counted.
//!
//! Knows nothing of stores: inputs are paths here; the session reads them and builds the tree.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use gg_thunk::{Step, Writes};
use serde::{Deserialize, Serialize};

use crate::directives::Directives;

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The call is understood: this is what it runs, reads and writes.
    Thunk(Box<Inference>),
    /// The real tool must run natively.
    RunReal(Reason),
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self::RunReal(reason)
    }
}

impl From<Result<Inference, Reason>> for Verdict {
    fn from(result: Result<Inference, Reason>) -> Self {
        match result {
            Ok(inference) => Self::Thunk(Box::new(inference)),
            Err(reason) => Self::RunReal(reason),
        }
    }
}

/// Why the real tool runs natively.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The kind, by which it is counted.
    pub kind: ReasonKind,
    /// What exactly: the option, the file.
    pub detail: String,
}

impl Reason {
    /// A reason with its detail.
    pub fn new(kind: ReasonKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// A file that cannot be looked at, and why.
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::new(ReasonKind::Io, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            f.write_str(self.kind.name())
        } else {
            write!(f, "{}: {}", self.kind.name(), self.detail)
        }
    }
}

macro_rules! reason_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The closed list of reasons; their names are stable.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ReasonKind { $($(#[$doc])* $variant,)* }

        impl ReasonKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

reason_kinds! {
    /// `--version`, `--help`, `-v` without an input: asks the tool about itself.
    ProbeVersion = "probe-version",
    /// `-print-*`, `-dump*`, `-###`: asks the tool about itself.
    ProbePrint = "probe-print",
    /// A try-compile of a configure script, CMake or meson.
    ProbeConfigure = "probe-configure",
    /// `-E` without an output file.
    PreprocessToStdout = "preprocess-to-stdout",
    /// An input is standard input.
    Stdin = "stdin",
    /// An output is standard output.
    Stdout = "stdout",
    /// The tool only reads and prints.
    ReadsOnly = "reads-only",
    /// An option that no table has.
    UnknownOption = "unknown-option",
    /// An option that is known, but whose effect is not modelled.
    UnmodelledOption = "unmodelled-option",
    /// Link-time optimization.
    Lto = "lto",
    /// A precompiled header.
    Pch = "pch",
    /// `__DATE__` or `__TIME__` without `SOURCE_DATE_EPOCH`, where the local time cannot be told.
    TimeMacro = "time-macro",
    /// A locale with another character set than UTF-8.
    Locale = "locale",
    /// A language that no model covers.
    Language = "language",
    /// An environment variable changes what the tool does in a way that is not modelled.
    Environment = "environment",
    /// An output exists and is not a regular file.
    OutputKind = "output-kind",
    /// An input is missing or is not what the tool takes.
    Input = "input",
    /// The plan of the tool could not be understood.
    Plan = "plan",
    /// Which files are read cannot be told.
    Footprint = "footprint",
    /// The result depends on file times.
    Times = "times",
    /// No model for this tool.
    UnknownTool = "unknown-tool",
    /// The tool would fail before doing any work.
    Usage = "usage",
    /// A look-up failed with an error other than "not there".
    Io = "io",
}

impl ReasonKind {
    /// Whether the call only asks about the toolchain or the machine; these do not count against coverage.
    #[must_use]
    pub fn is_probe(self) -> bool {
        self.name().starts_with("probe")
    }
}

/// Something that must stand in the private root before the first step. Paths are absolute and spelled as the tool will
/// open them: they may hold `..` and symbolic links.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Input {
    /// A file that may be read.
    File(PathBuf),
    /// A directory that must exist though nothing in it is read.
    Dir(PathBuf),
    /// A file that the step modifies: it gets a copy of its own.
    InPlace(PathBuf),
}

/// What a file that is to be written will be, as far as that is sure before it is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Holds {
    /// A relocatable object from a compiler, without code that only a plugin understands.
    Object,
    /// An archive of such objects.
    Archive,
    /// Machine code of some other form. Who wants to know more reads it.
    Binary,
    /// Text, or anything: a depfile, a map, assembler source. Somebody may look at it at any time.
    Text,
    /// What the tool makes differently each time: a precompiled header, an object with names that are drawn by lot. Who wants
    /// to know more reads it.
    Varying,
}

/// A file that the steps write and that the caller gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputSpec {
    /// A name for it, unique in the thunk.
    pub tag: String,
    /// Where it is written, absolute.
    pub path: PathBuf,
    /// Whether the run may succeed without it.
    pub optional: bool,
    /// How the tool writes it.
    pub writes: Writes,
    /// What it will be.
    pub holds: Holds,
}

/// A thunk whose inputs are still paths.
#[derive(Clone, Debug)]
pub struct Inference {
    /// The commands.
    pub steps: Vec<Step>,
    /// What they see of the environment.
    pub env: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Where they run.
    pub cwd: PathBuf,
    /// Their file creation mask.
    pub umask: u32,
    /// What they may read.
    pub inputs: Vec<Input>,
    /// What they leave.
    pub outputs: Vec<OutputSpec>,
    /// The flag shape, a digest in hexadecimal: what audits are counted by.
    pub shape: String,
    /// Whether modification times of inputs matter.
    pub timestamps: bool,
    /// Whether the time of the request is among what the steps see: the same request gives another thunk a second later.
    pub momentary: bool,
    /// What those outputs will hold that are depfiles, by their index, if the steps succeed: byte for byte what the compiler
    /// writes. Only where that is sure.
    pub depfiles: Vec<(usize, Vec<u8>)>,
    /// Why, of a closed list, a list of headers holds more than the compiler reads; nothing if it is exact.
    pub unsure: Vec<&'static str>,
    /// What of its source the rest of this rests on, if it is a compilation of one source of which only directives count.
    pub directives: Option<Directives>,
}
