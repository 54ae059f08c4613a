//! The system calls of the session that the standard library does not offer.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::LazyLock;

use gg_models::{FileKind, Stat};

fn poll(set: &mut [libc::pollfd], timeout_ms: i32) {
    // SAFETY: `set` is a valid array of its own length, borrowed exclusively for the whole call. A call that
    // is interrupted leaves `revents` as they were: 0.
    unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, timeout_ms) };
}

/// What stands at a path, links at its end followed or not. One that does not begin with a slash begins at the directory.
pub(crate) fn stat_at(dir: Option<BorrowedFd<'_>>, path: &OsStr, follow: bool) -> io::Result<Stat> {
    let path = CString::new(path.as_bytes())?;
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    status(dir.map_or(libc::AT_FDCWD, |dir| dir.as_raw_fd()), &path, flags)
}

/// The state of what a descriptor was opened for.
pub(crate) fn stat_of(open: BorrowedFd<'_>) -> io::Result<Stat> {
    status(open.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

fn status(dir: RawFd, path: &CStr, flags: libc::c_int) -> io::Result<Stat> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends in NUL, and the pointer is to a `stat` of this function
    if unsafe { libc::fstatat(dir, path.as_ptr(), stat.as_mut_ptr(), flags) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded and filled it in
    let stat = unsafe { stat.assume_init() };
    let kind = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => FileKind::File,
        libc::S_IFDIR => FileKind::Dir,
        libc::S_IFLNK => FileKind::Symlink,
        _ => FileKind::Other,
    };
    let ns = |sec: libc::time_t, nsec: i64| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    Ok(Stat {
        kind,
        mode: stat.st_mode & 0o7777,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        dev: stat.st_dev,
        ino: stat.st_ino,
        mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
    })
}

/// Opens a directory by its path from another, to look from there.
pub(crate) fn open_dir_at(dir: BorrowedFd<'_>, path: &OsStr) -> io::Result<File> {
    let path = CString::new(path.as_bytes())?;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path ends in NUL, and the directory is open while it is borrowed
    match unsafe { libc::openat(dir.as_raw_fd(), path.as_ptr(), flags) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor was opened just now, and nobody else has it
        open => Ok(unsafe { File::from_raw_fd(open) }),
    }
}

/// How many bytes are free for this user in the file system that a path is in, or would be.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let name = CString::new(there.as_os_str().as_bytes())?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the name ends in NUL, and the pointer is to a `statvfs` of this function
    if unsafe { libc::statvfs(name.as_ptr(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded and filled it in
    let stat = unsafe { stat.assume_init() };
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether a directory is in a file system of which it is known that a directory's times change with its names, and that it has no
/// names but those that it lists.
pub(crate) fn names_are_timed(dir: &Path) -> bool {
    let Ok(name) = CString::new(dir.as_os_str().as_bytes()) else { return false };
    let mut stat = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the name ends in NUL, and the pointer is to a `statfs` of this function
    if unsafe { libc::statfs(name.as_ptr(), stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call has succeeded and filled it in
    let kind = unsafe { stat.assume_init() }.f_type;
    let known = [
        libc::BTRFS_SUPER_MAGIC,
        libc::EXT4_SUPER_MAGIC,
        libc::OVERLAYFS_SUPER_MAGIC,
        libc::TMPFS_MAGIC,
        libc::XFS_SUPER_MAGIC,
    ];
    known.contains(&kind)
}

/// Writes a whole file under its name, by way of a name beside it; makes its directory. What fails leaves nothing.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_beside(path, bytes, |beside| std::fs::rename(beside, path))
}

/// The same, of a file that nobody misses while it is half written: it is written over where it lies. ext4 writes a file to the
/// disk at once that is renamed over another or cut to nothing first, which costs a millisecond.
pub(crate) fn write_missable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = |mut file: File| {
        let written = file.write_all(bytes).and_then(|()| {
            let longer = file.metadata()?.len() > bytes.len() as u64;
            if longer { file.set_len(bytes.len() as u64) } else { Ok(()) }
        });
        // A full disk is not to hold it too.
        written.inspect_err(|_| drop(std::fs::remove_file(path)))
    };
    match OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Ok(file) => write(file),
        // There is none, or it is another user's.
        Err(_) => write_beside(path, bytes, |beside| {
            let _ = std::fs::remove_file(path);
            std::fs::rename(beside, path)
        }),
    }
}

fn write_beside(path: &Path, bytes: &[u8], place: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    // Processes of two containers may have the same number.
    static OWN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{:016x}-{:?}", *OWN, std::thread::current().id()));
    let beside = Path::new(&beside);
    let write = || std::fs::write(beside, bytes);
    let written = write().or_else(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().ok_or(e)?)?;
            write()
        }
        _ => Err(e),
    });
    written.and_then(|()| place(beside)).inspect_err(|_| {
        // A full disk is not to hold it too.
        let _ = std::fs::remove_file(beside);
    })
}

/// One write of a whole line, which makes the file: lines of several processes do not mix. It begins on a line of its own,
/// whatever a killed process or a full disk left there.
pub(crate) fn append_line(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    let mut file = options.clone().read(true).open(path).or_else(|_| options.open(path))?;
    let mut last = [b'\n'];
    if let Some(end) = file.metadata()?.len().checked_sub(1) {
        // What cannot be read is taken for whole.
        let _ = file.read_exact_at(&mut last, end);
    }
    let torn: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    file.write_all(&[torn, line, b"\n"].concat())
}

/// Waits until `wake` can be read or the other end of one of the sockets has closed.
pub(crate) fn wait_for_hangup(wake: RawFd, sockets: &[RawFd]) {
    let entry = |fd, events| libc::pollfd { fd, events, revents: 0 };
    let mut set = vec![entry(wake, libc::POLLIN)];
    set.extend(sockets.iter().map(|fd| entry(*fd, libc::POLLRDHUP)));
    poll(&mut set, -1);
}

/// Whether the other end of the socket has closed.
pub(crate) fn hung_up(socket: RawFd) -> bool {
    let mut set = [libc::pollfd { fd: socket, events: libc::POLLRDHUP, revents: 0 }];
    poll(&mut set, 0);
    set[0].revents != 0
}

/// The same of a socket that is held.
pub(crate) fn is_hung_up(socket: &std::os::unix::net::UnixStream) -> bool {
    hung_up(socket.as_raw_fd())
}

/// Waits until one of these can be read, at most this long; which can.
pub(crate) fn readable<const N: usize>(fds: [RawFd; N], patience: std::time::Duration) -> [bool; N] {
    let mut set = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    poll(&mut set, i32::try_from(patience.as_millis()).unwrap_or(i32::MAX));
    set.map(|entry| entry.revents != 0)
}

/// Takes the lock of a file if nobody holds it; it is held until the file is closed.
pub(crate) fn try_lock(file: &File) -> bool {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Makes descriptor `to` another name of `from`'s file.
pub(crate) fn replace_descriptor(from: &File, to: RawFd) -> bool {
    // SAFETY: both are plain descriptor numbers; nothing in this process owns 0, 1 or 2 as a Rust object that closes them.
    unsafe { libc::dup2(from.as_raw_fd(), to) == to }
}

/// Waits for the lock of a file.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A file in the directory that has no name yet; `None` where the file system has no such files, or `/proc` is missing, by
/// which they are given one.
pub(crate) fn unnamed_file(dir: &Path) -> io::Result<Option<File>> {
    let made = OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(dir);
    match made {
        Ok(file) => Ok(Some(file).filter(|file| Path::new(&own_link(file)).is_symlink())),
        // As the manual has it: not known to the file system, or not to the kernel.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => Ok(None),
        Err(e) => Err(e),
    }
}

fn own_link(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives the file its first name.
pub(crate) fn link_unnamed(file: &File, path: &Path) -> io::Result<()> {
    let from = CString::new(own_link(file))?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::AT_SYMLINK_FOLLOW;
    // SAFETY: both strings end with a NUL and live until the call returns.
    match unsafe { libc::linkat(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Two files change their names.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let one = CString::new(one.as_os_str().as_bytes())?;
    let other = CString::new(other.as_os_str().as_bytes())?;
    let here = libc::AT_FDCWD;
    // SAFETY: both strings end with a NUL and live until the call returns.
    match unsafe { libc::renameat2(here, one.as_ptr(), here, other.as_ptr(), libc::RENAME_EXCHANGE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes sure that so many bytes from the file's start can be written; the file stays as it is. Where the file system
/// cannot tell, nothing is known.
pub(crate) fn reserve(file: &File, length: u64) -> io::Result<()> {
    let Ok(length) = libc::off_t::try_from(length) else { return Err(io::ErrorKind::FileTooLarge.into()) };
    if length == 0 {
        return Ok(());
    }
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    match unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, length) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            e if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Err(e),
            _ => Ok(()),
        },
    }
}

/// Whether the process at the other end of the socket has this process's mounts: what it means by a path is then what this
/// process means by it.
pub(crate) fn has_our_mounts(socket: &std::os::unix::net::UnixStream) -> bool {
    let mounts = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    // Without /proc nothing is known.
    match mounts("self") {
        None => true,
        ours => peer(socket).is_some_and(|peer| mounts(&peer.to_string()) == ours),
    }
}

/// The number of the process at the other end of the socket; `None` of one in another pid namespace.
pub(crate) fn peer(socket: &std::os::unix::net::UnixStream) -> Option<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: both out-pointers are to live locals, and the length says how large the first is.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    // A process of another pid namespace has the number 0 here.
    u32::try_from(peer.pid).ok().filter(|pid| answer == 0 && *pid != 0)
}

/// A limit of a process, 0 for this one: soft and hard.
pub(crate) fn limit(process: u32, kind: u32) -> io::Result<(u64, u64)> {
    let process = libc::pid_t::try_from(process).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: nothing is set, and the out-pointer is to a live local
    let got = unsafe { libc::prlimit(process, kind, std::ptr::null(), &raw mut limit) };
    if got == 0 { Ok((limit.rlim_cur, limit.rlim_max)) } else { Err(io::Error::last_os_error()) }
}

/// Whether this user may do all of this (`W_OK` …) with what is at a path.
pub(crate) fn permits(path: &Path, what: libc::c_int) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the string ends with a NUL and lives until the call returns
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), what, libc::AT_EACCESS) == 0 }
}

/// Whether what is made in the directory gets an access control list: the modes are then not those of the private root.
pub(crate) fn has_default_acl(dir: &Path) -> bool {
    let Ok(dir) = CString::new(dir.as_os_str().as_bytes()) else { return false };
    let name = c"system.posix_acl_default";
    // SAFETY: both strings end with a NUL and live until the call returns; a length of 0 asks for the size only.
    unsafe { libc::getxattr(dir.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) > 0 }
}
