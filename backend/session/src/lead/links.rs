//! The directory of shims under the tools' own names, to be first on `PATH`. Knows no tool: which names have models is for
//! those to say, and only names that `PATH` has get a link, so that no tool seems to exist that does not.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use gg_protocol::{private_tmp, real_tool::Finder};

use crate::SessionError;

/// The names on `path` that are wanted. Only absolute entries count: make may work elsewhere.
pub(crate) fn names(path: &[u8], shim: &Path, wanted: &dyn Fn(&OsStr) -> bool) -> BTreeSet<OsString> {
    let finder = Finder::new(Path::new("/"), Some(shim));
    let absolute: Vec<&[u8]> = path.split(|byte| *byte == b':').filter(|entry| entry.starts_with(b"/")).collect();
    let listed = absolute.iter().filter_map(|entry| fs::read_dir(OsStr::from_bytes(entry)).ok()).flatten().flatten();
    let named: BTreeSet<OsString> = listed.map(|entry| entry.file_name()).filter(|name| wanted(name)).collect();
    let path = absolute.join(&b':');
    named.into_iter().filter(|name| finder.find(name.as_bytes(), &path).is_some()).collect()
}

/// Makes a directory of links to `shim` under these names, and returns its path. Each set of links has a directory of its
/// own, in `run`, or in `/tmp` where that path would not pass through `PATH` and makefiles unharmed; it is kept for the next
/// build, and what is missing of it is made again. Any number of builds may do so at once.
pub(crate) fn make(run: &Path, shim: &Path, names: &BTreeSet<OsString>) -> Result<PathBuf, SessionError> {
    let own = || private_tmp().map_err(|e| SessionError::io("making links for", run, io::Error::other(e.to_string())));
    let parent = if is_plain(run) { run.to_owned() } else { own()? };
    let dir = parent.join(format!("shims-{:016x}", digest(shim, names)));
    match fs::create_dir(&dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(SessionError::io("making", &dir, e));
        }
        _ => {}
    }
    // What placeholders name as their interpreter.
    let force_and_run = OsString::from("gg-force-and-run");
    let at = shim.with_file_name(&force_and_run);
    if at.is_file() {
        link(&dir, &force_and_run, &at).map_err(|e| SessionError::io("linking", &dir.join(&force_and_run), e))?;
    }
    for name in names {
        link(&dir, name, shim).map_err(|e| SessionError::io("linking", &dir.join(name), e))?;
    }
    Ok(dir)
}

fn link(dir: &Path, name: &OsStr, shim: &Path) -> io::Result<()> {
    let at = dir.join(name);
    if fs::read_link(&at).is_ok_and(|target| target == shim) {
        return Ok(());
    }
    let mut temporary = OsString::from(format!(".{}-", std::process::id()));
    temporary.push(name);
    let temporary = dir.join(temporary);
    // left by a process that had this one's number
    let _ = fs::remove_file(&temporary);
    symlink(shim, &temporary)?;
    fs::rename(&temporary, &at)
}

/// Neither `PATH` nor a makefile nor a shell takes any of these characters for something else.
fn is_plain(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte))
}

/// FNV-1a over the link's target and the names, each with an end.
fn digest(shim: &Path, names: &BTreeSet<OsString>) -> u64 {
    let parts = [shim.as_os_str()].into_iter().chain(names.iter().map(OsString::as_os_str));
    let bytes = parts.flat_map(|part| part.as_bytes().iter().chain(&[0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gg_models::makes_thunks;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn names_are_those_that_path_has() {
        let temp = gg_testkit::temp_dir();
        let (bin, shims) = (temp.path().join("bin"), temp.path().join("shims"));
        let program = |dir: &Path, name: &str, mode: u32| {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        for name in ["gcc-12", "x86_64-linux-gnu-ar", "ld.bfd", "nm", "c99", "gcc-nm", "clang"] {
            program(&bin, name, 0o755);
        }
        program(&bin, "strip", 0o644);
        let shim = temp.path().join("gg-shim");
        program(temp.path(), "gg-shim", 0o755);
        let path = [shims.as_os_str().as_bytes(), b":.:/nowhere:", bin.as_os_str().as_bytes()].concat();
        let expected = ["gcc-12", "ld.bfd", "x86_64-linux-gnu-ar"].map(OsString::from);
        assert!(names(&path, &shim, &makes_thunks).iter().eq(&expected), "{:?}", names(&path, &shim, &makes_thunks));

        // a shim is no tool that could be stood in for
        let dir = make(temp.path(), &shim, &BTreeSet::from(expected.clone())).unwrap();
        fs::create_dir(&shims).unwrap();
        symlink(&shim, shims.join("gcc")).unwrap();
        assert!(names(&path, &shim, &makes_thunks).iter().eq(&expected));
        assert_eq!(fs::read_link(dir.join("gcc-12")).unwrap(), shim);
    }

    #[test]
    fn a_directory_is_kept_and_mended() {
        let temp = gg_testkit::temp_dir();
        let names = BTreeSet::from(["ar".into(), "gcc".into()]);
        let shim = Path::new("/opt/gg/bin/gg-shim");
        let dir = make(temp.path(), shim, &names).unwrap();
        fs::remove_file(dir.join("ar")).unwrap();
        fs::remove_file(dir.join("gcc")).unwrap();
        symlink("elsewhere", dir.join("gcc")).unwrap();
        assert_eq!(make(temp.path(), shim, &names).unwrap(), dir);
        let entries: BTreeSet<OsString> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(entries, names);
        assert!(names.iter().all(|name| fs::read_link(dir.join(name)).unwrap() == shim));
        assert_ne!(make(temp.path(), shim, &BTreeSet::from(["ar".into()])).unwrap(), dir);
        assert_ne!(make(temp.path(), Path::new("/usr/bin/gg-shim"), &names).unwrap(), dir);
    }

    #[test]
    fn odd_paths_are_kept_out_of_makefiles() {
        for (path, plain) in
            [("/home/a-b/.cache/gg/run", true), ("/a b", false), ("/a:b", false), ("/$a", false), ("/ü", false)]
        {
            assert_eq!(is_plain(Path::new(path)), plain, "{path}");
        }
    }
}
