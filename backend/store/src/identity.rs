//! By what a file is recognised without reading it, and when that may be trusted. Knows nothing of digests.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use crate::sys;

/// What changes when a file's content changes: device, inode, size, modification and change time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
    /// The size in bytes.
    pub size: u64,
    /// The modification time, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// The change time, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

impl Identity {
    /// The identity in what `stat` said.
    pub fn of(meta: &Metadata) -> Identity {
        Identity {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        }
    }
}

fn nanoseconds(sec: i64, nsec: i64) -> i128 {
    i128::from(sec) * 1_000_000_000 + i128::from(nsec)
}

/// When a file's reading began, and how coarse the clock behind its times is.
///
/// A write that falls into the same tick as the last one leaves no trace in the times. So an identity proves
/// content only if its times were older than a tick when the reading began (the *racy-clean* rule).
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    at_ns: i128,
    grain_ns: i128,
}

impl Observed {
    /// The grain of the kernel's file times is its tick, 10 ms at most; twice that is safe.
    const OUR_GRAIN_NS: i128 = 20_000_000;
    /// On a network file system, or one that is not known here, times come from another clock, which is
    /// taken to be no more than a minute from ours.
    const OTHER_GRAIN_NS: i128 = 60_000_000_000;

    /// The observation that begins now, of this open file. To be taken before the first byte is read.
    pub fn now(file: &File) -> Observed {
        let grain_ns = match sys::has_our_clock(file) {
            Ok(true) => Self::OUR_GRAIN_NS,
            _ => Self::OTHER_GRAIN_NS,
        };
        let at_ns = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MIN),
            Err(_) => i128::MIN,
        };
        Observed { at_ns, grain_ns }
    }

    /// An observation at this time, in nanoseconds since 1970 by the clock of the file's own file system.
    pub fn at(at_ns: i128) -> Observed {
        Observed { at_ns, grain_ns: Self::OUR_GRAIN_NS }
    }

    /// Whether a later write must show in the identity.
    pub fn settles(&self, identity: &Identity) -> bool {
        identity.mtime_ns.max(identity.ctime_ns).checked_add(self.grain_ns).is_some_and(|settled| settled <= self.at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_must_be_older_than_the_grain() {
        let identity = |mtime_ns, ctime_ns| Identity { dev: 1, ino: 2, size: 3, mtime_ns, ctime_ns };
        let now = Observed::at(100_000_000);
        assert!(now.settles(&identity(80_000_000, 80_000_000)));
        assert!(!now.settles(&identity(80_000_001, 80_000_000)));
        assert!(!now.settles(&identity(0, 80_000_001)));
        assert!(!now.settles(&identity(0, 200_000_000)));
        assert!(now.settles(&identity(-5_000_000_000, 0)));
        assert!(!now.settles(&identity(i128::MAX, 0)));
    }
}
