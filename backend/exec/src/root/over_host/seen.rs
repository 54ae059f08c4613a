//! Where a path leads in a laid-out tree with the host's files below it, before anything is mounted.
//!
//! The rule is overlayfs's own: what the tree has is what is seen, and only where tree and host both
//! have a directory are they seen together.

use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use gg_thunk::Bytes;

/// Links followed in one path, as in Linux.
const MAX_LINKS: usize = 40;

/// What stands at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Directory,
    /// A file, a link that is not followed, a device.
    Other,
    Nothing,
}

/// The end of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Without links and without a leading slash.
    pub path: Bytes,
    pub what: What,
    /// Whether the tree has it, not only the host.
    pub in_tree: bool,
}

/// A directory on the way, and who has it.
struct Passed {
    name: Bytes,
    in_tree: bool,
    on_host: bool,
}

/// Follows a path; `None` if it leads through a file, or in circles. A link of the host's at the very end
/// is followed only if `follow_last` says so.
pub(super) fn resolve(tree: &Path, host: &Path, path: &[u8], follow_last: bool) -> Option<Seen> {
    let mut todo = parts(path);
    let mut passed: Vec<Passed> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            passed.pop();
            continue;
        }
        let (in_tree, on_host) = passed.last().map_or((true, true), |last| (last.in_tree, last.on_host));
        let place = joined(&passed, Some(&name));
        let below = |base: &Path| fs::symlink_metadata(base.join(OsStr::from_bytes(&place))).ok();
        let ours = below(tree).filter(|_| in_tree).map(|meta| meta.file_type());
        let theirs = below(host).filter(|_| on_host).map(|meta| meta.file_type());
        let is_dir = |kind: Option<FileType>| kind.is_some_and(|kind| kind.is_dir());
        let last = todo.is_empty();
        let (base, kind) = match (ours, theirs) {
            (Some(kind), _) => (tree, kind),
            (None, Some(kind)) => (host, kind),
            (None, None) if last => return Some(Seen { path: place, what: What::Nothing, in_tree: false }),
            (None, None) => {
                passed.push(Passed { name, in_tree: false, on_host: false });
                continue;
            }
        };
        if kind.is_dir() {
            passed.push(Passed { name, in_tree: ours.is_some(), on_host: is_dir(theirs) });
        } else if kind.is_symlink() && (!last || follow_last || ours.is_some()) {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            let target = fs::read_link(base.join(OsStr::from_bytes(&place))).ok()?.into_os_string().into_vec();
            if target.starts_with(b"/") {
                passed.clear();
            }
            todo.extend(parts(&target));
        } else if last {
            return Some(Seen { path: place, what: What::Other, in_tree: ours.is_some() });
        } else {
            return None;
        }
    }
    let (in_tree, on_host) = passed.last().map_or((true, true), |last| (last.in_tree, last.on_host));
    let what = if in_tree || on_host { What::Directory } else { What::Nothing };
    Some(Seen { path: joined(&passed, None), what, in_tree })
}

/// The parts of a path, the last one first.
fn parts(path: &[u8]) -> Vec<Bytes> {
    let parts = path.rsplit(|b| *b == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

fn joined(passed: &[Passed], last: Option<&Bytes>) -> Bytes {
    let mut all: Vec<&[u8]> = passed.iter().map(|dir| dir.name.as_slice()).collect();
    all.extend(last.map(Vec::as_slice));
    all.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_tree_goes_before_the_host() {
        let dir = gg_testkit::temp_dir();
        let (tree, host) = (dir.path().join("tree"), dir.path().join("host"));
        for made in ["tree/both", "tree/hides/x", "host/both/deep", "host/real/x", "host/filed/x"] {
            fs::create_dir_all(dir.path().join(made)).unwrap();
        }
        symlink("real", host.join("hides")).unwrap();
        symlink("/real", host.join("link")).unwrap();
        symlink("../real/x", host.join("both/up")).unwrap();
        symlink("real/x", tree.join("own")).unwrap();
        symlink("circle", tree.join("circle")).unwrap();
        fs::write(tree.join("filed"), "").unwrap();
        fs::write(host.join("real/f"), "").unwrap();
        let seen = |path: &str, follow_last| {
            resolve(&tree, &host, path.as_bytes(), follow_last)
                .map(|seen| (String::from_utf8(seen.path).unwrap(), seen.what, seen.in_tree))
        };
        let is = |path: &str, what, in_tree| Some((path.to_owned(), what, in_tree));
        assert_eq!(seen("/", true), is("", What::Directory, true));
        assert_eq!(seen("/both", true), is("both", What::Directory, true));
        assert_eq!(seen("/both/deep/", true), is("both/deep", What::Directory, false));
        assert_eq!(seen("/both/up", true), is("real/x", What::Directory, false));
        assert_eq!(seen("/both/up", false), is("both/up", What::Other, false));
        assert_eq!(seen("/link/f", false), is("real/f", What::Other, false));
        assert_eq!(seen("/own", false), is("real/x", What::Directory, false));
        assert_eq!(seen("/both/new", false), is("both/new", What::Nothing, false));
        assert_eq!(seen("/new/newer", true), is("new/newer", What::Nothing, false));
        // The tree's directory hides the host's link, and the tree's file the host's directory.
        assert_eq!(seen("/hides/f", true), is("hides/f", What::Nothing, false));
        assert_eq!(seen("/hides/x", true), is("hides/x", What::Directory, true));
        assert_eq!(seen("/filed", true), is("filed", What::Other, true));
        assert_eq!(seen("/filed/x", true), None);
        assert_eq!(seen("/circle/x", true), None);
    }
}
