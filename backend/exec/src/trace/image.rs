//! The files that the kernel itself opens when a program is run: a script's interpreters, a program's loader.
//!
//! No system call names them, so they are read from the program's own head. It knows nothing of processes.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::AccessKind;

/// How many bytes of a script the kernel looks at.
const HEAD: usize = 256;
/// The kernel gives up on scripts run by scripts after this many.
const DEPTH: usize = 5;
/// `p_type` of the loader's path.
const PT_INTERP: u32 = 3;

/// The files opened on behalf of the program at `exe`, in a process whose directory is `cwd`.
/// A file that cannot be read or is neither script nor ELF has none.
pub(super) fn helpers(exe: &Path, cwd: &Path) -> Vec<(PathBuf, AccessKind)> {
    let mut found = Vec::new();
    let mut exe = exe.to_owned();
    for _ in 0..DEPTH {
        let Ok(file) = File::open(&exe) else { break };
        let mut head = [0; HEAD];
        let Ok(length) = read_up_to(&file, &mut head) else {
            break;
        };
        let head = &head[..length];
        if let Some(line) = head.strip_prefix(b"#!") {
            let Some(name) = interpreter(line) else { break };
            exe = cwd.join(name);
            found.push((exe.clone(), AccessKind::Exec));
            continue;
        }
        if let Some(name) = loader(&file, head) {
            found.push((cwd.join(OsStr::from_bytes(&name)), AccessKind::Read));
        }
        break;
    }
    found
}

fn interpreter(line: &[u8]) -> Option<&OsStr> {
    let line = line.split(|&b| b == b'\n').next()?;
    let name = line.split(|b| matches!(b, b' ' | b'\t' | 0)).find(|word| !word.is_empty())?;
    Some(OsStr::from_bytes(name))
}

fn read_up_to(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], length as u64) {
            Ok(0) => break,
            Ok(got) => length += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The loader that a 64-bit ELF file of this machine's byte order names. (Others are refused by the filter anyway.)
fn loader(file: &File, head: &[u8]) -> Option<Vec<u8>> {
    let field = |at: usize, size: usize| number(head, at, size);
    if !head.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let (table, row, rows) = (field(32, 8)?, field(54, 2)?, field(56, 2)?);
    for i in 0..rows {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table.checked_add(i * row)?).ok()?;
        if number(&entry, 0, 4) != Some(u64::from(PT_INTERP)) {
            continue;
        }
        let size = usize::try_from(number(&entry, 32, 8)?).ok().filter(|&size| size <= 4096)?;
        let mut name = vec![0; size];
        file.read_exact_at(&mut name, number(&entry, 8, 8)?).ok()?;
        let end = name.iter().position(|&b| b == 0)?;
        name.truncate(end);
        return Some(name);
    }
    None
}

/// A number of up to eight bytes, lowest first as on both machines that are supported.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let field = bytes.get(at..at + size)?;
    Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreter_lines() {
        assert_eq!(interpreter(b" /bin/sh -e\nrest"), Some(OsStr::new("/bin/sh")));
        assert_eq!(interpreter(b"/usr/bin/env\tperl"), Some(OsStr::new("/usr/bin/env")));
        assert_eq!(interpreter(b"  \n/bin/sh"), None);
    }

    #[test]
    fn a_damaged_program_has_no_loader() {
        let exe = std::env::current_exe().unwrap();
        let file = File::open(exe).unwrap();
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).unwrap();
        assert!(loader(&file, &head).is_some_and(|name| name.starts_with(b"/lib")));
        assert_eq!(loader(&file, &head[..40]), None);
        head[32..40].fill(0xff);
        assert_eq!(loader(&file, &head), None);
    }
}
