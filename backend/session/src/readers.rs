//! Programs outside the toolchain that read any file they are given: what stands as a placeholder must be made before they
//! run.

/// Their names.
pub(crate) const READERS: [&str; 58] = [
    "addr2line",
    "awk",
    "b2sum",
    "base64",
    "bzip2",
    "cat",
    "cksum",
    "cmp",
    "cp",
    "cpio",
    "cut",
    "dd",
    "diff",
    "dwz",
    "egrep",
    "elfedit",
    "fgrep",
    "file",
    "gawk",
    "gcc-nm",
    "gprof",
    "grep",
    "gzip",
    "head",
    "hexdump",
    "install",
    "ldd",
    "lz4",
    "mawk",
    "md5sum",
    "nm",
    "objdump",
    "od",
    "patchelf",
    "perl",
    "readelf",
    "rsync",
    "scp",
    "sed",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "size",
    "sort",
    "split",
    "stat",
    "strings",
    "sum",
    "tail",
    "tar",
    "tr",
    "wc",
    "xxd",
    "xz",
    "zip",
    "zstd",
];

/// Those that read files which their arguments do not name.
const MORE: [&str; 9] = ["cpio", "grep", "install", "ldd", "perl", "rsync", "tar", "xargs", "zip"];

/// Whether this is the name of one, also with a triplet or a version.
pub(crate) fn is_reader(tool: &[u8]) -> bool {
    let name = plain(tool);
    READERS.iter().any(|reader| reader.as_bytes() == tool || reader.as_bytes() == name)
}

/// Whether it may read more than its arguments name: a list of files, a directory of them, or whatever its program says.
pub(crate) fn may_read_more(tool: &[u8]) -> bool {
    MORE.iter().any(|reader| reader.as_bytes() == tool)
}

/// `x86_64-linux-gnu-nm-12` is an `nm`.
fn plain(tool: &[u8]) -> &[u8] {
    let is_version = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let mut parts = tool.rsplit(|byte| *byte == b'-').skip_while(|part| is_version(part));
    parts.next().unwrap_or(tool)
}

/// What of an argument may be a path: all of it, what stands behind `=`, what is joined to an option of one letter.
pub(crate) fn paths_in(arg: &[u8]) -> impl Iterator<Item = &[u8]> {
    let value = arg.iter().position(|byte| *byte == b'=').map(|at| &arg[at + 1..]);
    let joined = arg.strip_prefix(b"-").filter(|rest| rest.len() > 1 && rest[0] != b'-').map(|rest| &rest[1..]);
    let plain = (!arg.starts_with(b"-")).then_some(arg);
    [plain, value, joined].into_iter().flatten().filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_triplets_and_versions() {
        for tool in ["nm", "x86_64-linux-gnu-nm", "nm-12", "gcc-nm", "x86_64-linux-gnu-gcc-nm-12", "cat"] {
            assert!(is_reader(tool.as_bytes()), "{tool}");
        }
        for tool in ["gcc", "x86_64-linux-gnu-gcc-12", "make", "12", ""] {
            assert!(!is_reader(tool.as_bytes()), "{tool}");
        }
    }

    #[test]
    fn paths_in_arguments() {
        let paths = |arg: &'static str| -> Vec<&str> {
            paths_in(arg.as_bytes()).map(|path| std::str::from_utf8(path).unwrap()).collect()
        };
        assert_eq!(paths("a.o"), ["a.o"]);
        assert_eq!(paths("if=a.o"), ["if=a.o", "a.o"]);
        assert_eq!(paths("--directory=d"), ["d"]);
        assert_eq!(paths("-Cd"), ["d"]);
        assert_eq!(paths("-"), Vec::<&str>::new());
        assert_eq!(paths("-v"), Vec::<&str>::new());
    }
}
