//! What one run of collect2 reads and writes: the linker that it finds, and what the linker's model says.
//!
//! Knows nothing of libraries.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::builder::{Builder, is_temporary};
use super::plan::{Command, Plan, find_program};
use crate::ld;
use crate::verdict::{Reason, ReasonKind};

/// Adds the step.
pub(crate) fn add(builder: &mut Builder<'_>, exe: &Path, command: &Command, plan: &Plan) -> Result<(), Reason> {
    builder.step(exe, &command.argv)?;
    for (name, value) in &plan.exported {
        builder.env.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
    }
    builder.env.insert(b"COLLECT_GCC_OPTIONS".to_vec(), command.collect_options.as_bytes().to_vec());
    if command.argv.iter().any(|arg| is_temporary(arg))
        && let Some(arg) = command.argv.iter().find(|arg| names_inputs(arg))
    {
        // The names of temporary objects are other ones each time.
        return Err(Reason::new(ReasonKind::UnmodelledOption, arg.to_string_lossy()));
    }
    let linker = find_linker(builder, plan, &command.argv)?;
    builder.tool(&linker)?;
    let own = |arg: &&OsString| is_own(arg) || builder.is_made(arg);
    let args: Vec<OsString> = command.argv[1..].iter().filter(|arg| !own(arg)).cloned().collect();
    for pair in args.windows(2).filter(|pair| pair[0] == "-plugin") {
        builder.tool(Path::new(&pair[1]))?;
    }
    let footprint = ld::footprint(&args, &builder.req.cwd, &builder.req.env, &linker, builder.world)?;
    builder.add(footprint.inputs);
    builder.add_outputs(footprint.outputs)
}

/// Whether the option makes the linker write down which objects it was given.
fn names_inputs(arg: &OsStr) -> bool {
    let bytes = arg.as_bytes();
    let Some(name) = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-")) else { return false };
    let plain: [&[u8]; 8] = [b"Map", b"M", b"print-map", b"t", b"trace", b"cref", b"print-gc-sections", b"verbose"];
    plain.contains(&name) || name.starts_with(b"Map=") || name.starts_with(b"y") || name.starts_with(b"trace-symbol")
}

/// What is collect2's own or made by an earlier step.
fn is_own(arg: &OsStr) -> bool {
    let bytes = arg.as_bytes();
    is_temporary(arg)
        || bytes.starts_with(b"-plugin-opt=-fresolution=")
        || bytes.starts_with(b"-fuse-ld=")
        || bytes == b"-fno-lto"
}

/// collect2 looks for three names beside the compiler, then for `ld` on `PATH`, which the step gets no more of than it needs.
fn find_linker(builder: &mut Builder<'_>, plan: &Plan, argv: &[OsString]) -> Result<PathBuf, Reason> {
    let compiler_path = plan.var("COMPILER_PATH");
    let plain = if argv.iter().any(|arg| arg == "-fuse-ld=bfd") { "ld.bfd" } else { "ld" };
    let (cwd, world) = (&builder.req.cwd, builder.world);
    for name in ["real-ld", "collect-ld", plain] {
        match find_program(OsStr::new(name), compiler_path, None, cwd, world) {
            Ok(linker) => return Ok(linker),
            Err(reason) if reason.kind == ReasonKind::Plan => {}
            Err(reason) => return Err(reason),
        }
    }
    let linker = find_program(OsStr::new(plain), None, builder.req.var("PATH"), cwd, world)?;
    let dir = linker.parent().unwrap_or(Path::new("/")).as_os_str().as_bytes().to_vec();
    builder.env.insert(b"PATH".to_vec(), dir);
    Ok(linker)
}
