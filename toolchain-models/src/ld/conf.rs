//! `/etc/ld.so.conf` as the linker reads it: the directories of the target's loader.
//!
//! Knows nothing of what is searched for in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, World};

/// The files that were read and the directories that they name, both in order.
#[derive(Default)]
pub(crate) struct Conf {
    /// The configuration files.
    pub files: Vec<PathBuf>,
    /// Directories of which the names were listed.
    pub listed: Vec<PathBuf>,
    /// The library directories, the system root before each.
    pub dirs: Vec<PathBuf>,
}

/// Reads the configuration below `sysroot` (empty: of the machine itself).
pub(crate) fn read(sysroot: &Path, ld_exe: &Path, world: &dyn World) -> Result<Conf, Reason> {
    let mut conf = Conf::default();
    // The linker prefers the one of its own prefix, which is compiled in.
    let own = ld_exe.parent().and_then(Path::parent).map(|prefix| prefix.join("etc/ld.so.conf"));
    let mut tops = vec![PathBuf::from("/usr/etc/ld.so.conf"), PathBuf::from("/etc/ld.so.conf")];
    tops.extend(own.filter(|own| !tops.contains(own)));
    for top in tops {
        conf.add_file(&rooted(sysroot, &top), sysroot, world, 0)?;
    }
    Ok(conf)
}

/// `path` below `sysroot`.
pub(crate) fn rooted(sysroot: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("/") {
        Ok(rest) if !sysroot.as_os_str().is_empty() => sysroot.join(rest),
        _ => path.to_owned(),
    }
}

impl Conf {
    fn add_file(&mut self, path: &Path, sysroot: &Path, world: &dyn World, depth: usize) -> Result<(), Reason> {
        let io = |error| Reason::io(path, &error);
        if depth > 16 || self.files.iter().any(|known| known == path) {
            return Ok(());
        }
        if world.stat(path).map_err(io)?.is_none_or(|stat| stat.kind != FileKind::File) {
            return Ok(());
        }
        let text = world.read(path).map_err(io)?;
        self.files.push(path.to_owned());
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
            if let Some(patterns) =
                line.strip_prefix(b"include").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
            {
                for pattern in patterns.split(u8::is_ascii_whitespace).filter(|pattern| !pattern.is_empty()) {
                    let pattern = Path::new(OsStr::from_bytes(pattern));
                    let pattern = if pattern.is_absolute() {
                        rooted(sysroot, pattern)
                    } else {
                        path.parent().unwrap_or(Path::new("/")).join(pattern)
                    };
                    self.include(&pattern, sysroot, world, depth)?;
                }
            } else if !line.is_empty() && !line.starts_with(b"hwcap") {
                // `dir=type` is an old form.
                for dir in line.split(|byte| matches!(byte, b':' | b',') || byte.is_ascii_whitespace()) {
                    let dir = dir.split(|byte| *byte == b'=').next().unwrap_or_default();
                    if dir.starts_with(b"/") {
                        self.dirs.push(rooted(sysroot, Path::new(OsStr::from_bytes(dir))));
                    }
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, pattern: &Path, sysroot: &Path, world: &dyn World, depth: usize) -> Result<(), Reason> {
        let is_wild = |bytes: &[u8]| bytes.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
        if !is_wild(pattern.as_os_str().as_bytes()) {
            return self.add_file(pattern, sysroot, world, depth + 1);
        }
        let (Some(dir), Some(name)) = (pattern.parent(), pattern.file_name()) else { return Ok(()) };
        let name = name.as_bytes();
        if is_wild(dir.as_os_str().as_bytes()) || name.iter().any(|byte| matches!(byte, b'[' | b'\\')) {
            return Err(Reason::new(ReasonKind::Footprint, format!("ld.so.conf includes {}", pattern.display())));
        }
        let names = world.read_dir(dir).map_err(|error| Reason::io(dir, &error))?;
        self.listed.extend(names.is_some().then(|| dir.to_owned()));
        let mut matching: Vec<_> =
            names.unwrap_or_default().into_iter().filter(|entry| matches(name, entry.as_bytes())).collect();
        matching.sort();
        for entry in matching {
            self.add_file(&dir.join(entry), sysroot, world, depth + 1)?;
        }
        Ok(())
    }
}

/// The shell's `*` and `?`; a leading dot is matched only by itself. In time that grows with the product of the lengths: what a
/// star took is taken back only for the last one.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    let (mut at, mut in_name) = (0, 0);
    // Behind the last star, and up to where that took the name.
    let mut star = None;
    while let Some(have) = name.get(in_name) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, in_name));
            }
            Some(want) if *want == b'?' || want == have => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((behind, taken)) = star else { return false };
                star = Some((behind, taken + 1));
                (at, in_name) = (behind, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        assert!(matches(b"*.conf", b"libc.conf"));
        assert!(matches(b"l?bc.*", b"libc.conf"));
        assert!(!matches(b"*.conf", b".hidden.conf"));
        assert!(!matches(b"*.conf", b"libc.conf.bak"));
        assert!(matches(b"*b*c", b"abcbc") && !matches(b"*b*c", b"abcbd"));
        assert!(matches(b"*", b"") && matches(b"**", b"x") && !matches(b"?", b""));
        assert!(matches(b"a*", b"a") && !matches(b"a*b", b"a"));
        // ends at once
        assert!(!matches(&b"*a".repeat(40), &[b'a'; 39]));
        assert!(
            matches(&b"*a".repeat(40), &[b'a'; 4000])
                && !matches(&[b"*a".repeat(40), b"b".to_vec()].concat(), &[b'a'; 4000])
        );
    }
}
