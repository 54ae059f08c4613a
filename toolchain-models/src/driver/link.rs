//! What one run of collect2 reads and writes: the linker that it finds, and what the linker's model says.
//!
//! Knows nothing of libraries.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::builder::{Builder, is_temporary};
use super::lto;
use super::plan::{Command, Plan};
use super::programs::Programs;
use crate::ld::{self, Linker};
use crate::verdict::{Holds, OutputSpec, Reason, ReasonKind};

/// Adds the step; `args` are the driver's own (`@file`s expanded).
pub(crate) fn add(
    builder: &mut Builder<'_>,
    exe: &Path,
    command: &Command,
    plan: &Plan,
    args: &[OsString],
) -> Result<(), Reason> {
    builder.step(exe, &command.argv)?;
    for (name, value) in &plan.exported {
        builder.env.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
    }
    builder.env.insert(b"COLLECT_GCC_OPTIONS".to_vec(), command.collect_options.as_bytes().to_vec());
    let mut programs = Programs::new(builder, plan);
    if command.argv.iter().any(|arg| arg == "-v") {
        // It tells the names of its temporary files.
        return Err(Reason::new(ReasonKind::UnmodelledOption, "-v"));
    }
    let (linker, name) = Linker::of(&command.argv)?;
    let program = find_linker(&mut programs, linker, name)?;
    let own = |arg: &&OsString| is_own(arg) || builder.is_made(arg);
    let ld_args: Vec<OsString> = command.argv[1..].iter().filter(|arg| !own(arg)).cloned().collect();
    let footprint = ld::footprint(&ld_args, &builder.req.cwd, &builder.req.env, (linker, &program), builder.world)?;
    let temporary = builder.intermediate.then(|| PathBuf::from("a temporary object"));
    let object = footprint.intermediate.or(temporary).filter(|_| command.argv.iter().all(|arg| arg != "-fno-lto"));
    if let Some(object) = &object {
        if linker != Linker::Bfd {
            return Err(Reason::new(ReasonKind::Lto, format!("{}, by another linker", object.display())));
        }
        if !footprint.plugin {
            return Err(Reason::new(ReasonKind::Lto, format!("{}, without the plugin", object.display())));
        }
        lto::programs(builder, &mut programs, plan, args, object)?;
    }
    let temporary = object.is_some() || command.argv.iter().any(|arg| is_temporary(arg));
    if temporary && let Some(arg) = command.argv.iter().find(|arg| names_inputs(arg)) {
        // The names of temporary objects are other ones each time.
        return Err(Reason::new(ReasonKind::UnmodelledOption, arg.to_string_lossy()));
    }
    programs.add_to(builder)?;
    for pair in ld_args.windows(2).filter(|pair| pair[0] == "-plugin") {
        builder.tool(Path::new(&pair[1]))?;
    }
    builder.add(footprint.inputs);
    let varies = object.is_some_and(|_| lto::varies(args));
    let outputs = footprint.outputs.into_iter().map(|output| match output.holds {
        Holds::Binary if varies => OutputSpec { holds: Holds::Varying, ..output },
        _ => output,
    });
    builder.add_outputs(outputs)
}

/// Whether the option makes the linker write down which objects it was given.
fn names_inputs(arg: &OsStr) -> bool {
    let bytes = arg.as_bytes();
    let Some(name) = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-")) else { return false };
    let plain: [&[u8]; 9] =
        [b"Map", b"M", b"print-map", b"t", b"trace", b"cref", b"print-gc-sections", b"verbose", b"dependency-file"];
    let families: [&[u8]; 4] = [b"Map=", b"y", b"trace-symbol", b"dependency-file="];
    plain.contains(&name) || families.iter().any(|family| name.starts_with(family))
}

/// What is collect2's own or made by an earlier step.
fn is_own(arg: &OsStr) -> bool {
    let bytes = arg.as_bytes();
    is_temporary(arg)
        || bytes.starts_with(b"-plugin-opt=-fresolution=")
        || bytes.starts_with(b"-fuse-ld=")
        || bytes.starts_with(b"-flto")
        || bytes == b"-fno-lto"
}

/// collect2 looks for three names beside the compiler, then for the last of them on `PATH`.
fn find_linker(programs: &mut Programs<'_>, linker: Linker, plain: &OsStr) -> Result<PathBuf, Reason> {
    for name in [OsStr::new("real-ld"), OsStr::new("collect-ld"), plain] {
        match programs.beside(name)? {
            Some(program) if name != plain && linker != Linker::Bfd => {
                return Err(Reason::new(ReasonKind::Plan, format!("{} instead of another linker", program.display())));
            }
            Some(program) => return Ok(program),
            None => {}
        }
    }
    programs.on_path(plain)
}
