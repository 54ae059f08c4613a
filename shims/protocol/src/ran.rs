//! What a native run came to, as the shim reports it.

use std::io::Read;

use crate::field::{Reader, Writer};
use crate::{Error, frame};

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RanStatus {
    /// It exited with this status, 0 to 255.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
}

/// What a native run came to; a shim sends it after a [`Reply::RunReal`](crate::Reply::RunReal) that asked for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ran {
    /// How the real tool ended.
    pub status: RanStatus,
}

impl Ran {
    pub(crate) fn to_frame(self) -> Result<Vec<u8>, Error> {
        let mut body = Writer::default();
        match self.status {
            RanStatus::Exit(status) => {
                body.u8(0);
                body.i32(status);
            }
            RanStatus::Signal(signal) => {
                body.u8(1);
                body.i32(signal);
            }
        }
        frame::seal(frame::RAN, &body.into_body())
    }

    fn from_body(body: &[u8]) -> Result<Self, Error> {
        let mut body = Reader::new(body);
        let status = match (body.u8("how it ended")?, body.i32("status")?) {
            (0, status @ 0..=255) => RanStatus::Exit(status),
            (1, signal @ 1..=64) => RanStatus::Signal(signal),
            _ => return Err(Error::Malformed("status")),
        };
        body.end()?;
        Ok(Self { status })
    }
}

/// Reads the report of a shim that was told to run the real tool and to report.
///
/// # Errors
/// The frame is not a whole, well-formed report of this version; [`Error::Closed`] when the shim died.
pub fn read_ran(from: &mut impl Read) -> Result<Ran, Error> {
    Ran::from_body(&frame::read(from, frame::RAN)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_pinned() {
        let exit = Ran { status: RanStatus::Exit(3) }.to_frame().unwrap();
        assert_eq!(exit, b"gg-R\x01\0\0\0\x05\0\0\0\0\x03\0\0\0");
        let signal = Ran { status: RanStatus::Signal(11) }.to_frame().unwrap();
        assert_eq!(signal, b"gg-R\x01\0\0\0\x05\0\0\0\x01\x0b\0\0\0");
        assert_eq!(read_ran(&mut &signal[..]).unwrap().status, RanStatus::Signal(11));
        assert_eq!(read_ran(&mut &exit[..]).unwrap().status, RanStatus::Exit(3));
    }

    #[test]
    fn impossible_endings_are_refused() {
        for status in [
            RanStatus::Exit(-1),
            RanStatus::Exit(256),
            RanStatus::Signal(0),
            RanStatus::Signal(65),
            RanStatus::Signal(-9),
        ] {
            let frame = Ran { status }.to_frame().unwrap();
            assert!(matches!(read_ran(&mut &frame[..]), Err(Error::Malformed("status"))), "{status:?}");
        }
    }
}
