//! Bytes in JSON and back, and the rule that one thing has one encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::Error;

/// A JSON string if the bytes are UTF-8, else `{"bytes":"<base64>"}`.
pub fn from_bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => {
            let mut map = Map::new();
            map.insert("bytes".to_owned(), Value::String(STANDARD.encode(bytes)));
            Value::Object(map)
        }
    }
}

/// Writes JSON as `serde_json` does, without a tree of values in between: encodings are hashed for every call.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Punctuation, and text that needs no escapes.
    pub fn raw(&mut self, text: &str) -> &mut Writer {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// What is displayed, as it is; to a vector nothing can fail to be written.
    pub fn plain(&mut self, shown: impl std::fmt::Display) -> &mut Writer {
        let _ = std::io::Write::write_fmt(&mut self.0, format_args!("{shown}"));
        self
    }

    /// As [`from_bytes`] has it.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.string(text),
            Err(_) => self.raw("{\"bytes\":\"").raw(&STANDARD.encode(bytes)).raw("\"}"),
        }
    }

    /// The items between brackets, with commas.
    pub fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut one: impl FnMut(&mut Writer, T)) -> &mut Writer {
        let mut before = "[";
        for item in items {
            self.raw(before);
            one(self, item);
            before = ",";
        }
        self.raw(if before == "[" { "[]" } else { "]" })
    }

    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn string(&mut self, text: &str) -> &mut Writer {
        self.raw("\"");
        let mut rest = text.as_bytes();
        while let Some(place) = rest.iter().position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')) {
            self.0.extend_from_slice(&rest[..place]);
            match rest[place] {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                b'\r' => self.raw("\\r"),
                b'\t' => self.raw("\\t"),
                0x08 => self.raw("\\b"),
                0x0c => self.raw("\\f"),
                other => self.plain(format_args!("\\u{other:04x}")),
            };
            rest = &rest[place + 1..];
        }
        self.0.extend_from_slice(rest);
        self.raw("\"")
    }
}

/// Reads fields of one kind of thing, and says in its errors what that thing was to be.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub what: &'static str,
}

impl Reader {
    pub fn wrong(&self, why: impl Into<String>) -> Error {
        Error::malformed(self.what, why)
    }

    pub fn parse(&self, text: &[u8], limit: usize) -> Result<Value, Error> {
        if text.len() > limit {
            return Err(Error::TooLarge { what: self.what, len: text.len(), limit });
        }
        serde_json::from_slice(text).map_err(|e| self.wrong(e.to_string()))
    }

    /// The members of an object that has no others than these.
    pub fn object<'a>(&self, value: &'a Value, place: &str, known: &[&str]) -> Result<&'a Map<String, Value>, Error> {
        let map = value.as_object().ok_or_else(|| self.wrong(format!("{place} is not an object")))?;
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.wrong(format!("{place} has an unknown field {key:?}"))),
            None => Ok(map),
        }
    }

    pub fn field<'a>(&self, map: &'a Map<String, Value>, key: &str) -> Result<&'a Value, Error> {
        map.get(key).ok_or_else(|| self.wrong(format!("the field {key:?} is missing")))
    }

    pub fn list<'a>(&self, map: &'a Map<String, Value>, key: &str) -> Result<&'a [Value], Error> {
        let value = self.field(map, key)?;
        value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(format!("{key:?} is not a list")))
    }

    pub fn text<'a>(&self, value: &'a Value, place: &str) -> Result<&'a str, Error> {
        value.as_str().ok_or_else(|| self.wrong(format!("{place} is not a string")))
    }

    pub fn number(&self, value: &Value, place: &str, limit: u32) -> Result<u32, Error> {
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= limit);
        number.ok_or_else(|| self.wrong(format!("{place} is not a number from 0 to {limit}")))
    }

    pub fn bytes(&self, value: &Value, place: &str) -> Result<Vec<u8>, Error> {
        if let Value::String(text) = value {
            return Ok(text.clone().into_bytes());
        }
        let map = self.object(value, place, &["bytes"])?;
        let text = self.text(self.field(map, "bytes")?, place)?;
        STANDARD.decode(text).map_err(|e| self.wrong(format!("{place} is not base64: {e}")))
    }

    /// The two members of a pair.
    pub fn pair<'a>(&self, value: &'a Value, place: &str) -> Result<(&'a Value, &'a Value), Error> {
        match value.as_array().map(Vec::as_slice) {
            Some([first, second]) => Ok((first, second)),
            _ => Err(self.wrong(format!("{place} is not a pair"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_written_as_serde_json_writes_it() {
        let all: String = (0u8..=0x7f).map(char::from).chain("\u{80}\u{7ff}\u{2028}\u{10ffff}".chars()).collect();
        let mut texts: Vec<Vec<u8>> = (0u8..=0xff).map(|byte| vec![b'a', byte, b'z']).collect();
        texts.extend([Vec::new(), all.into_bytes(), b"\\\"\\".to_vec()]);
        for text in texts {
            let written = Writer::default().bytes(&text).finish();
            assert_eq!(written, from_bytes(&text).to_string().into_bytes());
        }
    }

    #[test]
    fn lists_have_commas_between() {
        for (items, text) in [(&[][..], "[]"), (&[1], "[1]"), (&[1, 2, 3], "[1,2,3]")] {
            let written = Writer::default()
                .list(items, |to, item| {
                    to.plain(item);
                })
                .finish();
            assert_eq!(written, text.as_bytes());
        }
    }
}
