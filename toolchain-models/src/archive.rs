//! The headers of `ar` archives, plain and thin.
//!
//! Knows nothing of what members hold, nor where a thin archive's members lie.

/// How a plain archive begins.
pub(crate) const MAGIC: &[u8] = b"!<arch>\n";
/// How a thin archive begins: its members stand in files of their own.
pub(crate) const THIN_MAGIC: &[u8] = b"!<thin>\n";

const HEADER: usize = 60;

struct Member<'a> {
    name: &'a [u8],
    header: &'a [u8],
    content: &'a [u8],
}

impl Member<'_> {
    fn is_table(&self) -> bool {
        matches!(self.name, b"/" | b"//" | b"/SYM64/")
    }

    /// A number of its header, in this base; blanks are nought.
    fn number(&self, at: std::ops::Range<usize>, base: u32) -> Option<u64> {
        let digits = std::str::from_utf8(self.header.get(at)?).ok()?.trim();
        if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, base).ok() }
    }
}

struct Members<'a> {
    rest: &'a [u8],
    thin: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let header = self.rest.get(..HEADER)?;
        let name = header[..16].trim_ascii_end();
        let size: usize = std::str::from_utf8(&header[48..58]).ok()?.trim().parse().ok()?;
        let own = !self.thin || matches!(name, b"/" | b"//" | b"/SYM64/");
        let held = if own { size } else { 0 };
        let content = self.rest.get(HEADER..HEADER.checked_add(held)?)?;
        let next = HEADER + held + held % 2;
        self.rest = self.rest.get(next..).unwrap_or_default();
        Some(Member { name, header, content })
    }
}

fn all(bytes: &[u8]) -> Members<'_> {
    let thin = bytes.starts_with(THIN_MAGIC);
    let rest = if thin || bytes.starts_with(MAGIC) { &bytes[MAGIC.len()..] } else { &[] };
    Members { rest, thin }
}

/// What the members of a plain archive hold, its tables left out.
pub(crate) fn contents(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    all(bytes).filter(|member| !member.is_table()).map(|member| member.content)
}

/// What a header says of one member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry<'a> {
    /// Its name, in a thin archive its path: absolute, or from the archive's directory; the path of a nested archive that holds it.
    pub name: &'a [u8],
    /// Its modification time, in seconds.
    pub date: u64,
    /// Its permission bits.
    pub mode: u32,
}

/// The members of a GNU archive, its tables left out; `None` where not every byte is understood.
pub(crate) fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    if !bytes.starts_with(MAGIC) && !bytes.starts_with(THIN_MAGIC) {
        return None;
    }
    let mut members = all(bytes);
    let mut table: &[u8] = &[];
    let mut found = Vec::new();
    for member in members.by_ref() {
        if !member.header.ends_with(b"`\n") {
            return None;
        }
        if member.name == b"//" {
            table = member.content;
        }
        if member.is_table() {
            continue;
        }
        let is_plain =
            |name: &[u8]| name.strip_suffix(b"/").is_some_and(|name| !name.is_empty() && !name.contains(&b'/'));
        if !is_plain(member.name) && !member.name.starts_with(b"/") {
            // Of a system where a blank ends the name, or where it stands before the content.
            return None;
        }
        let name = member_name(member.name, table).filter(|name| !name.is_empty())?;
        found.push(Entry {
            name,
            date: member.number(16..28, 10)?,
            mode: u32::try_from(member.number(40..48, 8)?).ok()? & 0o7777,
        });
    }
    members.rest.is_empty().then_some(found)
}

fn member_name<'a>(name: &'a [u8], table: &'a [u8]) -> Option<&'a [u8]> {
    Some(match name {
        [b'/', digits @ ..] => {
            // `/12` is an offset in the table of names; `/12:345` a member at an offset in the archive named there.
            let digits = digits.split(|byte| *byte == b':').next().unwrap_or_default();
            let offset: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
            let rest = table.get(offset..)?;
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            line.strip_suffix(b"/").unwrap_or(line)
        }
        short => short.strip_suffix(b"/").unwrap_or(short),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, date: &str, mode: &str, content: &str) -> String {
        let size = content.len();
        let pad = if size % 2 == 1 { "\n" } else { "" };
        format!("{name:<16}{date:<12}{:<6}{:<6}{mode:<8}{size:<10}`\n{content}{pad}", 0, 0)
    }

    #[test]
    fn cut_off_archives_end_quietly() {
        assert_eq!(contents(b"!<arch>\nfoo.o/").count(), 0);
        assert_eq!(entries(b"!<arch>\nfoo.o/"), None);
        let mut header = b"!<arch>\nfoo.o/          0           0     0     100644  999999999 `\n".to_vec();
        header.extend_from_slice(b"short");
        assert_eq!(contents(&header).count(), 0);
        assert_eq!(entries(&header), None);
        assert_eq!(entries(b"!<thin>\n/99             0           0     0     100644  1         `\n"), None);
    }

    #[test]
    fn names_dates_and_modes() {
        let long = "a_name_that_is_long.o/\nd/x.o/\n";
        let plain = ["!<arch>\n", &member("/", "0", "0", "map"), &member("//", "", "", long)].concat()
            + &member("/0", "0", "644", "odd")
            + &member("a b.o/", "1234", "100755", "");
        let shown = entries(plain.as_bytes()).unwrap();
        let shown: Vec<_> = shown.iter().map(|entry| (entry.name, entry.date, entry.mode)).collect();
        assert_eq!(shown, [(&b"a_name_that_is_long.o"[..], 0, 0o644), (b"a b.o", 1234, 0o755)]);
        let thin = ["!<thin>\n", &member("//", "", "", long)].concat()
            + "/23             0           0     0     100644  4         `\n";
        assert_eq!(entries(thin.as_bytes()).unwrap()[0].name, b"d/x.o");
        assert_eq!(entries(b"!<arch>\n"), Some(Vec::new()));
    }

    #[test]
    fn other_kinds_are_not_understood() {
        for odd in [
            "x".to_owned(),
            format!("!<arch>\n{}", member("#1/20", "0", "644", "x")),
            format!("!<arch>\n{}", member("blank", "0", "644", "x")),
            format!("!<arch>\n{}", member("/7", "0", "644", "x")),
            format!("!<arch>\n{}rest", member("a.o/", "0", "644", "")),
        ] {
            assert_eq!(entries(odd.as_bytes()), None, "{odd}");
        }
    }
}
