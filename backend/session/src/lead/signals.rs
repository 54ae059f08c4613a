//! The system calls by which a process stands in for its child: signals, its end. What may be done with them is for others
//! to say.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// Signals by which somebody wants a build to end.
const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// A process's number.
pub(crate) type Pid = libc::pid_t;

/// A signal that has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Received {
    pub(crate) signal: i32,
    /// Whether the terminal sent it, and so to the whole process group.
    pub(crate) from_terminal: bool,
}

/// What the caller had set for signals; meanwhile those that end a build are only received by [`Signals::wait`].
#[derive(Clone, Copy)]
pub(crate) struct Signals {
    ending: libc::sigset_t,
    mask: libc::sigset_t,
    child: libc::sigaction,
    pipe: libc::sigaction,
}

impl Signals {
    /// Takes them over; before the process has another thread, so that none of them is reached by these signals. What
    /// the caller ignores stays ignored.
    pub(crate) fn take() -> Signals {
        // SAFETY: all fields are plain data, for which zeros are a value; the pointers are to values of this function
        unsafe {
            let mut signals: Signals = std::mem::zeroed();
            libc::sigemptyset(&raw mut signals.ending);
            for signal in ENDING {
                let mut now: libc::sigaction = std::mem::zeroed();
                libc::sigaction(signal, ptr::null(), &raw mut now);
                if now.sa_sigaction != libc::SIG_IGN {
                    libc::sigaddset(&raw mut signals.ending, signal);
                }
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals.ending, &raw mut signals.mask);
            let mut action: libc::sigaction = std::mem::zeroed();
            // an ignored SIGCHLD would leave no child to wait for
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(libc::SIGCHLD, &raw const action, &raw mut signals.child);
            // a caller of the session's that has gone is no reason to die
            action.sa_sigaction = libc::SIG_IGN;
            libc::sigaction(libc::SIGPIPE, &raw const action, &raw mut signals.pipe);
            signals
        }
    }

    /// Sets everything as it was; safe between fork and exec.
    fn restore(&self) {
        // SAFETY: the pointers are to values that the system itself filled in
        unsafe {
            libc::sigaction(libc::SIGPIPE, &raw const self.pipe, ptr::null_mut());
            libc::sigaction(libc::SIGCHLD, &raw const self.child, ptr::null_mut());
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
        }
    }

    /// Waits for the next of the signals that end a build.
    pub(crate) fn wait(&self) -> Received {
        loop {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            // SAFETY: both pointers are to live values of the right types
            let signal = unsafe { libc::sigwaitinfo(&raw const self.ending, info.as_mut_ptr()) };
            if signal > 0 {
                // SAFETY: zeroed, then filled in by the system
                let code = unsafe { info.assume_init() }.si_code;
                return Received { signal, from_terminal: code > 0 };
            }
        }
    }

    /// Gives the command what the caller had set.
    pub(crate) fn hand_down(&self, command: &mut Command) {
        let signals = *self;
        // SAFETY: the closure makes system calls only, on numbers and on its own copy
        unsafe {
            command.pre_exec(move || {
                signals.restore();
                Ok(())
            });
        }
    }
}

/// Has the command's process asked to end when this one is killed.
pub(crate) fn tie(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: the closure makes system calls only, on numbers
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            match u32::try_from(libc::getppid()) {
                Ok(now) if now == parent => Ok(()),
                _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
            }
        });
    }
}

/// Waits until a child has ended, and leaves it to be waited for: its number stays its own.
pub(crate) fn wait_for_end(child: Pid) -> io::Result<()> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let id = child.cast_unsigned();
        // SAFETY: the pointer is to a value of this function
        if unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Sends a signal to a child that was not waited for.
pub(crate) fn send(child: Pid, signal: i32) {
    // SAFETY: takes numbers
    unsafe { libc::kill(child, signal) };
}

/// Whether the standard descriptors are open.
pub fn has_standard_descriptors() -> bool {
    // SAFETY: takes numbers; a bad descriptor is answered with an error
    (0..3).all(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1)
}

/// Dies by this signal, without a core of its own; where the signal does not kill, gives the shell's status for it.
pub fn die_by(signal: i32) -> i32 {
    // SAFETY: plain system calls on numbers and on values of this function
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        libc::raise(signal);
    }
    128 + signal
}
