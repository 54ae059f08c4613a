//! `gg doctor`: what is here, and what would go wrong.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use gg_protocol::real_tool::{DEFAULT_PATH, Finder};

use crate::workplace::Workplace;

const TOOLS: [&str; 10] = ["gcc", "g++", "cpp", "as", "ld", "ar", "ranlib", "strip", "objcopy", "nm"];

pub(crate) fn run() -> Result<ExitCode> {
    let mut trouble = Vec::new();
    tools(&mut trouble)?;
    let place = Workplace::here()?;
    println!("GG_DIR   {}", place.gg_dir.display());
    match place.store() {
        Err(e) => trouble.push(format!("{e:#}: builds run natively and nothing is remembered")),
        Ok(store) => match place.ground(&store) {
            Err(e) => trouble.push(format!("{e:#}: builds run natively and nothing is remembered")),
            Ok(root) => {
                println!("root     {:?}{}", root.kind, if root.kind.sealed() { ", sealed" } else { ", not sealed" });
                for refusal in &root.refusals {
                    println!("         not available: {refusal}");
                }
                if !root.kind.sealed() {
                    trouble.push("no private root can be made: builds run natively and nothing is remembered".into());
                }
            }
        },
    }
    let serving = gg_protocol::Client::connect(&gg_protocol::socket_path(&place.gg_dir)).is_ok();
    println!("session  {}", if serving { "running" } else { "none; the next call starts one" });
    for line in &trouble {
        println!("trouble: {line}");
    }
    Ok(if trouble.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tools(trouble: &mut Vec<String>) -> Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
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
