//! Which placeholders this `GG_DIR` has issued: one empty file each. No other is honoured, wherever it stands.

use std::io;
use std::path::{Path, PathBuf};

use gg_thunk::OutputName;

/// The ledger of placeholders.
pub struct Issued {
    dir: PathBuf,
}

impl Issued {
    /// The ledger of this `GG_DIR`.
    pub fn open(gg_dir: &Path) -> Issued {
        Issued { dir: gg_dir.join("issued") }
    }

    /// Notes that a placeholder for this output was, or is about to be, written.
    pub fn note(&self, object: &OutputName) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        std::fs::write(self.dir.join(object.to_string()), b"")
    }

    /// Whether a placeholder for this output was ever issued here.
    pub fn has(&self, object: &OutputName) -> bool {
        self.dir.join(object.to_string()).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gg_thunk::{Tag, ThunkName};

    #[test]
    fn only_what_was_noted_is_there() {
        let dir = std::env::temp_dir().join(format!("gg-issued-{}", std::process::id()));
        let object = |tag| OutputName { thunk: ThunkName::of(b"t"), tag: Tag::new(tag).unwrap() };
        let issued = Issued::open(&dir);
        assert!(!issued.has(&object("o")));
        issued.note(&object("o")).unwrap();
        assert!(issued.has(&object("o")) && !issued.has(&object("d")));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
