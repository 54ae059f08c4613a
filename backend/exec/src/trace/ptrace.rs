//! The `ptrace` and `wait` system calls, safe to call, each a plain function over a thread's number.
//!
//! It knows nothing of what is traced or why.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::ptr;

/// How a resumed thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// To the next traced event.
    Run,
    /// To the end of the system call it is in.
    ToCallEnd,
}

/// Where a thread stopped in a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallInfo {
    /// At the filter, before the call.
    Filter { number: u64, args: [u64; 6], data: u32 },
    /// After the call: its value, or the negated error number.
    End { result: i64 },
    /// Elsewhere.
    Other,
}

/// What a wait found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Exited(i32),
    Killed(i32),
    /// Stopped by the filter.
    Filter,
    /// Stopped at the end of a system call.
    CallEnd,
    /// Has become another program.
    Exec,
    /// Stopped by job control, until it is continued.
    GroupStop,
    /// Any other stop of the tracer's own: a new thread's first, a fork.
    Note,
    /// About to get this signal.
    Signal(i32),
}

/// Attaches to a child, without stopping it; all it starts is attached from its birth.
pub(super) fn seize(pid: i32) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_EXITKILL;
    // SAFETY: PTRACE_SEIZE takes numbers only and touches no memory of ours.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, ptr::null_mut::<u8>(), options as usize) })
}

/// Lets a stopped thread go on, delivering `signal` unless it is 0. A thread that was killed meanwhile is no error.
pub(super) fn resume(tid: i32, how: Resume, signal: i32) -> io::Result<()> {
    let request = match how {
        Resume::Run => libc::PTRACE_CONT,
        Resume::ToCallEnd => libc::PTRACE_SYSCALL,
    };
    // SAFETY: both requests take numbers only and touch no memory of ours.
    gone_is_fine(check(unsafe { libc::ptrace(request, tid, ptr::null_mut::<u8>(), signal as usize) }))
}

/// Leaves a thread in its group stop, but lets it notice the signal that ends the stop.
pub(super) fn listen(tid: i32) -> io::Result<()> {
    // SAFETY: PTRACE_LISTEN takes numbers only and touches no memory of ours.
    gone_is_fine(check(unsafe { libc::ptrace(libc::PTRACE_LISTEN, tid, ptr::null_mut::<u8>(), 0_usize) }))
}

/// The number that a thread had before it became the leader by `execve`.
pub(super) fn former_tid(tid: i32) -> io::Result<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel writes one unsigned long to `message`, which is one and lives through the call.
    check(unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, ptr::null_mut::<u8>(), &raw mut message) })?;
    Ok(message as i32)
}

/// `struct ptrace_syscall_info`, its union as words.
#[repr(C)]
struct RawInfo {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    ip: u64,
    sp: u64,
    words: [u64; 8],
}

const INFO_END: u8 = 2;
const INFO_FILTER: u8 = 3;

/// What a stopped thread's system call is, or gave.
pub(super) fn call_info(tid: i32) -> io::Result<CallInfo> {
    let mut info = MaybeUninit::<RawInfo>::zeroed();
    // SAFETY: the kernel writes at most `size_of::<RawInfo>()` bytes, the size given, to `info`, which has that size.
    check(unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, tid, size_of::<RawInfo>(), info.as_mut_ptr()) })?;
    // SAFETY: all fields are integers, so zeroed memory, or whatever part of it the kernel wrote, is a value.
    let info = unsafe { info.assume_init() };
    let [number, a, b, c, d, e, f, data] = info.words;
    Ok(match info.op {
        INFO_FILTER => CallInfo::Filter { number, args: [a, b, c, d, e, f], data: data as u32 },
        INFO_END => CallInfo::End { result: number as i64 },
        _ => CallInfo::Other,
    })
}

/// Waits for the next event of any thread that the calling thread traces or has forked, and of no other thread's
/// children. `None` when there is none left.
pub(super) fn wait() -> io::Result<Option<(i32, Event)>> {
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one int to `status`, which lives through the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if pid >= 0 {
            return Ok(Some((pid, event(status))));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(None),
            _ => return Err(error),
        }
    }
}

fn event(status: i32) -> Event {
    if libc::WIFEXITED(status) {
        return Event::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Event::Killed(libc::WTERMSIG(status));
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        libc::PTRACE_EVENT_SECCOMP => Event::Filter,
        libc::PTRACE_EVENT_EXEC => Event::Exec,
        PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Event::GroupStop,
        0 if signal == libc::SIGTRAP | 0x80 => Event::CallEnd,
        0 => Event::Signal(signal),
        _ => Event::Note,
    }
}

const PTRACE_EVENT_STOP: i32 = 128;

/// Kills a process; one that is dead already is no error.
pub(super) fn kill(pid: i32) {
    if pid > 0 {
        // SAFETY: takes numbers only; the pid is that of a child not yet waited for, so it is no one else's.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}
