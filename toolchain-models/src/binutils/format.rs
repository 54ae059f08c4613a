//! The formats of files that are copied or stripped: those in which no time is written.
//!
//! Knows no tool's options.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::archive;
use crate::binutils::library::Standing;
use crate::binutils::{Call, determinism};
use crate::ld;
use crate::verdict::{Holds, Reason, ReasonKind};

/// A format that a call names: those of Windows hold the time of their making.
pub(crate) fn target(name: &OsStr) -> Result<(), Reason> {
    const PLAIN: [&[u8]; 7] = [b"binary", b"srec", b"symbolsrec", b"ihex", b"verilog", b"tekhex", b"default"];
    if PLAIN.contains(&name.as_bytes()) || name.as_bytes().starts_with(b"elf") {
        return Ok(());
    }
    Err(Reason::new(ReasonKind::UnmodelledOption, format!("target {}", name.display())))
}

/// Whether the file is an archive; refused are thin ones, those that are to keep times, and files that are neither archives
/// nor ELF, unless their format was `given`.
pub(super) fn check(call: &Call<'_>, path: &Path, real_times: Option<bool>, given: bool) -> Result<bool, Reason> {
    let refuse = |kind, what: &str| Err(Reason::new(kind, format!("{} {what}", path.display())));
    match call.standing(path)? {
        Standing::Nothing => return refuse(ReasonKind::Input, "not found"),
        Standing::Thin(_) => return refuse(ReasonKind::Footprint, "is a thin archive"),
        Standing::Plain(made) => {
            let bytes = if made { call.content(path)? } else { Default::default() };
            if archive::contents(&bytes).any(is_of_windows) {
                return refuse(ReasonKind::Times, "holds objects with times");
            }
            if ld::holds_lto(&bytes) {
                // What is said of its members names temporary files.
                return refuse(ReasonKind::Lto, "holds a compiler's intermediate code");
            }
        }
        Standing::Other => {
            let made = matches!(call.promised(path)?, Some(Holds::Object));
            if !made && !given && !is_elf(&call.world.read_at(path, 0, 4).map_err(|error| Reason::io(path, &error))?) {
                return refuse(ReasonKind::Input, "is no ELF file");
            }
            return Ok(false);
        }
    }
    let real_times = match real_times {
        Some(real) => real,
        None => !determinism::by_default(&call.req.exe, call.world)?,
    };
    if real_times { refuse(ReasonKind::Times, "is an archive with times") } else { Ok(true) }
}

fn is_elf(bytes: &[u8]) -> bool {
    bytes == b"\x7fELF"
}

fn is_of_windows(bytes: &[u8]) -> bool {
    [&b"MZ"[..], b"\x64\x86", b"\x4c\x01", b"\x64\xaa", b"\xc0\x01", b"\0\0\xff\xff"]
        .iter()
        .any(|magic| bytes.starts_with(magic))
}
