//! Replays recorded commands: each once with the real tool and once by its shim, in a tree that is put back in between, and
//! compares what they leave and say.
//!
//! `replay TREE PRISTINE SHIM PART/PARTS RESULTS` reads commands from standard input, a JSON object a line (`project`,
//! `phase`, `cwd`, `argv`, `rc`), and appends an object to RESULTS for each that is its part and not yet there. PRISTINE is a
//! copy of TREE. The session is that of `GG_DIR`; no other command may run in the tree meanwhile.
//!
//! `replay --sum [--json] RESULTS…` prints the sums by project, and every command that is wrong; fails if one is, or if fewer
//! than 99 % of a build's compilations, archives, links and strips are thunks.

mod command;
mod sum;
mod tree;
mod verdict;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use command::{Command, Runner};
use tree::Tree;
use verdict::Verdict;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--sum", "--json", results @ ..] => sum::print(results, true),
        ["--sum", results @ ..] => sum::print(results, false),
        [tree, pristine, shim, part, results] => {
            let (part, parts) = part.split_once('/').ok_or("PART/PARTS?")?;
            let mut tree = Tree::new(Path::new(tree), Path::new(pristine))?;
            let mut runner = Runner::new(PathBuf::from(shim))?;
            replay(&mut tree, &mut runner, (part.parse()?, parts.parse()?), Path::new(results))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("replay TREE PRISTINE SHIM PART/PARTS RESULTS, or replay --sum [--json] RESULTS…".into()),
    }
}

fn replay(tree: &mut Tree, runner: &mut Runner, (part, parts): (usize, usize), results: &Path) -> Result<()> {
    let done = done(results)?;
    let mut results = OpenOptions::new().create(true).append(true).open(results)?;
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        if number % parts != part || done.contains(&number) {
            continue;
        }
        let command: Command = serde_json::from_str(&line?)?;
        let verdict = verdict::of(number, &command, tree, runner)?;
        let mut line = serde_json::to_vec(&verdict)?;
        line.push(b'\n');
        results.write_all(&line)?;
    }
    Ok(())
}

/// The numbers of the commands whose verdicts are there.
fn done(results: &Path) -> Result<HashSet<usize>> {
    let Ok(file) = File::open(results) else { return Ok(HashSet::new()) };
    let lines = std::io::BufReader::new(file).lines();
    lines.map(|line| Ok(serde_json::from_str::<Verdict>(&line?)?.number)).collect()
}
