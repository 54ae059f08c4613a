//! Which placeholders this `GG_DIR` has issued, and what is known of the outputs that they stand for: one file each. No
//! other placeholder is honoured, wherever it stands. Knows nothing of the files that hold placeholders.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gg_models::Holds;
use gg_store::sharded;
use gg_thunk::{Bytes, OutputName, ThunkName, ValueName};
use serde::{Deserialize, Serialize};

use crate::placeholders::Held;
use crate::sys;

/// What is known of an output that stands as a placeholder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Issue {
    /// What it will be.
    pub holds: Holds,
    /// When the call was answered, in nanoseconds since 1970: the order of the work.
    pub at_ns: i128,
    /// The mode that the placeholder was given, so that a later change of it is seen.
    pub mode: u32,
    /// The flag shape of its thunk.
    pub shape: String,
    /// Under which name what its model saw is kept.
    pub call: String,
    /// What was written for its thunk's outputs that are depfiles: tag and value's name.
    pub depfiles: Vec<(String, String)>,
    /// Whether its thunk is to be held against a run over the host.
    pub audit: bool,
    /// The command line, for messages.
    pub argv: Vec<Bytes>,
}

/// What is done once for a call that was answered before its work was done, however many processes force its thunk.
#[derive(Clone, Copy)]
pub(crate) enum Once {
    /// To say its messages.
    Said,
    /// To count it.
    Counted,
}

/// The ledger of placeholders.
#[derive(Clone)]
pub struct Issued {
    dir: PathBuf,
}

impl Issued {
    /// The ledger of this `GG_DIR`.
    pub fn open(gg_dir: &Path) -> Issued {
        Issued { dir: gg_dir.join("issued") }
    }

    /// What of the ledger can be done without: directories of shards. A placeholder that stands somewhere cannot do without
    /// its own file.
    pub(crate) fn caches(gg_dir: &Path) -> [PathBuf; 2] {
        ["said", "counted"].map(|name| gg_dir.join("issued").join(name))
    }

    fn path(&self, object: &OutputName) -> PathBuf {
        sharded(&self.dir.join("outputs"), object.thunk.digest(), &object.to_string())
    }

    /// Notes that a placeholder for this output was, or is about to be, written by hand.
    pub fn note(&self, object: &OutputName) -> io::Result<()> {
        sys::write_whole(&self.path(object), b"")
    }

    /// Notes that a placeholder for this output is about to be written, and what is known of it.
    pub(crate) fn note_known(&self, object: &OutputName, issue: &Issue) -> io::Result<()> {
        sys::write_whole(&self.path(object), &postcard::to_stdvec(issue).map_err(io::Error::other)?)
    }

    /// Whether a placeholder for this output was ever issued here.
    pub fn has(&self, object: &OutputName) -> bool {
        self.path(object).exists()
    }

    /// What is known of an output; nothing of one whose placeholder was written by hand.
    pub(crate) fn get(&self, object: &OutputName) -> Option<Issue> {
        postcard::from_bytes(&std::fs::read(self.path(object)).ok()?).ok()
    }

    /// Whether any was ever issued.
    pub(crate) fn any(&self) -> bool {
        self.dir.exists()
    }

    /// Waits until no other process writes the file of a placeholder of this output; until the file is dropped.
    pub(crate) fn lock(&self, object: &OutputName) -> io::Result<std::fs::File> {
        let file = std::fs::File::open(self.path(object))?;
        sys::lock(&file)?;
        Ok(file)
    }
}

impl Issued {
    fn once(&self, what: Once, thunk: &ThunkName) -> PathBuf {
        let dir = match what {
            Once::Said => "said",
            Once::Counted => "counted",
        };
        sharded(&self.dir.join(dir), thunk.digest(), &thunk.to_string())
    }

    /// Notes that a call was answered: what is done once for it is still to be done.
    pub(crate) fn note_new(&self, thunk: &ThunkName) {
        for what in [Once::Said, Once::Counted] {
            // There is one only where the same call was answered before.
            let _ = std::fs::remove_file(self.once(what, thunk));
        }
    }

    /// Whether this is still to be done for a call that was answered; once.
    pub(crate) fn is_first(&self, what: Once, thunk: &ThunkName) -> bool {
        let path = self.once(what, thunk);
        let first = !path.exists();
        if first {
            // Where that cannot be noted it is done again rather than never.
            let _ = sys::write_whole(&path, b"");
        }
        first
    }

    fn root(&self, dir: &Path) -> PathBuf {
        self.dir.join("roots").join(ValueName::of(dir.as_os_str().as_bytes()).to_string())
    }

    /// Notes that a build which answers early works in this directory.
    pub(crate) fn note_root(&self, dir: &Path) -> io::Result<()> {
        sys::write_whole(&self.root(dir), dir.as_os_str().as_bytes())
    }

    /// Notes that nothing of such builds waits at or below this directory.
    pub(crate) fn forget_roots(&self, dir: &Path) {
        for root in self.roots().filter(|root| root.starts_with(dir)) {
            // Then it is looked through again.
            let _ = std::fs::remove_file(self.root(&root));
        }
    }

    /// Whether something of such a build may wait at or below this directory.
    pub(crate) fn may_wait_below(&self, dir: &Path) -> bool {
        self.roots().any(|root| root.starts_with(dir) || dir.starts_with(&root))
    }

    fn roots(&self) -> impl Iterator<Item = PathBuf> {
        let entries = std::fs::read_dir(self.dir.join("roots")).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(PathBuf::from(OsStr::from_bytes(&std::fs::read(entry.path()).ok()?))))
    }

    fn writing(&self) -> PathBuf {
        self.dir.join("writing")
    }

    /// Notes that a file with several names is about to become its output.
    pub(crate) fn note_writing(&self, held: &Held) -> io::Result<()> {
        let inode = std::fs::metadata(&held.path)?.ino();
        let path = held.path.as_os_str().as_bytes();
        sys::write_whole(&self.writing().join(held.object.to_string()), &[&inode.to_le_bytes(), path].concat())
    }

    /// Notes that it has.
    pub(crate) fn note_written(&self, held: &Held) -> io::Result<()> {
        std::fs::remove_file(self.writing().join(held.object.to_string()))
    }

    /// Whether a process has begun to write that file, and did not come to its end. Another file of that name is not meant.
    pub(crate) fn is_being_written(&self, held: &Held) -> bool {
        self.torn(&self.writing().join(held.object.to_string())).is_some_and(|path| path == held.path)
    }

    /// The file of a note, if it is still the one that was noted.
    fn torn(&self, note: &Path) -> Option<PathBuf> {
        let text = std::fs::read(note).ok()?;
        let (inode, path) = text.split_first_chunk::<8>()?;
        let path = PathBuf::from(OsStr::from_bytes(path));
        (path.symlink_metadata().ok()?.ino() == u64::from_le_bytes(*inode)).then_some(path)
    }

    /// The files of which that is so.
    pub(crate) fn being_written(&self) -> Vec<Held> {
        let entries = std::fs::read_dir(self.writing()).into_iter().flatten().flatten();
        let held = entries.filter_map(|entry| {
            let object = entry.file_name().to_str()?.parse().ok()?;
            Some(Held { path: self.torn(&entry.path())?, object })
        });
        held.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gg_thunk::{Tag, ThunkName};

    #[test]
    fn only_what_was_noted_is_there() {
        let dir = gg_testkit::temp_dir();
        let object = |tag| OutputName { thunk: ThunkName::of(b"t"), tag: Tag::new(tag).unwrap() };
        let issued = Issued::open(dir.path());
        assert!(!issued.has(&object("o")) && !issued.any());
        issued.note(&object("o")).unwrap();
        assert!(issued.any() && issued.has(&object("o")) && !issued.has(&object("d")));
        assert_eq!(issued.get(&object("o")), None, "nothing is known of it");
        let issue = Issue {
            holds: Holds::Object,
            at_ns: 5,
            mode: 0o644,
            shape: "s".to_owned(),
            call: "c".to_owned(),
            depfiles: vec![("d".to_owned(), "V".to_owned())],
            audit: true,
            argv: vec![b"gcc".to_vec(), b"\xff".to_vec()],
        };
        issued.note_known(&object("d"), &issue).unwrap();
        assert_eq!(issued.get(&object("d")), Some(issue));
    }
}
