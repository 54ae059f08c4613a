//! Large files are read at the same time, before they are asked for one by one: the first call of a build waits for hundreds of
//! megabytes of compiler, and the first `ar` for those of its plugins. Knows no model and no tree.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use gg_models::Stat;

use crate::ingest::Contents;

/// A smaller file takes less time than a thread.
pub(crate) const LARGE: u64 = 1 << 20;

/// A file that was changed so shortly before has to be read again by who needs it, as its times prove nothing.
const YOUNG_NS: i128 = 120_000_000_000;

/// Sees to it that the contents of large files in these states are known. `begun` is the time, in nanoseconds since 1970. What
/// cannot be read is found out by who needs it.
pub(crate) fn read_ahead(contents: &Contents, mut files: Vec<(PathBuf, Stat)>, begun: i128) {
    files.retain(|(_, stat)| {
        stat.size >= LARGE && begun - stat.mtime_ns.max(stat.ctime_ns) > YOUNG_NS && contents.known(stat).is_none()
    });
    if files.len() < 2 {
        return;
    }
    files.sort_by_key(|(_, stat)| std::cmp::Reverse(stat.size));
    let next = AtomicUsize::new(0);
    let read = || {
        while let Some((path, stat)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _ = contents.current(path, stat);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // One that cannot be started leaves its work to the others.
            let _ = std::thread::Builder::new().name("read-ahead".to_owned()).spawn_scoped(scope, read);
        }
        read();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::{Look, look};
    use gg_store::{DigestCache, LocalStore, Store as _};
    use gg_thunk::ValueName;

    #[test]
    fn large_old_files_are_in_the_store_afterwards_and_no_others() {
        let dir = gg_testkit::temp_dir();
        let store = LocalStore::open(&dir.path().join("gg")).unwrap();
        let contents = Contents::new(DigestCache::open(&store).unwrap(), store);
        let sizes = [LARGE, LARGE + 1, 3 * LARGE, LARGE - 1];
        let files = sizes.map(|size| {
            let path = dir.path().join(size.to_string());
            std::fs::write(&path, vec![7; size as usize]).unwrap();
            let stat = look(&path, Look::Own).unwrap().unwrap();
            (path, stat)
        });
        let gone = (dir.path().join("gone"), files[0].1);
        let begun = files[0].1.mtime_ns;
        let there = |size: &u64| contents.store.contains(&ValueName::of(&vec![7; *size as usize])).unwrap();
        read_ahead(&contents, files.to_vec(), begun);
        assert_eq!(sizes.each_ref().map(there), [false; 4], "too young");
        let all = [files.to_vec(), vec![gone]].concat();
        read_ahead(&contents, all, begun + 2 * YOUNG_NS);
        assert_eq!(sizes.each_ref().map(there), [true, true, true, false]);
    }
}
