//! Gathers accesses: each once, in the order of first occurrence, with what a call's result says of its path.
//!
//! It knows error numbers, but neither processes nor how a call was decoded.

use std::collections::HashSet;
use std::path::PathBuf;

use super::{Access, AccessKind};

/// The accesses so far.
#[derive(Default)]
pub(super) struct Log {
    seen: HashSet<Access>,
    accesses: Vec<Access>,
}

impl Log {
    /// Notes an access whose call ended with `errno`, 0 for success.
    pub(super) fn note(&mut self, path: PathBuf, kind: AccessKind, errno: i32) {
        let (kind, found) = match errno {
            0 => (kind, true),
            libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG => (kind, false),
            // In the way of what was to be made.
            libc::EEXIST | libc::EISDIR | libc::ENOTEMPTY | libc::ETXTBSY => (AccessKind::Lookup, true),
            _ if asks(&kind) => (AccessKind::Lookup, true),
            _ => (kind, false),
        };
        let access = Access { path, kind, found };
        if !self.seen.contains(&access) {
            self.seen.insert(access.clone());
            self.accesses.push(access);
        }
    }

    pub(super) fn into_accesses(self) -> Vec<Access> {
        self.accesses
    }
}

/// Whether the access only needs what is there: then any error but "not there" means that something is.
fn asks(kind: &AccessKind) -> bool {
    matches!(kind, AccessKind::Exec | AccessKind::Read | AccessKind::Lookup | AccessKind::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(kind: AccessKind, errno: i32) -> (AccessKind, bool) {
        let mut log = Log::default();
        log.note("/p".into(), kind.clone(), errno);
        log.note("/p".into(), kind, errno);
        let [access] = log.into_accesses().try_into().expect("noted once");
        (access.kind, access.found)
    }

    #[test]
    fn results_tell_what_is_there() {
        use AccessKind::{Lookup, Mkdir, Read, Write};
        assert_eq!(noted(Read, 0), (Read, true));
        assert_eq!(noted(Read, libc::ENOENT), (Read, false));
        assert_eq!(noted(Read, libc::EACCES), (Lookup, true));
        assert_eq!(noted(Lookup, libc::EINVAL), (Lookup, true)); // readlink of a file
        assert_eq!(noted(Write, libc::EACCES), (Write, false));
        assert_eq!(noted(Mkdir, libc::EEXIST), (Lookup, true));
    }
}
