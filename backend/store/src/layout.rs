//! Where things lie under a `GG_DIR`. Knows paths only, not what is in the files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gg_thunk::{ThunkName, ValueName};

use crate::pack;

/// The paths of one `GG_DIR`.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    pub(crate) objects: PathBuf,
    pub(crate) packs: PathBuf,
    pub(crate) memo: PathBuf,
    pub(crate) pins: PathBuf,
    pub(crate) tmp: PathBuf,
    pub(crate) quarantine: PathBuf,
    pub(crate) digests: PathBuf,
    pub(crate) run: PathBuf,
    pub(crate) leases: PathBuf,
    pub(crate) gc_lock: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Layout {
        Layout {
            root: root.to_owned(),
            objects: root.join("objects"),
            packs: root.join("packs"),
            memo: root.join("memo"),
            pins: root.join("pins"),
            tmp: root.join("tmp"),
            quarantine: root.join("quarantine"),
            digests: root.join("digests"),
            run: root.join("run"),
            leases: root.join("run/leases"),
            gc_lock: root.join("run/gc.lock"),
        }
    }

    /// The directories that a store consists of, parents first.
    pub(crate) fn directories(&self) -> [&Path; 9] {
        [
            &self.objects,
            &self.packs,
            &self.memo,
            &self.pins,
            &self.tmp,
            &self.quarantine,
            &self.digests,
            &self.run,
            &self.leases,
        ]
    }

    pub(crate) fn pin_file(&self, name: &ValueName) -> PathBuf {
        sharded(&self.pins, name.digest(), &name.to_string())
    }

    pub(crate) fn memo_file(&self, name: &ThunkName) -> PathBuf {
        sharded(&self.memo, name.digest(), &name.to_string())
    }
}

/// Which object is meant: its file and what it must hash to.
#[derive(Debug)]
pub(crate) struct Key {
    /// The value, if it is one: a file elsewhere may stand for it.
    pub(crate) value: Option<ValueName>,
    pub(crate) path: PathBuf,
    pub(crate) digest: [u8; 32],
    pub(crate) len: u64,
}

impl Key {
    pub(crate) fn of_value(layout: &Layout, name: &ValueName) -> Key {
        Key {
            value: Some(*name),
            path: sharded(&layout.objects, name.digest(), &name.to_string()),
            digest: *name.digest(),
            len: name.len(),
        }
    }

    pub(crate) fn of_thunk(layout: &Layout, name: &ThunkName) -> Key {
        Key {
            value: None,
            path: sharded(&layout.objects, name.digest(), &name.to_string()),
            digest: *name.digest(),
            len: name.len(),
        }
    }

    /// Whether it is so small that it may be in a pack.
    pub(crate) fn may_be_packed(&self) -> bool {
        self.len <= pack::MOST as u64
    }

    /// Whether this is the name of what was hashed.
    pub(crate) fn is(&self, hashed: &ValueName) -> bool {
        hashed.digest() == &self.digest && hashed.len() == self.len
    }
}

/// Where a file of this name and digest is in a directory of shards. The shard is hexadecimal, not the name's own characters:
/// those may be `..`.
pub fn sharded(dir: &Path, digest: &[u8; 32], name: &str) -> PathBuf {
    let mut path = PathBuf::with_capacity(dir.as_os_str().len() + name.len() + 5);
    path.push(dir);
    path.push(format!("{:02x}", digest[0]));
    path.push(name);
    path
}

/// The files one directory below this one. What vanishes meanwhile is left out.
pub(crate) fn files_in_shards(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for shard in entries(dir)? {
        if shard.is_dir() {
            found.extend(entries(&shard)?);
        }
    }
    Ok(found)
}

/// The paths in a directory; none if it is not there.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
        Ok(list) => list.map(|entry| Ok(entry?.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_store() {
        // The first characters of this digest are written "..".
        let name = ValueName::new([0xfb; 32], 3);
        let mut digest = *name.digest();
        digest[1] = 0xef;
        digest[2] = 0xbe;
        let name = ValueName::new(digest, 3);
        assert!(name.to_string().starts_with("V..."), "{name}");
        let path = Key::of_value(&Layout::new(Path::new("/gg")), &name).path;
        assert_eq!(path, Path::new("/gg/objects/fb").join(name.to_string()));
    }
}
