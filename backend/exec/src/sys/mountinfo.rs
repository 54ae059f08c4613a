//! What is mounted where, as the kernel lists it. Judges nothing.

use std::fs;
use std::io;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is, an absolute path without links.
    pub path: Vec<u8>,
    /// The type of its file system.
    pub kind: Vec<u8>,
}

/// The mounts that this process sees, in the order in which they were made.
pub(crate) fn own() -> io::Result<Vec<Mount>> {
    Ok(parse(&fs::read("/proc/self/mountinfo")?))
}

/// Lines of `id parent device root PATH options fields… - KIND source options`.
fn parse(list: &[u8]) -> Vec<Mount> {
    let lines = list.split(|b| *b == b'\n');
    lines
        .filter_map(|line| {
            let mut words = line.split(|b| *b == b' ');
            let path = unescaped(words.by_ref().nth(4)?);
            let kind = words.skip_while(|word| *word != b"-").nth(1)?;
            Some(Mount { path, kind: kind.to_vec() })
        })
        .collect()
}

/// Blanks, tabs, newlines and backslashes are written as a backslash and three octal digits.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match digits {
            Some(digits) => {
                bytes.push(digits.iter().fold(0u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let list = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            28 27 0:25 / /mnt/a\\040b\\134c ro,nosuid shared:1 master:2 - fuse.x y\\040z ro\n\
            29 27 0:26 / /mnt/\xff\\09 rw - tmpfs none rw\n\
            cut short\n";
        let mount = |path: &[u8], kind: &[u8]| Mount { path: path.to_vec(), kind: kind.to_vec() };
        let expected = [mount(b"/", b"ext4"), mount(b"/mnt/a b\\c", b"fuse.x"), mount(b"/mnt/\xff\\09", b"tmpfs")];
        assert_eq!(parse(list), expected);
    }

    #[test]
    fn this_process_has_a_root() {
        assert!(own().unwrap().iter().any(|mount| mount.path == b"/"));
    }
}
