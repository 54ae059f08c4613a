//! A source's bytes as the preprocessor's later phases see them: without a mark, trigraphs and splices.
//!
//! Knows nothing of words; that raw strings undo this is the reader's to notice.

use std::borrow::Cow;

use crate::scan::lex::join_lines;

/// The text, and where in it a line's end was taken out.
pub(crate) struct Source<'a> {
    pub(crate) text: Cow<'a, [u8]>,
    pub(crate) splices: Vec<usize>,
    /// Whether any trigraph was replaced.
    pub(crate) replaced: bool,
}

impl<'a> Source<'a> {
    pub(crate) fn of(bytes: &'a [u8], trigraphs: bool) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut text = Cow::Borrowed(bytes);
        let mut replaced = false;
        if trigraphs && bytes.windows(2).any(|pair| pair == b"??") {
            let without = without_trigraphs(bytes);
            replaced = without.len() != bytes.len();
            text = Cow::Owned(without);
        }
        let mut splices = Vec::new();
        if let Cow::Owned(joined) = join_lines(&text, |at| splices.push(at)) {
            text = Cow::Owned(joined);
        }
        Self { text, splices, replaced }
    }
}

fn without_trigraphs(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        let plain = match rest {
            [b'?', b'?', third, ..] => match third {
                b'=' => Some(b'#'),
                b'/' => Some(b'\\'),
                b'\'' => Some(b'^'),
                b'(' => Some(b'['),
                b')' => Some(b']'),
                b'!' => Some(b'|'),
                b'<' => Some(b'{'),
                b'>' => Some(b'}'),
                b'-' => Some(b'~'),
                _ => None,
            },
            _ => None,
        };
        text.push(plain.unwrap_or(first));
        rest = if plain.is_some() { &rest[3..] } else { behind };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases() {
        let source = Source::of(b"\xef\xbb\xbfa\\\nb\\ \t\r\n\\c??/\nd", true);
        assert_eq!((&*source.text, source.splices), (&b"ab\\cd"[..], vec![1, 2, 4]));
        assert_eq!(&*Source::of(b"a??/\n??=", false).text, b"a??/\n??=");
    }
}
