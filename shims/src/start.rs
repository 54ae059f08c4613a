//! Starts the background server of a `GG_DIR`.
//!
//! Of the shims that find no server at the same time one starts it and the others wait for that one, at a lock. A start
//! that failed is remembered for a while, so that a server that cannot start costs a build its time once. Knows nothing
//! of the protocol.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::{self, Pointers};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a failed start keeps other shims from trying.
const DISCOURAGED: Duration = Duration::from_secs(10);
/// Variables that belong to one build, not to a server that outlives it.
const BUILD_ONLY: [&str; 8] =
    ["MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS", "MAKELEVEL", "MAKEFILES", "LD_PRELOAD", "FAKEROOTKEY", "GG_DIR"];

/// The right to start the server; held until dropped.
pub(crate) struct Starter {
    program: PathBuf,
    gg_dir: PathBuf,
    lock: File,
}

impl Starter {
    /// Waits for its turn. `None` where there is no program to start or a start has just failed.
    pub(crate) fn new(gg_dir: &Path, shim: &Path, program: Option<&OsStr>) -> Option<Self> {
        let program = match program.filter(|program| !program.is_empty()) {
            Some(program) => PathBuf::from(program),
            None => {
                let dir = shim.parent()?;
                [dir.join("gg"), dir.join("../bin/gg")].into_iter().find(|file| is_executable(file))?
            }
        };
        if !is_executable(&program) {
            return None;
        }
        fs::create_dir_all(gg_dir).ok()?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(gg_dir.join("start.lock"))
            .ok()?;
        lock.lock().ok()?;
        let stat = lock.metadata().ok()?;
        let failed_just_now =
            stat.size() > 0 && stat.modified().ok()?.elapsed().is_ok_and(|elapsed| elapsed < DISCOURAGED);
        (!failed_just_now).then(|| Self { program, gg_dir: gg_dir.to_path_buf(), lock })
    }

    /// Starts the server; whether it listens.
    pub(crate) fn start(mut self) -> bool {
        let listens = self.spawn().unwrap_or(false);
        // the lock's own bytes say how the last start went; where they cannot be written the next shim tries again
        let _ = if listens { self.lock.set_len(0) } else { self.lock.write_all(b"failed\n") };
        listens
    }

    fn spawn(&self) -> io::Result<bool> {
        let argv = [
            c"gg".into(),
            c"session".into(),
            c"serve".into(),
            c"--gg-dir".into(),
            CString::new(self.gg_dir.as_os_str().as_bytes())?,
        ];
        let env = std::env::vars_os()
            .filter(|(name, _)| !BUILD_ONLY.iter().any(|only| name == only))
            .map(|(name, value)| CString::new([name.into_vec(), value.into_vec()].join(&b'=')))
            .collect::<Result<Vec<_>, _>>()?;
        let program = CString::new(self.program.as_os_str().as_bytes())?;
        let mut ready = sys::spawn_detached(&program, &Pointers::new(&argv), &Pointers::new(&env))?;
        let mut byte = [0];
        Ok(sys::wait_readable(&ready, PATIENCE)? && ready.read(&mut byte)? == 1 && byte == *b"r")
    }
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
}
