//! What the linker's search needs to know of one input file: its format, its machine, what it needs in turn.
//!
//! Knows nothing of paths to search or of options.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use goblin::elf::Elf;
use goblin::elf::dynamic::{DT_RPATH, DT_RUNPATH};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2MSB, ET_DYN};
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

use crate::archive::{self, Entry};

/// A word size and a machine; objects of another are passed over by a library search.
pub(crate) type Machine = (bool, u16);

/// What kind of file an input is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Content {
    /// A relocatable object, an executable.
    Object(Machine),
    /// A shared object.
    Shared(Shared),
    /// An archive, with the machine of its first ELF member.
    Archive(Option<Machine>),
    /// A thin archive, with its members' paths as written in it, if it is understood.
    Thin(Option<Vec<PathBuf>>),
    /// Text: a linker script, where the linker does not know the format.
    Text,
    /// Anything else.
    Other,
}

/// What a shared object says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// Its machine.
    pub machine: Machine,
    /// Its own name.
    pub soname: Option<String>,
    /// The names of the libraries that it needs.
    pub needed: Vec<String>,
    /// `DT_RUNPATH`, else `DT_RPATH`, as written.
    pub run_path: Vec<String>,
}

/// One input file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// What it is.
    pub content: Content,
    /// Whether it holds code that a compiler's plugin would claim.
    pub lto: bool,
}

static LTO_SECTION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?-u)\.gnu\.lto_").ok());

/// Looks at the bytes of one input file.
pub(crate) fn facts(bytes: &[u8]) -> Facts {
    if bytes.starts_with(b"\x7fELF") {
        return Facts { content: of_elf(bytes), lto: has_lto_sections(bytes) };
    }
    if bytes.starts_with(archive::THIN_MAGIC) {
        let paths = |entries: Vec<Entry<'_>>| {
            let mut paths: Vec<PathBuf> = entries.iter().map(|entry| OsStr::from_bytes(entry.name).into()).collect();
            paths.dedup();
            paths
        };
        return Facts { content: Content::Thin(archive::entries(bytes).map(paths)), lto: false };
    }
    if bytes.starts_with(archive::MAGIC) {
        let lto = may_hold_lto(bytes)
            && archive::contents(bytes).any(|member| is_bitcode(member) || has_lto_sections(member));
        let machine = archive::contents(bytes).find_map(machine);
        return Facts { content: Content::Archive(machine), lto };
    }
    let looks_like_text = !bytes[..bytes.len().min(4096)].contains(&0);
    Facts { content: if looks_like_text { Content::Text } else { Content::Other }, lto: is_bitcode(bytes) }
}

fn is_bitcode(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BC\xc0\xde") || bytes.starts_with(&[0xde, 0xc0, 0x17, 0x0b])
}

/// Cheap: a file without the name of such a section in its bytes has none.
fn may_hold_lto(bytes: &[u8]) -> bool {
    LTO_SECTION.as_ref().is_none_or(|name| name.is_match(bytes)) || archive::contents(bytes).any(is_bitcode)
}

fn has_lto_sections(bytes: &[u8]) -> bool {
    if LTO_SECTION.as_ref().is_some_and(|name| !name.is_match(bytes)) {
        return false;
    }
    match Elf::parse(bytes) {
        Ok(elf) => elf
            .section_headers
            .iter()
            .any(|section| elf.shdr_strtab.get_at(section.sh_name).is_some_and(|name| name.starts_with(".gnu.lto_"))),
        Err(_) => bytes.starts_with(b"\x7fELF"),
    }
}

fn machine(bytes: &[u8]) -> Option<Machine> {
    let [low, high] = *bytes.get(18..20)? else { return None };
    if !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    let number =
        if bytes[EI_DATA] == ELFDATA2MSB { u16::from_be_bytes([low, high]) } else { u16::from_le_bytes([low, high]) };
    Some((bytes[EI_CLASS] == ELFCLASS64, number))
}

fn of_elf(bytes: &[u8]) -> Content {
    let Some(machine) = machine(bytes) else { return Content::Other };
    let Ok(elf) = Elf::parse(bytes) else { return Content::Object(machine) };
    if elf.header.e_type != ET_DYN {
        return Content::Object(machine);
    }
    let tagged = |tag: u64| -> Vec<String> {
        let entries = elf.dynamic.iter().flat_map(|dynamic| &dynamic.dyns);
        let text = |value: u64| elf.dynstrtab.get_at(usize::try_from(value).ok()?);
        entries
            .filter(|entry| entry.d_tag == tag)
            .filter_map(|entry| text(entry.d_val))
            .flat_map(|list| list.split(':'))
            .map(str::to_owned)
            .collect()
    };
    let run_path = tagged(DT_RUNPATH);
    Content::Shared(Shared {
        machine,
        soname: elf.soname.map(str::to_owned),
        needed: elf.libraries.iter().map(|name| (*name).to_owned()).collect(),
        run_path: if run_path.is_empty() { tagged(DT_RPATH) } else { run_path },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_bitcode_and_rubbish() {
        assert_eq!(facts(b"/* GNU ld script */ GROUP ( a )").content, Content::Text);
        assert_eq!(facts(b"\x01\0\x02").content, Content::Other);
        assert!(facts(b"BC\xc0\xde\0\0").lto);
        assert_eq!(facts(b"\x7fELF").content, Content::Other);
        assert_eq!(facts(b"!<arch>\n").content, Content::Archive(None));
        assert_eq!(facts(b"").content, Content::Text);
    }
}
