//! Files that were laid out, are not wanted now and may be wanted again.
//!
//! A file is moved between the root and the pool, never linked: every path in a root is a file of its
//! own, with one link, as compilers that tell files apart by inode expect it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use gg_thunk::{Timestamp, ValueName};

use crate::sys::file;

/// What a file takes of its file system even if it is empty.
const LEAST_BYTES: u64 = 4096;

/// All that tells one laid-out file from another, but its path.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub object: ValueName,
    pub mode: u32,
    pub mtime: Option<Timestamp>,
}

/// A directory of spare files, at most one of each kind.
pub(crate) struct Pool {
    dir: OwnedFd,
    parked: HashMap<Kind, u64>,
    /// The order in which they came; entries of files that were taken since are skipped.
    order: VecDeque<(Kind, u64)>,
    bytes: u64,
    limit: u64,
    next: u64,
}

impl Pool {
    pub fn new(dir: OwnedFd, limit: u64) -> Pool {
        Pool { dir, parked: HashMap::new(), order: VecDeque::new(), bytes: 0, limit, next: 0 }
    }

    /// Moves a spare file of this kind to `name`; false if there is none.
    pub fn take(&mut self, kind: Kind, dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
        let Some(number) = self.parked.remove(&kind) else {
            return Ok(false);
        };
        self.bytes -= cost(kind);
        file::rename(self.dir.as_fd(), &file_name(number), dir, name)?;
        Ok(true)
    }

    /// Takes the file at `name`, which is of this kind, out of the root.
    pub fn park(&mut self, kind: Kind, dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        if self.parked.contains_key(&kind) || cost(kind) > self.limit {
            return file::unlink(dir, name);
        }
        let number = self.next;
        self.next += 1;
        file::rename(dir, name, self.dir.as_fd(), &file_name(number))?;
        self.parked.insert(kind, number);
        self.order.push_back((kind, number));
        self.bytes += cost(kind);
        self.trim()
    }

    fn trim(&mut self) -> io::Result<()> {
        // Entries of taken files must not pile up either.
        while self.bytes > self.limit || self.order.len() > 2 * self.parked.len() + 1024 {
            let Some((kind, number)) = self.order.pop_front() else {
                break;
            };
            if self.parked.get(&kind) != Some(&number) {
                continue;
            }
            if self.bytes > self.limit {
                self.parked.remove(&kind);
                self.bytes -= cost(kind);
                file::unlink(self.dir.as_fd(), &file_name(number))?;
            } else {
                self.order.push_back((kind, number));
            }
        }
        Ok(())
    }
}

fn cost(kind: Kind) -> u64 {
    kind.object.len().max(LEAST_BYTES)
}

fn file_name(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}
