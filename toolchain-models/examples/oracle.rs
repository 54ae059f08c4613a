//! Holds the exact scan against the compiler: reads lines `DIRECTORY<tab>COMMAND` (a compilation, words as in the shell) from
//! standard input, and compares the depfile that the scan gives with what the compiler lists for the same arguments, with
//! `-M` and with `-MM`. Prints what differs, why the scan was not sure, and the counts; fails if anything is wrong.

#[path = "../tests/support/live.rs"]
mod live;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gg_models::Verdict;
use live::Bench;

fn main() {
    let mut bench = Bench::new(&[]);
    let place = bench.cwd.clone();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut scanning, mut listing) = (Duration::ZERO, Duration::ZERO);
    let mut wrong = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (dir, command) = line.split_once('\t').expect("a directory and a command");
        bench.cwd = PathBuf::from(dir);
        let mut fails = false;
        for (with, alone) in [("-MD", "-M"), ("-MMD", "-MM")] {
            let mut words = without_outputs(command);
            let listed = shlex::try_join(words.iter().map(String::as_str).chain([alone, "-MT", "x"])).expect("words");
            let (depfile, object) = (place.join("x.d").display().to_string(), place.join("x.o").display().to_string());
            let more = ["-c", with, "-MF", &depfile, "-MT", "x", "-o", &object];
            words.extend(more.map(str::to_owned));
            let begin = Instant::now();
            let verdict = bench.infer(&shlex::try_join(words.iter().map(String::as_str)).expect("words"));
            scanning += begin.elapsed();
            let request = bench.request(&listed);
            let begin = Instant::now();
            let mut compiler = std::process::Command::new(&request.exe);
            let native = compiler.args(request.args()).current_dir(&bench.cwd).output().expect("run the compiler");
            listing += begin.elapsed();
            fails |= native.status.code() != Some(0);
            let outcome = match verdict {
                Verdict::RunReal(_) if fails => "the compiler complains".into(),
                Verdict::RunReal(reason) => {
                    println!("{reason}");
                    format!("native: {}", reason.kind.name())
                }
                Verdict::Thunk(inference) => match (inference.unsure.first(), inference.depfiles.first()) {
                    // With `-MM` alone a missing system header is passed over, with a compilation it is not.
                    _ if fails && inference.depfiles.is_empty() => "the compiler complains".into(),
                    (Some(unsure), _) => format!("fallback: {unsure}"),
                    (None, Some((_, bytes))) if *bytes == native.stdout => "equal".into(),
                    (None, bytes) => {
                        wrong += 1;
                        println!("WRONG {dir}: {listed}: status {:?}", native.status.code());
                        let names = |text: &[u8]| -> Vec<String> {
                            String::from_utf8_lossy(text)
                                .split_whitespace()
                                .filter(|word| *word != "\\")
                                .map(str::to_owned)
                                .collect()
                        };
                        let (ours, theirs) = (names(bytes.map_or(&[], |(_, bytes)| bytes)), names(&native.stdout));
                        let at = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
                        println!(
                            "  {} of {} and {}: ours {:?}, the compiler's {:?}",
                            at,
                            ours.len(),
                            theirs.len(),
                            ours.get(at),
                            theirs.get(at)
                        );
                        "WRONG".into()
                    }
                },
            };
            if outcome.starts_with("fallback") || outcome.starts_with("native") {
                println!("{outcome}: {dir}: {listed}");
            }
            *counts.entry(outcome).or_default() += 1;
        }
    }
    for (outcome, count) in &counts {
        println!("{count:7} {outcome}");
    }
    println!("inference {scanning:?}, the compiler {listing:?}");
    assert_eq!(wrong, 0, "lists that differ");
}

/// The words of a compilation without `-o`, `-c`, `-S` and what makes depfiles.
fn without_outputs(command: &str) -> Vec<String> {
    let mut words = shlex::split(command).expect("a command line").into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "-MF" | "-MT" | "-MQ" => drop(words.next()),
            "-c" | "-S" | "-MD" | "-MMD" | "-MP" | "-pipe" => {}
            _ => kept.push(word),
        }
    }
    kept
}
