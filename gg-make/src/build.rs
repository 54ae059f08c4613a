//! One build: a session, the environment that leads to it, make, the summary.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use gg_session::real_tool::{DEFAULT_PATH, Finder};
use gg_session::server::{self, Place, Serving};
use gg_session::{Opening, SOCKET_VARIABLE, Session};

use crate::links;
use crate::make::{End, Watch};
use crate::make_args::MakeArgs;
use crate::options::Options;
use crate::say;

/// The shell's status for a command that is not there.
const NOT_FOUND: i32 = 127;

/// A session that serves this build, and what leads the build's commands to it.
struct Lead {
    session: Arc<Session>,
    serving: Serving,
    env: Vec<(&'static str, OsString)>,
}

/// Builds, and says how make ended. Where gg can do nothing, make does it alone.
pub(crate) fn run(options: &Options, args: &[OsString]) -> End {
    let begun = Instant::now();
    let watch = match Watch::start() {
        Ok(watch) => watch,
        Err(e) => return failed("gg-make", &e),
    };
    let (name, mut command) = make();
    command.args(args);
    if is_disabled() {
        return failed(&name, &watch.replace(command));
    }
    let read = MakeArgs::read(args);
    let lead = match lead(options, &read.directory) {
        Ok(lead) => lead,
        Err(e) => {
            say(&format!("gg-make: {e:#}; plain make runs\n"));
            return failed(&name, &watch.replace(command));
        }
    };
    command.envs(lead.env.iter().map(|(name, value)| (name, value)));
    let end = watch.run(command).unwrap_or_else(|e| failed(&name, &e));
    // who called before make ended is still served, and nobody else
    drop(lead.serving);
    if !options.no_summary && !read.asks {
        let (stats, took) = (lead.session.stats(), begun.elapsed());
        if let Some(text) = crate::summary::text(&stats, lead.session.unsealed(), took) {
            say(&text);
        }
    }
    end
}

/// Says why make could not be run.
fn failed(name: &str, error: &std::io::Error) -> End {
    say(&format!("gg-make: {name}: {error}\n"));
    End::Exit(NOT_FOUND)
}

/// Whether shims have been told to do nothing, or could not say what they would have to.
fn is_disabled() -> bool {
    std::env::var_os("GG_DISABLE").is_some_and(|value| !value.is_empty() && value != "0")
        || !crate::sys::has_standard_descriptors()
}

/// The make to run: what `MAKE` names, else `make`; never this program itself, whatever name it has.
fn make() -> (String, Command) {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let own = std::env::current_exe().ok();
    let path = path();
    let find = |name: &OsStr| Finder::new(&cwd, own.as_deref()).find(name.as_bytes(), &path);
    let named = std::env::var_os("MAKE").filter(|name| !name.is_empty());
    let found = named.as_ref().and_then(|name| Some((find(name)?, name.clone())));
    let is_itself =
        found.is_none() && named.is_some_and(|name| Finder::new(&cwd, None).find(name.as_bytes(), &path).is_some());
    let (program, name) = found.unwrap_or_else(|| {
        let name = OsString::from("make");
        (find(&name).unwrap_or_else(|| PathBuf::from(&name)), name)
    });
    let mut command = Command::new(program);
    command.arg0(&name);
    if is_itself {
        // makefiles would take it for `$(MAKE)`, and begin a session for each sub-make
        command.env_remove("MAKE");
    }
    (name.to_string_lossy().into_owned(), command)
}

/// `PATH`, or what stands for it where there is none.
fn path() -> Vec<u8> {
    std::env::var_os("PATH").map_or_else(|| DEFAULT_PATH.to_vec(), OsString::into_vec)
}

/// Opens everything that a build needs of gg.
fn lead(options: &Options, directory: &Path) -> Result<Lead> {
    let cwd = std::env::current_dir().context("the current directory")?;
    // as make's own commands would find it
    let working = cwd.join(directory);
    let gg_dir = match &options.dir {
        Some(dir) => cwd.join(dir),
        None => match std::env::var_os("GG_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => cwd.join(dir),
            None => gg_session::gg_dir(&working, |name| std::env::var_os(name))?,
        },
    };
    let own = std::env::current_exe().context("gg-make's own path")?;
    let beside = |name: &str| own.with_file_name(name);
    let program = match std::env::var_os("GG_PROGRAM").filter(|program| !program.is_empty()) {
        Some(program) => PathBuf::from(program),
        None => beside("gg"),
    };
    let shim = beside("gg-shim");
    for file in [&program, &shim] {
        if !file.is_file() {
            bail!("{} is missing", file.display());
        }
    }
    let opening = Opening { gg_dir: gg_dir.clone(), program, jobs: options.jobs };
    let session = Arc::new(opening.session()?);
    let place = Place::own(&gg_dir)?;
    let socket = place.socket().to_owned();
    let path = path();
    let run = socket.parent().unwrap_or(&gg_dir);
    let links = links::make(run, &shim, &links::names(&path, &shim))?;
    let serving = server::serve_beside(place, Arc::clone(&session))?;
    let mut env = vec![
        ("PATH", with_first(&links, &path)),
        ("GG_DIR", gg_dir.into_os_string()),
        (SOCKET_VARIABLE, socket.into_os_string()),
    ];
    if let Some(audit) = &options.audit {
        env.push(("GG_AUDIT", audit.clone()));
    }
    Ok(Lead { session, serving, env })
}

/// `path` with this directory first; once, also in a build that a build of the same kind started.
fn with_first(dir: &Path, path: &[u8]) -> OsString {
    let dir = dir.as_os_str().as_bytes();
    if path.split(|byte| *byte == b':').next() == Some(dir) {
        return OsStr::from_bytes(path).to_owned();
    }
    OsString::from_vec([dir, path].join(&b':'))
}
