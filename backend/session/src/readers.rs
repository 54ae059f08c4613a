//! Programs outside the toolchain that read any file they are given, and nothing else: what stands as a placeholder must be
//! made before they run.

/// Their names.
pub(crate) const READERS: [&str; 38] = [
    "bzip2",
    "cat",
    "cksum",
    "cmp",
    "cp",
    "cpio",
    "dd",
    "diff",
    "dwp",
    "dwz",
    "file",
    "gcc-nm",
    "gzip",
    "head",
    "hexdump",
    "install",
    "ldd",
    "md5sum",
    "nm",
    "objdump",
    "od",
    "patchelf",
    "readelf",
    "rsync",
    "scp",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "size",
    "sort",
    "split",
    "strings",
    "tail",
    "tar",
    "wc",
    "xxd",
    "xz",
    "zip",
];

/// Whether this is the name of one.
pub(crate) fn is_reader(tool: &[u8]) -> bool {
    READERS.iter().any(|name| name.as_bytes() == tool)
}
