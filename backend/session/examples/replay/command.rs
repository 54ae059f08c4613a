//! A recorded command, and its runs. Knows nothing of what they leave.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::time::Instant;

use serde::Deserialize;

use crate::Result;

/// A command as it was recorded.
#[derive(Deserialize)]
pub struct Command {
    pub project: String,
    pub phase: String,
    pub cwd: PathBuf,
    pub argv: Vec<String>,
    pub rc: i32,
}

/// What kind of work it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Compile,
    Archive,
    Link,
    Strip,
    /// It asks, lists, or prints.
    Other,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Compile => "compile",
            Kind::Archive => "archive",
            Kind::Link => "link",
            Kind::Strip => "strip",
            Kind::Other => "other",
        }
    }
}

impl Command {
    pub fn kind(&self) -> Kind {
        let tool = self.argv.first().map_or("", |tool| tool.rsplit('/').next().unwrap_or(tool));
        let has = |names: &[&str]| self.argv.iter().skip(1).any(|arg| names.contains(&arg.as_str()));
        match tool {
            "ar" | "ranlib" => Kind::Archive,
            "strip" => Kind::Strip,
            "ld" => Kind::Link,
            "gcc" | "g++" | "cc" | "c++" if has(&["-c", "-S"]) => Kind::Compile,
            "gcc" | "g++" | "cc" | "c++" if has(&["-E", "-M", "-MM", "-fsyntax-only"]) => Kind::Other,
            "gcc" | "g++" | "cc" | "c++" if self.argv.iter().skip(1).any(|arg| !arg.starts_with('-')) => Kind::Link,
            _ => Kind::Other,
        }
    }

    /// The directories of its outputs, where make has removed them since.
    pub fn output_dirs(&self) -> impl Iterator<Item = PathBuf> {
        let outputs = self.argv.windows(2).filter(|pair| pair[0] == "-o" || pair[0] == "-MF");
        outputs.filter_map(|pair| Some(self.cwd.join(&pair[1]).parent()?.to_owned()))
    }
}

/// What a run came to, apart from files.
#[derive(Clone, PartialEq, Eq)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// A line of the session's log.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Line {
    pub thunk: bool,
    pub native: Option<String>,
    pub detail: Option<String>,
}

/// Runs commands natively, and by the shim.
pub struct Runner {
    shim: PathBuf,
    log: PathBuf,
    read: u64,
}

impl Runner {
    pub fn new(shim: PathBuf) -> Result<Runner> {
        let gg_dir = PathBuf::from(std::env::var_os("GG_DIR").ok_or("GG_DIR?")?);
        let log = gg_dir.join(format!("replay-{}.log", std::process::id()));
        Ok(Runner { shim, log, read: 0 })
    }

    pub fn native(&self, command: &Command) -> Result<(Ended, u64)> {
        let mut process = Process::new(&command.argv[0]);
        process.args(&command.argv[1..]);
        ended(process, command)
    }

    /// The run, and what the session says of it; none if it was not asked.
    pub fn by_the_shim(&mut self, command: &Command) -> Result<(Ended, u64, Option<Line>)> {
        let mut process = Process::new(&self.shim);
        process.args(&command.argv).env("GG_LOG", &self.log);
        let (ended, us) = ended(process, command)?;
        Ok((ended, us, self.last_line()?))
    }

    fn last_line(&mut self) -> Result<Option<Line>> {
        let Ok(mut file) = File::open(&self.log) else { return Ok(None) };
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = String::new();
        self.read += u64::try_from(file.read_to_string(&mut text)?)?;
        Ok(text.lines().last().map(serde_json::from_str).transpose()?)
    }
}

fn ended(mut process: Process, command: &Command) -> Result<(Ended, u64)> {
    let begun = Instant::now();
    let output = process.current_dir(&command.cwd).stdin(Stdio::null()).output()?;
    let us = u64::try_from(begun.elapsed().as_micros())?;
    Ok((Ended { status: output.status.code(), stdout: output.stdout, stderr: output.stderr }, us))
}
