//! What a process is about to do: a stopped system call turned into the accesses it will be, once it has ended.
//!
//! It reads the process's arguments, directory and descriptors; it neither stops nor resumes it.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{ffi::OsString, fs};

use super::log::Log;
use super::syscall::{self, Arg, OpenFlags, Shape, Verb};
use super::{AccessKind, TraceError, image, memory};

/// A call that is under way.
#[derive(Debug)]
pub(super) enum Call {
    /// One access, which the result decides.
    Access(PathBuf, AccessKind),
    /// An `open`, which may be several.
    Open { path: PathBuf, flags: i32, existed: bool },
    /// A program to run; the directory is the process's.
    Exec { path: PathBuf, cwd: PathBuf },
}

impl Call {
    /// The call that `tid` is stopped before. `None` if it is of no interest, or names no path at all.
    pub(super) fn decode(tid: i32, number: u64, args: [u64; 6]) -> Result<Option<Call>, TraceError> {
        let Some(shape) = syscall::shape(number) else {
            return Ok(None);
        };
        let process = Process { tid, args };
        process.call(shape).map_err(TraceError::system("read of a process's memory"))
    }

    /// Notes what the call was, now that it has ended with this value, or negated error number.
    pub(super) fn end(self, tid: i32, result: i64, log: &mut Log) {
        let errno = if (-4095..0).contains(&result) { -result as i32 } else { 0 };
        if errno >= FIRST_KERNEL_ERRNO {
            // Interrupted: it will be made again.
            return;
        }
        match self {
            Call::Access(path, kind) => log.note(path, kind, errno),
            Call::Exec { path, cwd } => {
                log.note(path.clone(), AccessKind::Exec, errno);
                if errno == 0 {
                    for (helper, kind) in image::helpers(&path, &cwd) {
                        log.note(helper, kind, 0);
                    }
                }
            }
            Call::Open { path, flags, existed } => {
                let directory = || fs::metadata(format!("/proc/{tid}/fd/{result}")).is_ok_and(|m| m.is_dir());
                let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
                let makes = writes || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
                let reads = flags & libc::O_ACCMODE != libc::O_WRONLY && flags & (libc::O_TRUNC | libc::O_EXCL) == 0;
                if flags & libc::O_PATH != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE {
                    log.note(path, AccessKind::Lookup, errno);
                    return;
                }
                if reads {
                    if !existed {
                        log.note(path.clone(), AccessKind::Read, libc::ENOENT);
                    } else if errno == 0 && !makes && directory() {
                        log.note(path.clone(), AccessKind::Lookup, 0);
                    } else {
                        log.note(path.clone(), AccessKind::Read, errno);
                    }
                }
                // Creating a file that is there already changes nothing.
                if writes || flags & libc::O_TRUNC != 0 || (makes && !existed) {
                    log.note(path, AccessKind::Write, errno);
                }
            }
        }
    }
}

/// From here on an error number is the kernel's own word for "to be restarted".
const FIRST_KERNEL_ERRNO: i32 = 512;

/// A stopped process and the arguments of its call.
struct Process {
    tid: i32,
    args: [u64; 6],
}

impl Process {
    fn call(&self, shape: Shape) -> io::Result<Option<Call>> {
        Ok(match shape {
            Shape::Open { dir, path, flags } => {
                let Some(path) = self.path(dir, path, None)? else {
                    return Ok(None);
                };
                let flags = match flags {
                    OpenFlags::Arg(arg) => self.int(arg),
                    OpenFlags::Creat => libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
                    OpenFlags::How(arg) => {
                        let Some(how) = memory::block(self.tid, self.args[arg], 8)? else {
                            return Ok(None);
                        };
                        i32::from_ne_bytes([how[0], how[1], how[2], how[3]])
                    }
                };
                // Only a call that may create leaves in doubt whether the file was there before.
                let existed = flags & libc::O_CREAT == 0 || path.exists();
                Some(Call::Open { path, flags, existed })
            }
            Shape::Path { dir, path, flags, verb } => {
                let Some(path) = self.path_or_fd(dir, path, flags, verb)? else {
                    return Ok(None);
                };
                let kind = match verb {
                    Verb::Exec => {
                        return Ok(Some(Call::Exec { path, cwd: self.cwd()? }));
                    }
                    Verb::Look => AccessKind::Lookup,
                    Verb::Remove => AccessKind::Remove,
                    Verb::Mkdir => AccessKind::Mkdir,
                    Verb::Write => AccessKind::Write,
                    Verb::Change => AccessKind::Chmod,
                };
                Some(Call::Access(path, kind))
            }
            Shape::Rename { from, to } => {
                self.pair(self.path(from.0, from.1, None)?, to, |to| AccessKind::Rename { to })?
            }
            Shape::Link { from, to, flags } => {
                self.pair(self.path_or_fd(from.0, from.1, flags, Verb::Change)?, to, |to| AccessKind::Link { to })?
            }
            Shape::Symlink { target, dir, path } => {
                let Some(target) = memory::string(self.tid, self.args[target])? else {
                    return Ok(None);
                };
                let target = PathBuf::from(OsString::from_vec(target));
                self.path(dir, path, None)?.map(|path| Call::Access(path, AccessKind::Symlink { target }))
            }
            Shape::ChangeFd { fd } => self.fd_path(self.int(fd)).map(|path| Call::Access(path, AccessKind::Chmod)),
            Shape::List { fd } => self.fd_path(self.int(fd)).map(|path| Call::Access(path, AccessKind::List)),
            Shape::Socket => family_name(self.int(0)).map(|name| Call::Access(name.into(), AccessKind::Network)),
            Shape::Connect => self.address()?.map(|path| Call::Access(path, AccessKind::Network)),
            // Only a Unix socket's name becomes a file.
            Shape::Bind => {
                self.address()?.filter(|path| path.is_absolute()).map(|path| Call::Access(path, AccessKind::Write))
            }
        })
    }

    /// An argument that is an `int`.
    fn int(&self, arg: Arg) -> i32 {
        self.args[arg] as i32
    }

    fn pair(
        &self,
        from: Option<PathBuf>,
        (dir, to): (Option<Arg>, Arg),
        kind: impl FnOnce(PathBuf) -> AccessKind,
    ) -> io::Result<Option<Call>> {
        let to = self.path(dir, to, None)?;
        Ok(from.zip(to).map(|(from, to)| Call::Access(from, kind(to))))
    }

    /// Like [`Self::path`], where a descriptor may also stand for itself. To ask for an open file's attributes is no
    /// look-up, so that gives `None`.
    fn path_or_fd(&self, dir: Option<Arg>, path: Arg, flags: Option<Arg>, verb: Verb) -> io::Result<Option<PathBuf>> {
        let Some((dir, flags)) = dir.zip(flags) else {
            return self.path(dir, path, None);
        };
        let may_be_empty = self.int(flags) & libc::AT_EMPTY_PATH != 0;
        if self.args[path] == 0 && (may_be_empty || verb == Verb::Change) {
            return Ok(self.itself(dir, verb));
        }
        self.path(Some(dir), path, may_be_empty.then_some(verb))
    }

    /// The path in an argument, made absolute. `empty`, if it may be empty, says what is done then.
    fn path(&self, dir: Option<Arg>, path: Arg, empty: Option<Verb>) -> io::Result<Option<PathBuf>> {
        let Some(name) = memory::string(self.tid, self.args[path])? else {
            return Ok(None);
        };
        let name = Path::new(OsStr::from_bytes(&name));
        if name.is_absolute() {
            return Ok(Some(name.to_owned()));
        }
        if name.as_os_str().is_empty() {
            return Ok(empty.zip(dir).and_then(|(verb, dir)| self.itself(dir, verb)));
        }
        Ok(match dir.map(|dir| self.int(dir)) {
            None | Some(libc::AT_FDCWD) => Some(self.cwd()?.join(name)),
            Some(fd) => self.fd_path(fd).map(|dir| dir.join(name)),
        })
    }

    fn itself(&self, dir: Arg, verb: Verb) -> Option<PathBuf> {
        if verb == Verb::Look { None } else { self.fd_path(self.int(dir)) }
    }

    fn cwd(&self) -> io::Result<PathBuf> {
        fs::read_link(format!("/proc/{}/cwd", self.tid))
    }

    /// The path behind a descriptor, if it is a file with one.
    fn fd_path(&self, fd: i32) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/{}/fd/{fd}", self.tid)).ok()?;
        let lost = path.as_os_str().as_bytes().ends_with(b" (deleted)") && fs::symlink_metadata(&path).is_err();
        (path.is_absolute() && !lost).then_some(path)
    }

    /// The address that `connect` or `bind` was given: an absolute path, or a name.
    fn address(&self) -> io::Result<Option<PathBuf>> {
        let size = (self.args[2] as usize).min(128);
        let Some(bytes) = memory::block(self.tid, self.args[1], size)? else {
            return Ok(None);
        };
        let (Some(family), Some(rest)) = (bytes.get(..2), bytes.get(2..)) else {
            return Ok(None);
        };
        let port = || rest.get(..2).map(|p| u16::from_be_bytes([p[0], p[1]]));
        let name = match i32::from(u16::from_ne_bytes([family[0], family[1]])) {
            libc::AF_UNIX => match rest {
                [] => return Ok(None),
                [0, name @ ..] => OsString::from_vec([b"unix:@", name].concat()).into(),
                _ => {
                    let name = rest.split(|&b| b == 0).next().unwrap_or(rest);
                    self.cwd()?.join(OsStr::from_bytes(name))
                }
            },
            libc::AF_INET => match (port(), rest.get(2..6).and_then(|a| <[u8; 4]>::try_from(a).ok())) {
                (Some(port), Some(ip)) => format!("inet:{}:{port}", Ipv4Addr::from(ip)).into(),
                _ => return Ok(None),
            },
            libc::AF_INET6 => match (port(), rest.get(6..22).and_then(|a| <[u8; 16]>::try_from(a).ok())) {
                (Some(port), Some(ip)) => format!("inet6:[{}]:{port}", Ipv6Addr::from(ip)).into(),
                _ => return Ok(None),
            },
            family => return Ok(family_name(family).map(PathBuf::from)),
        };
        Ok(Some(name))
    }
}

/// A name for a socket's family; none for Unix sockets, whose `connect` says more.
fn family_name(family: i32) -> Option<String> {
    match family {
        libc::AF_UNIX => None,
        libc::AF_INET => Some("socket:inet".into()),
        libc::AF_INET6 => Some("socket:inet6".into()),
        libc::AF_NETLINK => Some("socket:netlink".into()),
        other => Some(format!("socket:{other}")),
    }
}
