//! The files that the driver itself looks for: specs, and the objects that a program begins and ends with. The plan shows what comes of
//! them; what else they rest on is looked at here.
//!
//! Knows of the language of specs only how files and the environment are asked for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::prefixes;
use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};
use crate::world::World;

/// The files that `-specs` names in the arguments of a driver (`@file`s expanded).
pub(super) fn files(args: &[OsString], world: &dyn World) -> Result<Vec<PathBuf>, Reason> {
    let mut files = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let name = match arg.as_bytes() {
            b"-specs" => rest.next().map_or(&b""[..], |name| name.as_bytes()),
            bytes => match bytes.strip_prefix(b"-specs=") {
                Some(name) => name,
                None => continue,
            },
        };
        let refuse = |why: &str| {
            let detail = format!("-specs={}: {why}", String::from_utf8_lossy(name));
            Err(Reason::new(ReasonKind::UnmodelledOption, detail))
        };
        if !name.starts_with(b"/") {
            return refuse("is searched for");
        }
        let path = Path::new(OsStr::from_bytes(name));
        let text = world.read(path).map_err(|error| Reason::io(path, &error))?;
        // Functions look at files and at the environment.
        if [&b"%include"[..], b"%:"].iter().any(|word| text.windows(word.len()).any(|window| window == *word)) {
            return refuse("may rest on more files");
        }
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Looks where the driver looked for what it found by name: one that appears earlier would be taken.
pub(super) fn look_again(plan: &Plan, args: &[OsString], req: &Request, world: &dyn World) -> Result<(), Reason> {
    let dirs = plan.var("LIBRARY_PATH").unwrap_or_default().as_bytes();
    let dirs: Vec<PathBuf> = dirs
        .split(|byte| *byte == b':')
        .filter(|dir| !dir.is_empty())
        .map(|dir| req.cwd.join(OsStr::from_bytes(dir)))
        .collect();
    let links = || plan.commands.iter().filter(|command| command.argv.first().is_some_and(|name| is_collect2(name)));
    let started = links().flat_map(|command| &command.argv).map(Path::new).filter(|path| is_startup(path));
    if links().next().is_some() {
        prefixes::look_below_sysroot(req, args, world)?;
    }
    // The usual compile's plan holds only while there is no such file.
    let more = links().next().is_some() || args.iter().any(|arg| arg.as_bytes().starts_with(b"-B"));
    let own = more.then_some(Path::new("specs"));
    for found in plan.specs.iter().map(PathBuf::as_path).chain(started).chain(own) {
        let Some(name) = found.file_name() else { continue };
        world.purpose(&|| format!("{}, which the driver looks for", name.display()));
        for dir in &dirs {
            let path = dir.join(name);
            world.stat(&path).map_err(|error| Reason::io(&path, &error))?;
            if path == req.cwd.join(found) {
                break;
            }
        }
    }
    Ok(())
}

fn is_collect2(name: &OsStr) -> bool {
    Path::new(name).file_name().is_some_and(|name| name == "collect2")
}

/// `crt1.o`, `crtbeginS.o`, `Scrt1.o`, …
fn is_startup(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.ends_with(b".o") && name.windows(3).take(3).any(|part| part == b"crt")
}
