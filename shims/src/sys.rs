//! The system calls that the standard library does not offer: processes, signals, raw writes.
//!
//! The process has one thread; what follows a fork here relies on that.

use std::ffi::{CStr, CString};
use std::fs::OpenOptions;
use std::io::{self, PipeReader, Read};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;
use std::time::Duration;

use gg_protocol::RanStatus;

/// The signals that mean the tool and are passed on to it.
const FORWARDED: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// Strings as `execve` takes them: pointers, the last one null.
pub(crate) struct Pointers<'a> {
    pointers: Vec<*const libc::c_char>,
    strings: PhantomData<&'a [CString]>,
}

impl<'a> Pointers<'a> {
    pub(crate) fn new(strings: &'a [CString]) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, strings: PhantomData }
    }
}

/// `execve`; returns only its error.
pub(crate) fn exec(exe: &CStr, argv: &Pointers<'_>, env: &Pointers<'_>) -> io::Error {
    // SAFETY: all strings end in NUL and outlive the call, both arrays end in a null pointer
    unsafe { libc::execve(exe.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr()) };
    io::Error::last_os_error()
}

/// The path by which this process was executed, as the kernel was given it.
pub(crate) fn exec_name() -> Option<&'static [u8]> {
    // SAFETY: takes a number
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    // SAFETY: the kernel put a string there that ends in NUL and stays as long as the process
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_bytes())
}

/// `write`, on the descriptor itself.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live slice
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Waits until a non-blocking descriptor takes bytes; whether there is hope.
pub(crate) fn wait_writable(fd: RawFd) -> bool {
    poll(fd, libc::POLLOUT, -1).is_ok()
}

/// Waits for bytes or the end; whether something came in time.
pub(crate) fn wait_readable(pipe: &PipeReader, patience: Duration) -> io::Result<bool> {
    poll(pipe.as_raw_fd(), libc::POLLIN, i32::try_from(patience.as_millis()).unwrap_or(i32::MAX))
}

fn poll(fd: RawFd, events: i16, milliseconds: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    loop {
        // SAFETY: the pointer is to one `pollfd` of this function
        match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
            0 => return Ok(false),
            1.. => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// Runs a program as a child, in the same process group, and waits for its end; signals that somebody sends to this
/// process meanwhile go to it. Afterwards those signals stay blocked: the child's end is this process's end.
///
/// # Errors
/// The program could not be started; everything is as before then.
pub(crate) fn run_child(exe: &CStr, argv: &Pointers<'_>, env: &Pointers<'_>) -> io::Result<RanStatus> {
    let (mut failure, failed) = io::pipe()?;
    let before = Signals::take();
    // SAFETY: takes nothing and cannot fail
    let parent = unsafe { libc::getpid() };
    // SAFETY: the process has one thread; the child calls only what is allowed between fork and exec
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: plain system calls on numbers and on memory of this function; `_exit` leaves nothing behind
        unsafe {
            // a shim that is killed takes the tool with it, as if it had been the tool
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                libc::_exit(127);
            }
            before.restore();
            libc::execve(exe.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr());
            let error = (*libc::__errno_location()).to_ne_bytes();
            libc::write(failed.as_raw_fd(), error.as_ptr().cast(), error.len());
            libc::_exit(127);
        }
    }
    if child < 0 {
        let error = io::Error::last_os_error();
        before.restore();
        return Err(error);
    }
    drop(failed);
    let mut error = [0; 4];
    if failure.read_exact(&mut error).is_ok() {
        wait(child, 0)?;
        before.restore();
        return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error)));
    }
    loop {
        if let Some(status) = wait(child, libc::WNOHANG)? {
            return Ok(status);
        }
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: both pointers are to values of this function
        let signal = unsafe { libc::sigwaitinfo(&raw const before.waited, info.as_mut_ptr()) };
        // SAFETY: zeroed, then perhaps filled in by the system: either way a value
        let info = unsafe { info.assume_init() };
        // what the terminal sends has reached the whole process group already
        if FORWARDED.contains(&signal) && info.si_code <= 0 {
            // SAFETY: takes numbers; the child has not been waited for, so the id is still its own
            unsafe { libc::kill(child, signal) };
        }
    }
}

/// The end of a child, if it has ended.
fn wait(child: libc::pid_t, options: i32) -> io::Result<Option<RanStatus>> {
    let mut status = 0;
    // SAFETY: the pointer is to a value of this function
    match unsafe { libc::waitpid(child, &raw mut status, options) } {
        0 => Ok(None),
        id if id == child && libc::WIFSIGNALED(status) => Ok(Some(RanStatus::Signal(libc::WTERMSIG(status)))),
        id if id == child => Ok(Some(RanStatus::Exit(libc::WEXITSTATUS(status)))),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            error => Err(error),
        },
    }
}

/// What the caller had set for signals, while a child is waited for.
struct Signals {
    waited: libc::sigset_t,
    mask: libc::sigset_t,
    child: libc::sigaction,
}

impl Signals {
    /// Blocks what is to be waited for; an ignored SIGCHLD would leave no child to wait for.
    fn take() -> Self {
        // SAFETY: all three are plain data, for which zeros are a value; the pointers are to values of this function
        unsafe {
            let mut signals = Self { waited: std::mem::zeroed(), mask: std::mem::zeroed(), child: std::mem::zeroed() };
            libc::sigemptyset(&raw mut signals.waited);
            for signal in FORWARDED.into_iter().chain([libc::SIGCHLD]) {
                libc::sigaddset(&raw mut signals.waited, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &raw const signals.waited, &raw mut signals.mask);
            let mut default: libc::sigaction = std::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(libc::SIGCHLD, &raw const default, &raw mut signals.child);
            signals
        }
    }

    /// Sets everything as it was; safe between fork and exec.
    fn restore(&self) {
        // SAFETY: the pointers are to values that the system itself filled in
        unsafe {
            libc::sigaction(libc::SIGCHLD, &raw const self.child, ptr::null_mut());
            libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
        }
    }
}

/// Dies by this signal, without a core of its own; where the signal does not kill, gives the shell's status for it.
pub(crate) fn die_by(signal: i32) -> i32 {
    // SAFETY: plain system calls on numbers and on values of this function
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        libc::kill(libc::getpid(), signal);
    }
    128 + signal
}

/// Starts a program that has nothing of this process: a session, directory and descriptors of its own, default signals.
/// Its standard output is the other end of the pipe that is returned; the other two are the null device.
pub(crate) fn spawn_detached(exe: &CStr, argv: &Pointers<'_>, env: &Pointers<'_>) -> io::Result<PipeReader> {
    let (ready, listens) = io::pipe()?;
    let null = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/null")?;
    // SAFETY: the process has one thread; the child calls only what is allowed between fork and exec
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    if child == 0 {
        // SAFETY: plain system calls on numbers and on memory that was ready before the fork; descriptors 0, 1 and 2 are
        // open, so `null` and `listens` are none of them
        unsafe {
            libc::setsid();
            if libc::fork() != 0 {
                libc::_exit(0);
            }
            libc::dup2(null.as_raw_fd(), 0);
            libc::dup2(listens.as_raw_fd(), 1);
            libc::dup2(null.as_raw_fd(), 2);
            close_from_3();
            libc::chdir(c"/".as_ptr());
            libc::umask(0o022);
            for signal in 1..=64 {
                libc::signal(signal, libc::SIG_DFL);
            }
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
            libc::execve(exe.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr());
            libc::_exit(127);
        }
    }
    // it ends at once; where the caller ignores SIGCHLD there is nothing to wait for
    let _ = wait(child, 0);
    Ok(ready)
}

/// Closes all descriptors but the standard ones; for a child between fork and exec.
///
/// # Safety
/// Nothing of this process may use such a descriptor afterwards.
unsafe fn close_from_3() {
    // SAFETY: numbers only; the caller vouches for the rest
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) == 0 {
            return;
        }
        // a kernel before 5.9
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        for fd in 3..i32::try_from(limit.rlim_cur).unwrap_or(i32::MAX).min(1 << 20) {
            libc::close(fd);
        }
    }
}
