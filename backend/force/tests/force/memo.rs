//! What is remembered, and when it is believed.

use gg_force::{ForceOptions, Outcome};
use gg_store::Store as _;
use gg_thunk::ObjectName;

use crate::fake::{Bench, output, tag};

fn with(change: impl FnOnce(&mut ForceOptions)) -> ForceOptions {
    let mut options = ForceOptions::default();
    change(&mut options);
    options
}

#[test]
fn a_record_holds_outputs_modes_and_messages() {
    let bench = Bench::new();
    let thunk = bench.thunk("cat", "bytes", &[]);
    let first = bench.force(&thunk);
    let bench = bench.reopened();
    let second = bench.force(&thunk);
    assert!(!first.from_memo && second.from_memo);
    assert_eq!(second.record(), first.record());
    let record = second.record().unwrap();
    assert_eq!(record.outputs[&tag("out")].mode, 0o755);
    assert_eq!(bench.store.get(&record.stderr).unwrap().unwrap(), b"cat\n");
    assert_eq!(bench.engine.total(), 0);
}

#[test]
fn a_record_whose_object_is_gone_is_not_believed() {
    let bench = Bench::new();
    let first = bench.thunk("const", "object", &[]);
    let last = bench.thunk("cat", "!", &[("in", output(first, "out"))]);
    assert!(bench.force(&last).record().is_some());
    let ObjectName::Value(object) = bench.value(b"object") else { panic!("a value") };
    std::fs::remove_file(bench.store.object_path(&object)).unwrap();
    let forced = bench.force(&last);
    assert_eq!(bench.out(&forced), b"object!");
    assert!(bench.store.contains(&object).unwrap());
    assert_eq!(bench.engine.order(), ["object", "!", "object"]);
}

#[test]
fn a_record_without_an_output_that_must_be_there_is_not_believed() {
    let bench = Bench::new();
    let thunk = bench.thunk("cat", "x", &[]);
    let mut record = (**bench.force(&thunk).record().unwrap()).clone();
    record.outputs.clear();
    bench.memo.put(&thunk, &record).unwrap();
    assert_eq!(bench.out(&bench.force(&thunk)), b"x");
    assert_eq!(bench.engine.total(), 2);
}

#[test]
fn what_was_not_sealed_is_answered_and_not_remembered() {
    let bench = Bench::new();
    let thunk = bench.thunk("unsealed", "x", &[]);
    for runs in 1..=2 {
        assert_eq!(bench.out(&bench.force(&thunk)), b"x");
        assert_eq!(bench.engine.total(), runs);
    }
    assert_eq!(bench.memo.get(&thunk).unwrap(), None);
    assert_eq!(bench.coordinator.counters().unsealed, 2);
}

#[test]
fn the_memo_alone_or_not_at_all() {
    let bench = Bench::new();
    let thunk = bench.thunk("cat", "x", &[]);
    let after = bench.thunk("cat", "y", &[("in", output(thunk, "out"))]);
    let only = || with(|options| options.only_memo = true);
    assert!(matches!(bench.coordinator.force(&thunk, only()).outcome, Outcome::NotMemoized));
    let forced = bench.coordinator.force(&after, only());
    assert!(matches!(forced.outcome, Outcome::DependencyFailed(name) if name == thunk));
    assert_eq!(bench.engine.total(), 0);
    bench.force(&thunk);
    assert!(bench.coordinator.force(&thunk, only()).from_memo);
    bench.coordinator.force(&thunk, with(|options| options.no_memo = true));
    assert_eq!(bench.engine.total(), 2);
}

#[test]
fn a_thunk_handed_in_need_not_be_in_the_store() {
    let bench = Bench::new();
    let name = bench.thunk("cat", "x", &[]);
    let mut thunk = bench.store.get_thunk(&name).unwrap().unwrap();
    thunk.umask = 0o077;
    let thunk = std::sync::Arc::new(thunk);
    for from_memo in [false, true] {
        let forced = bench.coordinator.force_thunk(thunk.clone(), with(|options| options.plain = true));
        assert_eq!(bench.out(&forced), b"x");
        assert_eq!(forced.from_memo, from_memo);
        assert_eq!(forced.reduced, Some(thunk.name()));
    }
    assert!(!bench.store.contains_thunk(&thunk.name()).unwrap());
}
