//! Files relative to open directories, never following a symlink that was not asked for.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{c_string, check};

/// What `fstatat` tells, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub mode: u32,
    /// Time of the last change of content or metadata, in nanoseconds.
    pub ctime_ns: i128,
}

impl Status {
    pub fn is_dir(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }
    pub fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }
    pub fn is_symlink(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFLNK
    }
    /// Permission, set-id and sticky bits.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

fn open(dir: BorrowedFd<'_>, name: &CStr, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: `name` is NUL-terminated and outlives the call; the result is checked.
    let fd = check(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC, mode) })?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a directory for use as the base of other calls and for listing.
pub(crate) fn open_dir(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    open(dir, &c_string(name)?, flags, 0)
}

/// Creates a file that must not exist, for writing, with exactly this mode.
pub(crate) fn create(dir: BorrowedFd<'_>, name: &[u8], mode: u32) -> io::Result<OwnedFd> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let file = open(dir, &c_string(name)?, flags, 0o600)?;
    // SAFETY: a plain call on a descriptor that we hold.
    check(unsafe { libc::fchmod(file.as_raw_fd(), mode) })?;
    Ok(file)
}

/// Opens a path for reading as the process's own root and links resolve it; does not wait for a FIFO.
pub(crate) fn open_for_reading(path: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: AT_FDCWD is a constant that borrows no resource.
    let here = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    open(here, &c_string(path)?, flags, 0)
}

/// Makes a directory with exactly this mode (the caller's umask being 0).
pub(crate) fn make_dir(dir: BorrowedFd<'_>, name: &[u8], mode: u32) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

/// Makes a symbolic link.
pub(crate) fn make_link(dir: BorrowedFd<'_>, name: &[u8], target: &[u8]) -> io::Result<()> {
    let (name, target) = (c_string(name)?, c_string(target)?);
    // SAFETY: both strings are NUL-terminated and outlive the call.
    check(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// Makes a character device.
pub(crate) fn make_device(dir: BorrowedFd<'_>, name: &[u8], major: u32, minor: u32) -> io::Result<()> {
    let name = c_string(name)?;
    let (mode, device) = (libc::S_IFCHR | 0o666, libc::makedev(major, minor));
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, device) }).map(drop)
}

/// Moves a file between directories of one file system.
pub(crate) fn rename(from_dir: BorrowedFd<'_>, from: &[u8], to_dir: BorrowedFd<'_>, to: &[u8]) -> io::Result<()> {
    let (from, to) = (c_string(from)?, c_string(to)?);
    // SAFETY: both strings are NUL-terminated and outlive the call.
    check(unsafe { libc::renameat(from_dir.as_raw_fd(), from.as_ptr(), to_dir.as_raw_fd(), to.as_ptr()) }).map(drop)
}

/// Removes a file, link or device.
pub(crate) fn unlink(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), 0) }).map(drop)
}

/// Removes an empty directory.
pub(crate) fn remove_dir(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), libc::AT_REMOVEDIR) }).map(drop)
}

/// Removes whatever stands there, with all that is below it.
pub(crate) fn remove_all(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match unlink(dir, name) {
        Err(e) if e.raw_os_error() == Some(libc::EISDIR) => {}
        other => return other,
    }
    // A step may have left a directory that its owner cannot list.
    change_mode(dir, name, 0o700)?;
    let inner = open_dir(dir, name)?;
    for entry in list(inner.as_fd())? {
        remove_all(inner.as_fd(), entry.as_bytes())?;
    }
    remove_dir(dir, name)
}

/// Sets the mode of a file or directory.
pub(crate) fn change_mode(dir: BorrowedFd<'_>, name: &[u8], mode: u32) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::fchmodat(dir.as_raw_fd(), name.as_ptr(), mode, 0) }).map(drop)
}

/// Sets the modification time of an open file (and its access time to the same).
pub(crate) fn set_time(file: BorrowedFd<'_>, sec: i64, nsec: u32) -> io::Result<()> {
    let time = libc::timespec { tv_sec: sec, tv_nsec: libc::c_long::from(nsec) };
    let times = [time, time];
    // SAFETY: `times` holds the two entries that the call reads.
    check(unsafe { libc::futimens(file.as_raw_fd(), times.as_ptr()) }).map(drop)
}

/// What stands at a name itself; `None` if nothing does.
pub(crate) fn status(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Status>> {
    let name = c_string(name)?;
    // SAFETY: all-zero bytes are a valid `stat`, which holds only integers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: `name` is NUL-terminated, `stat` is writable, and both outlive the call.
    match check(unsafe { libc::fstatat(dir.as_raw_fd(), name.as_ptr(), &mut stat, flags) }) {
        Ok(_) => Ok(Some(Status {
            mode: stat.st_mode,
            ctime_ns: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
        })),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Where a link points.
pub(crate) fn read_link(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    let name = c_string(name)?;
    let mut target = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the call writes at most `target.len()` bytes into `target`.
    let len = unsafe { libc::readlinkat(dir.as_raw_fd(), name.as_ptr(), target.as_mut_ptr().cast(), target.len()) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    target.truncate(len);
    Ok(target)
}

/// The names in a directory, without `.` and `..`.
pub(crate) fn list(dir: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let own = open(dir, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
        let got = unsafe { libc::syscall(libc::SYS_getdents64, own.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        if got == 0 {
            return Ok(names);
        }
        let mut records = &buffer[..got];
        // struct linux_dirent64: u64 inode, i64 offset, u16 length, u8 type, the name and a NUL.
        while let (Some(len), Some(tail)) = (records.get(16..18), records.get(19..)) {
            let len = usize::from(u16::from_ne_bytes([len[0], len[1]]));
            let name = CStr::from_bytes_until_nul(tail).unwrap_or_default();
            if !matches!(name.to_bytes(), b"" | b"." | b"..") {
                names.push(name.to_owned());
            }
            records = records.get(len.max(19)..).unwrap_or_default();
        }
    }
}

/// A file in memory that several writers append to.
pub(crate) fn memory_file(name: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: `name` is NUL-terminated and outlives the call.
    let fd = check(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: a plain call on a descriptor that we hold.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_APPEND) })?;
    Ok(file)
}
