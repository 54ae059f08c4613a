//! Where the caller has the driver search before its own directories: `-B`, `COMPILER_PATH`, `LIBRARY_PATH` and kin (gcc's manual,
//! "Options for Directory Search" and "Environment Variables Affecting GCC").
//!
//! The driver looks there for programs, specs, the linker's plugin, start files and directories of headers, and passes on only those
//! directories that are there. Which names it looks for is its own affair: a plan rests on all the names in them, and on what stands
//! behind those that such a file may have. Below a `--sysroot` it finds no programs: there a plan rests on which directories are there.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::plan;
use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};
use crate::world::{FileKind, World};

const VARIABLES: &[&str] = &["COMPILER_PATH", "GCC_EXEC_PREFIX", "LIBRARY_PATH", "LPATH"];

/// Looks at the names in all directories that the driver searches for the caller's sake.
pub(super) fn look(req: &Request, args: &[OsString], world: &dyn World) -> Result<(), Reason> {
    let given = |arg: &OsString| arg.as_bytes().starts_with(b"-B") || arg.as_bytes().starts_with(b"--prefix");
    if !args.iter().any(given) && VARIABLES.iter().all(|name| req.var(name).is_none()) {
        return Ok(());
    }
    let all = searched(req, args.iter().map(OsString::as_os_str), &[], world)?;
    let own = searched(req, sysroot(args), VARIABLES, world)?;
    world.purpose(&|| "what the driver may find where it is to search first".to_owned());
    for place in all.iter().filter(|place| !own.contains(place)) {
        // What does not end in a slash is the beginning of names.
        let path = req.cwd.join(OsStr::from_bytes(place));
        let (dir, start) = if place.ends_with(b"/") {
            (path.as_path(), OsStr::new(""))
        } else {
            (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default())
        };
        let names = world.read_dir(dir).map_err(|error| Reason::io(dir, &error))?;
        for name in names.iter().flatten() {
            if let Some(meant) = name.as_bytes().strip_prefix(start.as_bytes()) {
                look_at(&dir.join(name), meant, world)?;
            }
        }
    }
    world.purpose(&String::new);
    Ok(())
}

/// Looks at what the driver may mean by this name, and pass over: links that lead to nothing, files without the permission.
fn look_at(path: &Path, name: &[u8], world: &dyn World) -> Result<(), Reason> {
    let program = !name.contains(&b'.') || name.starts_with(b"ld.");
    if !program && !name.ends_with(b".o") && !name.ends_with(b".spec") && name != b"liblto_plugin.so" {
        return Ok(());
    }
    // The bytes of what it takes are looked at as any input's.
    let stat = world.stat_output(path).map_err(|error| Reason::io(path, &error))?;
    let needed = if program { 0o555 } else { 0o444 };
    if stat.is_some_and(|stat| stat.kind == FileKind::File && (stat.size == 0 || stat.mode & needed != needed)) {
        world.stat(path).map_err(|error| Reason::io(path, &error))?;
    }
    Ok(())
}

/// Looks which directories are there that a link searches because of `--sysroot`.
pub(super) fn look_below_sysroot(req: &Request, args: &[OsString], world: &dyn World) -> Result<(), Reason> {
    if sysroot(args).next().is_none() {
        return Ok(());
    }
    let all = searched(req, args.iter().map(OsString::as_os_str), &[], world)?;
    let own = searched(req, std::iter::empty(), VARIABLES, world)?;
    for place in all.iter().filter(|place| !own.contains(place)) {
        let dir = req.cwd.join(OsStr::from_bytes(place));
        world.stat(&dir).map_err(|error| Reason::io(&dir, &error))?;
    }
    Ok(())
}

/// The arguments that give the sysroot.
fn sysroot(args: &[OsString]) -> impl Iterator<Item = &OsStr> {
    let is = |arg: &OsString| arg.as_bytes().starts_with(b"--sysroot");
    let value_of = move |at: usize| at > 0 && args[at - 1] == "--sysroot";
    args.iter().enumerate().filter(move |(at, arg)| is(arg) || value_of(*at)).map(|(_, arg)| arg.as_os_str())
}

/// The beginnings of the paths that the driver tries, as it prints them itself: directories mostly.
fn searched<'a>(
    req: &Request,
    args: impl Iterator<Item = &'a OsStr>,
    without: &[&str],
    world: &dyn World,
) -> Result<Vec<Vec<u8>>, Reason> {
    const QUESTION: &str = "-print-search-dirs";
    let output = plan::run(req, args.chain([OsStr::new(QUESTION)]), without, world)?;
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let lists =
        lines.filter_map(|line| line.strip_prefix(b"programs: =").or_else(|| line.strip_prefix(b"libraries: =")));
    let places: Vec<Vec<u8>> = lists.flat_map(|list| list.split(|byte| *byte == b':')).map(<[u8]>::to_vec).collect();
    if output.status != Some(0) || places.is_empty() {
        return Err(Reason::new(ReasonKind::Plan, format!("{} {QUESTION}", req.exe.display())));
    }
    Ok(places)
}
