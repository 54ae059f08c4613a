//! One build: a session, the environment that leads to it, make, the summary.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use gg_session::lead::{self, End, Lead, Watch};
use gg_session::real_tool::Finder;
use gg_session::{Opening, Session, SessionError};

use crate::make_args::MakeArgs;
use crate::options::Options;
use crate::progress::Progress;
use crate::{MISUSED, say};

/// The shell's status for a command that is not there.
const NOT_FOUND: i32 = 127;

/// Builds, and says how make ended. Where gg can do nothing, make does it alone.
pub(crate) fn run(options: &Options, args: &[OsString]) -> End {
    let begun = Instant::now();
    let read = MakeArgs::read(args);
    let progress = Arc::new(Progress::new(!options.no_progress && !read.asks));
    let last = Arc::clone(&progress);
    let watch = match Watch::start_with(move || last.abandon()) {
        Ok(watch) => watch,
        Err(e) => {
            say(&format!("gg-make: {e}\n"));
            return End::Exit(NOT_FOUND);
        }
    };
    let make = Make::find();
    if is_disabled() {
        return make.failed(&watch.replace(make.command(args)));
    }
    let works_in = std::env::current_dir().unwrap_or_default().join(&read.directory);
    let works_in = works_in.canonicalize().unwrap_or(works_in);
    let lead = match lead(options, &works_in) {
        Ok(lead) => lead,
        Err(e) => {
            say(&format!("gg-make: {}; plain make runs\n", gg_session::said(e.as_ref())));
            return make.failed(&watch.replace(make.command(args)));
        }
    };
    let counts = || (lead.session().stats(), lead.under_way());
    let ended = progress.during(begun, counts, || build(options, &make, args, &watch, &lead));
    let mut end = ended.unwrap_or_else(|e| match e {
        SessionError::Io { what: lead::RUNNING, source, .. } => make.failed(&source),
        e => {
            say(&format!("gg-make: {e}\n"));
            End::Exit(MISUSED)
        }
    });
    let session = lead.close();
    if end == End::Exit(0) && !read.asks && tell_pending(&session, &works_in) {
        end = End::Exit(MISUSED);
    }
    if !options.no_summary && !read.asks {
        let (stats, took) = (session.stats(), begun.elapsed());
        if let Some(text) = crate::summary::text(&stats, session.unsealed(), took) {
            say(&text);
        } else if end == End::Exit(0) && crate::cmake::goes_by(&read.directory) {
            say(crate::cmake::HINT);
        }
    }
    end
}

/// Runs make; what was answered before its work was done is made at the end.
fn build(options: &Options, make: &Make, args: &[OsString], watch: &Watch, lead: &Lead) -> Result<End, SessionError> {
    let command = || {
        let mut command = make.command(args);
        if let Some(audit) = &options.audit {
            command.env("GG_AUDIT", audit);
        }
        command
    };
    lead.run(watch, &command, options.lazy, &|| {})
}

/// Says what failed after it was answered, in this build or an earlier one, and that no make has done again.
fn tell_pending(session: &Session, directory: &Path) -> bool {
    let failures = session.pending_failures(directory);
    for failure in &failures {
        say(&String::from_utf8_lossy(&failure.stderr));
        say(&format!("gg-make: {}: {} (answered before its work was done)\n", failure.command, failure.exit));
    }
    !failures.is_empty()
}

/// Whether shims have been told to do nothing, or could not say what they would have to.
fn is_disabled() -> bool {
    std::env::var_os("GG_DISABLE").is_some_and(|value| !value.is_empty() && value != "0")
        || !lead::has_standard_descriptors()
}

/// The make to run: what `MAKE` names, else `make`; never this program itself, whatever name it has.
struct Make {
    name: OsString,
    program: PathBuf,
    /// `MAKE` names this program.
    is_itself: bool,
}

impl Make {
    fn find() -> Make {
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let own = std::env::current_exe().ok();
        let path = lead::path();
        let find = |name: &OsStr| Finder::new(&cwd, own.as_deref()).find(name.as_bytes(), &path);
        let named = std::env::var_os("MAKE").filter(|name| !name.is_empty());
        let found = named.as_ref().and_then(|name| Some((find(name)?, name.clone())));
        let is_itself =
            found.is_none() && named.is_some_and(|name| Finder::new(&cwd, None).find(name.as_bytes(), &path).is_some());
        let (program, name) = found.unwrap_or_else(|| {
            let name = OsString::from("make");
            (find(&name).unwrap_or_else(|| PathBuf::from(&name)), name)
        });
        Make { name, program, is_itself }
    }

    fn command(&self, args: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(&self.name).args(args);
        if self.is_itself {
            // makefiles would take it for `$(MAKE)`, and begin a session for each sub-make
            command.env_remove("MAKE");
        }
        command
    }

    /// Says why it could not be run.
    fn failed(&self, error: &std::io::Error) -> End {
        say(&format!("gg-make: {}: {error}\n", self.name.to_string_lossy()));
        End::Exit(NOT_FOUND)
    }
}

/// Opens everything that a build needs of gg.
fn lead(options: &Options, works_in: &Path) -> Result<Lead> {
    let cwd = std::env::current_dir().context("the current directory")?;
    let gg_dir = match &options.dir {
        Some(dir) => cwd.join(dir),
        None => gg_session::gg_dir(works_in, |name| std::env::var_os(name))?,
    };
    let own = std::env::current_exe().context("gg-make's own path")?;
    let own = own.parent().context("gg-make's own directory")?;
    let opening = Opening {
        gg_dir,
        program: lead::program(own),
        jobs: options.jobs,
        user_dir: gg_session::user_dir(|name| std::env::var_os(name)),
        lazy: options.lazy.then(|| lead::early(works_in)),
    };
    Ok(Lead::open(&opening, own, works_in)?)
}
