//! A machine made up of a few files, on which models are asked about calls that make no sense. Nothing is run: tools give
//! answers that are always the same, or those of the fuzzer.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use gg_models::{FileKind, Models, Request, RunOutput, Stat, Verdict, World};

/// Where the calls are made.
pub const CWD: &str = "/t";
/// The compilers proper.
const PROGRAMS: &str = "/usr/lib/gcc/x86_64-linux-gnu/12";

/// What stands between the parts of an input.
const PART: u8 = 0x1e;

/// The parts of an input.
pub fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == PART)
}

/// The machine.
pub struct Machine {
    files: BTreeMap<PathBuf, Arc<[u8]>>,
    dirs: BTreeSet<PathBuf>,
    plan: Vec<u8>,
}

impl Default for Machine {
    fn default() -> Self {
        let mut machine = Self { files: BTreeMap::new(), dirs: BTreeSet::new(), plan: Vec::new() };
        let tools = ["gcc", "g++", "cpp", "as", "ld", "ar", "ranlib", "strip", "objcopy", "nm", "gcc-ar", "dwp"];
        let tools = tools.iter().map(|tool| format!("/usr/bin/{tool}"));
        let programs = ["cc1", "cc1plus", "collect2", "lto-wrapper", "liblto_plugin.so"];
        for tool in tools.chain(programs.iter().map(|name| format!("{PROGRAMS}/{name}"))) {
            machine.file(&tool, &elf());
        }
        machine.file("/dev/null", b"");
        machine.file("/t/a.c", b"#include \"a.h\"\nint a;\n");
        machine.file("/t/a.h", b"#pragma once\n");
        machine.file("/t/a.o", &elf());
        machine.file("/t/lib.a", b"!<arch>\n");
        machine.file("/usr/include/stdio.h", b"#ifndef S\n#define S\n#endif\n");
        machine
    }
}

impl Machine {
    /// Puts a file there, with its directories.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        let path = PathBuf::from(path);
        self.dirs.extend(path.ancestors().skip(1).map(Path::to_owned));
        self.files.insert(path, bytes.into());
    }

    /// What the driver says when it is asked for its plan.
    pub fn plan(&mut self, plan: &[u8]) {
        self.plan = plan.to_vec();
    }

    /// Asks the models about a call.
    pub fn infer<'a>(&self, tool: &str, args: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
        let dir = if tool.starts_with("cc1") { PROGRAMS } else { "/usr/bin" };
        let args = args.into_iter().map(|arg| OsStr::from_bytes(arg).to_owned());
        let request = Request {
            tool: tool.into(),
            exe: Path::new(dir).join(tool),
            argv: std::iter::once(OsString::from(tool)).chain(args).collect(),
            cwd: CWD.into(),
            env: vec![("PATH".into(), "/usr/bin".into())],
            umask: 0o022,
            stderr_is_tty: false,
        };
        Models::new().infer(&request, self)
    }

    fn look(&self, path: &Path) -> Option<Stat> {
        let path = clean(path);
        let (kind, size) = match self.files.get(&path) {
            Some(_) if path == Path::new("/dev/null") => (FileKind::Other, 0),
            Some(bytes) => (FileKind::File, bytes.len() as u64),
            None if self.dirs.contains(&path) => (FileKind::Dir, 0),
            None => return None,
        };
        let before = |paths: &mut dyn Iterator<Item = &PathBuf>| paths.filter(|other| **other < path).count() as u64;
        let ino = before(&mut self.files.keys()) + before(&mut self.dirs.iter());
        Some(Stat { kind, mode: 0o755, size, dev: 1, ino, mtime_ns: 1, ctime_ns: 1 })
    }
}

impl World for Machine {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        Ok(self.look(path))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        Ok(self.look(path))
    }

    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::InvalidInput.into())
    }

    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.files.get(&clean(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let from = usize::try_from(offset).map_or(bytes.len(), |from| from.min(bytes.len()));
        Ok(bytes[from..from.saturating_add(len).min(bytes.len())].to_vec())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Option<Vec<OsString>>> {
        let path = clean(path);
        if !self.dirs.contains(&path) {
            return Ok(None);
        }
        let all = self.files.keys().chain(&self.dirs).filter(|entry| entry.parent() == Some(&path));
        let names: BTreeSet<OsString> = all.filter_map(|entry| Some(entry.file_name()?.to_owned())).collect();
        Ok(Some(names.into_iter().collect()))
    }

    fn run(&self, _: &Path, argv: &[OsString], _: &[(OsString, OsString)], _: &Path) -> io::Result<RunOutput> {
        let has = |text: &str| argv.iter().any(|arg| arg.as_bytes().windows(text.len()).any(|part| part == text.as_bytes()));
        let (stdout, stderr): (&[u8], &[u8]) = if has("-###") {
            (b"", &self.plan)
        } else if has("-dD") {
            (PREDEFINED, b"")
        } else if has("/dev/null") {
            (b"", SEARCH)
        } else if has("--verbose") {
            (b"SEARCH_DIR(\"=/usr/lib\"); SEARCH_DIR(\"/t\");\n", b"")
        } else if has("--help") {
            (b"  [D]          - use zero for timestamps and uids/gids (default)\n", b"")
        } else {
            (b"", b"")
        };
        Ok(RunOutput { status: Some(0), stdout: stdout.to_vec(), stderr: stderr.to_vec() })
    }

    fn recall(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn remember(&self, _: &str, _: &[u8]) {}
}

/// There are no links here.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// An executable that loads nothing.
#[must_use]
pub fn elf() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    // entry, program headers, section headers: none
    bytes.extend([0; 24]);
    // flags; sizes of header and entries, and their counts
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 0, 0, 64, 0, 0, 0, 0, 0]);
    bytes
}

const SEARCH: &[u8] = b"#include \"...\" search starts here:\n#include <...> search starts here:\n /t/inc\n /usr/include\nEnd of search list.\n";

const PREDEFINED: &[u8] = b"#define __STDC__ 1\n#define __GNUC__ 12\n#define __CHAR_BIT__ 8\n#define __INT_MAX__ 0x7fffffff\n#define unix 1\nGGB 0\nGGB 1\nGGB 2\nGGB 3\nGGB 4\nGGB 5\nGGB 6\nGGB 7\nGGB 8\nGGB 9\nGGA 0 noreturn 1\nGGA 1\n";

/// What gcc says of `gcc -c a.c -o a.o`, but for what changes nothing.
pub const PLAN: &[u8] = b"Using built-in specs.\nCOLLECT_GCC=gcc\nTarget: x86_64-linux-gnu\nThread model: posix\ngcc version 12.2.0\nCOLLECT_GCC_OPTIONS='-c' '-o' 'a.o' '-mtune=generic' '-march=x86-64'\n /usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -imultiarch x86_64-linux-gnu a.c -quiet -dumpbase a.c -dumpbase-ext .c \"-mtune=generic\" \"-march=x86-64\" -fasynchronous-unwind-tables -o /tmp/ccAbCd12.s\nCOLLECT_GCC_OPTIONS='-c' '-o' 'a.o' '-mtune=generic' '-march=x86-64'\n as --64 -o a.o /tmp/ccAbCd12.s\nCOMPILER_PATH=/usr/lib/gcc/x86_64-linux-gnu/12/:/usr/bin/\nLIBRARY_PATH=/usr/lib/:/t/\nCOLLECT_GCC_OPTIONS='-c' '-o' 'a.o' '-mtune=generic' '-march=x86-64' '-dumpdir' 'a.'\n";
