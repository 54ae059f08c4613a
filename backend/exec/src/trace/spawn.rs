//! Starts the command as a child that waits to be traced, then installs the filter and becomes the tool.
//!
//! `fork` and what the child does up to `execve` are here; the tracing itself is not.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use super::{TraceCommand, TraceError, filter, ptrace};

/// A child that was started and is traced, and the files that hold its output.
pub(super) struct Child {
    pub(super) pid: i32,
    report: PipeReader,
    stdout: File,
    stderr: File,
}

/// What the child does before it is the tool, in this order.
const STEPS: [&str; 7] = ["standard streams", "chdir", "close_range", "no_new_privs", "seccomp", "execve", "unknown"];

/// Starts the command. The calling thread is its parent and its tracer. On error nothing is left running.
pub(super) fn start(cmd: &TraceCommand) -> Result<Child, TraceError> {
    let image = Image::new(cmd)?;
    let pipe = || io::pipe().map_err(TraceError::system("pipe"));
    let (go_reader, mut go) = pipe()?;
    let (report, report_writer) = pipe()?;
    let stdin = File::open("/dev/null").map_err(TraceError::system("open of /dev/null"))?;
    let stdout = memory_file(c"stdout").map_err(TraceError::system("memfd_create"))?;
    let stderr = memory_file(c"stderr").map_err(TraceError::system("memfd_create"))?;
    nonblocking(&report).map_err(TraceError::system("fcntl"))?;
    let streams = [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()];
    let pid = fork(&image, streams, &go_reader, &go, &report_writer).map_err(TraceError::system("fork"))?;
    let attached = ptrace::seize(pid)
        .map_err(TraceError::system("attach"))
        .and_then(|()| go.write_all(b"g").map_err(TraceError::system("start of the child")));
    if let Err(error) = attached {
        ptrace::kill(pid);
        while let Ok(Some(_)) = ptrace::wait() {}
        return Err(error);
    }
    Ok(Child { pid, report, stdout, stderr })
}

impl Child {
    /// After its end: whether the tool was ever reached, and all its output.
    pub(super) fn finish(mut self, cmd: &TraceCommand) -> Result<(Vec<u8>, Vec<u8>), TraceError> {
        let mut report = [0; 5];
        if matches!(self.report.read(&mut report), Ok(5)) {
            let [step, errno @ ..] = report;
            return Err(TraceError::Start {
                exe: cmd.exe.clone(),
                step: STEPS.get(usize::from(step)).copied().unwrap_or("unknown"),
                source: io::Error::from_raw_os_error(i32::from_ne_bytes(errno)),
            });
        }
        let all = |file: &mut File| {
            let mut bytes = Vec::new();
            file.rewind()
                .and_then(|()| file.read_to_end(&mut bytes))
                .map_err(TraceError::system("read of the output"))?;
            Ok(bytes)
        };
        Ok((all(&mut self.stdout)?, all(&mut self.stderr)?))
    }
}

/// All that the child needs, made before the fork: after it, in a process of many threads, it may not allocate.
struct Image {
    exe: CString,
    cwd: CString,
    umask: libc::mode_t,
    filter: Vec<libc::sock_filter>,
    /// Point into `_strings`, whose buffers do not move; each ends with a null pointer.
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    _strings: [Vec<CString>; 2],
}

impl Image {
    fn new(cmd: &TraceCommand) -> Result<Image, TraceError> {
        let argv = cmd.argv.iter().map(|arg| c_string(arg.as_bytes(), "an argument")).collect::<Result<Vec<_>, _>>()?;
        let envp = cmd
            .env
            .iter()
            .map(|(name, value)| {
                c_string([name, OsStr::new("="), value].map(OsStr::as_bytes).concat(), "the environment")
            })
            .collect::<Result<Vec<_>, _>>()?;
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Ok(Image {
            exe: c_string(cmd.exe.as_os_str().as_bytes(), "the program's path")?,
            cwd: c_string(cmd.cwd.as_os_str().as_bytes(), "the directory's path")?,
            umask: cmd.umask & 0o777,
            filter: filter::program(),
            argv: pointers(&argv),
            envp: pointers(&envp),
            _strings: [argv, envp],
        })
    }
}

fn c_string(bytes: impl Into<Vec<u8>>, what: &'static str) -> Result<CString, TraceError> {
    CString::new(bytes).map_err(|_| TraceError::Nul(what))
}

fn memory_file(name: &std::ffi::CStr) -> io::Result<File> {
    // SAFETY: `name` is a NUL-terminated string that lives through the call.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// The report is read only after the child's death; what it has not written by then never comes, though a fork of
/// another thread may still hold the pipe open.
fn nonblocking(pipe: &PipeReader) -> io::Result<()> {
    // SAFETY: takes numbers only; the descriptor is open.
    match unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn fork(
    image: &Image,
    streams: [RawFd; 3],
    go: &PipeReader,
    go_writer: &PipeWriter,
    report: &PipeWriter,
) -> io::Result<i32> {
    let (go, go_writer, report) = (go.as_raw_fd(), go_writer.as_raw_fd(), report.as_raw_fd());
    // SAFETY: the child calls only async-signal-safe functions on memory made before the fork, and never returns.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: this is the child of a fork; the descriptors are open in it and `image` is whole.
            unsafe { become_tool(image, streams, go, go_writer, report) }
        }
        pid => Ok(pid),
    }
}

/// The child's life up to `execve`.
///
/// # Safety
///
/// Only in the child of a fork. Everything it calls must be async-signal-safe.
unsafe fn become_tool(image: &Image, streams: [RawFd; 3], go: RawFd, go_writer: RawFd, report: RawFd) -> ! {
    // SAFETY: plain system calls on open descriptors, and on strings and arrays that end as the calls want.
    unsafe {
        libc::close(go_writer);
        let mut byte = 0_u8;
        loop {
            match libc::read(go, (&raw mut byte).cast(), 1) {
                1 => break,
                -1 if *libc::__errno_location() == libc::EINTR => {}
                // The tracer is gone.
                _ => libc::_exit(127),
            }
        }
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::umask(image.umask);
        // What the terminal sends to the tracer's group is no part of what the tool does.
        libc::setpgid(0, 0);
        let failed = 'step: {
            for (i, fd) in streams.into_iter().enumerate() {
                if libc::dup2(fd, i as RawFd) < 0 {
                    break 'step 0;
                }
            }
            if libc::chdir(image.cwd.as_ptr()) != 0 {
                break 'step 1;
            }
            let cloexec = libc::CLOSE_RANGE_CLOEXEC as libc::c_uint;
            if libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, cloexec) != 0 {
                break 'step 2;
            }
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_usize, 0_usize, 0_usize, 0_usize) != 0 {
                break 'step 3;
            }
            let program = libc::sock_fprog {
                len: image.filter.len() as libc::c_ushort,
                filter: image.filter.as_ptr().cast_mut(),
            };
            if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0 {
                break 'step 4;
            }
            libc::execve(image.exe.as_ptr(), image.argv.as_ptr(), image.envp.as_ptr());
            5
        };
        let mut message = [failed as u8, 0, 0, 0, 0];
        message[1..].copy_from_slice(&(*libc::__errno_location()).to_ne_bytes());
        libc::write(report, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}
