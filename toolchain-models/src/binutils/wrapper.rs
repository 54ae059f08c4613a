//! `gcc-ar` and `gcc-ranlib`: the same tools, called with the plugin of the compiler that they came with.
//!
//! Knows how such a wrapper finds both; nothing of what the tools do.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::derive::{derive, key_of};
use crate::driver::find_program;
use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, World, real_path};

const PLUGIN: &str = "liblto_plugin.so";

/// The tool that a wrapper of this name calls.
pub(super) fn inner(tool: &[u8]) -> Option<&'static [u8]> {
    match tool {
        b"gcc-ar" => Some(b"ar"),
        b"gcc-ranlib" => Some(b"ranlib"),
        _ => None,
    }
}

/// The call that a wrapper makes of its own.
pub(super) fn call(req: &Request, inner: &'static [u8], world: &dyn World) -> Result<Request, Reason> {
    for name in ["COMPILER_PATH", "GCC_EXEC_PREFIX"] {
        if req.var(name).is_some() {
            return Err(Reason::new(ReasonKind::Environment, name));
        }
    }
    // It looks at all of them, before it knows what they are.
    if let Some(arg) = req.args().iter().find(|arg| arg.as_bytes().starts_with(b"-B")) {
        return Err(Reason::new(ReasonKind::UnmodelledOption, arg.to_string_lossy()));
    }
    let dir = directory(&req.exe, world)?;
    let plan = |what: &str| Reason::new(ReasonKind::Plan, format!("{}: {what}", req.exe.display()));
    let machine = dir.parent().and_then(Path::file_name).ok_or_else(|| plan("no machine"))?;
    let first = dir.join("../../../..").join(machine).join("bin");
    let is_file = |path: &Path| -> Result<bool, Reason> {
        Ok(world.stat(path).map_err(|error| Reason::io(path, &error))?.is_some_and(|stat| stat.kind == FileKind::File))
    };
    let find = |name: &OsStr| -> Result<Option<PathBuf>, Reason> {
        for dir in [&first, &dir] {
            let path = dir.join(name);
            if is_file(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    };
    let plugin = find(OsStr::new(PLUGIN))?.ok_or_else(|| plan("no plugin"))?;
    let name = OsStr::from_bytes(inner);
    let exe = match find(name)? {
        Some(exe) => exe,
        None => find_program(name, None, req.var("PATH"), &req.cwd, world)?,
    };
    let mut argv = vec![exe.clone().into_os_string(), "--plugin".into(), plugin.into_os_string()];
    let mut args = req.args().iter().cloned();
    if let Some(letters) = args.next() {
        let dash = if inner == b"ar" && !letters.as_bytes().starts_with(b"-") { "-" } else { "" };
        let mut first = OsString::from(dash);
        first.push(letters);
        argv.push(first);
    }
    argv.extend(args);
    Ok(Request { tool: name.to_owned(), exe, argv, ..req.clone() })
}

/// The directory of the compiler's version, which the compiler itself tells by where its plugin is.
fn directory(exe: &Path, world: &dyn World) -> Result<PathBuf, Reason> {
    derive(world, &format!("wrapper 1\0{}", key_of(exe)), |world| {
        let refuse = || Reason::new(ReasonKind::Plan, format!("{}: no compiler beside it", exe.display()));
        let real = real_path(exe, world)?;
        let name = real.file_name().unwrap_or_default().as_bytes();
        let at = name.windows(4).rposition(|part| part == b"gcc-").ok_or_else(refuse)?;
        let wrapped = &name[at + 4..];
        let version = wrapped.iter().position(|byte| *byte == b'-').map_or(&[][..], |dash| &wrapped[dash..]);
        let compiler = real.with_file_name(OsStr::from_bytes(&[&name[..at], b"gcc", version].concat()));
        if world.stat(&compiler).map_err(|error| Reason::io(&compiler, &error))?.is_none() {
            return Err(refuse());
        }
        let argv = [compiler.as_os_str().to_owned(), format!("-print-file-name={PLUGIN}").into()];
        let said = world.run(&compiler, &argv, &[("LC_ALL".into(), "C".into())], Path::new("/"));
        let said = said.map_err(|error| Reason::io(&compiler, &error))?;
        let path = Path::new(OsStr::from_bytes(said.stdout.trim_ascii_end()));
        let prefix = real.parent().and_then(Path::parent).map(|prefix| prefix.join("lib/gcc"));
        match path.parent() {
            // The wrapper looks from where it stands itself.
            Some(dir) if path.is_absolute() && dir.parent().and_then(Path::parent) == prefix.as_deref() => {
                Ok(dir.to_owned())
            }
            _ => Err(refuse()),
        }
    })
}
