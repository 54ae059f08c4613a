//! Picks the model by the name under which a tool was called.
//!
//! Knows no tool's options.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::directives::Directives;
use crate::driver;
use crate::memory::{Memory, Remembering};
use crate::request::Request;
use crate::scan::Headers;
use crate::verdict::{Reason, ReasonKind, Verdict};
use crate::world::World;
use crate::{binutils, probe};

/// All models, with what they remember of headers and of the toolchain in this process.
#[derive(Default)]
pub struct Models {
    headers: Headers,
    memory: Memory,
}

impl Models {
    /// Models that have seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What this call runs, reads and writes.
    pub fn infer(&self, req: &Request, world: &dyn World) -> Verdict {
        if let Some(reason) = probe::of_configure(req) {
            return Verdict::RunReal(reason);
        }
        let world = &Remembering { inner: world, memory: &self.memory };
        match base_name(&req.tool) {
            b"gcc" | b"g++" | b"cc" | b"c++" | b"cpp" => driver::infer(req, world, &self.headers).into(),
            b"cc1" | b"cc1plus" | b"as" => driver::infer_step(req, world, &self.headers).into(),
            b"ar" | b"ranlib" | b"strip" | b"objcopy" | b"nm" | b"ld" | b"ld.bfd" | b"gcc-ar" | b"gcc-ranlib"
            | b"gcc-nm" | b"dwp" => binutils::infer(req, world),
            _ => Reason::new(ReasonKind::UnknownTool, req.tool.to_string_lossy()).into(),
        }
    }

    /// For how long these models have scanned headers, in all threads together: what is measured beside `gcc -M`.
    #[must_use]
    pub fn scanned(&self) -> Duration {
        self.headers.scanned()
    }

    /// Whether a source with these bytes has these directives: what was inferred with them holds for it, too.
    pub fn has_directives(&self, directives: &Directives, source: &[u8]) -> bool {
        self.headers.shelf().directives(source, directives.dialect) == directives.digest
    }
}

/// Whether calls of a tool of this name can become thunks: its model is there, and the tool writes files. For who
/// stands in for tools that were not asked for one by one.
#[must_use]
pub fn makes_thunks(tool: &OsStr) -> bool {
    const WRITERS: [&[u8]; 15] = [
        b"gcc",
        b"g++",
        b"cc",
        b"c++",
        b"cpp",
        b"as",
        b"ar",
        b"ranlib",
        b"ld",
        b"ld.bfd",
        b"strip",
        b"objcopy",
        b"gcc-ar",
        b"gcc-ranlib",
        b"dwp",
    ];
    // `llvm-bitcode-strip` is no `strip` of a target named `llvm-bitcode`
    !tool.as_bytes().starts_with(b"llvm-") && WRITERS.contains(&base_name(tool))
}

/// The tool's plain name: without a directory, a target triplet and a version.
pub(crate) fn base_name(tool: &OsStr) -> &[u8] {
    let mut name = tool.as_bytes();
    if let Some(slash) = name.iter().rposition(|byte| *byte == b'/') {
        name = &name[slash + 1..];
    }
    let version = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_digit) && part.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    };
    while let Some(dash) = name.iter().rposition(|byte| *byte == b'-').filter(|dash| version(&name[dash + 1..])) {
        name = &name[..dash];
    }
    // A triplet has two dashes or more; `gcc-ar` is a tool of its own, with or without one.
    let dash = |name: &[u8]| name.iter().rposition(|byte| *byte == b'-');
    match dash(name) {
        Some(last) if name[..last].ends_with(b"-gcc") => &name[last - 3..],
        Some(last) if dash(&name[..last]).is_some() => &name[last + 1..],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_make_thunks() {
        for tool in ["gcc", "x86_64-linux-gnu-g++-12", "ld.bfd", "aarch64-linux-gnu-ar", "cpp-12", "gcc-ar"] {
            assert!(makes_thunks(OsStr::new(tool)), "{tool}");
        }
        for tool in ["nm", "x86_64-linux-gnu-nm", "c99", "gcc-nm", "llvm-bitcode-strip-14", "clang", "ld.gold", ""] {
            assert!(!makes_thunks(OsStr::new(tool)), "{tool}");
        }
    }

    #[test]
    fn names() {
        for (tool, base) in [
            ("gcc", "gcc"),
            ("g++", "g++"),
            ("gcc-12", "gcc"),
            ("x86_64-linux-gnu-gcc-12", "gcc"),
            ("x86_64-linux-gnu-g++", "g++"),
            ("/usr/bin/aarch64-linux-gnu-ld.bfd", "ld.bfd"),
            ("x86_64-w64-mingw32-gcc-12.2.0", "gcc"),
            ("gcc-ar-12", "gcc-ar"),
            ("x86_64-linux-gnu-gcc-ar", "gcc-ar"),
            ("x86_64-linux-gnu-gcc-nm-12", "gcc-nm"),
            ("clang-14", "clang"),
            ("c99-gcc", "c99-gcc"),
        ] {
            assert_eq!(base_name(OsStr::new(tool)), base.as_bytes(), "{tool}");
        }
    }
}
