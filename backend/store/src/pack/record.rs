//! How objects lie in a pack. A record is a header of 48 bytes (a magic word, the length and the digest of the object, a checksum of
//! these) and the object. Reading resumes after what is torn at the next header. Knows no files.

use gg_thunk::ValueName;

use super::MOST;
use crate::digest::checksum;

const MAGIC: &[u8; 4] = b"ggp1";
pub(super) const HEADER: usize = 48;
const SUMMED: usize = HEADER - 8;

/// A record, and where its object begins in the bytes that it was found in.
pub(super) struct Found {
    pub digest: [u8; 32],
    pub start: usize,
    pub len: usize,
}

/// What stands in front of an object of this digest and length.
pub(super) fn header(digest: &[u8; 32], len: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(MAGIC);
    header[4..8].copy_from_slice(&len.to_le_bytes());
    header[8..SUMMED].copy_from_slice(digest);
    let sum = checksum(&header[..SUMMED]);
    header[SUMMED..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The digest and the length that the header says which begins the bytes, if one does.
fn header_at(bytes: &[u8]) -> Option<([u8; 32], usize)> {
    let header = bytes.get(..HEADER)?;
    if !header.starts_with(MAGIC) || header[SUMMED..] != checksum(&header[..SUMMED]).to_le_bytes() {
        return None;
    }
    let len = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
    Some((header[8..SUMMED].try_into().ok()?, len)).filter(|_| len <= MOST)
}

/// The records in these bytes, and how many bytes need not be read again: a last record that is not all there may be yet.
pub(super) fn records(bytes: &[u8]) -> (Vec<Found>, usize) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(skipped) = position(&bytes[at..], MAGIC) {
        at += skipped;
        let Some((digest, len)) = header_at(&bytes[at..]) else {
            if bytes.len() - at < HEADER {
                return (found, at);
            }
            at += 1;
            continue;
        };
        let start = at + HEADER;
        let Some(object) = bytes.get(start..start + len) else {
            // What follows a torn one may be whole.
            let Some(next) = (at + 1..bytes.len()).find(|next| header_at(&bytes[*next..]).is_some()) else {
                return (found, at);
            };
            at = next;
            continue;
        };
        let end = start + len;
        // Of one that was torn and appended to the length says nothing: it may end where a later record does. The last one may be
        // zeros, which a power cut leaves.
        let plain = header_at(&bytes[end..]).is_some() && position(object, MAGIC).is_none();
        if plain || ValueName::of(object).digest() == &digest {
            found.push(Found { digest, start, len });
            at = end;
        } else {
            at += 1;
        }
    }
    // A magic word may have been written by half.
    (found, bytes.len().saturating_sub(MAGIC.len() - 1).max(at))
}

fn position(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(object: &[u8]) -> Vec<u8> {
        [&header(ValueName::of(object).digest(), object.len() as u32)[..], object].concat()
    }

    fn objects(bytes: &[u8]) -> Vec<&[u8]> {
        records(bytes).0.iter().map(|found| &bytes[found.start..found.start + found.len]).collect()
    }

    #[test]
    fn the_encoding_is_pinned() {
        let mut expected = b"ggp1\x03\0\0\0".to_vec();
        expected.extend_from_slice(ValueName::of(b"abc").digest());
        expected.extend_from_slice(&0xd7fd_d7ed_8ab3_bd4f_u64.to_le_bytes());
        expected.extend_from_slice(b"abc");
        assert_eq!(record(b"abc"), expected);
    }

    #[test]
    fn a_torn_record_costs_itself_only_however_long_what_follows_is() {
        let torn = record(b"some object");
        for cut in 0..torn.len() {
            for length in 0..torn.len() * 2 {
                let next = vec![b'n'; length];
                let bytes = [&record(b"before")[..], &torn[..cut], &record(&next), &record(b"after")].concat();
                assert_eq!(objects(&bytes), [&b"before"[..], &next, b"after"], "cut at {cut}, then {length}");
            }
        }
    }

    #[test]
    fn an_object_may_hold_a_record() {
        let inner = record(b"inner");
        let bytes = [record(&inner), record(b"after"), record(&[MAGIC, &b"x"[..]].concat())].concat();
        assert_eq!(objects(&bytes), [&inner[..], b"after", b"ggp1x"]);
        assert_eq!(records(&bytes).1, bytes.len());
    }

    #[test]
    fn no_garbage_is_taken_for_a_record_nor_takes_long() {
        let mut long = header(&[1; 32], 0);
        long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let sum = checksum(&long[..SUMMED]);
        long[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        for garbage in [vec![0; 1 << 20], MAGIC.repeat(1 << 18), long.repeat(1 << 14)] {
            let bytes = [&garbage[..], &record(b"object")].concat();
            assert_eq!(objects(&bytes), [b"object"]);
        }
    }
}
