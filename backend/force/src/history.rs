//! How long runs of a kind took, to tell what is on the critical path. Knows no thunk by its content:
//! the kind is the executables and the first output, so that a file that was edited keeps its history.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gg_thunk::Thunk;

/// Kinds that are kept from one coordinator to the next, the latest ones.
const MAX_KINDS: usize = 1 << 16;
/// Compilers get through some megabytes of input a second.
const BYTES_PER_US: u64 = 4;
/// No process is quicker than this, in microseconds.
const FLOOR_US: u64 = 1_000;

/// The kind of a thunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Kind(u64);

impl Kind {
    pub fn of(thunk: &Thunk) -> Kind {
        // FNV-1a: quick, and the same in every build of gg, as it is written to disk.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut take = |bytes: &[u8]| {
            for byte in bytes.iter().chain(&[0]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for step in &thunk.steps {
            take(&step.exe);
        }
        if let Some(output) = thunk.outputs.first() {
            take(&output.path);
        }
        Kind(hash)
    }
}

/// Past times by kind.
#[derive(Default)]
pub(crate) struct History {
    times: HashMap<Kind, u32>,
    file: Option<PathBuf>,
    changed: bool,
}

impl History {
    /// The history in a file; an unreadable one is an empty one, as it only decides an order.
    pub fn open(file: PathBuf) -> History {
        let mut times = HashMap::new();
        for line in std::fs::read_to_string(&file).unwrap_or_default().lines() {
            let Some((kind, us)) = line.split_once(' ') else {
                continue;
            };
            if let (Ok(kind), Ok(us)) = (u64::from_str_radix(kind, 16), us.parse()) {
                times.insert(Kind(kind), us);
            }
        }
        History { times, file: Some(file), changed: false }
    }

    /// How long a run is thought to take, in microseconds.
    pub fn estimate(&self, kind: Kind, input_bytes: u64) -> u64 {
        match self.times.get(&kind) {
            Some(us) => u64::from(*us).max(FLOOR_US),
            None => FLOOR_US.saturating_add(input_bytes / BYTES_PER_US),
        }
    }

    /// A run of this kind took so long.
    pub fn learn(&mut self, kind: Kind, us: u64) {
        let us = u32::try_from(us).unwrap_or(u32::MAX);
        let old = self.times.get(&kind).copied();
        let new = old.map_or(us, |old| (old / 2).saturating_add(us / 2));
        if old != Some(new) && (old.is_some() || self.times.len() < MAX_KINDS) {
            self.times.insert(kind, new);
            self.changed = true;
        }
    }

    /// A run of this kind took so long, some time ago.
    pub fn recall(&mut self, kind: Kind, us: u64) {
        if !self.times.contains_key(&kind) {
            self.learn(kind, us);
        }
    }

    /// Writes what was learnt. A failure is of no consequence.
    pub fn save(&mut self) {
        let Some(file) = self.file.as_deref().filter(|_| self.changed) else {
            return;
        };
        let mut kinds: Vec<_> = self.times.iter().collect();
        kinds.sort_unstable();
        let mut text = String::with_capacity(kinds.len() * 24);
        for (kind, us) in kinds {
            let _ = writeln!(text, "{:016x} {us}", kind.0);
        }
        if write_whole(file, text.as_bytes()).is_ok() {
            self.changed = false;
        }
    }
}

fn write_whole(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let temp = file.with_extension(std::process::id().to_string());
    std::fs::write(&temp, text)?;
    std::fs::rename(&temp, file).inspect_err(|_| {
        let _ = std::fs::remove_file(&temp);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_and_are_averaged() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("times");
        let mut history = History::open(file.clone());
        assert_eq!(history.estimate(Kind(1), 8_000), 3_000);
        history.learn(Kind(1), 40_000);
        history.learn(Kind(1), 20_000);
        history.recall(Kind(1), 1);
        history.learn(Kind(2), u64::MAX);
        history.save();
        std::fs::write(&file, format!("rubbish\n{}", std::fs::read_to_string(&file).unwrap())).unwrap();
        let history = History::open(file);
        assert_eq!(history.estimate(Kind(1), 0), 30_000);
        assert_eq!(history.estimate(Kind(2), 0), u64::from(u32::MAX));
    }
}
