//! `gg doctor`: what is here, and what would go wrong.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use gg_protocol::real_tool::{DEFAULT_PATH, Finder};
use gg_session::{Journal, Log};

use crate::said;
use crate::workplace::Workplace;

const TOOLS: [&str; 10] = ["gcc", "g++", "cpp", "as", "ld", "ar", "ranlib", "strip", "objcopy", "nm"];

/// What follows from most kinds of trouble.
const NATIVELY: &str = "builds run natively and nothing is remembered";

/// Less room than this, and a build is likely to run out of it.
const ROOM: u64 = 1 << 30;

const MIB: u64 = 1 << 20;

pub(crate) fn run() -> Result<ExitCode> {
    let mut trouble = Vec::new();
    tools(&mut trouble)?;
    match Workplace::here() {
        Err(e) => trouble.push(format!("{}: {NATIVELY}", said(&e))),
        Ok(place) => workplace(&place, &mut trouble),
    }
    for line in &trouble {
        println!("trouble: {line}");
    }
    Ok(if trouble.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn workplace(place: &Workplace, trouble: &mut Vec<String>) {
    let dir = place.gg_dir.display();
    println!("GG_DIR   {dir}");
    if let (Ok(meta), Ok(own)) = (place.gg_dir.metadata(), std::fs::metadata("/proc/self"))
        && meta.uid() != own.uid()
    {
        trouble.push(format!("{dir} belongs to another user (number {}): set GG_DIR to one of your own", meta.uid()));
    }
    match gg_session::free_bytes(&place.gg_dir) {
        Err(e) => trouble.push(format!("the free space of {dir} cannot be told: {e}")),
        Ok(free) => {
            println!("free     {} MiB", free / MIB);
            trouble.extend(no_room(&place.gg_dir, free));
        }
    }
    match place.store() {
        Err(e) => trouble.push(format!("{}: {NATIVELY}", said(&e))),
        Ok(store) => match place.ground(&store) {
            Err(e) => trouble.push(format!("{}: {NATIVELY}", said(&e))),
            Ok(root) => {
                println!("root     {:?}{}", root.kind, if root.kind.sealed() { ", sealed" } else { ", not sealed" });
                for refusal in &root.refusals {
                    println!("         not available: {refusal}");
                }
                if !root.kind.sealed() {
                    trouble.push(format!("no private root can be made: {NATIVELY}"));
                }
            }
        },
    }
    let serving = gg_protocol::Client::connect(&gg_protocol::socket_path(&place.gg_dir)).is_ok();
    println!("session  {}", if serving { "running" } else { "none; the next call starts one" });
    if let Some(value) = std::env::var_os("GG_LOG")
        && Log::parse(value.as_bytes()).is_none()
    {
        let value = value.to_string_lossy();
        trouble.push(format!("GG_LOG is {value:?}, neither off, info, debug nor an absolute path: it counts as info"));
    }
    match Journal::open(&place.gg_dir).details(false) {
        Err(e) => trouble.push(format!("the log of calls in {dir} cannot be read: {e}")),
        Ok(details) => {
            for reason in ["session-error", gg_session::STORE_FULL, "engine"] {
                if let Some((detail, count)) = details.of(reason).first() {
                    let detail = super::stats::short(detail);
                    trouble.push(format!("calls ran natively after an error ({reason}, {count} times): {detail}"));
                }
            }
        }
    }
}

fn no_room(gg_dir: &Path, free: u64) -> Option<String> {
    let (free, dir) = (free / MIB, gg_dir.display());
    (free < ROOM / MIB).then(|| format!("thunks need room for what they read and write; {free} MiB are free in {dir}"))
}

fn tools(trouble: &mut Vec<String>) -> Result<()> {
    let cwd = std::env::current_dir()?;
    let shim = std::env::current_exe()?.with_file_name("gg-shim");
    let finder = Finder::new(&cwd, Some(&shim));
    let path = std::env::var_os("PATH");
    let path = path.as_ref().map_or(DEFAULT_PATH, |path| path.as_bytes());
    for tool in TOOLS {
        match finder.find(tool.as_bytes(), path) {
            None => println!("{tool:<8} not on PATH"),
            Some(exe) => println!("{tool:<8} {}  {}", exe.display(), version(&exe)),
        }
    }
    if finder.find(b"gcc", path).is_none() && finder.find(b"cc", path).is_none() {
        trouble.push("neither gcc nor cc is on PATH: there is nothing to stand in for".to_owned());
    }
    if !shim.exists() {
        trouble.push(format!("{} is missing: no shims beside this gg", shim.display()));
    }
    Ok(())
}

fn version(exe: &Path) -> String {
    match Command::new(exe).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned(),
        Err(e) => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_trouble() {
        let dir = Path::new("/some/gg");
        assert_eq!(no_room(dir, ROOM), None);
        assert_eq!(
            no_room(dir, ROOM - 1).as_deref(),
            Some("thunks need room for what they read and write; 1023 MiB are free in /some/gg")
        );
    }
}
