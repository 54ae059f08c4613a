//! Graphs: who is run, how often, in what order, with what.

use std::sync::Barrier;

use gg_force::{Event, ForceOptions};
use gg_thunk::{Node, ObjectName};

use crate::fake::{Bench, output, tag};

#[test]
fn a_diamond_runs_each_thunk_once_and_children_see_what_was_made() {
    let bench = Bench::new();
    let top = bench.thunk("cat", "a", &[("x", bench.value(b"x"))]);
    let left = bench.thunk("cat", "l", &[("in", output(top, "out"))]);
    let right = bench.thunk("cat", "r", &[("in", output(top, "out"))]);
    let last = bench.thunk("cat", "!", &[("1", output(left, "out")), ("2", output(right, "out"))]);
    let mut started = 0;
    let mut settled = Vec::new();
    let forced = bench.coordinator.force_all(&[last, top], ForceOptions::default(), &mut |progress| {
        match progress.event {
            Event::Started { engine, .. } => {
                assert_eq!(&*engine, "fake");
                started += 1;
            }
            Event::Settled { thunk, .. } => settled.push(thunk),
        }
        assert!(progress.settled <= progress.known);
    });
    assert_eq!(bench.out(&forced[0]), b"xalxar!");
    assert_eq!(bench.out(&forced[1]), b"xa");
    assert_eq!(bench.engine.total(), 4);
    assert_eq!((started, settled.len()), (4, 4));
    assert_eq!((settled[0], settled[3]), (top, last));
    assert_eq!(bench.coordinator.counters().executed["fake"], 4);
    assert!(!forced[0].from_memo);
    assert_eq!(&*forced[0].engine, "fake");

    let again = bench.force(&last);
    assert!(again.from_memo);
    assert_eq!(bench.out(&again), b"xalxar!");
    assert_eq!(bench.engine.total(), 4);
    assert_eq!(bench.coordinator.counters().memo_hits, 4);
}

#[test]
fn the_mode_that_was_made_stands_in_the_reduced_tree() {
    let bench = Bench::new();
    let first = bench.thunk("const", "#!/bin/sh\n", &[]);
    let second = bench.thunk("cat", "", &[("tool", output(first, "out"))]);
    let forced = bench.force(&second);
    let reduced = bench.store.get_thunk(&forced.reduced.unwrap()).unwrap();
    assert!(reduced.is_none(), "reduced thunks are not kept, their trees are");
    let mut expected = bench.store.get_thunk(&second).unwrap().unwrap();
    let file = gg_thunk::FileNode { object: bench.value(b"#!/bin/sh\n"), mode: 0o755, mtime: None };
    let mut inner = gg_thunk::Tree::new();
    inner.insert("tool", Node::File(file)).unwrap();
    let mut root = gg_thunk::Tree::new();
    root.insert("in", Node::Dir(inner.name())).unwrap();
    expected.root = root.name();
    assert_eq!(forced.reduced, Some(expected.name()));
}

#[test]
fn one_run_serves_all_that_ask_for_it_at_once() {
    let bench = Bench::new();
    bench.engine.hold();
    let thunk = bench.thunk("cat", "once", &[]);
    let barrier = Barrier::new(9);
    std::thread::scope(|scope| {
        let force = || {
            barrier.wait();
            let forced = bench.force(&thunk);
            assert_eq!(bench.out(&forced), b"once");
        };
        for _ in 0..8 {
            scope.spawn(force);
        }
        barrier.wait();
        bench.engine.wait_held(1);
        bench.engine.release();
    });
    assert_eq!(bench.engine.total(), 1);
}

#[test]
fn thunks_that_reduce_to_the_same_are_run_once() {
    let bench = Bench::new();
    bench.engine.hold();
    let one = bench.thunk("const", "same", &[("a", bench.value(b"1"))]);
    let two = bench.thunk("const", "same", &[("a", bench.value(b"2"))]);
    let after = |thunk| bench.thunk("cat", "+", &[("in", output(thunk, "out"))]);
    let (one, two) = (after(one), after(two));
    assert_ne!(one, two);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bench.engine.wait_held(2);
            bench.engine.release();
        });
        let forced = bench.force_all(&[one, two], false);
        assert_eq!(forced[0].reduced, forced[1].reduced);
        assert_eq!(bench.out(&forced[1]), b"same+");
    });
    assert_eq!(bench.engine.total(), 3);
}

#[test]
fn a_change_that_leaves_the_bytes_goes_no_further() {
    let bench = Bench::new();
    let chain = |source: &[u8]| {
        let compile = bench.thunk("const", "object", &[("a.c", bench.value(source))]);
        bench.thunk("cat", "linked", &[("a.o", output(compile, "out"))])
    };
    let before = bench.force(&chain(b"int x;"));
    assert_eq!(bench.engine.total(), 2);
    let after = bench.force(&chain(b"int x; // comment"));
    assert_eq!(bench.engine.total(), 3, "compiled again, not linked again");
    assert!(after.from_memo && !before.from_memo);
    assert_eq!(bench.out(&after), b"objectlinked");
}

#[test]
fn an_optional_output_that_was_not_made_is_left_out_of_the_tree() {
    let bench = Bench::new();
    let inputs = [("out", bench.value(b"o"))];
    let first = bench.thunk_with("copy", "", &inputs, &[("out", false), ("dwo", true)]);
    let both = [("1", output(first, "out")), ("2", output(first, "dwo"))];
    let forced = bench.force(&bench.thunk("cat", "!", &both));
    assert_eq!(bench.out(&forced), b"o!");
    let wrong = bench.force(&bench.thunk("cat", "", &[("1", output(first, "nothing"))]));
    let gg_force::Outcome::CouldNotRun(why) = wrong.outcome else { panic!("{wrong:?}") };
    assert!(why.contains(&format!("{first}#nothing")), "{why}");
}

#[test]
fn the_longest_path_is_begun_first() {
    let bench = Bench::with_slots(1);
    // Two steps with an expensive one at the end: more than the others, though each first step is cheap. It
    // stands first because the last root is expanded first.
    let first = bench.thunk("cat", "path", &[]);
    let big = bench.value(&vec![b'x'; 1 << 20]);
    let mut roots = vec![bench.thunk("cat", "end", &[("big", big), ("in", output(first, "out"))])];
    for arg in ["short", "longer"] {
        roots.push(bench.thunk("cat", arg, &[("in", bench.value(arg.as_bytes()))]));
    }
    let gate = bench.thunk("cat", "gate", &[]);
    bench.engine.hold();
    std::thread::scope(|scope| {
        // The only slot is taken until all is known.
        scope.spawn(|| bench.force(&gate));
        bench.engine.wait_held(1);
        let (expanded, is_expanded) = std::sync::mpsc::channel();
        // The last root is known first, and cannot be loaded: that says that the request is being expanded.
        scope.spawn(|| {
            let unknown = gg_thunk::ThunkName::of(b"unknown");
            let mut all = roots.clone();
            all.push(unknown);
            let mut expanded = Some(expanded);
            let mut options = ForceOptions::default();
            options.keep_going = true;
            let forced = bench.coordinator.force_all(&all, options, &mut |progress| {
                if let Event::Settled { thunk, .. } = progress.event
                    && thunk == unknown
                    && let Some(expanded) = expanded.take()
                {
                    expanded.send(()).unwrap();
                }
            });
            assert!(forced[0].record().is_some());
        });
        is_expanded.recv().unwrap();
        // Tasks are taken up in turns, and all of that request is one: when this one is answered, it is over.
        let another = bench.force_all(&[gg_thunk::ThunkName::of(b"another")], false);
        assert!(another[0].record().is_none());
        bench.engine.release();
    });
    let order = bench.engine.order();
    assert_eq!(order[..2], ["gate", "path"], "{order:?}");
}

#[test]
fn a_value_among_thunks_stays_as_it_is() {
    let bench = Bench::new();
    let first = bench.thunk("const", "1", &[]);
    let mixed = [("a", bench.value(b"v")), ("b", output(first, "out"))];
    assert!(matches!(mixed[0].1, ObjectName::Value(_)));
    let forced = bench.force(&bench.thunk("cat", "", &mixed));
    assert_eq!(bench.out(&forced), b"v1");
    assert!(forced.record().unwrap().outputs.contains_key(&tag("out")));
}
