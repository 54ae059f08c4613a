//! Measures the models against the compiler's own listing: `scan EVERY` reads lines `DIRECTORY<tab>COMMAND` (compilations, words
//! as in the shell), infers all of them, and then each EVERYth once more with a source that has changed meanwhile: what is known
//! then is headers, plans and tools, not the unit. The same units' headers are listed by the compiler (`-M`). Prints lines
//! `name<tab>seconds of processor time for a unit`, then the median of their headers: C and C++ apart.
//!
//! The sources are changed: a newline is appended.

#[path = "../tests/support/live.rs"]
mod live;

use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gg_models::Verdict;
use live::Bench;

#[derive(Default)]
struct Sum {
    units: f64,
    scanned: f64,
    listed: f64,
    headers: Vec<usize>,
}

fn main() {
    let every: usize = std::env::args().nth(1).and_then(|every| every.parse().ok()).expect("a number");
    let mut bench = Bench::new(&[]);
    let units: Vec<(PathBuf, String)> = std::io::stdin()
        .lock()
        .lines()
        .map(|line| {
            let line = line.expect("a line");
            let (dir, command) = line.split_once('\t').expect("a directory and a command");
            (PathBuf::from(dir), command.to_owned())
        })
        .collect();
    let mut sums: [Sum; 2] = Default::default();
    for (dir, command) in &units {
        bench.cwd.clone_from(dir);
        bench.infer(command);
    }
    for (dir, command) in units.iter().step_by(every) {
        bench.cwd.clone_from(dir);
        let request = bench.request(command);
        let words = shlex::split(command).expect("a command line");
        let source =
            words.iter().rev().find(|word| !word.starts_with('-') && dir.join(word).is_file() && is_source(word));
        let Some(source) = source else { continue };
        let mut file = OpenOptions::new().append(true).open(dir.join(source)).expect("open the source");
        file.write_all(b"\n").expect("change the source");
        drop(file);
        let begun = own_time();
        let verdict = bench.models.infer(&request, &bench.world);
        let scanned = own_time() - begun;
        let Verdict::Thunk(inference) = verdict else { continue };
        let listing = listing(&words);
        let begun = childrens_time();
        let mut compiler = Command::new(&request.exe);
        let output = compiler.args(&listing).current_dir(dir).stdin(Stdio::null()).output().expect("run the compiler");
        let listed = childrens_time() - begun;
        if !output.status.success() {
            continue;
        }
        let sum = &mut sums[usize::from(request.tool.to_string_lossy().ends_with("++"))];
        sum.units += 1.0;
        sum.scanned += scanned;
        sum.listed += listed;
        let names = output.stdout.split(u8::is_ascii_whitespace).filter(|word| word.len() > 1);
        sum.headers.push(names.count().saturating_sub(2));
        if !inference.unsure.is_empty() {
            eprintln!("no exact list: {}: {command}", inference.unsure.join(", "));
        }
    }
    for (language, mut sum) in ["C", "C++"].into_iter().zip(sums).filter(|(_, sum)| sum.units > 0.0) {
        sum.headers.sort_unstable();
        let median = sum.headers[sum.headers.len() / 2];
        println!("{language} models\t{:.6}\t{median}", sum.scanned / sum.units);
        println!("{language} -M\t{:.6}\t{median}", sum.listed / sum.units);
    }
}

fn is_source(word: &str) -> bool {
    [".c", ".cc", ".cpp", ".cxx"].iter().any(|suffix| word.ends_with(suffix))
}

/// The arguments of a call that lists the headers.
fn listing(words: &[String]) -> Vec<String> {
    let mut words = words[1..].iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "-MF" | "-MT" | "-MQ" => drop(words.next()),
            "-c" | "-MD" | "-MMD" | "-MP" => {}
            _ => kept.push(word.clone()),
        }
    }
    kept.push("-M".to_owned());
    kept
}

/// Seconds for which this thread has run: from the scheduler, as `stat` counts in hundredths.
fn own_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the scheduler's figures");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.expect("a figure") / 1e9
}

/// Seconds for which children have run that were waited for.
fn childrens_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the process's state");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [13, 14].iter().filter_map(|index| fields.get(*index)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}
