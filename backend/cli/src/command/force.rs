//! `gg force` and `gg-force-and-run`.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use gg_force::{ForceOptions, Forced, Outcome};
use gg_protocol::{Client, Reply, Request, SOCKET_VARIABLE};
use gg_session::{Found, Held, Issued, Late, LateFailure, Session};
use gg_store::{LocalStore, Memo, Store as _};
use gg_thunk::{OutputName, Placeholder, ThunkName};

use crate::progress::Line;
use crate::workplace::Workplace;
use crate::{counted, shown};

/// What is to be forced by its name.
enum Named {
    Output(OutputName),
    Thunk(ThunkName),
}

impl Named {
    /// `None` of what is no such name: it is a file's, then.
    fn read(text: &OsStr) -> Option<Named> {
        let name = text.to_str().filter(|name| name.starts_with('T'))?;
        name.parse().map(Named::Output).or_else(|_| name.parse().map(Named::Thunk)).ok()
    }

    fn thunk(&self) -> ThunkName {
        match self {
            Named::Output(object) => object.thunk,
            Named::Thunk(thunk) => *thunk,
        }
    }
}

/// The placeholder in a file, if this `GG_DIR` vouches for it.
pub(crate) fn placeholder(path: &Path, issued: &Issued) -> Result<OutputName> {
    let file = || path.display().to_string();
    let text = std::fs::read(path).with_context(|| format!("reading {}", file()))?;
    if !Placeholder::looks_like(&text) {
        bail!("{} is an ordinary file, no placeholder", file());
    }
    let object = match Placeholder::decode(&text) {
        Ok(placeholder) => placeholder.object,
        Err(gg_thunk::Error::Malformed { what: "placeholder", why }) => bail!("{} holds no placeholder: {why}", file()),
        Err(e) => bail!("{} holds no placeholder: {e}", file()),
    };
    if !issued.has(&object) {
        bail!("{}: this GG_DIR never issued the placeholder {object}; set GG_DIR to the one that did", file());
    }
    Ok(object)
}

pub(crate) fn run(targets: &[OsString], jobs: Option<usize>, keep_going: bool) -> Result<ExitCode> {
    let place = Workplace::here()?;
    let issued = Issued::open(&place.gg_dir);
    let here = [OsString::from(".")];
    let targets = if targets.is_empty() { &here } else { targets };
    let (mut named, mut files, mut dirs) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        match Named::read(target) {
            Some(name) => named.push(name),
            None if Path::new(target).is_dir() => dirs.push(resolved(Path::new(target))?),
            None => {
                let object = placeholder(Path::new(target), &issued)?;
                files.push(Held { path: resolved(Path::new(target))?, object });
            }
        }
    }
    let mut code = ExitCode::SUCCESS;
    if !files.is_empty() || !dirs.is_empty() {
        let session = place.session(jobs)?;
        let (mut pending, mut roots) = (Vec::new(), Vec::new());
        for dir in dirs {
            let Found { held, foreign, remains } = session.placeholders_below(&dir)?;
            files.extend(held);
            pending.extend(session.pending_failures(&dir));
            roots.push(dir);
            if let Some(first) = foreign.first() {
                let more = if foreign.len() > 1 { format!(" and {} more", foreign.len() - 1) } else { String::new() };
                eprintln!(
                    "gg force: {}{more}: this GG_DIR never issued the placeholder; set GG_DIR to the one that did",
                    shown(first)
                );
                code = ExitCode::FAILURE;
            }
            for file in remains {
                eprintln!(
                    "gg force: {} was made of a file that was not made yet: remove it, and make it again",
                    shown(&file)
                );
                code = ExitCode::FAILURE;
            }
        }
        if !files_forced(&session, &files, keep_going)? {
            code = ExitCode::FAILURE;
        }
        // What failed in an earlier step, and not anew in this one.
        let still: Vec<LateFailure> = roots.iter().flat_map(|dir| session.pending_failures(dir)).collect();
        pending.retain(|failure| still.contains(failure));
        if tell_pending("gg force", &pending)? {
            code = ExitCode::FAILURE;
        }
        roots.iter().for_each(|dir| session.nothing_waits_below(dir));
    }
    if !named.is_empty() && !by_name(&place, &named, jobs, keep_going)? {
        code = ExitCode::FAILURE;
    }
    Ok(code)
}

fn resolved(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("looking at {}", shown(path)))
}

/// Forces the placeholders in files; whether all went well.
fn files_forced(session: &Session, files: &[Held], keep_going: bool) -> Result<bool> {
    if let Some(why) = session.unsealed() {
        bail!("no private root can be made here: {why}");
    }
    let begun = Instant::now();
    let mut line = Line::new();
    let late = session.force_held(files, keep_going, &mut |progress| line.draw(progress));
    drop(line);
    let late = late?;
    let well = tell(&late)?;
    if std::env::var_os("GG_SUMMARY").is_none_or(|value| value != "no") {
        let stats = session.stats();
        let executed: u64 = stats.executed.values().sum();
        eprintln!(
            "gg: {}, {:.1} MiB, in {:.1} s: {} run, {} from memo",
            counted(late.files as u64, "file"),
            late.bytes as f64 / f64::from(1 << 20),
            begun.elapsed().as_secs_f64(),
            counted(executed, "thunk"),
            stats.memo_hits,
        );
    }
    if !late.failures.is_empty() {
        let went_on = if keep_going { "" } else { "; nothing new was begun after that (--keep-going goes on)" };
        eprintln!(
            "gg force: {} failed{went_on}{}",
            counted(late.failures.len() as u64, "command"),
            match late.removed.len() {
                0 => String::new(),
                1 => "; 1 file that was not made is removed: the next make makes it".to_owned(),
                files => format!("; {files} files that were not made are removed: the next make makes them"),
            },
        );
    }
    Ok(well)
}

/// Says which commands have failed after they were answered, without a make that has done them again since.
pub(super) fn tell_pending(who: &str, failures: &[LateFailure]) -> Result<bool> {
    for failure in failures {
        std::io::stderr().write_all(&failure.stderr)?;
        eprintln!("{who}: {}: {} (answered before its work was done)", failure.command, failure.exit);
    }
    Ok(!failures.is_empty())
}

/// Says what the commands say; whether all went well.
fn tell(late: &Late) -> Result<bool> {
    let say = |stdout: &[u8], stderr: &[u8]| -> Result<()> {
        let mut out = std::io::stdout();
        out.write_all(stdout)?;
        out.flush()?;
        std::io::stderr().write_all(stderr)?;
        Ok(())
    };
    for (stdout, stderr) in &late.messages {
        say(stdout, stderr)?;
    }
    for failure in &late.failures {
        say(&failure.stdout, &failure.stderr)?;
        eprintln!("gg force: {}: {}", failure.command, failure.exit);
    }
    for miss in &late.misses {
        eprintln!("gg force: a model missed something: {miss}");
    }
    Ok(late.failures.is_empty())
}

/// Forces thunks by their names and prints what they made; whether all went well.
fn by_name(place: &Workplace, named: &[Named], jobs: Option<usize>, keep_going: bool) -> Result<bool> {
    let store = place.store()?;
    let _lease = store.lease()?;
    let memo = Memo::open(&store)?;
    let coordinator = place.coordinator(&store, &memo, jobs)?;
    let roots: Vec<ThunkName> = named.iter().map(Named::thunk).collect();
    let mut options = ForceOptions::default();
    options.keep_going = keep_going;
    let all = coordinator.force_all(&roots, options, &mut |_| {});
    let mut well = true;
    for (name, forced) in named.iter().zip(&all) {
        if let Err(e) = settle(&store, name, forced) {
            eprintln!("gg force: {}", crate::said(&e));
            well = false;
        }
    }
    Ok(well)
}

/// Forces the placeholder in a file and puts the result in its place: by the session of the build that this process is part
/// of, if there is one. `args` are what it is to be run with.
pub fn force_in_place(path: &Path, args: &[OsString]) -> Result<()> {
    let path = resolved(path)?;
    if by_session(&path, args)? {
        return Ok(());
    }
    let place = Workplace::here()?;
    let object = placeholder(&path, &Issued::open(&place.gg_dir))?;
    let session = place.session(None)?;
    let late = session.force_held(&session.to_run(Held { path, object }), true, &mut |_| {})?;
    match tell(&late)? {
        true => Ok(()),
        false => bail!("it could not be made"),
    }
}

/// Whether the session of this build has made it.
fn by_session(path: &Path, args: &[OsString]) -> Result<bool> {
    let socket = std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from).filter(|socket| socket.is_absolute());
    let Some(mut client) = socket.and_then(|socket| Client::connect(&socket).ok()) else { return Ok(false) };
    let tool = b"gg-force-and-run".to_vec();
    let own = std::env::current_exe().context("the own path")?;
    let args = args.iter().map(|arg| arg.as_bytes().to_vec());
    let argv = [tool.clone(), path.as_os_str().as_bytes().to_vec()].into_iter().chain(args).collect();
    let request = Request::of_this_process(tool, argv, own.into_os_string()).context("the call")?;
    match client.call(&request) {
        Ok(Reply::Done { status: 0, .. }) => Ok(true),
        Ok(Reply::Done { stderr, .. }) => bail!("{}", OsString::from_vec(stderr.trim_ascii().to_vec()).display()),
        // Who led the build may have gone.
        _ => Ok(false),
    }
}

fn settle(store: &LocalStore, name: &Named, forced: &Forced) -> Result<()> {
    let thunk = name.thunk();
    let record = match &forced.outcome {
        Outcome::Done(record) => record,
        Outcome::Failed { exit, stdout, stderr, missing, .. } => {
            std::io::stdout().write_all(stdout)?;
            std::io::stderr().write_all(stderr)?;
            match missing.is_empty() {
                true => bail!("{thunk} failed: {exit}"),
                false => bail!("{thunk} exited with 0 but did not make {missing:?}"),
            }
        }
        Outcome::CouldNotRun(why) => bail!("{thunk} could not be run: {why}"),
        Outcome::DependencyFailed(name) => {
            if let Some(Outcome::Failed { stderr, .. }) = forced.failure.as_deref() {
                std::io::stderr().write_all(stderr)?;
            }
            bail!("{thunk} needs {name}, which failed");
        }
        Outcome::Cancelled => bail!("{thunk} was not begun: another one failed (--keep-going goes on)"),
        Outcome::NotMemoized => bail!("{thunk} is not in the memo"),
    };
    for (text, to) in [(&record.stdout, 1), (&record.stderr, 2)] {
        let text = match text.len() {
            0 => continue,
            _ => store.get(text)?.with_context(|| format!("the messages {text} are gone from the store"))?,
        };
        match to {
            1 => std::io::stdout().write_all(&text)?,
            _ => std::io::stderr().write_all(&text)?,
        }
    }
    let made = |object: &OutputName| {
        record.outputs.get(&object.tag).with_context(|| format!("the thunk has made no output {}", object.tag))
    };
    match name {
        Named::Output(object) => println!("{}", made(object)?.object),
        Named::Thunk(_) => {
            for (tag, made) in &record.outputs {
                println!("{tag} {}", made.object);
            }
        }
    }
    Ok(())
}
