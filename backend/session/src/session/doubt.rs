//! What follows when a thunk fails and the real tool is asked: a failure to remember, or a model that is wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_force::{Forced, Outcome, trace};
use gg_models::Stat;
use gg_protocol::{Ran, RanStatus, Request};
use gg_thunk::{Thunk, ValueName};

use super::Session;
use super::known::Known;
use crate::sys;

/// With less room than this on the store's disk, where private roots may be too, a failure is held for want of it.
const ROOM: u64 = 64 << 20;

/// A thunk that failed, now or before, while nobody knows yet whether the real tool does too.
pub(crate) struct Doubt {
    tool: Vec<u8>,
    shape: String,
    said: String,
    thunk: Thunk,
    key: ValueName,
    /// It is known from before and was not run.
    before: bool,
}

impl Doubt {
    pub(super) fn new(request: &Request, known: Known, said: String, before: bool) -> Doubt {
        let Known { thunk, shape, key, .. } = known;
        Doubt { tool: request.tool.clone(), shape, said, thunk, key, before }
    }
}

impl Session {
    /// Takes the report of a native run that was asked for because the thunk failed.
    pub(crate) fn reported(&self, doubt: &Doubt, ran: &Ran) {
        match ran.status {
            RanStatus::Exit(status) if doubt.before || status != 0 => {
                let fails = status != 0;
                if fails != doubt.before {
                    // While it fails, nothing but the tool runs. What cannot be kept is found out again.
                    let _ = self.calls.note(&doubt.key, &doubt.thunk.name(), fails);
                }
                return;
            }
            RanStatus::Exit(_) => {}
            RanStatus::Signal(_) => return,
        }
        // Whatever made it fail may have passed: a full disk, a source that was being written.
        if self.says_nothing(&doubt.key, &doubt.thunk).is_none()
            && let Ok(Forced { outcome: Outcome::Failed { exit: trace::Exit::Code(_), .. }, .. }) =
                self.force(&doubt.thunk, None, true)
        {
            let why = format!("the thunk failed where the tool does not: {}", doubt.said);
            self.disable(&doubt.shape, &why, &String::from_utf8_lossy(&doubt.tool));
        }
    }

    /// Why a thunk may differ from a native run that came after it though its model is right, if there is a reason: the
    /// tool has seen other files, or the thunk a full disk.
    pub(super) fn says_nothing(&self, key: &ValueName, thunk: &Thunk) -> Option<String> {
        let kept = self.calls.get(key).filter(|kept| kept.call.thunk == thunk.name().to_string());
        let Some((evidence, call)) = kept.and_then(|kept| Some((kept.evidence()?, kept.call))) else {
            return Some("what its model saw is not known any more".to_owned());
        };
        let outputs: Vec<PathBuf> =
            thunk.outputs.iter().map(|output| PathBuf::from(OsStr::from_bytes(&output.path))).collect();
        let text = self.changed_source(&call, &outputs).map(Path::to_path_buf);
        let current = |path: &Path, stat: &Stat| self.contents.current(path, stat);
        let other = || evidence.changed_besides(&outputs, &call.source_paths(), &current);
        if let Some(path) = text.or_else(other) {
            return Some(format!("changed meanwhile: {}", path.display()));
        }
        let store = self.contents.store.root();
        sys::free_bytes(store).is_ok_and(|free| free < ROOM).then(|| format!("no room is left in {}", store.display()))
    }
}
