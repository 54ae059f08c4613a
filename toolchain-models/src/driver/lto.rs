//! What link-time optimization adds to a link: the linker's plugin has lto-wrapper call the driver again, the driver lto1 and the
//! assembler, and make where several parts are worked on at once.
//!
//! All of it happens within the link's one step. Knows nothing of the objects.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::builder::Builder;
use super::locale;
use super::plan::Plan;
use super::programs::Programs;
use crate::verdict::{Reason, ReasonKind};

/// Options that make the compiler of the second round read or write more, or say what it does.
const BEYOND: &[&str] = &[
    "--coverage",
    "--specs",
    "-aux-info",
    "-coverage",
    "-dumpbase",
    "-dumpdir",
    "-fauto-profile",
    "-fbranch-probabilities",
    "-fcallgraph-info",
    "-fdump",
    "-flto-report",
    "-flto=jobserver",
    "-fopt-info",
    "-fplugin",
    "-fprofile",
    "-fsave-optimization-record",
    "-fstack-usage",
    "-gsplit-dwarf",
    "-save-temps",
    "-specs",
    "-wrapper",
];

/// By this the driver tells the compiler which options the assembler gets.
pub(super) const ASSEMBLER_OPTIONS: &str = "COLLECT_AS_OPTIONS";

/// Tells a compiler that leaves intermediate code the options of the assembler: it keeps them with the code, for the second
/// round. `planned` are the driver's, which come before the caller's own.
pub(super) fn tell_options(builder: &mut Builder<'_>, planned: Option<&OsStr>) {
    let req = builder.req;
    if builder.intermediate
        && let Some(options) = planned.or_else(|| req.var(ASSEMBLER_OPTIONS))
    {
        builder.env.insert(ASSEMBLER_OPTIONS.as_bytes().to_vec(), options.as_bytes().to_vec());
    }
}

/// Finds the programs of the second round that a link of `object` makes, called with the driver's arguments `args`.
pub(super) fn programs(
    builder: &mut Builder<'_>,
    programs: &mut Programs<'_>,
    plan: &Plan,
    args: &[OsString],
    object: &Path,
) -> Result<(), Reason> {
    let refuse = |why: String| Err(Reason::new(ReasonKind::Lto, format!("{}: {why}", object.display())));
    for arg in args {
        let bytes = arg.as_bytes();
        // The driver of the second round would ask the processor that it runs on.
        let native = bytes.starts_with(b"-m") && bytes.ends_with(b"=native");
        if native || BEYOND.iter().any(|option| bytes.starts_with(option.as_bytes())) {
            return refuse(arg.to_string_lossy().into_owned());
        }
    }
    let (Some(wrapper), Some(driver)) = (plan.var("COLLECT_LTO_WRAPPER"), plan.var("COLLECT_GCC")) else {
        return refuse("the driver names no wrapper".to_owned());
    };
    programs.on_path(wrapper)?;
    programs.on_path(driver)?;
    for name in ["lto1", "as"] {
        if programs.beside(OsStr::new(name))?.is_none() {
            programs.on_path(OsStr::new(name))?;
        }
    }
    if in_parallel(args) {
        if let Some(make) = builder.req.var("MAKE") {
            return refuse(format!("MAKE={}", make.display()));
        }
        programs.on_path(OsStr::new("/bin/sh"))?;
        for name in ["make", "mv", "touch"] {
            programs.on_path(OsStr::new(name))?;
        }
        builder.add(locale::whole(builder.req, builder.world)?);
    }
    Ok(())
}

/// Whether several parts may be worked on at once: with `-flto=auto`, or with a number. The last one counts.
fn in_parallel(args: &[OsString]) -> bool {
    let last = args.iter().rev().find(|arg| matches!(arg.as_bytes(), b"-flto" | b"-fno-lto") || is_number(arg));
    last.is_some_and(|arg| is_number(arg))
}

fn is_number(arg: &OsStr) -> bool {
    arg.as_bytes().starts_with(b"-flto=")
}

/// Whether what is linked is another each time: an object with intermediate code again, in sections whose names are drawn by
/// lot; or a program in which the address sanitizer tells of temporary objects.
pub(super) fn varies(args: &[OsString]) -> bool {
    let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
    let begins = |name: &[u8]| args.iter().any(|arg| arg.as_bytes().starts_with(name));
    let sanitizers = args.iter().filter_map(|arg| arg.as_bytes().strip_prefix(b"-fsanitize="));
    let names = sanitizers.flat_map(|list| list.split(|byte| *byte == b',')).any(|name| name.ends_with(b"address"));
    names || has("-r") && !begins(b"-frandom-seed=") && !has("-flinker-output=nolto-rel")
}
