//! Namespaces and what is mounted in them.

use std::ffi::CStr;
use std::io;
use std::ptr;

use super::{c_string, check};

/// Leaves the caller's namespaces for new ones (`CLONE_NEW*`).
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: takes integers only; a single-threaded process may leave its namespaces.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

fn mount(source: &[u8], target: &[u8], kind: Option<&CStr>, flags: libc::c_ulong, data: &[u8]) -> io::Result<()> {
    let (source, target, data) = (c_string(source)?, c_string(target)?, c_string(data)?);
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: every pointer is null where that is allowed, or a NUL-terminated string that outlives
    // the call.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, data.as_ptr().cast()) }).map(drop)
}

/// Keeps what is mounted from here on out of the namespaces that this one was copied from.
pub(crate) fn make_private() -> io::Result<()> {
    mount(b"none", b"/", None, libc::MS_REC | libc::MS_PRIVATE, b"")
}

/// A new file system in memory.
pub(crate) fn tmpfs(target: &[u8], options: &str) -> io::Result<()> {
    let flags = libc::MS_NOSUID;
    mount(b"gg", target, Some(c"tmpfs"), flags, options.as_bytes())
}

/// `upper` over `lower` as seen at `target`; paths are relative to the working directory, so that no
/// character of theirs needs quoting. `userxattr` where the caller is not the machine's root.
pub(crate) fn overlay(target: &[u8], options: &str) -> io::Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    mount(b"gg", target, Some(c"overlay"), flags, options.as_bytes())
}

/// The processes of the caller's pid namespace.
pub(crate) fn proc(target: &[u8]) -> io::Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(b"proc", target, Some(c"proc"), flags, b"")
}

/// Shows `source` at `target` as well, with all that is mounted below it if `recursive`.
pub(crate) fn bind(source: &[u8], target: &[u8], recursive: bool) -> io::Result<()> {
    let flags = if recursive { libc::MS_REC } else { 0 };
    mount(source, target, None, libc::MS_BIND | flags, b"")
}

/// Makes one mount read-only.
pub(crate) fn make_read_only(target: &[u8]) -> io::Result<()> {
    #[repr(C)]
    struct MountAttr {
        attr_set: u64,
        attr_clr: u64,
        propagation: u64,
        userns_fd: u64,
    }
    const MOUNT_ATTR_RDONLY: u64 = 1;
    let target = c_string(target)?;
    let attr = MountAttr { attr_set: MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: `target` is NUL-terminated, `attr` has the kernel's layout and the size given.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, target.as_ptr(), 0, &attr, size_of::<MountAttr>())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes the uppermost mount at a place away.
pub(crate) fn unmount(target: &[u8]) -> io::Result<()> {
    let target = c_string(target)?;
    // SAFETY: `target` is NUL-terminated and outlives the call.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// Makes the working directory, which must be a mount, the root, and forgets the old root.
pub(crate) fn pivot_here() -> io::Result<()> {
    // SAFETY: both strings are constants; the old root is stacked under the new one.
    let result = unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a constant string; what is detached is the old root, stacked on top.
    check(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) }).map(drop)
}
