//! `gg force` and `gg-force-and-run`.

use std::ffi::OsString;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use gg_force::{ForceOptions, Forced, Outcome};
use gg_session::Issued;
use gg_store::{LocalStore, Memo, Store as _};
use gg_thunk::{OutputName, Placeholder, ThunkName};

use crate::workplace::Workplace;

/// What is to be forced.
enum Target {
    /// A file that holds a placeholder.
    File(std::path::PathBuf, OutputName),
    Output(OutputName),
    Thunk(ThunkName),
}

impl Target {
    fn read(text: &OsString, issued: &Issued) -> Result<Target> {
        let name = text.to_str().filter(|name| name.starts_with('T'));
        if let Some(object) = name.and_then(|name| name.parse().ok()) {
            return Ok(Target::Output(object));
        }
        if let Some(thunk) = name.and_then(|name| name.parse().ok()) {
            return Ok(Target::Thunk(thunk));
        }
        let path = Path::new(text);
        Ok(Target::File(path.to_owned(), placeholder(path, issued)?))
    }

    fn thunk(&self) -> ThunkName {
        match self {
            Target::File(_, object) | Target::Output(object) => object.thunk,
            Target::Thunk(thunk) => *thunk,
        }
    }
}

/// The placeholder in a file, if this `GG_DIR` vouches for it.
pub(crate) fn placeholder(path: &Path, issued: &Issued) -> Result<OutputName> {
    let file = || path.display().to_string();
    let text = std::fs::read(path).with_context(|| format!("reading {}", file()))?;
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
    let targets = targets.iter().map(|text| Target::read(text, &issued)).collect::<Result<Vec<_>>>()?;
    let store = place.store()?;
    let _lease = store.lease()?;
    let memo = Memo::open(&store)?;
    let coordinator = place.coordinator(&store, &memo, jobs)?;
    let roots: Vec<ThunkName> = targets.iter().map(Target::thunk).collect();
    let mut options = ForceOptions::default();
    options.keep_going = keep_going;
    let all = coordinator.force_all(&roots, options, &mut |_| {});
    let mut code = ExitCode::SUCCESS;
    for (target, forced) in targets.iter().zip(&all) {
        if let Err(e) = settle(&store, target, forced) {
            eprintln!("gg force: {}", crate::said(&e));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Forces the placeholder in a file and puts the result in its place.
pub fn force_in_place(path: &Path) -> Result<()> {
    let place = Workplace::here()?;
    let object = placeholder(path, &Issued::open(&place.gg_dir))?;
    let store = place.store()?;
    let _lease = store.lease()?;
    let memo = Memo::open(&store)?;
    let coordinator = place.coordinator(&store, &memo, None)?;
    let forced = coordinator.force(&object.thunk, ForceOptions::default());
    settle(&store, &Target::File(path.to_owned(), object), &forced)
}

fn settle(store: &LocalStore, target: &Target, forced: &Forced) -> Result<()> {
    let thunk = target.thunk();
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
    for (name, to) in [(&record.stdout, 1), (&record.stderr, 2)] {
        let text = match name.len() {
            0 => continue,
            _ => store.get(name)?.with_context(|| format!("the messages {name} are gone from the store"))?,
        };
        match to {
            1 => std::io::stdout().write_all(&text)?,
            _ => std::io::stderr().write_all(&text)?,
        }
    }
    let made = |object: &OutputName| {
        record.outputs.get(&object.tag).with_context(|| format!("the thunk has made no output {}", object.tag))
    };
    match target {
        Target::File(path, object) => {
            let made = made(object)?;
            let at = || format!("writing {}", path.display());
            // Into the inode of the placeholder: its other names get the result too.
            let mut file = OpenOptions::new().write(true).truncate(true).open(path).with_context(at)?;
            if !store.copy_to(&made.object, &mut file)? {
                file.set_len(0).with_context(at)?;
                file.write_all(&Placeholder { object: object.clone() }.encode()).with_context(at)?;
                bail!("{}: {} is gone from the store; force it again", path.display(), made.object);
            }
            file.set_permissions(Permissions::from_mode(made.mode)).with_context(at)?;
        }
        Target::Output(object) => println!("{}", made(object)?.object),
        Target::Thunk(_) => {
            for (tag, made) in &record.outputs {
                println!("{tag} {}", made.object);
            }
        }
    }
    Ok(())
}
