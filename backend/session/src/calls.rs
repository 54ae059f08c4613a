//! Which thunk a call gave, while what its model saw still holds. One file a call in `GG_DIR/calls/`; a call whose file
//! is missing or damaged is asked of its model.

use std::io;
use std::path::{Path, PathBuf};

use gg_models::{Holds, Request};
use gg_store::sharded;
use gg_thunk::{Bytes, ThunkName, ValueName};
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::session::Source;
use crate::{checked, processor};

/// Raised when models change what they infer: older entries are then not found.
pub(crate) const GENERATION: u32 = 21;

/// What is kept of a call, but for what its model saw.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The thunk's name.
    pub thunk: String,
    /// Its flag shape.
    pub shape: String,
    /// What each of its outputs will be.
    pub holds: Vec<Holds>,
    /// What those outputs hold that are depfiles, by their place, where that is sure.
    pub depfiles: Vec<(usize, Bytes)>,
    /// Whether it changes a file that it reads.
    pub in_place: bool,
    /// Whether the tool failed as the thunk did: then it is asked at once.
    pub fails: bool,
    /// The source, if it is a compilation of one of which only directives count.
    pub source: Option<Source>,
}

impl Call {
    /// The paths of its source, if it has one: what its model saw there does not count, its text does.
    pub fn source_paths(&self) -> Vec<&Path> {
        self.source.iter().flat_map(Source::paths).collect()
    }
}

/// What is kept of a call, as it was read. What the model saw is the larger part, and not everybody asks for it.
pub(crate) struct Kept {
    pub call: Call,
    bytes: Vec<u8>,
    /// How many of the bytes are those of what the model saw: the last ones.
    seen: usize,
}

impl Kept {
    /// What the model saw; none if that cannot be read.
    pub fn evidence(&self) -> Option<Evidence> {
        postcard::from_bytes(self.seen()).ok()
    }

    fn seen(&self) -> &[u8] {
        &self.bytes[self.bytes.len() - self.seen..]
    }
}

pub(crate) struct Calls {
    dir: PathBuf,
    /// The driver writes what it finds of the processor into the plan.
    processor: Vec<u8>,
}

impl Calls {
    pub fn new(gg_dir: &Path) -> Calls {
        Calls { dir: gg_dir.join("calls"), processor: processor::identity() }
    }

    /// The name of a request: all that a model is given, and the processor.
    pub fn key(&self, request: &Request) -> ValueName {
        use std::os::unix::ffi::OsStrExt as _;
        let mut text = Vec::with_capacity(4096);
        let mut put = |bytes: &[u8]| {
            text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            text.extend_from_slice(bytes);
        };
        put(&GENERATION.to_le_bytes());
        put(&self.processor);
        put(request.tool.as_bytes());
        put(request.exe.as_os_str().as_bytes());
        put(request.cwd.as_os_str().as_bytes());
        put(&request.umask.to_le_bytes());
        put(&[u8::from(request.stderr_is_tty)]);
        put(&(request.argv.len() as u64).to_le_bytes());
        for arg in &request.argv {
            put(arg.as_bytes());
        }
        for (name, value) in &request.env {
            put(name.as_bytes());
            put(value.as_bytes());
        }
        ValueName::of(&text)
    }

    fn path(&self, key: &ValueName) -> PathBuf {
        sharded(&self.dir, key.digest(), &key.to_string())
    }

    /// What is kept under a key; a file that cannot be read as such is none.
    pub fn get(&self, key: &ValueName) -> Option<Kept> {
        let bytes = checked::read(&self.path(key))?;
        let (call, seen) = postcard::take_from_bytes(&bytes).ok()?;
        let seen = seen.len();
        Some(Kept { call, bytes, seen })
    }

    /// Notes whether the tool fails while the evidence holds, unless the call has given another thunk meanwhile.
    pub fn note(&self, key: &ValueName, thunk: &ThunkName, fails: bool) -> io::Result<()> {
        let Some(kept) = self.get(key).filter(|kept| kept.call.thunk == thunk.to_string()) else { return Ok(()) };
        self.update(key, &Call { fails, ..kept.call.clone() }, &kept)
    }

    /// Keeps another call beside what the model saw of this one.
    pub fn update(&self, key: &ValueName, call: &Call, kept: &Kept) -> io::Result<()> {
        let mut bytes = postcard::to_stdvec(call).map_err(io::Error::other)?;
        bytes.extend_from_slice(kept.seen());
        checked::write(&self.path(key), &bytes)
    }

    pub fn put(&self, key: &ValueName, call: &Call, evidence: &Evidence) -> io::Result<()> {
        let bytes = postcard::to_stdvec(call).map_err(io::Error::other)?;
        checked::write(&self.path(key), &postcard::to_extend(evidence, bytes).map_err(io::Error::other)?)
    }
}
