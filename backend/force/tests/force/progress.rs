//! What is told on the way.

use gg_force::{Event, ForceOptions, Progress};
use gg_thunk::ThunkName;

use crate::fake::{Bench, output};

fn told(bench: &Bench, roots: &[ThunkName], keep_going: bool) -> Vec<Progress> {
    let mut told = Vec::new();
    let mut options = ForceOptions::default();
    options.keep_going = keep_going;
    bench.coordinator.force_all(roots, options, &mut |progress| told.push(progress));
    told
}

#[test]
fn no_more_run_than_there_are_slots() {
    let bench = Bench::with_slots(2);
    let roots: Vec<ThunkName> = (0..200).map(|n| bench.thunk("const", &n.to_string(), &[])).collect();
    let told = told(&bench, &roots, false);
    let most = told.iter().map(|progress| progress.running).max().unwrap();
    assert!((1..=2).contains(&most), "{most}");
    assert_eq!(told.last().unwrap().running, 0);
}

#[test]
fn costs_are_those_of_runs() {
    let bench = Bench::new();
    let known = bench.thunk("const", "known", &[]);
    bench.force(&known);
    let big = bench.thunk_with("cat", "", &[("x", bench.value(&vec![b'x'; 400_000]))], &[("big", false)]);
    let inputs = [("1", output(big, "big")), ("2", output(known, "out"))];
    let last = bench.thunk_with("cat", "!", &inputs, &[("last", false)]);
    let all = told(&bench, &[last], false);
    let sums = |progress: &Progress| (progress.known_us, progress.ran_us);
    let ran: Vec<_> = all.iter().filter(|told| matches!(told.event, Event::Settled { .. })).map(sums).collect();
    let (total, _) = *ran.last().unwrap();
    // 0.1 s for the big one, a millisecond for the other, nothing for what is in the memo
    assert_eq!(ran[ran.len() - 2..], [(total, 101_000), (total, total)]);
    assert!((102_000..102_100).contains(&total), "{total}");
    // all of it is in the memo
    assert_eq!(told(&bench, &[last], false).last().map(sums), Some((0, 0)));
}

#[test]
fn what_cannot_run_any_more_costs_nothing() {
    let bench = Bench::new();
    let fails = bench.thunk("fail", "", &[]);
    let waits = bench.thunk("cat", "", &[("in", output(fails, "out"))]);
    let told = told(&bench, &[waits], true);
    let last = told.last().unwrap();
    assert_eq!((last.settled, last.known_us), (2, last.ran_us));
}
