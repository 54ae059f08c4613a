//! Eviction: brings a `GG_DIR` under a size. Knows when things were used, not what they are for.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::AtPath;
use crate::layout::{self, Key};
use crate::local::{TOUCH_GRAIN, is_absence};
use crate::{LocalStore, Result, StoreError, lease, memo, pack, temp};

/// How many files are removed while others wait for the lock.
const BATCH: usize = 64;

/// What eviction found and did. Sizes are what the files take on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Files that were there: objects, memo records, what caches hold.
    pub files: u64,
    /// What they and the quarantine took.
    pub bytes: u64,
    /// Files that were evicted, least recently used first.
    pub freed_files: u64,
    /// What was freed, quarantine included.
    pub freed_bytes: u64,
    /// Files that would have been evicted too, had no running session used them.
    pub held_files: u64,
    /// Memo records that were dropped because an object of theirs is gone.
    pub dropped_records: u64,
    /// Corrupt files that were removed from quarantine.
    pub quarantine_files: u64,
    /// Temporary files of dead processes that were removed.
    pub swept_files: u64,
}

impl GcReport {
    /// What is left on disk.
    pub fn left_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.freed_bytes)
    }
}

struct Candidate {
    used: SystemTime,
    path: PathBuf,
    bytes: u64,
    /// Its time is that of its last change, not that of its last reading.
    is_pack: bool,
}

impl LocalStore {
    /// Evicts what was least recently used until objects and memo take no more than this, or until what is left was
    /// used since a living lease was taken. Drops memo records that rely on evicted objects. `caches` are directories,
    /// sharded as the store's own, of files that others keep beside it and can do without: they count and go likewise.
    pub fn gc(&self, max_size: u64, caches: &[PathBuf]) -> Result<GcReport> {
        let layout = self.layout();
        let mut report = GcReport { swept_files: temp::sweep(&layout.tmp).at(&layout.tmp)?, ..GcReport::default() };
        let mut candidates = Vec::new();
        let mut add = |path: PathBuf, is_pack| -> Result<()> {
            if let Some(candidate) = Candidate::look(path, is_pack)? {
                report.files += 1;
                report.bytes += candidate.bytes;
                candidates.push(candidate);
            }
            Ok(())
        };
        for dir in [&layout.objects, &layout.memo, &layout.pins].into_iter().chain(caches) {
            for path in layout::files_in_shards(dir).at(dir)? {
                add(path, false)?;
            }
        }
        for path in layout::entries(&layout.packs).at(&layout.packs)? {
            add(path, true)?;
        }
        self.empty_quarantine(max_size, &mut report)?;
        candidates.sort_unstable_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        let mut rest = candidates.as_slice();
        while report.left_bytes() > max_size && !rest.is_empty() {
            let (batch, later) = rest.split_at(rest.len().min(BATCH));
            if !self.evict(batch, max_size, &mut report)? {
                let mut over = report.left_bytes() - max_size;
                for held in batch.iter().chain(later).filter(|held| held.path.exists()) {
                    if over == 0 {
                        break;
                    }
                    over = over.saturating_sub(held.bytes);
                    report.held_files += 1;
                }
                break;
            }
            rest = later;
        }
        if report.freed_files > 0 {
            self.drop_broken_records(&mut report)?;
        }
        Ok(report)
    }

    /// Evicts from a batch, oldest first. `false` if the rest is held by leases.
    fn evict(&self, batch: &[Candidate], max_size: u64, report: &mut GcReport) -> Result<bool> {
        let guard = self.gc_lock()?;
        guard.lock().at(&self.layout().gc_lock)?;
        // The use time that is noted may be older than the use by the grain.
        let held_since = lease::oldest(&self.layout().leases)?
            .map(|since| since.checked_sub(TOUCH_GRAIN).unwrap_or(SystemTime::UNIX_EPOCH));
        for planned in batch {
            if report.left_bytes() <= max_size {
                return Ok(true);
            }
            if held_since.is_some_and(|since| planned.used >= since) {
                return Ok(false);
            }
            // First: who writes to a pack does so without the lock of gc.
            let lock = planned.is_pack.then(|| pack::lock_free(&planned.path));
            let Some(now) = Candidate::look(planned.path.clone(), planned.is_pack)? else {
                // Another gc was quicker.
                report.freed_bytes += planned.bytes;
                continue;
            };
            if now.used != planned.used {
                continue;
            }
            if let Some(None) = lock {
                report.held_files += 1;
                continue;
            }
            fs::remove_file(&now.path).at(&now.path)?;
            report.freed_files += 1;
            report.freed_bytes += planned.bytes;
        }
        Ok(true)
    }

    fn empty_quarantine(&self, max_size: u64, report: &mut GcReport) -> Result<()> {
        let dir = &self.layout().quarantine;
        let mut aside = Vec::new();
        for path in layout::entries(dir).at(dir)? {
            if let Some(candidate) = Candidate::look(path, false)? {
                report.bytes += candidate.bytes;
                aside.push(candidate);
            }
        }
        if report.bytes > max_size {
            for corrupt in aside {
                match fs::remove_file(&corrupt.path) {
                    Err(e) if is_absence(&e) => {}
                    removed => removed.at(&corrupt.path)?,
                }
                report.quarantine_files += 1;
                report.freed_bytes += corrupt.bytes;
            }
        }
        Ok(())
    }

    fn drop_broken_records(&self, report: &mut GcReport) -> Result<()> {
        let layout = self.layout();
        for path in layout::files_in_shards(&layout.memo).at(&layout.memo)? {
            let whole = memo::read_quietly(&path)?
                .is_some_and(|record| record.objects().all(|name| Key::of_value(layout, &name).path.exists()));
            if whole {
                continue;
            }
            let bytes = Candidate::look(path.clone(), false)?.map_or(0, |record| record.bytes);
            match fs::remove_file(&path) {
                Err(e) if is_absence(&e) => {}
                removed => {
                    removed.at(&path)?;
                    report.dropped_records += 1;
                    report.freed_bytes += bytes;
                }
            }
        }
        Ok(())
    }
}

impl Candidate {
    fn look(path: PathBuf, is_pack: bool) -> Result<Option<Candidate>> {
        match fs::symlink_metadata(&path) {
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(StoreError::at(&path, e)),
            Ok(meta) if !meta.is_file() => Ok(None),
            Ok(meta) => {
                let bytes = (meta.blocks() * 512).max(meta.len());
                let used = if is_pack { meta.modified() } else { meta.accessed() };
                Ok(Some(Candidate { used: used.at(&path)?, bytes, path, is_pack }))
            }
        }
    }
}

/// The lock file between gc and the others. Released when the descriptor is closed.
pub(crate) fn lock_file(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path).at(path)
}
