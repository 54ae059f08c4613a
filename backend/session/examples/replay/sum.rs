//! The sums of verdicts. Knows nothing of how they came about.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use serde::Serialize;

use crate::Result;
use crate::verdict::Verdict;

/// So many of a hundred must be thunks.
const ENOUGH: f64 = 99.0;

/// What the commands of a project came to.
#[derive(Default, Serialize)]
struct Sum {
    commands: usize,
    thunk: usize,
    native: BTreeMap<String, usize>,
    unreplayable: usize,
    wrong: usize,
    /// Compilations, archives, links and strips of the build, without those that try the toolchain out.
    work: usize,
    /// Those of them that are thunks.
    work_thunks: usize,
    native_s: f64,
    gg_s: f64,
}

impl Sum {
    fn add(&mut self, verdict: &Verdict) {
        self.commands += 1;
        match verdict.verdict.as_str() {
            "thunk" => self.thunk += 1,
            "native" => *self.native.entry(verdict.reason.clone().unwrap_or_default()).or_default() += 1,
            "unreplayable" => self.unreplayable += 1,
            _ => self.wrong += 1,
        }
        let probe = verdict.reason.as_ref().is_some_and(|reason| reason.starts_with("probe"));
        if verdict.phase == "build" && verdict.kind != "other" && verdict.verdict != "unreplayable" && !probe {
            self.work += 1;
            self.work_thunks += usize::from(verdict.verdict == "thunk");
        }
        self.native_s += verdict.native_us as f64 / 1e6;
        self.gg_s += verdict.gg_us as f64 / 1e6;
    }

    fn percent(&self) -> f64 {
        if self.work == 0 { 100.0 } else { self.work_thunks as f64 * 100.0 / self.work as f64 }
    }

    fn is_good(&self) -> bool {
        self.wrong == 0 && self.percent() >= ENOUGH
    }
}

/// Prints them; success if all is well.
pub fn print(results: &[&str], json: bool) -> Result<ExitCode> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for file in results {
        for line in BufReader::new(File::open(file)?).lines() {
            let verdict: Verdict = serde_json::from_str(&line?)?;
            sums.entry(verdict.project.clone()).or_default().add(&verdict);
            sums.entry("all".to_owned()).or_default().add(&verdict);
            let work = verdict.verdict == "native" && verdict.phase == "build" && verdict.kind != "other";
            let probe = verdict.reason.as_ref().is_some_and(|reason| reason.starts_with("probe"));
            if verdict.verdict == "wrong" || (work && !probe) {
                tell(&verdict, json)?;
            }
        }
    }
    let all = sums.remove("all").unwrap_or_default();
    let good = all.commands > 0 && all.wrong == 0 && sums.values().all(Sum::is_good);
    for (name, sum) in sums.iter().chain(std::iter::once((&"all".to_owned(), &all))) {
        if json {
            println!("{}", serde_json::json!({ "project": name, "met": sum.is_good(), "sum": sum }));
            continue;
        }
        let native: usize = sum.native.values().sum();
        let reasons: Vec<String> = sum.native.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        println!(
            "{name}: {} commands: {} thunk and identical, {native} native{reasons}, {} unreplayable, {} wrong; the build's work: \
             {} of {} thunks ({:.2} %); {:.1} s natively, {:.1} s by shims",
            sum.commands,
            sum.thunk,
            sum.unreplayable,
            sum.wrong,
            sum.work_thunks,
            sum.work,
            sum.percent(),
            sum.native_s,
            sum.gg_s
        );
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(verdict: &Verdict, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(verdict)?);
        return Ok(());
    }
    let command: Vec<String> = verdict.argv.iter().map(|word| quoted(word)).collect();
    let why = [verdict.reason.as_deref(), verdict.detail.as_deref()];
    let why: Vec<&str> = why.into_iter().flatten().collect();
    let name = if verdict.verdict == "wrong" { "WRONG" } else { &verdict.verdict };
    println!("{} {name}: {}\n  cd {} && {}", verdict.project, why.join(": "), verdict.cwd.display(), command.join(" "));
    Ok(())
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
