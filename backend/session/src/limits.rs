//! The limits on resources under which a call runs (`getrlimit(2)`): the steps of its thunk have the session's.
//!
//! Knows those that decide whether a tool comes to its end: time, memory, the size of files. Nothing of descriptors and processes.

use std::os::unix::net::UnixStream;

use crate::sys;

const KINDS: [(&str, u32); 5] = [
    ("processor time", libc::RLIMIT_CPU),
    ("size of files", libc::RLIMIT_FSIZE),
    ("size of data", libc::RLIMIT_DATA),
    ("size of the stack", libc::RLIMIT_STACK),
    ("address space", libc::RLIMIT_AS),
];

/// The limits of a process.
pub(crate) struct Limits([(u64, u64); KINDS.len()]);

impl Limits {
    /// Those of this process.
    pub fn own() -> std::io::Result<Limits> {
        Limits::of(0)
    }

    fn of(process: u32) -> std::io::Result<Limits> {
        let mut limits = [(0, 0); KINDS.len()];
        for (limit, (_, kind)) in limits.iter_mut().zip(KINDS) {
            *limit = sys::limit(process, kind)?;
        }
        Ok(Limits(limits))
    }

    /// What the caller at the other end has another limit of, for people: the call may end there as it would not here.
    pub fn differ(&self, caller: &UnixStream) -> Option<String> {
        let theirs = match sys::peer(caller).map(Limits::of) {
            Some(Ok(theirs)) => theirs,
            Some(Err(error)) => return Some(error.to_string()),
            None => return Some("not known".to_owned()),
        };
        let mut all = KINDS.iter().zip(self.0).zip(theirs.0);
        all.find(|((_, ours), theirs)| ours != theirs)
            .map(|(((what, _), ours), theirs)| format!("{what}: {}, the session's {}", shown(theirs), shown(ours)))
    }
}

/// A limit, soft and hard, as `ulimit` calls it.
fn shown((soft, hard): (u64, u64)) -> String {
    let one = |limit: u64| if limit == libc::RLIM_INFINITY { "unlimited".to_owned() } else { limit.to_string() };
    if soft == hard { one(soft) } else { format!("{} of {}", one(soft), one(hard)) }
}
