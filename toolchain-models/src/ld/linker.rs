//! The linkers that a driver may call, and in what they differ from GNU `ld`, which all of them stand in for.
//!
//! gold lists the directories that it searches, and searches four of its own; lld searches those that it is given and nothing
//! else. Neither goes after what shared objects need. mold is none of them: it writes over the output in place, and reads a
//! configuration of its cryptographic library.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::option::{Effect, Opt, Value};

/// A linker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Linker {
    /// GNU `ld`.
    Bfd,
    /// GNU `gold`.
    Gold,
    /// LLVM's `lld`.
    Lld,
}

/// Options that GNU `ld` has not; those of gold and of lld are alike.
const OTHERS: &[Opt] = &[
    Opt { name: "color-diagnostics", value: Value::Optional, effect: Effect::Pure },
    Opt { name: "gdb-index", value: Value::None, effect: Effect::Pure },
    Opt { name: "icf", value: Value::Required, effect: Effect::Pure },
    Opt { name: "no-gdb-index", value: Value::None, effect: Effect::Pure },
    Opt { name: "no-threads", value: Value::None, effect: Effect::Pure },
];

impl Linker {
    /// The one that a command line of collect2 asks for; the last such option counts.
    pub(crate) fn of(argv: &[OsString]) -> Self {
        let mut names = argv.iter().rev().filter_map(|arg| arg.as_bytes().strip_prefix(b"-fuse-ld="));
        match names.next() {
            Some(b"gold") => Self::Gold,
            Some(b"lld") => Self::Lld,
            _ => Self::Bfd,
        }
    }

    /// An option by its name, with which GNU `ld` has nothing to do.
    pub(super) fn own(self, name: &[u8]) -> Option<&'static Opt> {
        OTHERS.iter().filter(|_| self != Self::Bfd).find(|opt| opt.name.as_bytes() == name)
    }

    /// What an option of GNU `ld` does to files here; none if that is not known.
    pub(super) fn effect(self, effect: Effect) -> Option<Effect> {
        use Effect::{
            BuildId, Dynamic, Emulation, Library, LibraryDir, ListFile, NoDefaultDirs, Output, Plugin, PopState, Probe,
            Pure, PushState, Reads, Relocatable, RunPath, RunPathLink,
        };
        match effect {
            _ if self == Self::Bfd => Some(effect),
            // It is opened where it stands.
            ListFile => Some(Reads),
            BuildId | Dynamic(_) | Emulation | Library | LibraryDir | NoDefaultDirs | Output | Plugin | PopState
            | Probe(_) | Pure | PushState | Reads | Relocatable | RunPath | RunPathLink => Some(effect),
            _ => None,
        }
    }

    /// Its own directories, if it cannot be asked for them.
    pub(super) fn dirs(self) -> Option<Vec<PathBuf>> {
        match self {
            Self::Bfd => None,
            // Built into Debian's, as traces show; the driver names them too.
            Self::Gold => Some(
                ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"].map(PathBuf::from).to_vec(),
            ),
            Self::Lld => Some(Vec::new()),
        }
    }

    /// The name under which the driver looks for it; none where none was asked for.
    pub(crate) fn program(self, argv: &[OsString]) -> &'static OsStr {
        OsStr::new(match self {
            Self::Bfd if argv.iter().any(|arg| arg == "-fuse-ld=bfd") => "ld.bfd",
            Self::Bfd => "ld",
            Self::Gold => "ld.gold",
            Self::Lld => "ld.lld",
        })
    }
}
