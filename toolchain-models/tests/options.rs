//! A sample of what `scripts/options` tries: options of the driver's against the driver itself.

#[path = "support/live.rs"]
mod live;
#[path = "support/samples.rs"]
mod samples;
#[path = "support/trial.rs"]
mod trial;

use std::collections::HashMap;

use gg_models::options;
use trial::{Outcome, Trials};

/// Tries the commands; each must agree, and so many at least must be thunks.
fn all_agree(commands: impl Iterator<Item = String>, thunks: usize) {
    let trials = Trials::new(samples::FILES);
    let mut counts: HashMap<Outcome, usize> = HashMap::new();
    for command in commands {
        let outcome = trials.of(&command);
        assert!(!matches!(outcome, Outcome::Wrong(_)), "{command}: {outcome:?}");
        *counts.entry(outcome).or_default() += 1;
    }
    assert!(counts.get(&Outcome::Same).is_some_and(|count| *count >= thunks), "{counts:?}");
}

#[test]
fn a_trace_tells_what_is_read() {
    let trials = Trials::new(samples::FILES);
    let read = trials.reads("gcc -include inc/a.h -save-temps=obj -c main.c -o obj/main.o");
    for file in ["main.c", "a.h", "inc/a.h"] {
        assert!(read.contains(&trials.bench.cwd.join(file)), "{file}: {read:?}");
    }
    assert!(read.iter().any(|file| file.ends_with("cc1")), "{read:?}");
}

#[test]
fn samples_are_of_the_table() {
    assert_eq!(samples::superfluous(options::overlay()), Vec::<&str>::new());
}

#[test]
fn options_alone() {
    // each option's first sample, in one phase after the other
    let one = |(number, name): (usize, &str)| {
        let (_, command) = samples::COMMANDS[number % samples::COMMANDS.len()];
        command.replace("{}", &samples::of(name)[0])
    };
    all_agree(options::overlay().enumerate().map(one), 60);
}

#[test]
fn pairs_of_options() {
    let pairs = samples::pairs(options::overlay());
    let every = pairs.len() / 60;
    all_agree(pairs.into_iter().step_by(every), 20);
}

#[test]
fn names_that_the_compiler_lists() {
    let names: Vec<&str> = options::inventory().collect();
    let every = names.len() / 40;
    all_agree(names.into_iter().step_by(every).flat_map(samples::listed), 30);
}
