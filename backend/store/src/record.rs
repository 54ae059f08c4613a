//! What forcing a thunk gave, and how that is written down. Knows no files.
//!
//! A record is two lines: the `V` name of the second line's text, and that text, which is JSON with sorted keys
//! and no spaces. The record names its own thunk, so that one under another's name is refused too.

use std::collections::BTreeMap;

use gg_thunk::{Tag, ThunkName, ValueName};
use serde::{Deserialize, Serialize};

/// One output that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its content.
    pub object: ValueName,
    /// Its permission bits.
    pub mode: u32,
}

/// What forcing a reduced thunk gave. There are records of success only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was made; an optional output that was not made is missing.
    pub outputs: BTreeMap<Tag, Made>,
    /// What the steps wrote to standard output.
    pub stdout: ValueName,
    /// What the steps wrote to standard error.
    pub stderr: ValueName,
    /// Processor time in user mode, in microseconds.
    pub user_us: u64,
    /// Processor time in the system, in microseconds.
    pub sys_us: u64,
    /// Time from start to end, in microseconds.
    pub wall_us: u64,
    /// The largest resident set of a step, in KiB.
    pub max_rss_kb: u64,
}

/// The fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    gg: String,
    max_rss_kb: u64,
    outputs: BTreeMap<String, WrittenOutput>,
    stderr: String,
    stdout: String,
    sys_us: u64,
    thunk: String,
    user_us: u64,
    wall_us: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOutput {
    mode: u32,
    object: String,
}

const FORMAT: &str = "memo/1";

impl Record {
    /// Every object that the record relies on. A hit counts only if all of them are in the store.
    pub fn objects(&self) -> impl Iterator<Item = ValueName> + '_ {
        let outputs = self.outputs.values().map(|made| made.object);
        outputs.chain([self.stdout, self.stderr])
    }

    pub(crate) fn encode(&self, thunk: &ThunkName) -> serde_json::Result<Vec<u8>> {
        let outputs = self.outputs.iter().map(|(tag, made)| {
            let output = WrittenOutput { mode: made.mode, object: made.object.to_string() };
            (tag.as_str().to_owned(), output)
        });
        let body = serde_json::to_vec(&Written {
            gg: FORMAT.to_owned(),
            max_rss_kb: self.max_rss_kb,
            outputs: outputs.collect(),
            stderr: self.stderr.to_string(),
            stdout: self.stdout.to_string(),
            sys_us: self.sys_us,
            thunk: thunk.to_string(),
            user_us: self.user_us,
            wall_us: self.wall_us,
        })?;
        let mut text = format!("{}\n", ValueName::of(&body)).into_bytes();
        text.extend_from_slice(&body);
        text.push(b'\n');
        Ok(text)
    }

    /// `None` if the text is not a whole record of this thunk.
    pub(crate) fn decode(text: &[u8], thunk: &ThunkName) -> Option<Record> {
        let (sum, body) = text.split_at(text.iter().position(|byte| *byte == b'\n')?);
        let body = body.strip_prefix(b"\n")?.strip_suffix(b"\n")?;
        if sum != ValueName::of(body).to_string().as_bytes() {
            return None;
        }
        let written: Written = serde_json::from_slice(body).ok()?;
        if written.gg != FORMAT || written.thunk != thunk.to_string() {
            return None;
        }
        let mut outputs = BTreeMap::new();
        for (tag, output) in written.outputs {
            let made = Made { object: output.object.parse().ok()?, mode: output.mode };
            outputs.insert(Tag::new(&tag).ok()?, made);
        }
        Some(Record {
            outputs,
            stdout: written.stdout.parse().ok()?,
            stderr: written.stderr.parse().ok()?,
            user_us: written.user_us,
            sys_us: written.sys_us,
            wall_us: written.wall_us,
            max_rss_kb: written.max_rss_kb,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let made = Made { object: ValueName::of(b"object"), mode: 0o644 };
        Record {
            outputs: BTreeMap::from([(Tag::new("o").unwrap(), made)]),
            stdout: ValueName::of(b""),
            stderr: ValueName::of(b"warning"),
            user_us: 1,
            sys_us: 2,
            wall_us: u64::MAX,
            max_rss_kb: 4,
        }
    }

    #[test]
    fn the_encoding_is_pinned() {
        let thunk = ThunkName::of(b"thunk");
        let text = record().encode(&thunk).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (sum, body) = text.split_once('\n').unwrap();
        assert_eq!(
            body,
            format!(
                "{{\"gg\":\"memo/1\",\"max_rss_kb\":4,\"outputs\":{{\"o\":{{\"mode\":420,\"object\":\"{}\"}}}},\
                 \"stderr\":\"{}\",\"stdout\":\"{}\",\"sys_us\":2,\"thunk\":\"{thunk}\",\"user_us\":1,\
                 \"wall_us\":18446744073709551615}}\n",
                ValueName::of(b"object"),
                ValueName::of(b"warning"),
                ValueName::of(b""),
            )
        );
        assert_eq!(sum, ValueName::of(body.trim_end().as_bytes()).to_string());
        assert_eq!(Record::decode(text.as_bytes(), &thunk), Some(record()));
    }

    #[test]
    fn no_damage_passes() {
        let thunk = ThunkName::of(b"thunk");
        let text = record().encode(&thunk).unwrap();
        for at in 0..text.len() {
            assert_eq!(Record::decode(&text[..at], &thunk), None, "cut at {at}");
            let mut bad = text.clone();
            bad[at] ^= 1;
            assert_eq!(Record::decode(&bad, &thunk), None, "flipped at {at}");
        }
        assert_eq!(Record::decode(&text, &ThunkName::of(b"another")), None);
    }
}
