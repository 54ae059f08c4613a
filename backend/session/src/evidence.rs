//! The record of what a model was told of the file system, and whether it still holds.
//!
//! A call that comes again gives the same thunk if every look-up its model made would be answered as it
//! was. Directories are held by kind only (models do not list them), outputs by kind only (models ask
//! whether something other than a file is in the way), files by their state, or by their content where
//! the content was taken.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gg_models::{FileKind, Stat};
use gg_thunk::{NameHasher, ValueName};
use serde::{Deserialize, Serialize};

/// How a path was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Look {
    /// The file itself, links not followed.
    Own,
    /// What links lead to.
    Followed,
    /// The names in a directory.
    Listed,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Found {
    Absent,
    Dir,
    Other,
    /// Whatever is there, so long as it is no directory, link or device.
    AnyFileOrNone,
    /// The names in a directory, sorted, by their digest.
    Names(String),
    Link(Vec<u8>),
    File {
        mode: u32,
        size: u64,
        dev: u64,
        ino: u64,
        mtime_ns: i128,
        ctime_ns: i128,
        content: Option<String>,
    },
}

/// One look-up and its answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    #[serde(with = "serde_bytes_vec")]
    pub path: Vec<u8>,
    pub look: Look,
    pub found: Found,
}

/// All look-ups of one inference, each once.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Evidence {
    pub items: Vec<Item>,
}

impl Evidence {
    /// What is written is not looked at for its content: an output that is also read keeps its state.
    pub fn relax_outputs(&mut self, outputs: &HashSet<PathBuf>) {
        for item in &mut self.items {
            let fits = matches!(item.found, Found::Absent | Found::File { content: None, .. });
            if fits && outputs.contains(Path::new(OsStr::from_bytes(&item.path))) {
                item.found = Found::AnyFileOrNone;
            }
        }
    }

    /// Whether every look-up would be answered as it was. `content` gives a file's value by its state,
    /// reading it if need be.
    pub fn holds(&self, content: &dyn Fn(&Path, &Stat) -> Option<ValueName>) -> bool {
        self.items.iter().all(|item| item.holds(content))
    }
}

impl Item {
    fn holds(&self, content: &dyn Fn(&Path, &Stat) -> Option<ValueName>) -> bool {
        let path = Path::new(OsStr::from_bytes(&self.path));
        if self.look == Look::Listed {
            return list(path).is_ok_and(|names| names_found(names.as_deref()) == self.found);
        }
        let Ok(now) = look(path, self.look) else { return false };
        match (&self.found, now) {
            (Found::Absent, None) => true,
            (Found::AnyFileOrNone, now) => now.is_none_or(|stat| stat.kind == FileKind::File),
            (Found::Dir, Some(stat)) => stat.kind == FileKind::Dir,
            (Found::Other, Some(stat)) => stat.kind == FileKind::Other,
            (Found::Link(to), Some(stat)) => {
                stat.kind == FileKind::Symlink
                    && std::fs::read_link(path).is_ok_and(|now| now.as_os_str().as_bytes() == to)
            }
            (Found::File { mode, size, dev, ino, mtime_ns, ctime_ns, content: taken }, Some(stat)) => {
                if stat.kind != FileKind::File || stat.mode != *mode || stat.size != *size {
                    return false;
                }
                let same =
                    stat.dev == *dev && stat.ino == *ino && stat.mtime_ns == *mtime_ns && stat.ctime_ns == *ctime_ns;
                match taken {
                    // A state that was seen within the clock's grain says nothing: the cache behind
                    // `content` keeps no such state, and reads.
                    Some(name) => content(path, &stat).is_some_and(|now| now.to_string() == *name),
                    None => same,
                }
            }
            _ => false,
        }
    }
}

/// The state of a path; `None` where there is none.
pub(crate) fn look(path: &Path, look: Look) -> io::Result<Option<Stat>> {
    let result = match look {
        Look::Own => std::fs::symlink_metadata(path),
        Look::Followed | Look::Listed => std::fs::metadata(path),
    };
    unless_absent(result).map(|meta| meta.as_ref().map(stat_of))
}

/// The names in a directory, sorted by their bytes; `None` where there is none.
pub(crate) fn list(path: &Path) -> io::Result<Option<Vec<OsString>>> {
    let Some(entries) = unless_absent(std::fs::read_dir(path))? else { return Ok(None) };
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(Some(names))
}

/// What a listing is kept as.
pub(crate) fn names_found(names: Option<&[OsString]>) -> Found {
    let Some(names) = names else { return Found::Absent };
    let mut hasher = NameHasher::new();
    for name in names {
        hasher.update(name.as_bytes());
        // A name holds no '/': two listings never run together.
        hasher.update(b"/");
    }
    Found::Names(hasher.value_name().to_string())
}

fn unless_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The part of the metadata that counts.
pub(crate) fn stat_of(meta: &std::fs::Metadata) -> Stat {
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Dir
    } else if meta.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    };
    let ns = |sec: i64, nsec: i64| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    Stat {
        kind,
        mode: meta.mode() & 0o7777,
        size: meta.size(),
        dev: meta.dev(),
        ino: meta.ino(),
        mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
    }
}

/// Paths that are UTF-8 are kept as text: the record is JSON.
mod serde_bytes_vec {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(text),
            Err(_) => Either::Bytes(bytes.to_vec()).serialize(to),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Either::deserialize(from)? {
            Either::Text(text) => text.into_bytes(),
            Either::Bytes(bytes) => bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &Path, found: Found) -> Item {
        Item { path: path.as_os_str().as_bytes().to_vec(), look: Look::Own, found }
    }

    #[test]
    fn evidence_holds_until_an_answer_changes() {
        let dir = std::env::temp_dir().join(format!("gg-evidence-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join(OsStr::from_bytes(b"a\xff.h"));
        std::fs::write(&file, "x").unwrap();
        let stat = look(&file, Look::Own).unwrap().unwrap();
        let taken = Found::File {
            mode: stat.mode,
            size: stat.size,
            dev: 0,
            ino: 0,
            mtime_ns: 0,
            ctime_ns: 0,
            content: Some(ValueName::of(b"x").to_string()),
        };
        let read = |path: &Path, _: &Stat| Some(ValueName::of(&std::fs::read(path).unwrap()));
        let mut evidence = Evidence {
            items: vec![
                item(&file, taken),
                item(&dir.join("gone.h"), Found::Absent),
                item(&dir, Found::Dir),
                item(&dir.join("a.o"), Found::Absent),
            ],
        };
        evidence.relax_outputs(&HashSet::from([dir.join("a.o")]));
        let text = serde_json::to_vec(&evidence).unwrap();
        assert_eq!(serde_json::from_slice::<Evidence>(&text).unwrap(), evidence);
        assert!(evidence.holds(&read), "another inode with the same bytes is the same file");
        std::fs::write(dir.join("a.o"), "object").unwrap();
        assert!(evidence.holds(&read), "an output may be there");
        std::fs::write(&file, "y").unwrap();
        assert!(!evidence.holds(&read), "other bytes of the same size");
        std::fs::write(&file, "x").unwrap();
        std::fs::write(dir.join("gone.h"), "").unwrap();
        assert!(!evidence.holds(&read), "a header that was not there shadows another");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
