//! One call of a tool, as the caller made it.
//!
//! Knows nothing of what the call means.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use crate::field::{Env, Reader, Writer};
use crate::{Error, frame, sys};

/// What stands behind a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FdKind {
    /// Nothing: the caller had closed it.
    Closed,
    /// A terminal.
    Tty,
    /// A pipe or a FIFO.
    Pipe,
    /// A regular file.
    File,
    /// `/dev/null`.
    Null,
    /// Anything else: a socket, another device, a directory.
    Other,
}

/// What a descriptor is; two that are the same file have the same `dev` and `ino`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FdInfo {
    /// What stands behind it.
    pub kind: FdKind,
    /// The device of the file.
    pub dev: u64,
    /// The inode of the file.
    pub ino: u64,
}

/// One call of a tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The name it was called as, without directories and without `gg-`: `gcc-12`. It holds a slash only when a path was
    /// given to `gg-shim PATH ARG...`: then that file is the real tool.
    pub tool: Vec<u8>,
    /// All arguments, `argv[0]` as the real tool should see it.
    pub argv: Vec<Vec<u8>>,
    /// The working directory, absolute, without symbolic links.
    pub cwd: Vec<u8>,
    /// The whole environment.
    pub env: Env,
    /// The file creation mask.
    pub umask: u32,
    /// Descriptors 0, 1 and 2.
    pub fds: [FdInfo; 3],
    /// Device and inode of `/`: a caller in another root sees other files.
    pub root: (u64, u64),
    /// Device and inode of the working directory.
    pub cwd_id: (u64, u64),
    /// The absolute path of the shim's executable, so that its directory can be passed over on `PATH`.
    pub shim: Vec<u8>,
    /// The caller's process id.
    pub pid: u32,
}

/// Descriptors 0, 1 and 2 of this process.
#[must_use]
pub fn standard_descriptors() -> [FdInfo; 3] {
    [0, 1, 2].map(sys::descriptor)
}

impl Request {
    /// The call that this process would make: its directory, environment, mask and descriptors. It sets the process's mask
    /// for a moment, so no other thread may create files meanwhile.
    ///
    /// # Errors
    /// There is no working directory, or it or `/` cannot be looked at.
    pub fn of_this_process(tool: Vec<u8>, argv: Vec<Vec<u8>>, shim: OsString) -> io::Result<Self> {
        let identity = |path: &str| std::fs::metadata(path).map(|stat| (stat.dev(), stat.ino()));
        Ok(Self {
            tool,
            argv,
            cwd: std::env::current_dir()?.into_os_string().into_vec(),
            env: std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect(),
            umask: sys::umask(),
            fds: standard_descriptors(),
            root: identity("/")?,
            cwd_id: identity(".")?,
            shim: shim.into_vec(),
            pid: std::process::id(),
        })
    }

    /// The value of an environment variable.
    #[must_use]
    pub fn var(&self, name: &[u8]) -> Option<&[u8]> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn to_frame(&self) -> Result<Vec<u8>, Error> {
        let mut body = Writer::default();
        body.bytes(&self.tool);
        body.list(&self.argv);
        body.bytes(&self.cwd);
        body.env(&self.env);
        body.u32(self.umask);
        for fd in self.fds {
            body.u8(match fd.kind {
                FdKind::Closed => 0,
                FdKind::Tty => 1,
                FdKind::Pipe => 2,
                FdKind::File => 3,
                FdKind::Null => 4,
                FdKind::Other => 5,
            });
            body.id((fd.dev, fd.ino));
        }
        body.id(self.root);
        body.id(self.cwd_id);
        body.bytes(&self.shim);
        body.u32(self.pid);
        frame::seal(frame::REQUEST, &body.into_body())
    }

    fn from_body(body: &[u8]) -> Result<Self, Error> {
        let mut body = Reader::new(body);
        let request = Self {
            tool: body.string("tool")?,
            argv: body.list("argv")?,
            cwd: body.string("cwd")?,
            env: body.env("env")?,
            umask: body.u32("umask")?,
            fds: [descriptor(&mut body)?, descriptor(&mut body)?, descriptor(&mut body)?],
            root: body.id("root")?,
            cwd_id: body.id("identity of cwd")?,
            shim: body.string("shim")?,
            pid: body.u32("pid")?,
        };
        body.end()?;
        for (bad, field) in [
            (request.tool.is_empty(), "tool"),
            (request.argv.is_empty(), "argv"),
            (!request.cwd.starts_with(b"/"), "cwd"),
            (!request.shim.starts_with(b"/"), "shim"),
            (request.umask > 0o777, "umask"),
        ] {
            if bad {
                return Err(Error::Malformed(field));
            }
        }
        Ok(request)
    }
}

fn descriptor(body: &mut Reader<'_>) -> Result<FdInfo, Error> {
    let kind = match body.u8("descriptor")? {
        0 => FdKind::Closed,
        1 => FdKind::Tty,
        2 => FdKind::Pipe,
        3 => FdKind::File,
        4 => FdKind::Null,
        5 => FdKind::Other,
        _ => return Err(Error::Malformed("descriptor")),
    };
    let (dev, ino) = body.id("descriptor")?;
    Ok(FdInfo { kind, dev, ino })
}

/// Reads the request of a shim.
///
/// # Errors
/// The frame is not a whole, well-formed request of this version. To [`Error::Version`] a session answers
/// [`Reply::Refused`](crate::Reply::Refused).
pub fn read_request(from: &mut impl Read) -> Result<Request, Error> {
    Request::from_body(&frame::read(from, frame::REQUEST)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_REQUEST;

    fn request() -> Request {
        Request {
            tool: b"gcc-12".to_vec(),
            argv: vec![b"gcc-12".to_vec(), b"\xff\n.c".to_vec(), Vec::new()],
            cwd: b"/src".to_vec(),
            env: vec![(b"A".to_vec(), b"b=c".to_vec())],
            umask: 0o22,
            fds: [
                FdInfo { kind: FdKind::Null, dev: 5, ino: 4 },
                FdInfo { kind: FdKind::Pipe, dev: 14, ino: 0x0102_0304_0506_0708 },
                FdInfo { kind: FdKind::Closed, dev: 0, ino: 0 },
            ],
            root: (1, 2),
            cwd_id: (1, 3),
            shim: b"/bin/gg-shim".to_vec(),
            pid: 77,
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let body = [
            &b"\x06\0\0\0gcc-12"[..],
            b"\x03\0\0\0\x06\0\0\0gcc-12\x04\0\0\0\xff\n.c\0\0\0\0",
            b"\x04\0\0\0/src",
            b"\x01\0\0\0\x01\0\0\0A\x03\0\0\0b=c",
            b"\x12\0\0\0",
            b"\x04\x05\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0",
            b"\x02\x0e\0\0\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0",
            b"\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0",
            b"\x0c\0\0\0/bin/gg-shim",
            b"\x4d\0\0\0",
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let frame = [&b"gg-Q\x01\0\0\0"[..], &length, &body].concat();
        assert_eq!(request().to_frame().unwrap(), frame);
        assert_eq!(read_request(&mut &frame[..]).unwrap(), request());
    }

    #[test]
    fn every_cut_is_refused() {
        let frame = request().to_frame().unwrap();
        assert!(matches!(read_request(&mut &frame[..0]), Err(Error::Closed)));
        for length in 1..frame.len() {
            assert!(matches!(read_request(&mut &frame[..length]), Err(Error::Truncated)), "frame cut to {length}");
        }
        let body = &frame[12..];
        for length in 0..body.len() {
            assert!(matches!(Request::from_body(&body[..length]), Err(Error::Malformed(_))), "body cut to {length}");
        }
        assert!(matches!(Request::from_body(&[body, b"\0"].concat()), Err(Error::Malformed(_))));
    }

    /// Each byte of a frame set to each of a few values: an error or a request, never a panic; and what is read is
    /// written as it was.
    #[test]
    fn changed_bytes_do_no_harm() {
        let frame = request().to_frame().unwrap();
        for at in 0..frame.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] = value;
                if let Ok(read) = read_request(&mut &changed[..]) {
                    assert_eq!(read.to_frame().unwrap(), changed, "byte {at} set to {value}");
                }
            }
        }
    }

    #[test]
    fn headers_are_judged_before_bodies() {
        let header = |start: &[u8], length: u32| [start, &length.to_le_bytes()].concat();
        let read = |frame: Vec<u8>| read_request(&mut &frame[..]).unwrap_err();
        assert!(matches!(read(header(b"GET / HT", 0)), Error::NotAFrame));
        assert!(matches!(read(header(b"gg-Z\x02\0\0\0", 0)), Error::Version(2)));
        assert!(matches!(read(header(b"gg-A\x01\0\0\0", 0)), Error::Kind(b'A')));
        assert!(matches!(read(header(b"gg-Q\x01\0\0\0", MAX_REQUEST + 1)), Error::TooLong { .. }));
        assert!(matches!(read(header(b"gg-Q\x01\0\0\0", MAX_REQUEST)), Error::Truncated));
        assert!(matches!(read(header(b"gg-Q\x01\0\0\0", 0)), Error::Malformed("tool")));
    }

    #[test]
    fn false_counts_are_refused() {
        let mut body = Writer::default();
        body.bytes(b"gcc");
        body.u32(u32::MAX);
        assert!(matches!(Request::from_body(&body.into_body()), Err(Error::Malformed("argv"))));
    }

    #[test]
    fn requests_without_sense_are_refused() {
        let refuse = |change: fn(&mut Request)| {
            let mut request = request();
            change(&mut request);
            let frame = request.to_frame().unwrap();
            match read_request(&mut &frame[..]) {
                Err(Error::Malformed(field)) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refuse(|request| request.tool.clear()), "tool");
        assert_eq!(refuse(|request| request.argv.clear()), "argv");
        assert_eq!(refuse(|request| request.argv.push(b"a\0".to_vec())), "argv");
        assert_eq!(refuse(|request| request.cwd = b"src".to_vec()), "cwd");
        assert_eq!(refuse(|request| request.shim = b"gg-shim".to_vec()), "shim");
        assert_eq!(refuse(|request| request.umask = 0o1777), "umask");
    }

    #[test]
    fn an_oversized_request_is_not_sent() {
        let mut request = request();
        request.argv.push(vec![b'x'; MAX_REQUEST as usize]);
        assert!(matches!(request.to_frame(), Err(Error::TooLong { .. })));
    }
}
