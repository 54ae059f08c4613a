//! The plugins that BFD loads when it looks for symbols in objects: `bfd-plugins` directories beside the tool.
//!
//! Knows nothing of what a plugin does; objects that one would claim are only read by it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::closure;
use crate::derive::{derive, key_of};
use crate::verdict::{Input, Reason, ReasonKind};
use crate::world::{FileKind, World, real_path};

/// The plugins of the tool `exe` with their libraries; `libraries` is the tool's own closure.
pub(crate) fn inputs(
    exe: &Path,
    libraries: &BTreeSet<Input>,
    library_path: Option<&OsStr>,
    world: &dyn World,
) -> Result<BTreeSet<Input>, Reason> {
    let mut inputs = BTreeSet::new();
    for dir in dirs(exe, libraries, world)? {
        let Some(names) = world.read_dir(&dir).map_err(|error| Reason::io(&dir, &error))? else { continue };
        inputs.insert(Input::Dir(dir.clone()));
        for name in names {
            let plugin = dir.join(name);
            let stat = world.stat(&plugin).map_err(|error| Reason::io(&plugin, &error))?;
            if stat.is_none_or(|stat| stat.kind != FileKind::File) {
                continue;
            }
            match closure::with_library_path(&plugin, library_path, world) {
                Ok(files) => inputs.extend(files),
                // One that cannot be loaded is passed over in silence.
                Err(reason) if reason.kind == ReasonKind::Footprint => {
                    inputs.insert(Input::File(plugin));
                }
                Err(reason) => return Err(reason),
            }
        }
    }
    Ok(inputs)
}

/// The directories as the tool spells them. BFD holds two strings, `LIBDIR/bfd-plugins` and `BINDIR/../lib/bfd-plugins`, and
/// makes them relative to where the tool really stands.
fn dirs(exe: &Path, libraries: &BTreeSet<Input>, world: &dyn World) -> Result<Vec<PathBuf>, Reason> {
    let real = real_path(exe, world)?;
    let key = format!("bfd-plugins 1\0{}", key_of(exe));
    let compiled_in: Vec<PathBuf> = derive(world, &key, |world| {
        let mut found = Vec::new();
        for input in libraries {
            let Input::File(path) = input else { continue };
            let is_bfd = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"libbfd"));
            if is_bfd || path == exe {
                found.extend(strings(&world.read(path).map_err(|error| Reason::io(path, &error))?));
            }
        }
        Ok(found)
    })?;
    let suffix = b"/../lib/bfd-plugins";
    let Some(bindir) = compiled_in.iter().find_map(|dir| dir.as_os_str().as_bytes().strip_suffix(suffix)) else {
        return Err(Reason::new(ReasonKind::Footprint, format!("{}: no directory of plugins", exe.display())));
    };
    let bindir = Path::new(OsStr::from_bytes(bindir));
    Ok(compiled_in.iter().map(|dir| relocated(&real, bindir, dir)).collect())
}

fn strings(bytes: &[u8]) -> Vec<PathBuf> {
    let tail = b"/bfd-plugins\0";
    let ends =
        bytes.windows(tail.len()).enumerate().filter(|(_, window)| window == tail).map(|(at, _)| at + tail.len() - 1);
    ends.filter_map(|end| {
        let start = bytes[..end].iter().rposition(|byte| *byte == 0)? + 1;
        bytes[start..end].starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(&bytes[start..end])))
    })
    .collect()
}

/// libiberty's `make_relative_prefix`: from where the tool stands up to what `bindir` and `target` share, and down again.
fn relocated(exe: &Path, bindir: &Path, target: &Path) -> PathBuf {
    let parts = |path: &Path| path.components().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    let (from, to) = (parts(bindir), parts(target));
    // The last part of `bindir` has no slash behind it and so is never shared.
    let shared = from[..from.len().saturating_sub(1)].iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut path = exe.parent().unwrap_or(Path::new("/")).to_owned();
    path.extend(std::iter::repeat_n(Component::ParentDir.as_os_str(), from.len() - shared));
    path.extend(&to[shared..]);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_as_the_tool_spells_them() {
        let relocated = |exe: &str, dir: &str| relocated(Path::new(exe), Path::new("/usr/bin"), Path::new(dir));
        let same = "/usr/bin/../lib/x86_64-linux-gnu/bfd-plugins";
        assert_eq!(relocated("/usr/bin/x86_64-linux-gnu-ar", "/usr/lib/x86_64-linux-gnu/bfd-plugins"), Path::new(same));
        let second = "/usr/bin/../bin/../lib/bfd-plugins";
        assert_eq!(relocated("/usr/bin/ar", "/usr/bin/../lib/bfd-plugins"), Path::new(second));
        assert_eq!(relocated("/opt/x/ar", "/usr/lib/bfd-plugins"), Path::new("/opt/x/../lib/bfd-plugins"));
        assert_eq!(strings(b"\0/a/bfd-plugins\0x/bfd-plugins\0"), [PathBuf::from("/a/bfd-plugins")]);
    }
}
