//! A view of the host below a laid-out tree: what the tree has wins, what it lacks is the host's, what
//! is written goes to layers of its own.
//!
//! An overlay shows one file system of the host's, so there is one for each; and where a directory cannot
//! be shown because others are mounted below it (a user namespace must not look under a mount), one for
//! each thing in it. Paths are relative to the slot's tmpfs; those of the view have no leading slash.

mod seen;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use gg_thunk::{Bytes, Thunk};

use crate::error::{Doing, ExecError};
use crate::layout::LARGE_BYTES;
use crate::sys::mount;
use crate::sys::mountinfo::{self, Mount};
use seen::What;

/// Not shown: what is in them is of the kernel's making, or they hold no files.
const KERNEL_KINDS: [&[u8]; 23] = [
    b"autofs",
    b"binfmt_misc",
    b"bpf",
    b"cgroup",
    b"cgroup2",
    b"configfs",
    b"debugfs",
    b"devpts",
    b"devtmpfs",
    b"efivarfs",
    b"fusectl",
    b"hugetlbfs",
    b"mqueue",
    b"nfsd",
    b"nsfs",
    b"proc",
    b"pstore",
    b"rpc_pipefs",
    b"securityfs",
    b"selinuxfs",
    b"sysfs",
    b"tracefs",
    b"binder",
];
/// As in the root without a host: they are made anew, or are not there.
const KERNEL_PLACES: [&[u8]; 3] = [b"dev", b"proc", b"sys"];
/// So many things in a directory are shown one by one, at most.
const MAX_ENTRIES: usize = 4096;

/// The host's mounts, as they were when the slot left the host's namespaces.
pub(super) struct Host {
    /// Places without a leading slash, outer ones first; the root itself is not among them.
    mounts: Vec<(Bytes, bool)>,
}

impl Host {
    pub fn look() -> Result<Host, ExecError> {
        let mounts = mountinfo::own().doing(|| "cannot read what is mounted".to_owned())?;
        Ok(Host::of(mounts))
    }

    fn of(mounts: Vec<Mount>) -> Host {
        let mut places: Vec<(Bytes, bool)> = Vec::new();
        for mount in mounts {
            let place = mount.path.strip_prefix(b"/").unwrap_or_default().to_vec();
            let shown = !KERNEL_KINDS.contains(&mount.kind.as_slice()) && !is_kernel_place(&place);
            // The last one mounted at a place is the one that is seen.
            places.retain(|(other, _)| *other != place);
            if !place.is_empty() {
                places.push((place, shown));
            }
        }
        places.sort();
        Host { mounts: places }
    }

    fn is_mount(&self, place: &[u8]) -> bool {
        self.mounts.iter().any(|(mount, _)| mount == place)
    }

    fn has_mounts_below(&self, place: &[u8]) -> bool {
        self.mounts.iter().any(|(mount, _)| mount != place && lies_in(mount, place))
    }
}

/// What one thunk's view is made of.
pub(super) struct OverHost {
    host: Vec<(Bytes, bool)>,
    /// The directory that takes the layers.
    layers: String,
    user_xattr: bool,
    /// Directories that the steps may write to whoever owns them on the host.
    writable: Vec<Bytes>,
    /// Directories that are empty at first, the host's or not.
    private: Vec<Bytes>,
    /// Outputs that the tree does not have: what the host has there is from before.
    hidden: Vec<Bytes>,
    /// Large files that the steps may write to, from a path of the machine.
    written: Vec<(Bytes, Bytes)>,
}

impl OverHost {
    /// The view for this thunk, whose tree is laid out in `lower`.
    pub fn plan(
        host: &Host,
        thunk: &Thunk,
        layers: String,
        user_xattr: bool,
        written: Vec<(Bytes, Bytes)>,
    ) -> OverHost {
        let (tree, root) = (Path::new("lower"), Path::new("/"));
        let directory = |path: &[u8]| {
            let seen = seen::resolve(tree, root, path, true)?;
            (seen.what != What::Other).then_some(seen.path)
        };
        let cwd = directory(&thunk.cwd);
        let variables = [&b"TMPDIR"[..], b"TMP", b"TEMP"].map(|name| thunk.env.get(name));
        let named = variables.into_iter().flatten().map(Vec::as_slice);
        let temporary = std::iter::once(&b"/tmp"[..]).chain(named.filter(|path| path.starts_with(b"/")));
        let mut temporary: Vec<Bytes> = temporary.filter_map(directory).filter(|place| !place.is_empty()).collect();
        temporary.sort();
        let mut private: Vec<Bytes> = Vec::new();
        for place in &temporary {
            let inside = private.iter().any(|outer| lies_in(place, outer));
            let used = cwd.as_ref().is_some_and(|cwd| lies_in(cwd, place)) || has_entries(tree, place);
            if !inside && !used {
                private.push(place.clone());
            }
        }
        let outputs = thunk.outputs.iter().filter_map(|output| seen::resolve(tree, root, &output.path, false));
        let hidden = outputs.filter(|seen| seen.what == What::Other && !seen.in_tree).map(|seen| seen.path).collect();
        let writable = cwd.into_iter().chain(temporary).collect();
        OverHost { host: host.mounts.clone(), layers, user_xattr, writable, private, hidden, written }
    }

    /// Mounts the view at `merged`; says what could not be shown.
    pub fn mount(&self) -> io::Result<Vec<String>> {
        let mut view = View { plan: self, host: Host { mounts: self.host.clone() }, count: 0, left_out: Vec::new() };
        view.show(b"").map_err(|e| named("the host's root", e))?;
        for (place, shown) in &self.host {
            let source = absolute(place);
            let Ok(meta) = fs::symlink_metadata(&source) else {
                continue;
            };
            if *shown && meta.is_dir() && is_dir(b"merged", place) {
                let result = view.show(place);
                view.note(place, result);
            } else if *shown && meta.is_file() {
                let result = view.show_file(place);
                view.note(place, result);
            }
        }
        for place in &self.hidden {
            match fs::remove_file(path(&below(b"merged", place))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(named("an output of before", e)),
                _ => {}
            }
        }
        for (source, place) in &self.written {
            let mut to = OpenOptions::new().write(true).truncate(true).open(path(&below(b"merged", place)))?;
            io::copy(&mut File::open(path(source))?, &mut to)?;
        }
        for (number, place) in self.private.iter().enumerate() {
            let empty = format!("{}/private{number}", self.layers);
            DirBuilder::new().mode(0o1777).create(&empty)?;
            if is_dir(b"merged", place) {
                mount::bind(empty.as_bytes(), &below(b"merged", place), false)
                    .map_err(|e| named("a directory for temporary files", e))?;
            }
        }
        Ok(view.left_out)
    }
}

/// The view while it is made.
struct View<'a> {
    plan: &'a OverHost,
    host: Host,
    /// The overlays so far.
    count: usize,
    left_out: Vec<String>,
}

impl View<'_> {
    /// Shows a directory, with all that is below it on its file system.
    fn show(&mut self, place: &[u8]) -> io::Result<()> {
        self.count += 1;
        let own = format!("{}/o{}", self.plan.layers, self.count);
        let layer = |name: &str| format!("{own}/{name}");
        for dir in [own.clone(), layer("upper"), layer("work"), layer("tree"), layer("host")] {
            DirBuilder::new().mode(0o755).create(dir)?;
        }
        let mut lower = Vec::new();
        if is_dir(b"lower", place) {
            mount::bind(&below(b"lower", place), layer("tree").as_bytes(), false)?;
            lower.push(layer("tree"));
        }
        let source = absolute(place);
        let entries = match mount::bind(source.as_os_str().as_bytes(), layer("host").as_bytes(), false) {
            Ok(()) => Vec::new(),
            Err(_) if self.host.has_mounts_below(place) => self.list(place, &layer("host"))?,
            Err(e) => return Err(e),
        };
        lower.push(layer("host"));
        for writable in self.plan.writable.iter().filter(|writable| lies_in(writable, place)) {
            let rest = writable.get(place.len()..).unwrap_or_default();
            let rest = rest.strip_prefix(b"/").unwrap_or(rest);
            DirBuilder::new().recursive(true).mode(0o755).create(Path::new(&layer("upper")).join(path(rest)))?;
        }
        let xattr = if self.plan.user_xattr { ",userxattr" } else { "" };
        let (upper, work) = (layer("upper"), layer("work"));
        let options = format!("lowerdir={},upperdir={upper},workdir={work}{xattr}", lower.join(":"));
        mount::overlay(&below(b"merged", place), &options)?;
        for entry in entries {
            let result = if is_dir(b"merged", &entry) { self.show(&entry) } else { self.show_file(&entry) };
            self.note(&entry, result);
        }
        Ok(())
    }

    /// Makes, in `frame`, the links and small files of a directory of the host's, and an empty thing for
    /// each that is to be shown there; says which those are.
    fn list(&mut self, place: &[u8], frame: &str) -> io::Result<Vec<Bytes>> {
        let names = match names(place) {
            Ok(names) => names,
            Err(e) => {
                // Then at least what is known to be there.
                self.note(place, Err(e));
                let known = self.host.mounts.iter().map(|(mount, _)| mount).chain(&self.plan.writable);
                known.filter_map(|known| next(known, place)).collect()
            }
        };
        let mut entries = Vec::new();
        for name in names {
            let inner = if place.is_empty() { name.clone() } else { below(place, &name) };
            let (source, empty) = (absolute(&inner), Path::new(frame).join(path(&name)));
            let Ok(meta) = fs::symlink_metadata(&source) else {
                continue;
            };
            if meta.is_symlink() {
                symlink(fs::read_link(source)?, empty)?;
                continue;
            } else if meta.is_dir() {
                DirBuilder::new().mode(0o755).create(empty)?;
            } else if meta.is_file() {
                // A copy can be replaced and removed as in a directory that is shown whole.
                if !self.host.is_mount(&inner) && copy_small(&source, &empty).is_ok_and(|copied| copied) {
                    continue;
                }
                drop(File::create(empty)?);
            } else {
                continue;
            }
            // What is mounted comes by itself, and only if it is to be shown.
            if !self.host.is_mount(&inner) && !is_kernel_place(&inner) {
                entries.push(inner);
            }
        }
        Ok(entries)
    }

    /// Shows a file of the host's by itself, unless the tree has something there. The steps cannot remove it.
    fn show_file(&self, place: &[u8]) -> io::Result<()> {
        let target = below(b"merged", place);
        let (parent, _) = split(place);
        let there = |base: &[u8]| is_dir(base, parent) && fs::symlink_metadata(path(&below(base, place))).is_ok();
        let is_file = || fs::symlink_metadata(path(&target)).is_ok_and(|meta| meta.is_file());
        if there(b"lower") || !there(b"merged") || !is_file() || self.plan.hidden.iter().any(|hidden| hidden == place) {
            return Ok(());
        }
        let shown = mount::bind(absolute(place).as_os_str().as_bytes(), &target, false)
            .and_then(|()| mount::make_read_only(&target));
        if shown.is_err() {
            // What stands there is an empty file, or one that the mount is to hide.
            let _ = mount::unmount(&target);
            fs::remove_file(path(&target))?;
        }
        shown
    }

    /// Notes that a place is not shown, unless it is only that the user may not look at it.
    fn note(&mut self, place: &[u8], result: io::Result<()>) {
        if let Err(e) = result
            && e.raw_os_error() != Some(libc::EACCES)
        {
            self.left_out.push(format!("{}: {e}", absolute(place).display()));
        }
    }
}

fn is_kernel_place(place: &[u8]) -> bool {
    KERNEL_PLACES.iter().any(|kernel| lies_in(place, kernel))
}

/// Whether a place is another or below it.
fn lies_in(place: &[u8], outer: &[u8]) -> bool {
    outer.is_empty() || place.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn split(place: &[u8]) -> (&[u8], &[u8]) {
    match place.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&place[..slash], &place[slash + 1..]),
        None => (b"", place),
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn absolute(place: &[u8]) -> PathBuf {
    OsString::from_vec([b"/", place].concat()).into()
}

fn below(base: &[u8], place: &[u8]) -> Bytes {
    if place.is_empty() { base.to_vec() } else { [base, b"/", place].concat() }
}

/// Whether there is a directory at a place of `base` that no link leads to.
fn is_dir(base: &[u8], place: &[u8]) -> bool {
    let ends = place.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(end, _)| end).chain([place.len()]);
    ends.map(|end| below(base, &place[..end]))
        .all(|prefix| fs::symlink_metadata(path(&prefix)).is_ok_and(|meta| meta.is_dir()))
}

fn has_entries(base: &Path, place: &[u8]) -> bool {
    is_dir(base.as_os_str().as_bytes(), place)
        && fs::read_dir(base.join(path(place))).is_ok_and(|mut entries| entries.next().is_some())
}

/// The names in a directory of the host's, each once.
fn names(place: &[u8]) -> io::Result<BTreeSet<Bytes>> {
    let entries = fs::read_dir(absolute(place))?.take(MAX_ENTRIES + 1);
    let names: BTreeSet<Bytes> = entries.map(|entry| Ok(entry?.file_name().into_vec())).collect::<io::Result<_>>()?;
    if names.len() > MAX_ENTRIES {
        return Err(io::Error::other(format!("other file systems and over {MAX_ENTRIES} names are in it")));
    }
    Ok(names)
}

/// The name in `outer` on the way to `place`.
fn next(place: &[u8], outer: &[u8]) -> Option<Bytes> {
    let rest = place.strip_prefix(outer)?;
    let rest = if outer.is_empty() { rest } else { rest.strip_prefix(b"/")? };
    rest.split(|b| *b == b'/').next().filter(|name| !name.is_empty()).map(<[u8]>::to_vec)
}

/// Copies a file with its mode and time; false if it is a large one.
fn copy_small(from: &Path, to: &Path) -> io::Result<bool> {
    let mut source = File::open(from)?;
    let meta = source.metadata()?;
    if meta.len() >= LARGE_BYTES {
        return Ok(false);
    }
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.set_permissions(meta.permissions())?;
    copy.set_modified(meta.modified()?)?;
    Ok(true)
}

fn named(what: &str, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_mounts_are_not_shown_and_the_last_at_a_place_counts() {
        let mount = |(path, kind): (&str, &str)| Mount { path: path.into(), kind: kind.into() };
        let mounts = [
            ("/", "ext4"),
            ("/proc", "proc"),
            ("/mnt/b", "autofs"),
            ("/mnt/b", "ext4"),
            ("/mnt/a", "ext4"),
            ("/mnt/a", "cgroup2"),
            ("/mnt", "xfs"),
            ("/dev/shm", "tmpfs"),
            ("/device", "tmpfs"),
        ];
        let host = Host::of(mounts.map(mount).to_vec());
        let shown: Vec<&str> =
            host.mounts.iter().filter(|(_, shown)| *shown).map(|(place, _)| str::from_utf8(place).unwrap()).collect();
        assert_eq!(shown, ["device", "mnt", "mnt/b"]);
        assert!(host.is_mount(b"mnt/a") && host.has_mounts_below(b"") && host.has_mounts_below(b"mnt"));
        assert!(!host.has_mounts_below(b"mnt/a") && !host.has_mounts_below(b"device"));
    }

    #[test]
    fn the_way_to_a_place() {
        assert_eq!(next(b"a/b/c", b""), Some(b"a".to_vec()));
        assert_eq!(next(b"a/b/c", b"a"), Some(b"b".to_vec()));
        assert_eq!(next(b"a/b", b"a/b"), None);
        assert_eq!(next(b"ab/c", b"a"), None);
        assert_eq!(next(b"", b""), None);
    }
}
