//! The primitive fields of a body: numbers, bytes, lists.
//!
//! Knows nothing of the messages they make up.

use crate::Error;

/// An environment: names and values, in order.
pub(crate) type Env = Vec<(Vec<u8>, Vec<u8>)>;

/// Writes fields, one after the other.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A length that does not fit is written as the largest; the frame is then over its limit and refused as a whole.
    fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn list(&mut self, items: &[Vec<u8>]) {
        self.length(items.len());
        for item in items {
            self.bytes(item);
        }
    }

    pub(crate) fn env(&mut self, env: &[(Vec<u8>, Vec<u8>)]) {
        self.length(env.len());
        for (name, value) in env {
            self.bytes(name);
            self.bytes(value);
        }
    }

    pub(crate) fn id(&mut self, (dev, ino): (u64, u64)) {
        self.u64(dev);
        self.u64(ino);
    }
}

/// Reads fields, one after the other, out of a whole body.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Error> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Error::Malformed(field))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Error> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Error::Malformed(field))?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Error> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Error> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, Error> {
        self.array(field).map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Error> {
        self.array(field).map(u64::from_le_bytes)
    }

    pub(crate) fn id(&mut self, field: &'static str) -> Result<(u64, u64), Error> {
        Ok((self.u64(field)?, self.u64(field)?))
    }

    /// Any bytes.
    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, Error> {
        let length = self.u32(field)?;
        let length = usize::try_from(length).map_err(|_| Error::Malformed(field))?;
        self.take(length, field).map(<[u8]>::to_vec)
    }

    /// Bytes that the system takes as a C string.
    pub(crate) fn string(&mut self, field: &'static str) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes(field)?;
        if bytes.contains(&0) { Err(Error::Malformed(field)) } else { Ok(bytes) }
    }

    /// The count of a list whose items take at least `least` bytes each, so that a false count reserves no memory.
    fn count(&mut self, least: usize, field: &'static str) -> Result<usize, Error> {
        let count = self.u32(field)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.0.len() / least => Ok(count),
            _ => Err(Error::Malformed(field)),
        }
    }

    pub(crate) fn list(&mut self, field: &'static str) -> Result<Vec<Vec<u8>>, Error> {
        let count = self.count(4, field)?;
        (0..count).map(|_| self.string(field)).collect()
    }

    pub(crate) fn env(&mut self, field: &'static str) -> Result<Env, Error> {
        let count = self.count(8, field)?;
        (0..count).map(|_| Ok((self.string(field)?, self.string(field)?))).collect()
    }

    /// Refuses what stands after the last field.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Malformed("bytes after the last field")) }
    }
}
