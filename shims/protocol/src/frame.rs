//! Frames: a header of twelve bytes and a body.
//!
//! Knows nothing of what a body holds.

use std::io::{self, Read};

use crate::{Error, VERSION};

const MAGIC: [u8; 3] = *b"gg-";

/// What a frame carries, and how long it may be.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) letter: u8,
    pub(crate) limit: u32,
}

pub(crate) const REQUEST: Kind = Kind { letter: b'Q', limit: crate::MAX_REQUEST };
pub(crate) const REPLY: Kind = Kind { letter: b'A', limit: crate::MAX_REPLY };
pub(crate) const RAN: Kind = Kind { letter: b'R', limit: crate::MAX_RAN };

/// The frame of a body.
pub(crate) fn seal(kind: Kind, body: &[u8]) -> Result<Vec<u8>, Error> {
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= kind.limit);
    let length = length.ok_or(Error::TooLong { length: body.len() as u64, limit: kind.limit })?;
    let mut frame = Vec::with_capacity(12 + body.len());
    frame.extend_from_slice(&MAGIC);
    frame.push(kind.letter);
    frame.extend_from_slice(&VERSION.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(body);
    Ok(frame)
}

/// Reads a frame of this kind and returns its body.
pub(crate) fn read(from: &mut impl Read, kind: Kind) -> Result<Vec<u8>, Error> {
    let mut header = [0; 12];
    let mut filled = 0;
    while filled < header.len() {
        match from.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Err(Error::Closed),
            Ok(0) => return Err(Error::Truncated),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [m0, m1, m2, letter, v0, v1, v2, v3, l0, l1, l2, l3] = header;
    if [m0, m1, m2] != MAGIC {
        return Err(Error::NotAFrame);
    }
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if version != VERSION {
        return Err(Error::Version(version));
    }
    if letter != kind.letter {
        return Err(Error::Kind(letter));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if length > kind.limit {
        return Err(Error::TooLong { length: length.into(), limit: kind.limit });
    }
    let mut body = Vec::new();
    from.take(length.into()).read_to_end(&mut body)?;
    if body.len() as u64 == u64::from(length) { Ok(body) } else { Err(Error::Truncated) }
}
