//! Many thunks: nothing is recursive in their number.

use gg_thunk::ObjectName;

use crate::fake::{Bench, output};

const MANY: usize = 10_000;

#[test]
fn a_chain_of_ten_thousand() {
    let bench = Bench::new();
    let mut last: ObjectName = bench.value(b"x");
    let mut thunk = None;
    for place in 0..MANY {
        let next = bench.thunk("const", &place.to_string(), &[("in", last)]);
        last = output(next, "out");
        thunk = Some(next);
    }
    let thunk = thunk.unwrap();
    assert_eq!(bench.out(&bench.force(&thunk)), (MANY - 1).to_string().as_bytes());
    assert_eq!(bench.engine.total(), MANY);
    let bench = bench.reopened();
    assert!(bench.force(&thunk).from_memo);
    assert_eq!(bench.coordinator.counters().memo_hits, MANY as u64);
}

#[test]
fn a_fan_of_ten_thousand() {
    let bench = Bench::with_slots(500);
    let names: Vec<String> = (0..MANY).map(|place| format!("{place:05}")).collect();
    let leaves: Vec<_> =
        names.iter().map(|name| (name.as_str(), output(bench.thunk("const", name, &[]), "out"))).collect();
    let top = bench.thunk("cat", "", &leaves);
    assert_eq!(bench.out(&bench.force(&top)), names.concat().as_bytes());
    assert_eq!(bench.engine.total(), MANY + 1);
}

#[test]
fn a_failure_at_the_end_of_a_chain_reaches_its_beginning() {
    let bench = Bench::new();
    let bad = bench.thunk("fail", "no", &[]);
    let mut last = bad;
    for place in 0..MANY {
        last = bench.thunk("const", &place.to_string(), &[("in", output(last, "out"))]);
    }
    let forced = bench.force(&last);
    assert!(matches!(forced.outcome, gg_force::Outcome::DependencyFailed(name) if name == bad));
    assert_eq!(bench.engine.total(), 1);
}
