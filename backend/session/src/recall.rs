//! What models keep over requests and processes: plans, and facts of the toolchain. Knows nothing of what they are.

use std::io;
use std::path::{Path, PathBuf};

use gg_store::sharded;
use gg_thunk::ValueName;

use crate::checked;

/// Where models keep plans: one file a key.
pub(crate) struct Recall {
    dir: PathBuf,
}

impl Recall {
    pub fn new(gg_dir: &Path) -> Recall {
        Recall { dir: gg_dir.join("plans") }
    }

    fn path(&self, key: &str) -> PathBuf {
        let name = ValueName::of(key.as_bytes());
        sharded(&self.dir, name.digest(), &name.to_string())
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        checked::read(&self.path(key))
    }

    pub fn put(&self, key: &str, value: &[u8]) -> io::Result<()> {
        checked::write(&self.path(key), value)
    }
}
