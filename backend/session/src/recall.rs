//! What models keep over requests and processes: plans, and facts of the toolchain. Knows nothing of what they are.

use std::io;
use std::path::{Path, PathBuf};

use gg_store::sharded;
use gg_thunk::ValueName;

use crate::sys;

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
        let text = std::fs::read(self.path(key)).ok()?;
        // The digest in front finds what a power cut left half written.
        let (sum, value) = text.split_at_checked(52)?;
        (ValueName::of(value).to_string().as_bytes() == sum).then(|| value.to_vec())
    }

    pub fn put(&self, key: &str, value: &[u8]) -> io::Result<()> {
        sys::write_whole(&self.path(key), &[ValueName::of(value).to_string().as_bytes(), value].concat())
    }
}
