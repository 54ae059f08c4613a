//! The headers of `ar` archives, plain and thin.
//!
//! Knows nothing of what members hold, nor where a thin archive's members lie.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How a plain archive begins.
pub(crate) const MAGIC: &[u8] = b"!<arch>\n";
/// How a thin archive begins: its members stand in files of their own.
pub(crate) const THIN_MAGIC: &[u8] = b"!<thin>\n";

const HEADER: usize = 60;

struct Member<'a> {
    name: &'a [u8],
    content: &'a [u8],
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
        Some(Member { name, content })
    }
}

fn all(bytes: &[u8]) -> Members<'_> {
    let thin = bytes.starts_with(THIN_MAGIC);
    let rest = if thin || bytes.starts_with(MAGIC) { &bytes[MAGIC.len()..] } else { &[] };
    Members { rest, thin }
}

/// What the members of a plain archive hold, its tables left out.
pub(crate) fn contents(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    all(bytes).filter(|member| !matches!(member.name, b"/" | b"//" | b"/SYM64/")).map(|member| member.content)
}

/// The paths of a thin archive's members as written: absolute, or from the archive's directory. A member inside a nested
/// archive stands as that archive's path.
pub(crate) fn members(bytes: &[u8]) -> Vec<&Path> {
    let table = all(bytes).find(|member| member.name == b"//").map_or(&[][..], |member| member.content);
    let mut paths: Vec<&Path> = all(bytes).filter_map(|member| member_path(member.name, table)).collect();
    paths.dedup();
    paths
}

fn member_path<'a>(name: &'a [u8], table: &'a [u8]) -> Option<&'a Path> {
    let path = match name {
        b"/" | b"//" | b"/SYM64/" => return None,
        [b'/', digits @ ..] => {
            // `/12` is an offset in the table of names; `/12:345` a member at an offset in the archive named there.
            let digits = digits.split(|byte| *byte == b':').next().unwrap_or_default();
            let offset: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
            let rest = table.get(offset..)?;
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            line.strip_suffix(b"/").unwrap_or(line)
        }
        short => short.strip_suffix(b"/").unwrap_or(short),
    };
    Some(Path::new(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_off_archives_end_quietly() {
        assert_eq!(contents(b"!<arch>\nfoo.o/").count(), 0);
        let mut header = b"!<arch>\nfoo.o/          0           0     0     100644  999999999 `\n".to_vec();
        header.extend_from_slice(b"short");
        assert_eq!(contents(&header).count(), 0);
        assert!(members(b"!<thin>\n/99             0           0     0     100644  1         `\n").is_empty());
    }
}
