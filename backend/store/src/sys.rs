//! The two calls of the system that the standard library lacks. Knows nothing of stores.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Sets the access time of a file to the file system's own now and leaves its modification time.
pub(crate) fn touch_access(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let times = [
        libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW },
        libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT },
    ];
    // SAFETY: `path` is a NUL-terminated string and `times` an array of two timespecs; both outlive the call.
    let answer = unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether the times on the file system of this file come from this kernel's clock.
pub(crate) fn has_our_clock(file: &File) -> io::Result<bool> {
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open for as long as `file` lives, and `answer` is room for one statfs.
    if unsafe { libc::fstatfs(file.as_raw_fd(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fstatfs returned 0, so it filled the structure.
    let kind = unsafe { answer.assume_init() }.f_type as u32;
    // ext2-4, xfs, btrfs, tmpfs, ramfs, overlayfs, f2fs, zfs, bcachefs, squashfs, erofs, iso9660.
    Ok(matches!(
        kind,
        0xef53
            | 0x5846_5342
            | 0x9123_683e
            | 0x0102_1994
            | 0x8584_58f6
            | 0x794c_7630
            | 0xf2f5_2010
            | 0x2fc1_2fc1
            | 0xca45_1a4e
            | 0x7371_7368
            | 0xe0f5_e1e2
            | 0x9660
    ))
}

/// How long a file may be that this process writes, in bytes. What is longer is answered by a signal.
pub(crate) fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the out-pointer is to a live local
    let got = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    if got == 0 { limit.rlim_cur } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, SystemTime};

    #[test]
    fn touching_moves_the_access_time_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = File::create(&path).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        file.set_times(std::fs::FileTimes::new().set_accessed(old).set_modified(old)).unwrap();
        touch_access(&path).unwrap();
        let now = file.metadata().unwrap();
        assert_eq!(now.mtime(), 1_000_000);
        assert!(now.atime() > 1_000_000_000, "{}", now.atime());
        assert!(touch_access(&dir.path().join("absent")).is_err());
    }

    #[test]
    fn proc_is_not_a_file_system_with_our_clock() {
        assert!(!has_our_clock(&File::open("/proc/self/stat").unwrap()).unwrap());
    }
}
