//! The subcommands, one module each; the short ones are here.

mod audit;
mod create_thunk;
mod describe;
mod doctor;
pub(crate) mod force;
mod infer;
mod session;
mod stats;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory as _;

use crate::args::{Args, Cmd};
use crate::workplace::Workplace;
use crate::{counted, shown};

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Cmd::Init => init()?,
        Cmd::Describe(args) => describe::run(&args)?,
        Cmd::Hash { files } => {
            let mut out = std::io::stdout().lock();
            for file in files {
                writeln!(out, "{} {}", hash(&file)?, shown(&file))?;
            }
        }
        Cmd::CreateThunk(args) => create_thunk::run(&args)?,
        Cmd::Infer { command } => return infer::run(&command),
        Cmd::Force { targets, jobs, keep_going, .. } => return force::run(&targets, jobs, keep_going),
        Cmd::Audit { forget: true, .. } => audit::forget()?,
        Cmd::Audit { command, .. } => return audit::run(&command),
        Cmd::Stats { json, last, reset } => stats::run(json, last, reset)?,
        Cmd::Gc { max_size } => gc(max_size)?,
        Cmd::Doctor => return doctor::run(),
        Cmd::Session(args) => session::run(args.command)?,
        Cmd::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "gg", &mut std::io::stdout());
        }
        Cmd::Man { dir } => {
            std::fs::create_dir_all(&dir).with_context(|| format!("making {}", shown(&dir)))?;
            crate::pages::write(Args::command(), &dir).with_context(|| format!("writing to {}", shown(&dir)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn init() -> Result<()> {
    let dir = std::env::current_dir().context("the current directory")?.join(".gg");
    let making = || format!("making {}", shown(&dir));
    gg_store::LocalStore::open(&dir).with_context(making)?;
    for (name, text) in [(".gitignore", "*\n"), ("CACHEDIR.TAG", CACHEDIR_TAG)] {
        write_once(&dir.join(name), text).with_context(making)?;
    }
    println!("{}", shown(&dir));
    if let Some(set) = std::env::var_os("GG_DIR").filter(|set| Path::new(set) != dir) {
        eprintln!("gg init: GG_DIR is set to {:?} and wins; unset it to use {}", set.to_string_lossy(), shown(&dir));
    }
    Ok(())
}

/// By this, programs that make backups know a cache: <https://bford.info/cachedir/>.
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by gg.
# For information about cache directory tags, see https://bford.info/cachedir/
";

/// Writes a file unless there is one.
fn write_once(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

fn hash(file: &Path) -> Result<gg_thunk::ValueName> {
    use std::io::Read as _;
    let mut from = std::fs::File::open(file).with_context(|| format!("opening {}", shown(file)))?;
    let mut hasher = gg_thunk::NameHasher::new();
    let mut piece = vec![0u8; 1 << 16];
    loop {
        match from.read(&mut piece).with_context(|| format!("reading {}", shown(file)))? {
            0 => return Ok(hasher.value_name()),
            n => hasher.update(&piece[..n]),
        }
    }
}

fn gc(max_size: u64) -> Result<()> {
    let store = Workplace::here()?.store()?;
    let gg_dir = store.root().to_owned();
    let caches = gg_session::caches(&gg_dir);
    let report = store.gc(max_size, &caches).with_context(|| format!("collecting in {}", shown(&gg_dir)))?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (freed, left) = (mib(report.freed_bytes), mib(report.left_bytes()));
    println!("freed {freed:.1} MiB ({}), left {left:.1} MiB", counted(report.freed_files, "file"));
    match report.held_files {
        0 => {}
        1 => println!("1 file over the limit is held by a running session; gg session stop ends it and frees it"),
        held => println!(
            "{held} files over the limit are held by a running session; gg session stop ends it and frees them"
        ),
    }
    Ok(())
}
