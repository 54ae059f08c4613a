//! Commands that failed after their calls were answered. Until the command is called again, its source is changed or its
//! outputs are there, a build has not gone well, whatever its make says: what followed the early answer may stand.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_store::sharded;
use gg_thunk::{Bytes, ThunkName, ValueName};
use serde::{Deserialize, Serialize};

use super::Session;
use super::late::LateFailure;
use crate::sys;

/// What is noted of one.
#[derive(Serialize, Deserialize)]
struct Pending {
    thunk: String,
    /// Under which name what its model saw is kept.
    call: String,
    outputs: Vec<Bytes>,
    failure: LateFailure,
}

impl Session {
    fn pending_dir(&self) -> PathBuf {
        self.contents.store.root().join("issued").join("pending")
    }

    fn failed_late(&self, name: &ThunkName) -> PathBuf {
        let dir = crate::late_failures(self.contents.store.root());
        sharded(&dir, name.digest(), &name.to_string())
    }

    /// Notes that a thunk has failed after its call was answered: calls that come to it are answered after their work.
    pub(super) fn note_failed_late(
        &self,
        name: &ThunkName,
        reduced: Option<&ThunkName>,
        call: &str,
        failure: &LateFailure,
    ) {
        // What cannot be noted fails late once more.
        for name in [Some(name), reduced].into_iter().flatten() {
            let _ = sys::write_whole(&self.failed_late(name), b"");
        }
        let Ok(Some(thunk)) = self.contents.store.get_thunk(name) else { return };
        let pending = Pending {
            thunk: name.to_string(),
            call: call.to_owned(),
            outputs: thunk.outputs.into_iter().map(|output| output.path).collect(),
            failure: failure.clone(),
        };
        if let Ok(text) = postcard::to_stdvec(&pending) {
            let _ = sys::write_whole(&self.pending_dir().join(name.to_string()), &text);
        }
    }

    /// Whether this thunk has failed after its call was answered.
    pub(super) fn has_failed_late(&self, name: &ThunkName) -> bool {
        self.failed_late(name).exists()
    }

    /// The command of a thunk was called again, and answered after its work: it has spoken itself.
    pub(super) fn has_spoken(&self, name: &ThunkName) {
        if self.issued.any() {
            let _ = std::fs::remove_file(self.pending_dir().join(name.to_string()));
        }
    }

    /// The commands with outputs at or below a directory that have failed after their calls were answered, and of which
    /// nothing has become since.
    pub fn pending_failures(&self, dir: &Path) -> Vec<LateFailure> {
        let mut failures = Vec::new();
        for entry in std::fs::read_dir(self.pending_dir()).into_iter().flatten().flatten() {
            let text = std::fs::read(entry.path()).unwrap_or_default();
            let pending = postcard::from_bytes::<Pending>(&text).ok();
            let outputs = |pending: &Pending| -> Vec<PathBuf> {
                pending.outputs.iter().map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()
            };
            match pending {
                Some(pending) if !outputs(&pending).iter().any(|path| path.starts_with(dir)) => {}
                Some(pending)
                    if outputs(&pending).iter().any(|path| path.symlink_metadata().is_err())
                        && !self.is_another_by_now(&pending.thunk, &pending.call) =>
                {
                    failures.push(pending.failure);
                }
                _ => {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
        failures.sort_by(|a, b| a.command.cmp(&b.command));
        failures
    }

    /// Whether its model would see something else by now. Of a call of which nothing is kept any more nobody knows: its failure stands.
    fn is_another_by_now(&self, thunk: &str, call: &str) -> bool {
        match (thunk.parse::<ThunkName>(), call.parse::<ValueName>()) {
            (Ok(thunk), Ok(call)) => self.has_changed(&thunk, &call) == Some(true),
            _ => true,
        }
    }
}
