//! What fails, and what goes on all the same.

use std::sync::Arc;

use gg_exec::Exit;
use gg_force::{Forced, Outcome};
use gg_thunk::ThunkName;

use crate::fake::{Bench, FakeEngine, output, tag};

fn is_failed(forced: &Forced, says: &str) -> bool {
    matches!(&forced.outcome, Outcome::Failed { exit: Exit::Code(3), stderr, failed_step: Some(0), .. }
        if stderr == says.as_bytes())
}

#[test]
fn a_failure_is_told_and_not_remembered() {
    let bench = Bench::new();
    let thunk = bench.thunk("fail", "a.c:1: error", &[]);
    for runs in 1..=2 {
        assert!(is_failed(&bench.force(&thunk), "a.c:1: error"));
        assert_eq!(bench.engine.total(), runs);
    }
    assert_eq!(bench.memo.get(&thunk).unwrap(), None);
}

#[test]
fn a_missing_output_is_a_failure_and_not_remembered() {
    let bench = Bench::new();
    let thunk = bench.thunk_with("absent", "", &[], &[("out", false), ("maybe", true)]);
    for runs in 1..=2 {
        let forced = bench.force(&thunk);
        let Outcome::Failed { exit: Exit::Code(0), missing, .. } = &forced.outcome else { panic!("{forced:?}") };
        assert_eq!(missing, &[tag("out")]);
        assert_eq!(bench.engine.total(), runs);
    }
    assert_eq!(bench.memo.get(&thunk).unwrap(), None);
}

/// A graph with a failure in it: `[stopped, after it, independent]`.
fn broken_graph(bench: &Bench) -> [ThunkName; 3] {
    let bad = bench.thunk("fail", "no", &[]);
    let after = bench.thunk("cat", "after", &[("in", output(bad, "out"))]);
    let last = bench.thunk("cat", "last", &[("in", output(after, "out"))]);
    let good = bench.thunk("cat", "good", &[]);
    let fine = bench.thunk("cat", "fine", &[("in", output(good, "out"))]);
    [bad, last, fine]
}

#[test]
fn keep_going_does_what_can_be_done() {
    let bench = Bench::with_slots(1);
    let [bad, last, fine] = broken_graph(&bench);
    let forced = bench.force_all(&[last, fine], true);
    assert!(matches!(forced[0].outcome, Outcome::DependencyFailed(name) if name == bad), "{:?}", forced[0]);
    let Some(failure) = &forced[0].failure else { panic!("the failure is told") };
    assert!(matches!(&**failure, Outcome::Failed { stderr, .. } if stderr == b"no"));
    assert_eq!(bench.out(&forced[1]), b"goodfine");
}

#[test]
fn without_keep_going_nothing_new_is_begun() {
    let bench = Bench::with_slots(1);
    let [bad, last, _] = broken_graph(&bench);
    bench.engine.hold();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bench.engine.wait_held(1);
            bench.engine.release();
        });
        // With one slot only one of these is begun; what is begun first is the longest path.
        let lone = bench.thunk("cat", "lone", &[]);
        let forced = bench.force_all(&[last, lone], false);
        assert!(matches!(forced[0].outcome, Outcome::DependencyFailed(name) if name == bad), "{:?}", forced[0]);
        assert!(forced[1].record().is_some() || matches!(forced[1].outcome, Outcome::Cancelled));
    });
    let order = bench.engine.order();
    assert!(!order.iter().any(|arg| arg == "after" || arg == "last"), "{order:?}");
}

#[test]
fn what_has_begun_is_waited_for_when_another_fails() {
    let bench = Bench::with_slots(2);
    bench.engine.hold();
    let bad = bench.thunk("fail", "no", &[]);
    let good = bench.thunk("cat", "good", &[]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bench.engine.wait_held(2);
            bench.engine.release();
        });
        let forced = bench.force_all(&[bad, good], false);
        assert!(is_failed(&forced[0], "no"));
        assert_eq!(bench.out(&forced[1]), b"good");
    });
    assert!(bench.force(&good).from_memo);
}

#[test]
fn an_engine_that_cannot_run_it_is_followed_by_the_next() {
    let bench = Bench::with(1, |fake| {
        let dir = tempfile::tempdir().unwrap();
        let store = gg_store::LocalStore::open(dir.path()).unwrap();
        vec![Arc::new(Refuses(FakeEngine::new("far", &store, 1))), fake]
    });
    let forced = bench.force(&bench.thunk("cat", "x", &[]));
    assert_eq!((&*forced.engine, bench.out(&forced)), ("fake", b"x".to_vec()));
    assert_eq!(bench.coordinator.counters().passed_on, 1);

    let forced = bench.force(&bench.thunk("broken", "", &[]));
    let Outcome::CouldNotRun(why) = &forced.outcome else { panic!("{forced:?}") };
    assert_eq!(why, "far: refused; fake: fake is broken");
}

/// An engine that is there but cannot run anything.
struct Refuses(FakeEngine);

impl gg_force::Engine for Refuses {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn slots(&self) -> usize {
        self.0.slots()
    }
    fn submit(&self, job: gg_force::Job, done: gg_force::Done) {
        let evidence = gg_exec::Evidence {
            exit: Err("refused".to_owned()),
            failed_step: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            usage: gg_exec::Usage::default(),
            outputs: Default::default(),
            missing: Vec::new(),
            kind: gg_exec::RootKind::Native,
            left_out: Vec::new(),
        };
        done.send(gg_force::Finished { id: job.id, evidence });
    }
    fn cancel(&self, _: gg_force::JobId) {}
}

#[test]
fn what_is_not_in_the_store_is_named() {
    let bench = Bench::new();
    let nowhere = ThunkName::of(b"nowhere");
    let forced = bench.force(&nowhere);
    assert!(matches!(&forced.outcome, Outcome::CouldNotRun(why) if why.contains(&nowhere.to_string())));

    let after = bench.thunk("cat", "", &[("in", output(nowhere, "out"))]);
    let forced = bench.force(&after);
    assert!(matches!(forced.outcome, Outcome::DependencyFailed(name) if name == nowhere), "{forced:?}");

    let root = gg_thunk::TreeName::new(gg_thunk::ValueName::of(b"no tree"));
    let thunk = bench.store.put_thunk(&crate::fake::thunk("cat", "", root, &[])).unwrap();
    let forced = bench.force(&thunk);
    assert!(matches!(&forced.outcome, Outcome::CouldNotRun(why) if why.contains(&root.to_string())), "{forced:?}");
    assert_eq!(bench.engine.total(), 0);
}
