//! A tree of files as a value: built in a test, written to disk, read back, compared.
//! Knows kinds, bytes and permission bits; not owners, times or hard links.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What stands at one path of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Dir {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Its content.
        bytes: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, as it is written.
        target: PathBuf,
    },
    /// A socket, a device or a pipe: seen when a tree is read, never written.
    Special,
}

/// Entries by their path relative to the tree's top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file of mode 0644. Directories on the way need not be named.
    pub fn file(self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(path, bytes, 0o644)
    }

    /// Adds a file of mode 0755.
    pub fn executable(self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(path, bytes, 0o755)
    }

    /// Adds a file with the permission bits `mode`.
    pub fn file_with_mode(self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>, mode: u32) -> Self {
        self.with(path, Entry::File { bytes: bytes.as_ref().to_vec(), mode })
    }

    /// Adds a directory of mode 0755.
    pub fn dir(self, path: impl AsRef<Path>) -> Self {
        self.with(path, Entry::Dir { mode: 0o755 })
    }

    /// Adds a symbolic link at `path`.
    pub fn symlink(self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.with(path, Entry::Symlink { target: target.as_ref().to_owned() })
    }

    /// Adds an entry, with directories of mode 0755 on the way to it.
    pub fn with(mut self, path: impl AsRef<Path>, entry: Entry) -> Self {
        let path = path.as_ref();
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.entries.entry(parent.to_owned()).or_insert(Entry::Dir { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
        self
    }

    /// The entry at `path`.
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.entries.get(path.as_ref())
    }

    /// All entries, sorted by path.
    pub fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_path(), entry))
    }

    /// Writes the tree below `top`, which is made if need be. The modes are exact, whatever the umask.
    pub fn write(&self, top: impl AsRef<Path>) -> io::Result<()> {
        let top = top.as_ref();
        fs::create_dir_all(top)?;
        for (path, entry) in &self.entries {
            let path = top.join(path);
            match entry {
                Entry::Dir { .. } => fs::create_dir_all(&path)?,
                Entry::File { bytes, mode } => {
                    fs::write(&path, bytes)?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(*mode))?;
                }
                Entry::Symlink { target } => symlink(target, &path)?,
                Entry::Special => return Err(io::Error::other("a special file cannot be written")),
            }
        }
        // last and from the leaves up: a directory may be read-only
        for (path, entry) in self.entries.iter().rev() {
            if let Entry::Dir { mode } = entry {
                fs::set_permissions(top.join(path), fs::Permissions::from_mode(*mode))?;
            }
        }
        Ok(())
    }

    /// The tree as it stands below `top`; links are not followed.
    pub fn read(top: impl AsRef<Path>) -> io::Result<Self> {
        let top = top.as_ref();
        let mut tree = Self::new();
        let mut open = vec![PathBuf::new()];
        while let Some(dir) = open.pop() {
            for child in fs::read_dir(top.join(&dir))? {
                let child = child?;
                let path = dir.join(child.file_name());
                let meta = fs::symlink_metadata(child.path())?;
                let mode = meta.permissions().mode() & 0o7777;
                let entry = if meta.is_dir() {
                    open.push(path.clone());
                    Entry::Dir { mode }
                } else if meta.is_file() {
                    Entry::File { bytes: fs::read(child.path())?, mode }
                } else if meta.is_symlink() {
                    Entry::Symlink { target: fs::read_link(child.path())? }
                } else {
                    Entry::Special
                };
                tree.entries.insert(path, entry);
            }
        }
        Ok(tree)
    }

    /// One line for each path at which the two trees are not alike; empty when they are. For messages of failed tests.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, ours) in &self.entries {
            match other.entries.get(path) {
                None => lines.push(format!("{}: only in the first: {}", path.display(), kind(ours))),
                Some(theirs) if theirs != ours => {
                    lines.push(format!("{}: {} and {}", path.display(), kind(ours), kind(theirs)));
                }
                Some(_) => {}
            }
        }
        for (path, theirs) in &other.entries {
            if !self.entries.contains_key(path) {
                lines.push(format!("{}: only in the second: {}", path.display(), kind(theirs)));
            }
        }
        lines
    }
}

fn kind(entry: &Entry) -> String {
    match entry {
        Entry::Dir { mode } => format!("directory {mode:o}"),
        Entry::File { bytes, mode } => {
            let start = OsString::from_vec(bytes.iter().copied().take(60).collect());
            format!("file {mode:o} of {} bytes ({start:?})", bytes.len())
        }
        Entry::Symlink { target } => format!("link to {}", target.display()),
        Entry::Special => "special file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let tree = Tree::new()
            .file("src/a.c", "int a;\n")
            .executable("bin/run", "#!/bin/sh\n")
            .file_with_mode(OsString::from_vec(b"odd\xff".to_vec()), b"\0", 0o640)
            .with("closed", Entry::Dir { mode: 0o555 })
            .symlink("lib", "usr/lib");
        let dir = crate::temp_dir();
        tree.write(dir.path()).expect("written");
        let read = Tree::read(dir.path()).expect("read");
        assert_eq!(tree.difference(&read), Vec::<String>::new());
        assert_eq!(tree, read);
        assert_eq!(read.get("src"), Some(&Entry::Dir { mode: 0o755 }));
    }

    #[test]
    fn differences_name_the_path() {
        let one = Tree::new().file("same", "x").file("bytes", "1").file_with_mode("mode", "", 0o600).file("gone", "");
        let two = Tree::new().file("same", "x").file("bytes", "2").file_with_mode("mode", "", 0o644).dir("new");
        let lines = one.difference(&two);
        let paths: Vec<&str> = lines.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(paths, ["bytes", "gone", "mode", "new"]);
    }
}
