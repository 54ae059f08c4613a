//! What the session answers.

use std::io::{Read, Write};

use crate::field::{Env, Reader, Writer};
use crate::{Error, frame};

/// What the session answers to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The work is done and its outputs are in place.
    Done {
        /// The tool's exit status, 0 to 255.
        status: i32,
        /// What the tool wrote to standard output.
        stdout: Vec<u8>,
        /// What the tool wrote to standard error.
        stderr: Vec<u8>,
    },
    /// The shim is to run the real tool itself.
    RunReal {
        /// The program to execute.
        exe: Vec<u8>,
        /// Its arguments, `argv[0]` first; never empty.
        argv: Vec<Vec<u8>>,
        /// Its whole environment.
        env: Env,
        /// Whether the shim stays to send a [`Ran`](crate::Ran) when the tool has ended.
        report: bool,
    },
    /// The session will not serve this shim, which then works on its own.
    Refused {
        /// Why, for a log.
        message: String,
    },
}

impl Reply {
    fn to_frame(&self) -> Result<Vec<u8>, Error> {
        let mut body = Writer::default();
        match self {
            Self::Done { status, stdout, stderr } => {
                body.u8(0);
                body.i32(*status);
                body.bytes(stdout);
                body.bytes(stderr);
            }
            Self::RunReal { exe, argv, env, report } => {
                body.u8(1);
                body.bytes(exe);
                body.list(argv);
                body.env(env);
                body.u8(u8::from(*report));
            }
            Self::Refused { message } => {
                body.u8(2);
                body.bytes(message.as_bytes());
            }
        }
        frame::seal(frame::REPLY, &body.into_body())
    }

    fn from_body(body: &[u8]) -> Result<Self, Error> {
        let mut body = Reader::new(body);
        let reply = match body.u8("kind of reply")? {
            0 => {
                let status = body.i32("status")?;
                if !(0..=255).contains(&status) {
                    return Err(Error::Malformed("status"));
                }
                Self::Done { status, stdout: body.bytes("stdout")?, stderr: body.bytes("stderr")? }
            }
            1 => {
                let exe = body.string("exe")?;
                let argv = body.list("argv")?;
                if argv.is_empty() {
                    return Err(Error::Malformed("argv"));
                }
                let env = body.env("env")?;
                let report = match body.u8("report")? {
                    0 => false,
                    1 => true,
                    _ => return Err(Error::Malformed("report")),
                };
                Self::RunReal { exe, argv, env, report }
            }
            2 => {
                let message = String::from_utf8(body.bytes("message")?).map_err(|_| Error::Malformed("message"))?;
                Self::Refused { message }
            }
            _ => return Err(Error::Malformed("kind of reply")),
        };
        body.end()?;
        Ok(reply)
    }
}

/// Writes a reply, in one call of `write_all`.
///
/// # Errors
/// The reply is over [`MAX_REPLY`](crate::MAX_REPLY) (nothing has been written then), or writing failed.
pub fn write_reply(to: &mut impl Write, reply: &Reply) -> Result<(), Error> {
    to.write_all(&reply.to_frame()?)?;
    to.flush()?;
    Ok(())
}

pub(crate) fn read_reply(from: &mut impl Read) -> Result<Reply, Error> {
    Reply::from_body(&frame::read(from, frame::REPLY)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_real() -> Reply {
        Reply::RunReal {
            exe: b"/usr/bin/gcc".to_vec(),
            argv: vec![b"gcc".to_vec(), b"\xff.c".to_vec()],
            env: vec![(b"A".to_vec(), b"=".to_vec())],
            report: true,
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let done = Reply::Done { status: 1, stdout: b"ab".to_vec(), stderr: b"\xff".to_vec() };
        let frame = done.to_frame().unwrap();
        assert_eq!(frame, b"gg-A\x01\0\0\0\x10\0\0\0\0\x01\0\0\0\x02\0\0\0ab\x01\0\0\0\xff");
        assert_eq!(read_reply(&mut &frame[..]).unwrap(), done);

        let frame = run_real().to_frame().unwrap();
        let body =
            b"\x01\x0c\0\0\0/usr/bin/gcc\x02\0\0\0\x03\0\0\0gcc\x03\0\0\0\xff.c\x01\0\0\0\x01\0\0\0A\x01\0\0\0=\x01";
        assert_eq!(frame, [&b"gg-A\x01\0\0\0\x32\0\0\0"[..], body].concat());
        assert_eq!(read_reply(&mut &frame[..]).unwrap(), run_real());

        let refused = Reply::Refused { message: "é".into() };
        let frame = refused.to_frame().unwrap();
        assert_eq!(frame, b"gg-A\x01\0\0\0\x07\0\0\0\x02\x02\0\0\0\xc3\xa9");
        assert_eq!(read_reply(&mut &frame[..]).unwrap(), refused);
    }

    #[test]
    fn every_cut_of_a_body_is_refused() {
        let frame = run_real().to_frame().unwrap();
        let body = &frame[12..];
        for length in 0..body.len() {
            assert!(matches!(Reply::from_body(&body[..length]), Err(Error::Malformed(_))), "{length}");
        }
        assert!(matches!(Reply::from_body(&[body, b"\0"].concat()), Err(Error::Malformed(_))));
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let refuse = |change: fn(&mut Vec<u8>, &mut Vec<Vec<u8>>)| {
            let (mut exe, mut argv) = (b"/bin/true".to_vec(), vec![b"true".to_vec()]);
            change(&mut exe, &mut argv);
            let frame = Reply::RunReal { exe, argv, env: Vec::new(), report: false }.to_frame().unwrap();
            match read_reply(&mut &frame[..]) {
                Err(Error::Malformed(field)) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refuse(|exe, _| exe.push(0)), "exe");
        assert_eq!(refuse(|_, argv| argv.clear()), "argv");
        assert_eq!(refuse(|_, argv| argv.push(b"a\0b".to_vec())), "argv");
    }

    #[test]
    fn a_reply_over_the_limit_writes_nothing() {
        let reply = Reply::Done { status: 0, stdout: vec![0; crate::MAX_REPLY as usize], stderr: Vec::new() };
        let mut out = Vec::new();
        assert!(matches!(write_reply(&mut out, &reply), Err(Error::TooLong { .. })));
        assert!(out.is_empty());
    }
}
