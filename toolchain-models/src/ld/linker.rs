//! The linkers that a driver may call, and in what they differ from GNU `ld`, which all of them stand in for.
//!
//! gold searches directories of its own; lld searches those that it is given and nothing else. Neither goes after what shared
//! objects need. They differ in when `-static` counts and in where the files of scripts are looked for: all that either may take is
//! noted. mold is none of them: it writes over the output in place, and reads a configuration of its cryptographic library.
//!
//! Knows nothing of what is linked: what lld reads in objects of clang's (`.deplibs`) is not followed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::option::{Effect, Opt, Value};
use super::search::{self, BuiltIn};
use crate::verdict::{Reason, ReasonKind};
use crate::world::World;

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
    /// The one that a command line of collect2 asks for, and the name by which that is looked for; the last name that collect2
    /// knows counts.
    pub(crate) fn of(argv: &[OsString]) -> Result<(Self, &'static OsStr), Reason> {
        for arg in argv.iter().rev() {
            let (linker, program) = match arg.as_bytes().strip_prefix(b"-fuse-ld=") {
                Some(b"bfd") => (Self::Bfd, "ld.bfd"),
                Some(b"gold") => (Self::Gold, "ld.gold"),
                Some(b"lld") => (Self::Lld, "ld.lld"),
                Some(b"mold") => return Err(Reason::new(ReasonKind::UnmodelledOption, "-fuse-ld=mold")),
                _ => continue,
            };
            return Ok((linker, OsStr::new(program)));
        }
        Ok((Self::Bfd, OsStr::new("ld")))
    }

    /// An option by its name, with which GNU `ld` has nothing to do.
    pub(super) fn own(self, name: &[u8]) -> Option<&'static Opt> {
        OTHERS.iter().filter(|_| self != Self::Bfd).find(|opt| opt.name.as_bytes() == name)
    }

    /// Whether an option of GNU `ld` does here to files what it does there.
    pub(super) fn shares(self, name: &str, effect: Effect, value: &OsStr) -> bool {
        use Effect::{
            BuildId, Dynamic, Emulation, Library, LibraryDir, ListFile, NoDefaultDirs, Output, Plugin, PopState, Probe,
            Pure, PushState, Reads, Relocatable, RunPath, RunPathLink,
        };
        let value = value.as_bytes();
        self == Self::Bfd
            || match effect {
                // With some of its own lld writes files.
                Pure if name == "plugin-opt" => {
                    value.starts_with(b"-pass-through=")
                        || value.starts_with(b"-fresolution=")
                        || value.ends_with(b"/lto-wrapper")
                }
                // lld then makes nothing.
                Pure => !matches!(name, "V" | "v"),
                BuildId | Dynamic(_) | Emulation | Library | LibraryDir | ListFile | NoDefaultDirs | Output
                | Plugin | PopState | Probe(_) | PushState | Reads | Relocatable | RunPath | RunPathLink => true,
                _ => false,
            }
    }

    /// What it was built with.
    pub(super) fn built_in(self, exe: &Path, emulation: Option<&OsStr>, world: &dyn World) -> Result<BuiltIn, Reason> {
        match self {
            Self::Bfd => search::built_in(exe, emulation, world),
            Self::Gold => search::tried(exe, emulation, world),
            Self::Lld => Ok(BuiltIn { dirs: Vec::new(), sysroot: PathBuf::new() }),
        }
    }
}
