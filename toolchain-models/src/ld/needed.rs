//! The libraries that shared objects of a link need, searched for as the linker does on behalf of the loader.
//!
//! Knows nothing of `-l` and `-L`, which do not count here.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::ld::conf::{self, Conf, rooted};
use crate::ld::elf::Shared;
use crate::ld::link::{Link, Loaded};
use crate::verdict::Reason;

/// The directories given by options and the environment, as they are written: what `$ORIGIN` is depends on who needs a library.
#[derive(Default)]
pub(crate) struct RunPaths {
    /// `-rpath-link`.
    pub link: Vec<OsString>,
    /// `-rpath`.
    pub run: Vec<OsString>,
    /// `LD_RUN_PATH`, used where there are none of the above.
    pub environment: Vec<OsString>,
    /// `LD_LIBRARY_PATH`.
    pub library_path: Vec<OsString>,
}

impl RunPaths {
    /// Splits a list of directories.
    pub(crate) fn split(list: &OsStr) -> Vec<OsString> {
        let dirs = list.as_bytes().split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
        dirs.map(|dir| OsStr::from_bytes(dir).to_owned()).collect()
    }
}

/// Follows what the loaded shared objects need; gives the configuration files if they had to be read.
pub(crate) fn follow(link: &mut Link<'_>, paths: &RunPaths, ld_exe: &Path) -> Result<Option<Conf>, Reason> {
    let mut conf = None;
    let mut seen: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(Loaded { path, shared }) = link.loaded.get(at) {
        let (by, run_path, needed) = (path.clone(), shared.run_path.clone(), shared.needed.clone());
        at += 1;
        for name in needed {
            if seen.contains(&name) || is_loaded(link, &name) {
                continue;
            }
            find(link, paths, ld_exe, &mut conf, &by, &run_path, &name)?;
            seen.push(name);
        }
    }
    Ok(conf)
}

fn is_loaded(link: &Link<'_>, name: &str) -> bool {
    link.loaded.iter().any(|loaded| {
        loaded.shared.soname.as_deref() == Some(name) || loaded.path.file_name() == Some(OsStr::new(name))
    })
}

fn find(
    link: &mut Link<'_>,
    paths: &RunPaths,
    ld_exe: &Path,
    conf: &mut Option<Conf>,
    by: &Path,
    run_path: &[String],
    name: &str,
) -> Result<(), Reason> {
    link.world.purpose(&|| format!("{name}, which {} needs", by.display()));
    let mut given: Vec<&OsStr> = paths.link.iter().chain(&paths.run).map(OsString::as_os_str).collect();
    if given.is_empty() {
        given.extend(paths.environment.iter().map(OsString::as_os_str));
    }
    given.extend(paths.library_path.iter().map(OsString::as_os_str));
    given.extend(run_path.iter().filter(|dir| !dir.is_empty()).map(OsStr::new));
    let dirs: Vec<PathBuf> = given.into_iter().map(|dir| link.path(&expand(dir, by))).collect();
    if name.contains('/') && take(link, &link.path(OsStr::new(name)), name)? {
        return Ok(());
    }
    for dir in dirs {
        for dir in [rooted(&link.sysroot, &dir), dir.clone()] {
            if take(link, &dir.join(name), name)? {
                return Ok(());
            }
        }
    }
    let conf = match conf {
        Some(conf) => conf,
        None => conf.insert(conf::read(&link.sysroot, ld_exe, link.world)?),
    };
    for dir in conf.dirs.iter().chain(&link.default_dirs.clone()) {
        if take(link, &dir.join(name), name)? {
            return Ok(());
        }
    }
    // Not found: the linker warns, or says so when a symbol is missing.
    Ok(())
}

/// Takes the file if it is one; false means that the search goes on.
fn take(link: &mut Link<'_>, path: &Path, name: &str) -> Result<bool, Reason> {
    let Some(shared) = link.needed(path)? else { return Ok(false) };
    let clashes = clashes(link, &shared, name);
    link.loaded.push(Loaded { path: path.to_owned(), shared });
    Ok(!clashes)
}

/// The linker first passes over a library that needs another version of what is loaded, and may come back to it: then all that
/// the search could come upon is noted.
fn clashes(link: &Link<'_>, shared: &Shared, name: &str) -> bool {
    let stem = |name: &str| name.split_once(".so.").map(|(stem, _)| stem.to_owned());
    shared.needed.iter().map(String::as_str).chain([name]).any(|needed| {
        let Some(base) = stem(needed) else { return false };
        link.loaded
            .iter()
            .filter_map(|loaded| loaded.shared.soname.as_deref())
            .any(|soname| soname != needed && stem(soname).as_ref() == Some(&base))
    })
}

/// Replaces `$ORIGIN` and `$LIB` as the linker does.
fn expand(dir: &OsStr, by: &Path) -> OsString {
    let mut text = dir.as_bytes();
    let mut expanded = OsString::new();
    let origin = by.parent().unwrap_or(Path::new("/")).as_os_str();
    let tokens: [(&[u8], &OsStr); 4] = [
        (b"${ORIGIN}", origin),
        (b"$ORIGIN", origin),
        (b"${LIB}", OsStr::new("lib64")),
        (b"$LIB", OsStr::new("lib64")),
    ];
    let is_token = |text: &[u8], token: &[u8]| {
        let goes_on = |rest: &[u8]| rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        text.strip_prefix(token).is_some_and(|rest| token.ends_with(b"}") || !goes_on(rest))
    };
    while !text.is_empty() {
        if let Some((token, value)) = tokens.iter().find(|(token, _)| is_token(text, token)) {
            expanded.push(value);
            text = &text[token.len()..];
        } else {
            expanded.push(OsStr::from_bytes(&text[..1]));
            text = &text[1..];
        }
    }
    expanded
}
