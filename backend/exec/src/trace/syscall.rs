//! The table of traced system calls: which argument is the path, which the directory, what the call does.
//!
//! Data only; the same rows make the filter and guide the decoding. It knows nothing of processes.

/// Whether this machine's system calls are known.
pub(super) const SUPPORTED: bool = cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));

/// The index of a system call's argument.
pub(super) type Arg = usize;

/// What a call does to the file it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Exec,
    Look,
    Remove,
    Mkdir,
    Write,
    Change,
}

/// Where the flags of an `open` are.
#[derive(Clone, Copy, Debug)]
pub(super) enum OpenFlags {
    /// In an argument.
    Arg(Arg),
    /// `creat` has none.
    Creat,
    /// At the head of the `open_how` that an argument points to.
    How(Arg),
}

/// How a call names its files.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Open {
        dir: Option<Arg>,
        path: Arg,
        flags: OpenFlags,
    },
    /// `flags` is where `AT_EMPTY_PATH` may stand.
    Path {
        dir: Option<Arg>,
        path: Arg,
        flags: Option<Arg>,
        verb: Verb,
    },
    Rename {
        from: (Option<Arg>, Arg),
        to: (Option<Arg>, Arg),
    },
    Link {
        from: (Option<Arg>, Arg),
        to: (Option<Arg>, Arg),
        flags: Option<Arg>,
    },
    Symlink {
        target: Arg,
        dir: Option<Arg>,
        path: Arg,
    },
    /// A change through a descriptor.
    ChangeFd {
        fd: Arg,
    },
    /// The entries of the directory behind a descriptor.
    List {
        fd: Arg,
    },
    Socket,
    Connect,
    Bind,
}

/// A path in the process's directory.
const fn path(path: Arg, verb: Verb) -> Shape {
    Shape::Path { dir: None, path, flags: None, verb }
}

/// A path in a descriptor's directory, the first two arguments.
const fn at(verb: Verb) -> Shape {
    Shape::Path { dir: Some(0), path: 1, flags: None, verb }
}

/// The same, with flags.
const fn at_flags(verb: Verb, flags: Arg) -> Shape {
    Shape::Path { dir: Some(0), path: 1, flags: Some(flags), verb }
}

/// The calls that every machine has.
#[rustfmt::skip]
static COMMON: &[(libc::c_long, Shape)] = &[
    (libc::SYS_openat,      Shape::Open { dir: Some(0), path: 1, flags: OpenFlags::Arg(2) }),
    (libc::SYS_openat2,     Shape::Open { dir: Some(0), path: 1, flags: OpenFlags::How(2) }),
    (libc::SYS_execve,      path(0, Verb::Exec)),
    (libc::SYS_execveat,    at_flags(Verb::Exec, 4)),
    (libc::SYS_newfstatat,  at_flags(Verb::Look, 3)),
    (libc::SYS_statx,       at_flags(Verb::Look, 2)),
    (libc::SYS_faccessat,   at(Verb::Look)),
    (libc::SYS_faccessat2,  at_flags(Verb::Look, 3)),
    (libc::SYS_readlinkat,  at(Verb::Look)),
    (libc::SYS_statfs,      path(0, Verb::Look)),
    (libc::SYS_getxattr,    path(0, Verb::Look)),
    (libc::SYS_lgetxattr,   path(0, Verb::Look)),
    (libc::SYS_listxattr,   path(0, Verb::Look)),
    (libc::SYS_llistxattr,  path(0, Verb::Look)),
    (libc::SYS_chdir,       path(0, Verb::Look)),
    (libc::SYS_chroot,      path(0, Verb::Look)),
    (libc::SYS_inotify_add_watch, path(1, Verb::Look)),
    (libc::SYS_name_to_handle_at, at_flags(Verb::Look, 4)),
    (libc::SYS_getdents64,  Shape::List { fd: 0 }),
    (libc::SYS_truncate,    path(0, Verb::Write)),
    (libc::SYS_mknodat,     at(Verb::Write)),
    (libc::SYS_mkdirat,     at(Verb::Mkdir)),
    (libc::SYS_unlinkat,    at(Verb::Remove)),
    (SYS_RENAMEAT,          Shape::Rename { from: (Some(0), 1), to: (Some(2), 3) }),
    (libc::SYS_renameat2,   Shape::Rename { from: (Some(0), 1), to: (Some(2), 3) }),
    (libc::SYS_linkat,      Shape::Link { from: (Some(0), 1), to: (Some(2), 3), flags: Some(4) }),
    (libc::SYS_symlinkat,   Shape::Symlink { target: 0, dir: Some(1), path: 2 }),
    (libc::SYS_fchmod,      Shape::ChangeFd { fd: 0 }),
    (libc::SYS_fchown,      Shape::ChangeFd { fd: 0 }),
    (libc::SYS_fsetxattr,   Shape::ChangeFd { fd: 0 }),
    (libc::SYS_fremovexattr, Shape::ChangeFd { fd: 0 }),
    (libc::SYS_fchmodat,    at(Verb::Change)),
    (SYS_FCHMODAT2,         at_flags(Verb::Change, 3)),
    (libc::SYS_fchownat,    at_flags(Verb::Change, 4)),
    (libc::SYS_utimensat,   at_flags(Verb::Change, 3)),
    (libc::SYS_setxattr,    path(0, Verb::Change)),
    (libc::SYS_lsetxattr,   path(0, Verb::Change)),
    (libc::SYS_removexattr, path(0, Verb::Change)),
    (libc::SYS_lremovexattr, path(0, Verb::Change)),
    (libc::SYS_socket,      Shape::Socket),
    (libc::SYS_connect,     Shape::Connect),
    (libc::SYS_bind,        Shape::Bind),
];

#[cfg(target_arch = "aarch64")]
const SYS_RENAMEAT: libc::c_long = 38;
#[cfg(not(target_arch = "aarch64"))]
const SYS_RENAMEAT: libc::c_long = libc::SYS_renameat;

/// `fchmodat2` has the same number everywhere.
const SYS_FCHMODAT2: libc::c_long = 452;

/// The calls that only older machines have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static OLD: &[(libc::c_long, Shape)] = &[
    (libc::SYS_open,      Shape::Open { dir: None, path: 0, flags: OpenFlags::Arg(1) }),
    (libc::SYS_creat,     Shape::Open { dir: None, path: 0, flags: OpenFlags::Creat }),
    (libc::SYS_stat,      path(0, Verb::Look)),
    (libc::SYS_lstat,     path(0, Verb::Look)),
    (libc::SYS_access,    path(0, Verb::Look)),
    (libc::SYS_readlink,  path(0, Verb::Look)),
    (libc::SYS_getdents,  Shape::List { fd: 0 }),
    (libc::SYS_mknod,     path(0, Verb::Write)),
    (libc::SYS_mkdir,     path(0, Verb::Mkdir)),
    (libc::SYS_unlink,    path(0, Verb::Remove)),
    (libc::SYS_rmdir,     path(0, Verb::Remove)),
    (libc::SYS_rename,    Shape::Rename { from: (None, 0), to: (None, 1) }),
    (libc::SYS_link,      Shape::Link { from: (None, 0), to: (None, 1), flags: None }),
    (libc::SYS_symlink,   Shape::Symlink { target: 0, dir: None, path: 1 }),
    (libc::SYS_chmod,     path(0, Verb::Change)),
    (libc::SYS_chown,     path(0, Verb::Change)),
    (libc::SYS_lchown,    path(0, Verb::Change)),
    (libc::SYS_utime,     path(0, Verb::Change)),
    (libc::SYS_utimes,    path(0, Verb::Change)),
    (libc::SYS_futimesat, at(Verb::Change)),
];
#[cfg(not(target_arch = "x86_64"))]
static OLD: &[(libc::c_long, Shape)] = &[];

/// Every traced call.
pub(super) fn all() -> impl Iterator<Item = (libc::c_long, Shape)> {
    COMMON.iter().chain(OLD).copied()
}

/// The row of a call, if it is traced.
pub(super) fn shape(number: u64) -> Option<Shape> {
    all().find(|(nr, _)| u64::try_from(*nr) == Ok(number)).map(|(_, shape)| shape)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn each_call_has_one_row() {
        let mut seen = HashSet::new();
        for (nr, shape) in super::all() {
            assert!(seen.insert(nr), "{nr} {shape:?} stands twice");
        }
    }

    #[test]
    fn the_filter_can_jump_over_all_rows() {
        // A jump's offset is a byte; the filter jumps from its head to its end.
        assert!(super::all().count() < 250);
    }
}
