//! What a build that compiles will most likely ask for later, where that takes long in a new store: BFD's plugins, which are
//! hashed before the first `ar`. They are 170 MB on Debian, and `ar` comes when most processors have nothing to do.
//!
//! It only fills caches: whether `ar` comes at all changes nothing but the time.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gg_models::{Input, Models, Request, Verdict, World as _};
use gg_protocol::real_tool::{DEFAULT_PATH, Finder};

use crate::ahead::{LARGE, read_ahead};
use crate::ingest::Contents;
use crate::recall::Recall;
use crate::world::LiveWorld;

/// Looks ahead once in its life, and once for a tool in a `GG_DIR`.
#[derive(Default)]
pub(crate) struct Foresight(OnceLock<()>);

impl Foresight {
    /// A compile was new to the store: reads what its archiver needs, in a thread of its own.
    pub fn compiling(&self, request: &Request, contents: &Contents, gg_dir: &Path) {
        if !request.argv.iter().any(|arg| arg == "-c") {
            return;
        }
        self.0.get_or_init(|| {
            let contents = Contents::new(contents.digests.clone(), contents.store.clone());
            let (request, recall) = (archiving(request), Recall::new(gg_dir));
            // Nobody waits for it, and the end of the process is its end too.
            let thread = std::thread::Builder::new().name("foresight".to_owned());
            let _ = thread.spawn(move || request.is_some_and(|request| prepare(&request, &contents, &recall)));
        });
    }
}

/// A call of the archiver on the same `PATH`.
fn archiving(request: &Request) -> Option<Request> {
    let path = request.env.iter().find(|(name, _)| *name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path.as_bytes());
    let exe = Finder::new(&request.cwd, None).find(b"ar", path)?;
    let argv = ["ar", "rcs", "gg-foreseen.a"].map(|arg| OsStr::new(arg).to_owned());
    Some(Request { tool: "ar".into(), exe, argv: argv.into(), ..request.clone() })
}

/// Reads what it needs, and says whether anything was to be read.
fn prepare(request: &Request, contents: &Contents, recall: &Recall) -> bool {
    let world = LiveWorld::new(recall, &[], None);
    let key = format!("foreseen 1\0{:?}", request.exe);
    if world.recall(&key).is_some() {
        return false;
    }
    let Verdict::Thunk(inference) = Models::new().infer(request, &world) else { return false };
    let is_input = |path: &Path| inference.inputs.iter().any(|i| matches!(i, Input::File(input) if input == path));
    let large: Vec<(PathBuf, _)> = world.seen_files(|path, stat| stat.size >= LARGE && is_input(path));
    let any = !large.is_empty();
    read_ahead(contents, large, world.begun());
    world.remember(&key, b"");
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use gg_store::{DigestCache, LocalStore, Store as _};
    use gg_thunk::ValueName;

    #[test]
    fn what_the_archiver_loads_is_known_before_it_is_called() {
        let dir = gg_testkit::temp_dir();
        let store = LocalStore::open(&dir.path().join("gg")).unwrap();
        let contents = Contents::new(DigestCache::open(&store).unwrap(), store);
        let compile = Request {
            tool: "gcc".into(),
            exe: "/usr/bin/gcc".into(),
            argv: ["gcc", "-c", "a.c"].map(Into::into).into(),
            cwd: dir.path().to_owned(),
            env: vec![("PATH".into(), "/usr/bin".into())],
            umask: 0o022,
            stderr_is_tty: false,
        };
        let archive = archiving(&compile).unwrap();
        assert_eq!((archive.exe.as_path(), archive.cwd.as_path()), (Path::new("/usr/bin/ar"), dir.path()));
        let recall = Recall::new(contents.store.root());
        assert!(prepare(&archive, &contents, &recall));
        assert!(!prepare(&archive, &contents, &recall), "once in a GG_DIR");
        let libc = std::fs::read("/usr/lib/x86_64-linux-gnu/libc.so.6").unwrap();
        assert!(contents.store.contains(&ValueName::of(&libc)).unwrap());
        assert!(std::fs::read_dir(dir.path()).unwrap().count() == 1, "and no archive is made");
    }
}
