//! Names of objects: one type for each kind of identity, so that they never mix.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, shown};

/// The digest and the length behind a name, without the letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Content {
    digest: [u8; 32],
    len: u64,
}

impl Content {
    fn write(&self, letter: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 43];
        let _ = URL_SAFE_NO_PAD.encode_slice(self.digest, &mut text);
        for byte in &mut text {
            if *byte == b'-' {
                *byte = b'.';
            }
        }
        let text = std::str::from_utf8(&text).map_err(|_| fmt::Error)?;
        write!(f, "{letter}{text}{:08x}", self.len)
    }

    fn read(letter: char, text: &str) -> Result<Content, Error> {
        let refuse = |why| Error::Name { text: shown(text.as_bytes()), why };
        let rest = text.strip_prefix(letter).ok_or_else(|| {
            refuse(if letter == 'V' { "it does not begin with V" } else { "it does not begin with T" })
        })?;
        if !rest.is_ascii() || rest.len() < 51 {
            return Err(refuse("it is shorter than a letter, 43 characters of hash and 8 of length"));
        }
        let (hash, len) = rest.split_at(43);
        if hash.bytes().any(|b| b == b'-') {
            return Err(refuse("'-' is written '.' in a name"));
        }
        let mut digest = [0u8; 32];
        let bytes = URL_SAFE_NO_PAD
            .decode(hash.replace('.', "-"))
            .map_err(|_| refuse("its hash is not 32 bytes in base64url"))?;
        if bytes.len() != 32 {
            return Err(refuse("its hash is not 32 bytes in base64url"));
        }
        digest.copy_from_slice(&bytes);
        let lower = len.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !lower || (len.len() > 8 && len.starts_with('0')) {
            return Err(refuse("its length is not 8 lower-case hexadecimal digits, or more if needed"));
        }
        let len = u64::from_str_radix(len, 16).map_err(|_| refuse("its length is over 64 bits"))?;
        Ok(Content { digest, len })
    }
}

macro_rules! content_name {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Content);

        impl $name {
            /// The name of what has this SHA-256 and this length in bytes.
            pub fn new(digest: [u8; 32], len: u64) -> Self {
                Self(Content { digest, len })
            }
            /// The name of these bytes.
            pub fn of(bytes: &[u8]) -> Self {
                Self::new(Sha256::digest(bytes).into(), bytes.len() as u64)
            }
            /// The SHA-256 of the content.
            pub fn digest(&self) -> &[u8; 32] {
                &self.0.digest
            }
            /// The length of the content in bytes.
            #[allow(clippy::len_without_is_empty)]
            pub fn len(&self) -> u64 {
                self.0.len
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write($letter, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write($letter, f)
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Content::read($letter, text).map(Self)
            }
        }
    };
}

content_name!(
    /// The name of a value: bytes that are there. Written `V…`.
    ValueName,
    'V'
);
content_name!(
    /// The name of a thunk, by the content of its encoding. Written `T…`.
    ThunkName,
    'T'
);

/// The name of a tree object, which is stored as a value. Written as that value's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeName(ValueName);

impl TreeName {
    /// The tree that this value encodes.
    pub fn new(value: ValueName) -> TreeName {
        TreeName(value)
    }
    /// The value that holds the tree's encoding.
    pub fn value(&self) -> ValueName {
        self.0
    }
}

impl fmt::Display for TreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Debug for TreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tree {}", self.0)
    }
}

/// Which of a thunk's outputs is meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// A tag of one to 64 characters from `A-Z a-z 0-9 . _ + -`.
    pub fn new(text: &str) -> Result<Tag, Error> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            return Err(Error::Tag(shown(text.as_bytes())));
        }
        Ok(Tag(text.to_owned()))
    }
    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The name of one output of a thunk, whether it was forced or not. Written `T…#tag`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputName {
    /// The thunk.
    pub thunk: ThunkName,
    /// Which of its outputs.
    pub tag: Tag,
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.thunk, self.tag)
    }
}

impl FromStr for OutputName {
    type Err = Error;
    fn from_str(text: &str) -> Result<OutputName, Error> {
        let (thunk, tag) = text.split_once('#').ok_or_else(|| Error::Name {
            text: shown(text.as_bytes()),
            why: "it names a thunk but none of its outputs (#tag)",
        })?;
        Ok(OutputName { thunk: thunk.parse()?, tag: Tag::new(tag)? })
    }
}

/// What a file in a tree is: a value, or an output of a thunk that is to be forced first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectName {
    /// Bytes that are there.
    Value(ValueName),
    /// Bytes that forcing a thunk will give.
    Output(OutputName),
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectName::Value(name) => name.fmt(f),
            ObjectName::Output(name) => name.fmt(f),
        }
    }
}

impl FromStr for ObjectName {
    type Err = Error;
    fn from_str(text: &str) -> Result<ObjectName, Error> {
        match text.as_bytes().first() {
            Some(b'V') => text.parse().map(ObjectName::Value),
            Some(b'T') => text.parse().map(ObjectName::Output),
            _ => Err(Error::Name { text: shown(text.as_bytes()), why: "it begins with neither V nor T" }),
        }
    }
}

/// Names content that comes in pieces.
#[derive(Clone, Default)]
pub struct NameHasher {
    sha: Sha256,
    len: u64,
}

impl NameHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> NameHasher {
        NameHasher::default()
    }
    /// Takes the next piece of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.len += bytes.len() as u64;
    }
    /// The name of the content as a value.
    pub fn value_name(self) -> ValueName {
        ValueName::new(self.sha.finalize().into(), self.len)
    }
    /// The name of the content as a thunk's encoding.
    pub fn thunk_name(self) -> ThunkName {
        ThunkName::new(self.sha.finalize().into(), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letter_hash_and_length() {
        // SHA-256 of nothing, as `printf '' | sha256sum` gives it, in base64url with - as .
        let name = ValueName::of(b"");
        assert_eq!(name.to_string(), "V47DEQpj8HBSa._TImW.5JCeuQeRkm5NMpJWZG3hSuFU00000000");
        assert_eq!(ValueName::new([0; 32], 0x1_2345_6789).to_string()[44..], *"123456789");
        assert_eq!(name.to_string().parse::<ValueName>(), Ok(name));
        let mut hasher = NameHasher::new();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.value_name(), ValueName::of(b"abc"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let good = ValueName::of(b"x").to_string();
        let thunk = ThunkName::of(b"x").to_string();
        for bad in [
            "",
            "V",
            "Vé",
            &good[..51],
            &format!("{good}0"),
            &good.replace("00000001", "0000000G"),
            &good.replace("00000001", "0000000A"),
            &good.replace("00000001", "fffffffffffffffff"),
            &thunk,
            &format!("{}é", &good[..49]),
        ] {
            assert!(bad.parse::<ValueName>().is_err(), "{bad}");
        }
        assert!(format!("V{}00000000", "-".repeat(43)).parse::<ValueName>().is_err());
        assert!(thunk.parse::<ObjectName>().is_err(), "a thunk is no leaf without a tag");
        assert!(format!("{thunk}#").parse::<OutputName>().is_err());
        assert!(format!("{thunk}#a/b").parse::<OutputName>().is_err());
        let output: OutputName = format!("{thunk}#o.d").parse().unwrap();
        assert_eq!(output.to_string(), format!("{thunk}#o.d"));
    }

    #[test]
    fn a_hash_has_one_spelling() {
        // 43 characters hold 258 bits: the last two must be zero.
        let good = ValueName::new([0; 32], 0).to_string();
        let mut bad = good.into_bytes();
        bad[43] = b'B';
        assert!(String::from_utf8(bad).unwrap().parse::<ValueName>().is_err());
    }
}
