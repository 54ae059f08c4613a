//! Tries options of the driver's against the driver itself: `options alone|pairs|inventory [EVERY [FIRST]]` takes each option
//! of the table in each phase, all pairs of such in a compilation, or each name that the compiler lists; of these every
//! so-manieth from the first on. `options mixed COUNT SEED` takes so many commands with several options of the table each.
//! Holds what was read (by strace) against the footprint, and status, messages and outputs
//! against the tool's. Prints what is wrong and counts; fails if anything is wrong.

#[path = "../tests/support/live.rs"]
mod live;
#[path = "../tests/support/samples.rs"]
mod samples;
#[path = "../tests/support/trial.rs"]
mod trial;

use std::collections::BTreeMap;

use gg_models::options;
use trial::{Outcome, Trials};

fn main() {
    let mut args = std::env::args().skip(1);
    let what = args.next().expect("alone, pairs, inventory or mixed");
    let mut number = |default: usize| args.next().map_or(default, |word| word.parse().expect("a number"));
    let (mut every, mut first) = (number(1), number(0));
    let trials = Trials::new(samples::FILES);
    let commands: Vec<String> = match what.as_str() {
        "alone" => {
            let each = |option: String| {
                samples::COMMANDS.iter().map(|(_, command)| command.replace("{}", &option)).collect::<Vec<_>>()
            };
            options::overlay().flat_map(samples::of).flat_map(each).collect()
        }
        "pairs" => samples::pairs(options::overlay()),
        "inventory" => options::inventory().flat_map(samples::listed).collect(),
        "mixed" => {
            let commands = samples::mixed(options::overlay(), |command| trials.may(command), every, first as u64);
            (every, first) = (1, 0);
            commands
        }
        _ => panic!("alone, pairs, inventory or mixed"),
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = 0;
    for command in commands.iter().skip(first).step_by(every.max(1)) {
        let outcome = match trials.of(command) {
            Outcome::Same => "the same".into(),
            Outcome::SameFailure => "the same failure".into(),
            Outcome::Native(reason) => format!("native: {reason}"),
            Outcome::Wrong(what) => {
                println!("WRONG {command}: {what}");
                wrong += 1;
                "wrong".into()
            }
        };
        *counts.entry(outcome).or_default() += 1;
    }
    for (outcome, count) in &counts {
        println!("{count:7} {outcome}");
    }
    println!("{:7} commands, wrong: {wrong}", counts.values().sum::<usize>());
    assert_eq!(wrong, 0, "commands that differ");
}
