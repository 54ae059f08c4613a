//! The directories and the target that this linker was built with, asked from the linker itself.
//!
//! Knows nothing of what is searched for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::derive::{derive, key_of};
use crate::ld::elf::Machine;
use crate::ld::script::{self, Command};
use crate::verdict::{Reason, ReasonKind};
use crate::world::{RunOutput, World};

/// What a linker was built with.
#[derive(Serialize, Deserialize)]
pub(crate) struct BuiltIn {
    /// Its library directories, a leading `=` standing for the system root.
    pub dirs: Vec<PathBuf>,
    /// Its system root, mostly empty.
    pub sysroot: PathBuf,
}

/// Asks the linker, once for each target.
pub(crate) fn built_in(exe: &Path, emulation: Option<&OsStr>, world: &dyn World) -> Result<BuiltIn, Reason> {
    let key = format!("ld built in 1\0{}\0{emulation:?}", key_of(exe));
    derive(world, &key, |world| {
        let told = |question: &str| -> Result<Vec<u8>, Reason> {
            let answer = ask(exe, emulation, &[question], world)?;
            if answer.status == Some(0) { Ok(answer.stdout) } else { Err(silent(exe, question)) }
        };
        // The words before the script are prose.
        let verbose = told("--verbose")?;
        let mut dirs = Vec::new();
        for line in verbose.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"SEARCH_DIR")) {
            dirs.extend(script::commands(line).into_iter().filter_map(|command| match command {
                Command::SearchDir(dir) => Some(PathBuf::from(dir)),
                _ => None,
            }));
        }
        let sysroot = told("--print-sysroot")?;
        Ok(BuiltIn { dirs, sysroot: PathBuf::from(OsStr::from_bytes(sysroot.trim_ascii())) })
    })
}

/// The same of gold, which tells where it tries to find a library that is not there.
pub(crate) fn tried(exe: &Path, emulation: Option<&OsStr>, world: &dyn World) -> Result<BuiltIn, Reason> {
    const NOTHING: &str = "gg-asks-where-this-is-looked-for";
    let key = format!("ld tries 1\0{}\0{emulation:?}", key_of(exe));
    derive(world, &key, |world| {
        let wanted = format!("-l{NOTHING}");
        let said = ask(exe, emulation, &[&wanted, "--verbose", "-o", "/dev/null"], world)?.stderr;
        let file = format!("/lib{NOTHING}.so failed");
        let tried = said.split(|byte| *byte == b'\n').filter_map(|line| {
            let dir = line.strip_suffix(file.as_bytes())?;
            let start = dir.windows(5).position(|word| word == b"open ")? + 5;
            Some(PathBuf::from(OsStr::from_bytes(&dir[start..])))
        });
        let dirs: Vec<PathBuf> = tried.collect();
        if dirs.is_empty() { Err(silent(exe, "--verbose")) } else { Ok(BuiltIn { dirs, sysroot: PathBuf::new() }) }
    })
}

/// What the linker says to these arguments.
fn ask(exe: &Path, emulation: Option<&OsStr>, args: &[&str], world: &dyn World) -> Result<RunOutput, Reason> {
    let io = |error| Reason::io(exe, &error);
    world.stat(exe).map_err(io)?;
    let target = emulation.map(|emulation| ["-m".as_ref(), emulation]);
    let words = [exe.as_os_str()].into_iter().chain(target.into_iter().flatten()).chain(args.iter().map(OsStr::new));
    let argv: Vec<OsString> = words.map(OsStr::to_owned).collect();
    world.run(exe, &argv, &[("LC_ALL".into(), "C".into())], Path::new("/")).map_err(io)
}

fn silent(exe: &Path, question: &str) -> Reason {
    Reason::new(ReasonKind::Plan, format!("{} {question}", exe.display()))
}

/// The machine of a target's objects, for the common targets.
pub(crate) fn machine_of_emulation(name: &OsStr) -> Option<Machine> {
    use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64};
    match name.as_bytes() {
        b"elf_x86_64" => Some((true, EM_X86_64)),
        b"elf32_x86_64" => Some((false, EM_X86_64)),
        b"elf_i386" => Some((false, EM_386)),
        b"aarch64linux" | b"aarch64elf" => Some((true, EM_AARCH64)),
        b"armelf_linux_eabi" | b"armelf" => Some((false, EM_ARM)),
        b"elf64lriscv" => Some((true, EM_RISCV)),
        _ => None,
    }
}

/// The machine of a script's `OUTPUT_FORMAT`, for the common formats.
pub(crate) fn machine_of_format(name: &OsStr) -> Option<Machine> {
    use goblin::elf::header::{EM_386, EM_AARCH64, EM_X86_64};
    match name.as_bytes() {
        b"elf64-x86-64" => Some((true, EM_X86_64)),
        b"elf32-x86-64" => Some((false, EM_X86_64)),
        b"elf32-i386" => Some((false, EM_386)),
        b"elf64-littleaarch64" => Some((true, EM_AARCH64)),
        _ => None,
    }
}
