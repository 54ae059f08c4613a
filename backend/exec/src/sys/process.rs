//! This process and its children: forking, waiting, what they inherit.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::check;

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The new process.
    Child,
    /// The old process, and the new one's id.
    Parent(libc::pid_t),
}

/// Forks, with new namespaces for the child if `namespaces` (`CLONE_NEW*`) asks for them.
///
/// Only for a process with one thread: no lock can then be held by a thread that the child lacks.
pub(crate) fn fork(namespaces: libc::c_int) -> io::Result<Fork> {
    let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with a null stack this is fork(2): the child runs on its own copy
    // of everything. Callers have one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match pid {
        0 => Ok(Fork::Child),
        pid if pid > 0 => Ok(Fork::Parent(pid as libc::pid_t)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps this thread, and the processes that it starts, on one of the processors that it may use: which, turns with `turn`.
/// Where that is not allowed nothing changes.
pub(crate) fn keep_on_one_processor(turn: usize) {
    // SAFETY: all-zero bytes are an empty set; the pointers are to live sets of the size given, and 0 is this thread.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed) != 0 {
            return;
        }
        let count = usize::try_from(libc::CPU_COUNT(&allowed)).unwrap_or(0).max(1);
        let all = 0..libc::CPU_SETSIZE as usize;
        let Some(one) = all.filter(|cpu| libc::CPU_ISSET(*cpu, &allowed)).nth(turn % count) else { return };
        let mut chosen: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(one, &mut chosen);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const chosen);
    }
}

/// A descriptor that means this child and no later process of the same number (Linux 5.3 and later).
pub(crate) fn handle(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made the descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Asks the process of a [`handle`] to end, if it still runs, so that it can clear up what it has half done.
pub(crate) fn end_by_handle(process: BorrowedFd<'_>) {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null pointer stands for the information that kill(2) would give. One that is gone needs no kill.
    let _ = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGTERM, no_info, 0) };
}

/// Ends this process at once, running nothing that was registered for its end.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: never returns and touches nothing of ours.
    unsafe { libc::_exit(code) }
}

/// How a child ended and what it used.
pub(crate) struct Waited {
    pub pid: libc::pid_t,
    pub status: libc::c_int,
    pub user_us: u64,
    pub sys_us: u64,
    pub max_rss_kb: u64,
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

/// Waits for one child, or for any if `pid` is -1.
pub(crate) fn wait(pid: libc::pid_t) -> io::Result<Waited> {
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid `rusage`, which holds only integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both out-pointers are to live locals.
        match check(unsafe { libc::wait4(pid, &mut status, 0, &mut usage) }) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
            Ok(pid) => {
                return Ok(Waited {
                    pid,
                    status,
                    user_us: micros(usage.ru_utime),
                    sys_us: micros(usage.ru_stime),
                    max_rss_kb: u64::try_from(usage.ru_maxrss).unwrap_or(0),
                });
            }
        }
    }
}

/// Kills a process, or a whole group if `pid` is negative. That it is gone already is no error.
pub(crate) fn kill(pid: libc::pid_t) {
    // SAFETY: takes integers only.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Asks for SIGKILL when the parent dies; false if it is dead already.
pub(crate) fn die_with_parent(parent: libc::pid_t) -> bool {
    // SAFETY: takes integers only.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        // In a new pid namespace the parent is outside and has number 0.
        let now = libc::getppid();
        now == parent || now == 0
    }
}

/// The id of this process.
pub(crate) fn own_pid() -> libc::pid_t {
    // SAFETY: cannot fail.
    unsafe { libc::getpid() }
}

/// Makes the command's process die when its parent does.
pub(crate) fn tie_to_parent(command: &mut Command) {
    let parent = own_pid();
    // SAFETY: the closure runs between fork and exec and makes only two system calls.
    unsafe {
        command.pre_exec(
            move || {
                if die_with_parent(parent) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
            },
        );
    }
}

/// Starts a session without a terminal, whose group has this process's id.
pub(crate) fn new_session() {
    // SAFETY: takes nothing; fails only if this process leads a group already, which is as good.
    unsafe { libc::setsid() };
}

/// Sets the mask of new files' modes.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: takes an integer only and cannot fail.
    unsafe { libc::umask(mask) };
}

/// Makes the steps' standard descriptors of these, and number 3 of `result`; closes all others.
pub(crate) fn arrange_descriptors(standard: [BorrowedFd<'_>; 3], result: BorrowedFd<'_>) -> io::Result<()> {
    // Above what is about to be overwritten, whatever numbers they have now.
    let mut high = [0; 4];
    for (slot, fd) in high.iter_mut().zip(standard.iter().chain([&result])) {
        // SAFETY: a plain call on a descriptor that the caller holds.
        *slot = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD, 16) })?;
    }
    for (target, fd) in (0..).zip(high) {
        let flags = if target == 3 { libc::O_CLOEXEC } else { 0 };
        // SAFETY: the child owns its table; the numbers replaced are the ones it is to have.
        check(unsafe { libc::dup3(fd, target, flags) })?;
    }
    close_from(4);
    Ok(())
}

/// Closes every descriptor from this number on.
pub(crate) fn close_from(first: u32) {
    // SAFETY: callers hold no owner of a descriptor that they still mean to use or to drop.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Default disposition for every signal, none blocked; SIGPIPE alone stays ignored for this process
/// (the standard library gives it back to the commands that it starts).
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        let to = if signal == libc::SIGPIPE { libc::SIG_IGN } else { libc::SIG_DFL };
        // SAFETY: no handler of ours is installed; numbers that cannot be set are refused.
        unsafe { libc::signal(signal, to) };
    }
    // SAFETY: `set` is initialised by sigemptyset before it is read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
    }
}

/// Keeps other processes of the same user from reading this one's memory, or attaching to it.
pub(crate) fn hide() {
    // SAFETY: takes integers only.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Gives up, for what this process will execute, every capability but those over files and ids.
pub(crate) fn keep_file_capabilities() {
    // CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, KILL, SETGID, SETUID are 0 to 7.
    for capability in 8..64 {
        // SAFETY: takes integers only.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            // The first number that the kernel does not know, or a right that is not held at all.
            break;
        }
    }
}

/// The effective user and group.
pub(crate) fn ids() -> (u32, u32) {
    // SAFETY: cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Makes a directory the root of this process.
pub(crate) fn change_root(path: &[u8]) -> io::Result<()> {
    std::os::unix::fs::chroot(std::path::Path::new(std::ffi::OsStr::new(
        <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path),
    )))
}
