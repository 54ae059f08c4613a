//! Placeholders: the small executable text that stands where an output will be.
//!
//! Whether a placeholder may be believed is not known here: only the `GG_DIR` that issued it can say.

use crate::error::{Error, shown};
use crate::name::OutputName;

const FIRST_LINE: &[u8] = b"#!/usr/bin/env gg-force-and-run\n";
/// More than any placeholder has: first line, name with 16 digits of length, `#`, tag, newline.
const MAX_BYTES: usize = 256;

/// What stands at an output's path until the output is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The output it stands for.
    pub object: OutputName,
}

impl Placeholder {
    /// Whether a file that begins like this may be a placeholder; cheap, and never wrong for one.
    pub fn looks_like(start: &[u8]) -> bool {
        start.starts_with(FIRST_LINE)
    }

    /// The text of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = FIRST_LINE.to_vec();
        text.extend_from_slice(self.object.to_string().as_bytes());
        text.push(b'\n');
        text
    }

    /// Reads a whole file that should be a placeholder.
    pub fn decode(text: &[u8]) -> Result<Placeholder, Error> {
        let wrong = |why: &str| Error::malformed("placeholder", why);
        if text.len() > MAX_BYTES {
            return Err(Error::TooLarge { what: "placeholder", len: text.len(), limit: MAX_BYTES });
        }
        let rest = text.strip_prefix(FIRST_LINE).ok_or_else(|| wrong("its first line is another"))?;
        let line = rest.strip_suffix(b"\n").ok_or_else(|| wrong("it is cut short: no newline at its end"))?;
        let line = std::str::from_utf8(line).map_err(|_| wrong("its second line is not a name"))?;
        if line.contains('\n') {
            return Err(wrong(&format!("it goes on after the name: {:?}", shown(line.as_bytes()))));
        }
        Ok(Placeholder { object: line.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Tag, ThunkName, ValueName};

    #[test]
    fn a_placeholder_is_two_lines() {
        let object = OutputName { thunk: ThunkName::of(b"t"), tag: Tag::new("o").unwrap() };
        let text = Placeholder { object: object.clone() }.encode();
        assert_eq!(
            String::from_utf8(text.clone()).unwrap(),
            format!("#!/usr/bin/env gg-force-and-run\n{}#o\n", ThunkName::of(b"t"))
        );
        assert!(Placeholder::looks_like(&text));
        assert_eq!(Placeholder::decode(&text), Ok(Placeholder { object }));
        for end in 0..text.len() {
            assert!(Placeholder::decode(&text[..end]).is_err(), "cut at {end}");
        }
        let mut long = text.clone();
        long.extend_from_slice(b"rm -rf\n");
        assert!(Placeholder::decode(&long).is_err());
        long.resize(1000, b'x');
        assert!(matches!(Placeholder::decode(&long), Err(Error::TooLarge { .. })));
        let value = format!("#!/usr/bin/env gg-force-and-run\n{}\n", ValueName::of(b"t"));
        assert!(Placeholder::decode(value.as_bytes()).is_err(), "a value needs no forcing");
    }
}
