//! The file behind the digest cache. Knows how records lie in it, not what they are good for.
//!
//! A record is 92 bytes: a magic word, the identity and the digest, little-endian, and a checksum. Each is appended
//! by one `write`. A record that is torn (the disk was full, the power failed) is skipped: reading resumes at the
//! next magic word that begins a whole record. A rewrite replaces the file; what others append to the old one
//! meanwhile is lost, which costs them a reading of those files and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Entry;
use crate::error::AtPath;
use crate::identity::Identity;
use crate::local::is_absence;
use crate::temp::Temp;
use crate::{Result, StoreError};

const MAGIC: &[u8; 4] = b"ggd1";
const RECORD: usize = 92;
const SUMMED: usize = RECORD - 8;
/// A log under this size is never rewritten.
const SMALL: u64 = 1 << 20;

/// The log as this process sees it.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    lock: PathBuf,
    tmp: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    ino: u64,
    /// Up to where it was read.
    offset: u64,
    /// Why it is open for reading only, if it is.
    refused: Option<i32>,
}

impl Log {
    pub(super) fn new(dir: &Path, tmp: &Path) -> Log {
        Log { path: dir.join("log"), lock: dir.join("lock"), tmp: tmp.to_owned(), open: None }
    }

    /// Appends one record.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<()> {
        let record = encode(entry);
        let path = self.path.clone();
        let open = self.opened()?;
        if let Some(errno) = open.refused {
            return Err(StoreError::at(&path, io::Error::from_raw_os_error(errno)));
        }
        // One write, so that records of several processes do not mix. A short one is a torn record.
        match (&open.file).write(&record) {
            Ok(RECORD) => Ok(()),
            Ok(_) => Err(StoreError::at(&path, io::Error::from_raw_os_error(libc::ENOSPC))),
            Err(e) => Err(StoreError::at(&path, e)),
        }
    }

    /// Gives every record that was not read before. Says whether it began at the start of a file.
    pub(super) fn read_new(&mut self, mut take: impl FnMut(Entry)) -> Result<bool> {
        let meta = match fs::metadata(&self.path) {
            Ok(meta) => meta,
            Err(e) if is_absence(&e) => return Ok(false),
            Err(e) => return Err(StoreError::at(&self.path, e)),
        };
        // An open descriptor keeps the inode's number from being given to another file.
        if self.open.as_ref().is_some_and(|open| open.ino != meta.ino()) {
            self.open = None;
        }
        let path = self.path.clone();
        let open = self.opened()?;
        let mut from_start = open.offset == 0;
        if meta.size() < open.offset {
            // Someone truncated it; what was known stays true.
            open.offset = 0;
            from_start = true;
        }
        let new = usize::try_from(meta.size() - open.offset).unwrap_or(0);
        if new < RECORD {
            return Ok(from_start);
        }
        let mut bytes = vec![0; new];
        let filled = read_full_at(&open.file, &mut bytes, open.offset).at(&path)?;
        open.offset += decode_all(&bytes[..filled], &mut take) as u64;
        Ok(from_start)
    }

    /// Whether most of the file is of no use to who knows this many files.
    pub(super) fn is_stale(&self, live: usize) -> bool {
        let read = self.open.as_ref().map_or(0, |open| open.offset);
        read > SMALL && read > 2 * (live * RECORD) as u64
    }

    /// Replaces the log by these records, unless another process is doing so.
    pub(super) fn rewrite<'a>(&mut self, live: impl Iterator<Item = &'a Entry>) -> Result<()> {
        let lock = File::create(&self.lock).at(&self.lock)?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let current = fs::metadata(&self.path).at(&self.path)?.ino();
        if self.open.as_ref().is_none_or(|open| open.ino != current) {
            // It was replaced since it was read.
            return Ok(());
        }
        let mut bytes = Vec::new();
        for entry in live {
            bytes.extend_from_slice(&encode(entry));
        }
        let mut temp = Temp::create(&self.tmp, 0o644)?;
        temp.file.write_all(&bytes).at(&temp.path)?;
        temp.place(&self.path)?;
        self.open = None;
        self.opened()?.offset = bytes.len() as u64;
        Ok(())
    }

    /// Opens the log if it is not open, for appending or, in a store that may only be read, for reading.
    fn opened(&mut self) -> Result<&mut Open> {
        if self.open.is_none() {
            let appending = OpenOptions::new().read(true).append(true).create(true).open(&self.path);
            let (file, refused) = match appending {
                Ok(file) => (file, None),
                Err(e) => match File::open(&self.path) {
                    Ok(file) => (file, e.raw_os_error()),
                    Err(_) => return Err(StoreError::at(&self.path, e)),
                },
            };
            let ino = file.metadata().at(&self.path)?.ino();
            self.open = Some(Open { file, ino, offset: 0, refused });
        }
        self.open.as_mut().ok_or_else(|| StoreError::at(&self.path, io::Error::from_raw_os_error(libc::ENOENT)))
    }
}

/// Fills the buffer from there on, as far as the file goes, and says how far.
pub(crate) fn read_full_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn encode(entry: &Entry) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let mut at = 0;
    let mut write = |field: &[u8]| {
        record[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    };
    let identity = &entry.identity;
    write(MAGIC);
    write(&identity.dev.to_le_bytes());
    write(&identity.ino.to_le_bytes());
    write(&identity.size.to_le_bytes());
    for time in [identity.mtime_ns, identity.ctime_ns] {
        let (sec, nsec) = (time.div_euclid(BILLION), time.rem_euclid(BILLION));
        write(&(sec as i64).to_le_bytes());
        write(&(nsec as u32).to_le_bytes());
    }
    write(&entry.digest);
    let sum = checksum(&record[..SUMMED]);
    record[SUMMED..].copy_from_slice(&sum.to_le_bytes());
    record
}

const BILLION: i128 = 1_000_000_000;

fn decode(record: &[u8]) -> Option<Entry> {
    let record: &[u8; RECORD] = record.try_into().ok()?;
    if !record.starts_with(MAGIC) || record[SUMMED..] != checksum(&record[..SUMMED]).to_le_bytes() {
        return None;
    }
    let word = |at: usize| -> Option<[u8; 8]> { record[at..at + 8].try_into().ok() };
    let time = |at: usize| -> Option<i128> {
        let nsec = u32::from_le_bytes(record[at + 8..at + 12].try_into().ok()?);
        Some(i128::from(i64::from_le_bytes(word(at)?)) * BILLION + i128::from(nsec))
    };
    Some(Entry {
        identity: Identity {
            dev: u64::from_le_bytes(word(4)?),
            ino: u64::from_le_bytes(word(12)?),
            size: u64::from_le_bytes(word(20)?),
            mtime_ns: time(28)?,
            ctime_ns: time(40)?,
        },
        digest: record[52..SUMMED].try_into().ok()?,
    })
}

/// Gives every whole record and says how many bytes are done with; the rest may be the start of a record.
fn decode_all(bytes: &[u8], take: &mut impl FnMut(Entry)) -> usize {
    let mut at = 0;
    while bytes.len() - at >= RECORD {
        if let Some(entry) = decode(&bytes[at..at + RECORD]) {
            take(entry);
            at += RECORD;
        } else {
            let next = bytes[at + 1..].windows(MAGIC.len()).position(|window| window == MAGIC);
            // The magic word itself may be cut by the end.
            at = next.map_or(bytes.len() - (MAGIC.len() - 1), |skip| at + 1 + skip);
        }
    }
    at
}

/// FNV-1a: against torn writes, not against malice; who can write here can write the objects too.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u8) -> Entry {
        Entry {
            identity: Identity {
                dev: 1,
                ino: u64::from(number),
                size: 3,
                mtime_ns: -1_500_000_000,
                ctime_ns: 1_700_000_000_123_456_789,
            },
            digest: [number; 32],
        }
    }

    fn all(bytes: &[u8]) -> (Vec<Entry>, usize) {
        let mut found = Vec::new();
        let done = decode_all(bytes, &mut |entry| found.push(entry));
        (found, done)
    }

    #[test]
    fn records_come_back() {
        let bytes = [encode(&entry(1)), encode(&entry(2))].concat();
        assert_eq!(all(&bytes), (vec![entry(1), entry(2)], 2 * RECORD));
    }

    #[test]
    fn a_torn_record_costs_itself_only() {
        let (one, two, three) = (encode(&entry(1)), encode(&entry(2)), encode(&entry(3)));
        for cut in 1..RECORD {
            let bytes = [&one[..], &two[..cut], &three[..]].concat();
            assert_eq!(all(&bytes).0, [entry(1), entry(3)], "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let good = encode(&entry(7));
        for at in 0..RECORD {
            let mut bad = good;
            bad[at] ^= 0x10;
            assert_eq!(all(&bad).0, [], "at {at}");
        }
    }

    #[test]
    fn the_start_of_a_record_is_read_when_it_is_whole() {
        let (torn, good) = (encode(&entry(1)), encode(&entry(2)));
        let bytes = [&torn[..40], &good[..]].concat();
        for seen in 0..bytes.len() {
            let (first, done) = all(&bytes[..seen]);
            assert_eq!(first, [], "after {seen} bytes");
            assert_eq!(all(&bytes[done..]).0, [entry(2)], "after {seen} bytes");
        }
    }
}
