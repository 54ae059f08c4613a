//! What of the caller's environment the commands of a driver see.
//!
//! An allow-list: variables that neither the compiler, the assembler nor the linker reads are left out, so that they do
//! not tell thunks apart. What gcc's own text says (`COLLECT_GCC`, …) is the plan's to add.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};
use crate::world::{World, real_path};

/// These change what is read, written or loaded in ways that no model follows.
const REFUSED: &[&str] = &[
    "DEPENDENCIES_OUTPUT",
    "GCC_COMPARE_DEBUG",
    "GCONV_PATH",
    "LD_AUDIT",
    "LD_PRELOAD",
    "LLD_IN_TEST",
    "LLD_REPRODUCE",
    "LLD_VERSION",
    "LOCPATH",
    "OUTPUT_CHARSET",
    "SUNPRO_DEPENDENCIES",
];

/// Of these also those that are set to nothing: then no file can be opened by that name.
const EVEN_EMPTY: &[&str] = &["DEPENDENCIES_OUTPUT", "LLD_REPRODUCE", "SUNPRO_DEPENDENCIES"];

/// Read by cc1 and as.
const COMPILER: &[&str] = &[
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "GCC_COLORS",
    "GCC_EXEC_PREFIX",
    "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
    "GCC_URLS",
    "LD_LIBRARY_PATH",
    "POSIXLY_CORRECT",
    "SOURCE_DATE_EPOCH",
    "TERM_URLS",
];

/// Read by collect2 and ld besides.
const LINKER: &[&str] = &["COLLECT_NO_DEMANGLE", "GNUTARGET", "LDEMULATION", "LD_RUN_PATH"];

/// The reason to run the real tool, if the caller's environment is one.
pub(crate) fn check(req: &Request) -> Result<(), Reason> {
    let set = |name: &&&str| req.var(name).is_some_and(|value| !value.is_empty() || EVEN_EMPTY.contains(name));
    REFUSED.iter().find(set).map_or(Ok(()), |name| Err(Reason::new(ReasonKind::Environment, *name)))
}

/// The environment of the steps, as far as it comes from the caller (the locale apart).
pub(crate) fn of(req: &Request, links: bool, world: &dyn World) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Reason> {
    let linker = if links { LINKER } else { &[] };
    let mut env = BTreeMap::new();
    for name in COMPILER.iter().chain(linker) {
        if let Some(value) = req.var(name) {
            env.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
        }
    }
    env.insert(b"PWD".to_vec(), logical_cwd(req, world)?.as_bytes().to_vec());
    Ok(env)
}

/// The value of `PWD` if it names the working directory, as tools record it, else the directory itself.
fn logical_cwd<'a>(req: &'a Request, world: &dyn World) -> Result<&'a OsStr, Reason> {
    let Some(pwd) = req.var("PWD").filter(|pwd| pwd.as_bytes().starts_with(b"/") && *pwd != req.cwd.as_os_str()) else {
        return Ok(req.cwd.as_os_str());
    };
    // The answer rests on each link on the way.
    if real_path(Path::new(pwd), world).is_err_and(|reason| reason.kind == ReasonKind::Environment) {
        return Err(Reason::new(ReasonKind::Environment, "PWD"));
    }
    let place = |path: &Path| world.stat(path).ok().flatten().map(|stat| (stat.dev, stat.ino));
    Ok(match (place(Path::new(pwd)), place(&req.cwd)) {
        (Some(logical), Some(physical)) if logical == physical => pwd,
        _ => req.cwd.as_os_str(),
    })
}
