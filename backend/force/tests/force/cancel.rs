//! Callers that go away.

use gg_force::{Cancel, ForceOptions, Outcome};

use crate::fake::{Bench, output};

fn cancelled_by(cancel: &Cancel) -> ForceOptions {
    let mut options = ForceOptions::default();
    options.cancel = cancel.clone();
    options
}

#[test]
fn a_run_that_nobody_waits_for_is_stopped() {
    let bench = Bench::with_slots(1);
    bench.engine.hold();
    let thunk = bench.thunk("cat", "x", &[]);
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bench.engine.wait_held(1);
            cancel.cancel();
        });
        let forced = bench.coordinator.force(&thunk, cancelled_by(&cancel));
        assert!(matches!(forced.outcome, Outcome::Cancelled));
    });
    bench.engine.wait_cancelled(1);
    bench.engine.release();
    // The slot is free again, and the stopped run counts for nothing.
    assert_eq!(bench.out(&bench.force(&thunk)), b"x");
    assert_eq!(bench.engine.total(), 1);
    let forced = bench.coordinator.force(&thunk, cancelled_by(&cancel));
    assert!(matches!(forced.outcome, Outcome::Cancelled), "a cancelled token begins nothing");
}

#[test]
fn a_run_that_another_waits_for_goes_on() {
    let bench = Bench::with_slots(1);
    bench.engine.hold();
    let thunk = bench.thunk("cat", "x", &[]);
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        let stays = scope.spawn(|| bench.out(&bench.force(&thunk)));
        bench.engine.wait_held(1);
        let leaves = scope.spawn(|| bench.coordinator.force(&thunk, cancelled_by(&cancel)));
        cancel.cancel();
        assert!(matches!(leaves.join().unwrap().outcome, Outcome::Cancelled));
        bench.engine.release();
        assert_eq!(stays.join().unwrap(), b"x");
    });
    assert_eq!(bench.engine.total(), 1);
}

#[test]
fn a_graph_is_cancelled_with_all_that_waits() {
    let bench = Bench::with_slots(1);
    bench.engine.hold();
    let first = bench.thunk("cat", "1", &[]);
    let second = bench.thunk("cat", "2", &[("in", output(first, "out"))]);
    let other = bench.thunk("cat", "3", &[]);
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bench.engine.wait_held(1);
            cancel.cancel();
        });
        let forced = bench.coordinator.force_all(&[second, other], cancelled_by(&cancel), &mut |_| {});
        assert!(forced.iter().all(|forced| matches!(forced.outcome, Outcome::Cancelled)));
    });
    bench.engine.wait_cancelled(1);
    bench.engine.release();
    assert_eq!(bench.engine.total(), 0);
}
