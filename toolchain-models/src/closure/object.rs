//! What an executable or a shared object says of itself to the loader. Only the parts that say it are read: a compiler has tens of megabytes.
//!
//! Knows nothing of where the loader looks.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use goblin::container::{Container, Ctx};
use goblin::elf::Elf;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, Dyn, Dynamic};
use goblin::elf::header::Header;
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, ProgramHeader};

use crate::verdict::Reason;
use crate::world::World;

/// The header and, in every file that linkers write, the program headers.
const HEAD: usize = 4096;
/// No list of segments, dynamic section or table of names of a real object is longer.
const MOST: usize = 64 << 20;

/// An ELF executable or shared object.
pub(super) struct Object {
    /// 64 bit, and the machine.
    pub class: (bool, u16),
    /// The loader that it names.
    pub interpreter: Option<PathBuf>,
    /// The libraries that it names, in order.
    pub needed: Vec<Vec<u8>>,
    /// Its `DT_RPATH`, `$ORIGIN` replaced.
    pub rpath: Vec<PathBuf>,
    /// Its `DT_RUNPATH`, `$ORIGIN` replaced.
    pub runpath: Vec<PathBuf>,
}

impl Object {
    /// Reads a file; `None` if it is no ELF file, or a broken one.
    pub fn read(path: &Path, world: &dyn World) -> Result<Option<Self>, Reason> {
        Self::parse(path, |offset, len| world.read_at(path, offset, len)).map_err(|error| Reason::io(path, &error))
    }

    fn parse(path: &Path, read_at: impl Fn(u64, usize) -> std::io::Result<Vec<u8>>) -> std::io::Result<Option<Self>> {
        let part = |offset: u64, len: u64| -> std::io::Result<Option<Vec<u8>>> {
            let Some(len) = usize::try_from(len).ok().filter(|len| *len <= MOST) else { return Ok(None) };
            let bytes = read_at(offset, len)?;
            Ok((bytes.len() == len).then_some(bytes))
        };
        let mut head = read_at(0, HEAD)?;
        let Some((header, ctx)) = header(&head) else { return Ok(None) };
        let (at, count) = (header.e_phoff, u64::from(header.e_phnum));
        let end = at.saturating_add(count.saturating_mul(u64::from(header.e_phentsize)));
        if end > head.len() as u64 {
            match part(0, end)? {
                Some(longer) => head = longer,
                None => return Ok(None),
            }
        }
        let Ok(segments) = ProgramHeader::parse(&head, at as usize, count as usize, ctx) else { return Ok(None) };
        let segment = |kind: u32| segments.iter().find(|segment| segment.p_type == kind);

        let interpreter = match segment(PT_INTERP) {
            Some(segment) => part(segment.p_offset, segment.p_filesz)?.map(|text| until_nul(&text).to_vec()),
            None => None,
        };
        let dynamic = match segment(PT_DYNAMIC) {
            Some(segment) => match part(segment.p_offset, segment.p_filesz)? {
                Some(bytes) => entries(&bytes, segment, ctx),
                None => return Ok(None),
            },
            None => Vec::new(),
        };
        let value = |tag: u64| dynamic.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val);
        let names = match (value(DT_STRTAB), value(DT_STRSZ)) {
            (Some(address), Some(len)) => match in_file(&segments, address) {
                Some(offset) => part(offset, len)?,
                None => None,
            },
            _ => None,
        };
        let names = names.unwrap_or_default();
        let named = |tag: u64| -> Vec<Vec<u8>> {
            let tagged = dynamic.iter().filter(|entry| entry.d_tag == tag);
            let name = |entry: &Dyn| Some(until_nul(names.get(usize::try_from(entry.d_val).ok()?..)?).to_vec());
            tagged.filter_map(name).collect()
        };
        let dirs = |tag: u64| -> Vec<PathBuf> {
            let lists = named(tag);
            let dirs = lists.iter().flat_map(|list| list.split(|byte| *byte == b':'));
            dirs.map(|dir| expand_origin(dir, path)).collect()
        };
        Ok(Some(Self {
            class: (ctx.container == Container::Big, header.e_machine),
            interpreter: interpreter.map(|path| PathBuf::from(OsString::from_vec(path))),
            needed: named(DT_NEEDED),
            rpath: dirs(DT_RPATH),
            runpath: dirs(DT_RUNPATH),
        }))
    }
}

fn header(head: &[u8]) -> Option<(Header, Ctx)> {
    let header = Elf::parse_header(head).ok()?;
    let ctx = Ctx::new(header.container().ok()?, header.endianness().ok()?);
    Some((header, ctx))
}

fn entries(bytes: &[u8], segment: &ProgramHeader, ctx: Ctx) -> Vec<Dyn> {
    // The bytes are those of the segment alone.
    let alone = ProgramHeader { p_offset: 0, ..segment.clone() };
    Dynamic::parse(bytes, &[alone], ctx).ok().flatten().map(|dynamic| dynamic.dyns).unwrap_or_default()
}

/// Where in the file an address of the loaded object comes from.
fn in_file(segments: &[ProgramHeader], address: u64) -> Option<u64> {
    let holds = |segment: &&ProgramHeader| {
        segment.p_type == PT_LOAD && address.checked_sub(segment.p_vaddr).is_some_and(|into| into < segment.p_filesz)
    };
    let segment = segments.iter().find(holds)?;
    segment.p_offset.checked_add(address - segment.p_vaddr)
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn expand_origin(dir: &[u8], object: &Path) -> PathBuf {
    let origin = object.parent().unwrap_or(Path::new("/")).as_os_str();
    let mut expanded = OsString::new();
    let mut rest = dir;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        expanded.push(OsStr::from_bytes(&rest[..at]));
        let word = ["${ORIGIN}", "$ORIGIN"].into_iter().find(|word| rest[at..].starts_with(word.as_bytes()));
        expanded.push(word.map_or(OsStr::new("$"), |_| origin));
        rest = &rest[at + word.map_or(1, str::len)..];
    }
    expanded.push(OsStr::from_bytes(rest));
    expanded.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;

    use super::*;

    fn object(path: &Path) -> Option<Object> {
        let bytes = std::fs::read(path).unwrap();
        let read_at = |offset: u64, len| Ok(bytes.iter().copied().skip(offset as usize).take(len).collect());
        Object::parse(path, read_at).unwrap()
    }

    /// What readelf prints between brackets after these words.
    fn told(text: &[u8], words: &str, brackets: [u8; 2]) -> Vec<Vec<u8>> {
        let lines = text.split(|byte| *byte == b'\n');
        let with = lines.filter(|line| line.windows(words.len()).any(|window| window == words.as_bytes()));
        with.map(|line| {
            let from = line.iter().rposition(|byte| *byte == brackets[0]).unwrap() + 1;
            let to = line.iter().rposition(|byte| *byte == brackets[1]).unwrap();
            line[from..to].to_vec()
        })
        .collect()
    }

    fn agrees_with_readelf(path: &Path) {
        let output = Command::new("readelf").args(["-d", "-l", "-W"]).arg(path).env("LC_ALL", "C").output().unwrap();
        let text = output.stdout;
        let object = object(path).unwrap_or_else(|| panic!("{}", path.display()));
        assert_eq!(object.needed, told(&text, "(NEEDED)", *b"[]"), "{}", path.display());
        let loader = told(&text, "Requesting program interpreter: ", *b":]");
        let loader = loader.first().map(|path| PathBuf::from(OsStr::from_bytes(path.trim_ascii())));
        assert_eq!(object.interpreter, loader, "{}", path.display());
        for (words, dirs) in [("(RUNPATH)", &object.runpath), ("(RPATH)", &object.rpath)] {
            let lists = told(&text, words, *b"[]");
            let told = lists.iter().flat_map(|list| list.split(|byte| *byte == b':'));
            let told: Vec<PathBuf> = told.map(|dir| expand_origin(dir, path)).collect();
            assert_eq!(*dirs, told, "{}", path.display());
        }
    }

    #[test]
    fn every_kind_of_object_is_read_as_readelf_reads_it() {
        let mut files = BTreeSet::new();
        for dir in ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/gcc/x86_64-linux-gnu/12"] {
            let entries = std::fs::read_dir(dir).into_iter().flatten();
            files.extend(entries.filter_map(|entry| std::fs::canonicalize(entry.unwrap().path()).ok()));
        }
        let is_elf = |path: &&PathBuf| {
            use std::io::Read as _;
            let mut magic = [0; 18];
            let read = path.is_file() && std::fs::File::open(path).unwrap().read_exact(&mut magic).is_ok();
            // Not the relocatable ones: the loader never meets them.
            read && magic.starts_with(b"\x7fELF") && magic[16] != 1
        };
        let objects: Vec<&PathBuf> = files.iter().filter(is_elf).collect();
        assert!(objects.len() > 50, "{}", objects.len());
        // Every compiler, and some of the rest.
        for (index, path) in objects.iter().enumerate() {
            if index % 8 == 0 || path.starts_with("/usr/lib/gcc") {
                agrees_with_readelf(path);
            }
        }
    }

    #[test]
    fn paths_are_bytes_and_origin_is_the_objects_directory() {
        let dir = std::env::temp_dir().join(format!("gg-object-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("lib.so");
        let mut runpath = OsString::from("-Wl,-rpath,$ORIGIN/../lib:${ORIGIN}:/x$Y/");
        runpath.push(OsStr::from_bytes(b"\xff"));
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-nostdlib", "-x", "c", "/dev/null", "-o"]).arg(&file);
        assert!(gcc.arg(runpath).status().unwrap().success());
        let object = object(&file).unwrap();
        let last = Path::new("/x$Y").join(OsStr::from_bytes(b"\xff"));
        assert_eq!(object.runpath, [dir.join("../lib"), dir.clone(), last]);
        assert_eq!((object.class, object.interpreter), ((true, goblin::elf::header::EM_X86_64), None));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_no_whole_object_is_none() {
        let whole = std::fs::read("/bin/sh").unwrap();
        for len in [0, 3, 40, 100, 1000] {
            let part = &whole[..len];
            let read_at = |offset: u64, len| Ok(part.iter().copied().skip(offset as usize).take(len).collect());
            assert!(Object::parse(Path::new("/x"), read_at).unwrap().is_none(), "{len}");
        }
    }
}
