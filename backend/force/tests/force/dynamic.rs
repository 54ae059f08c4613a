//! Outputs that stand for outputs of other thunks.

use gg_force::Outcome;
use gg_thunk::{ObjectName, OutputName, Placeholder, ThunkName};

use crate::fake::{Bench, output, tag};

fn placeholder(thunk: ThunkName) -> Vec<u8> {
    Placeholder { object: OutputName { thunk, tag: tag("out") } }.encode()
}

#[test]
fn a_placeholder_is_forced_in_turn_and_from_the_memo() {
    let bench = Bench::new();
    let last = bench.thunk("cat", "end", &[]);
    let middle = bench.thunk("copy", "m", &[("out", bench.value(&placeholder(last)))]);
    let first = bench.thunk("copy", "f", &[("out", bench.value(&placeholder(middle)))]);
    let user = bench.thunk("cat", "!", &[("in", output(first, "out"))]);
    assert_eq!(bench.out(&bench.force(&user)), b"end!");
    assert_eq!(bench.engine.order(), ["f", "m", "end", "!"]);
    let bench = bench.reopened();
    let again = bench.force(&first);
    assert_eq!(bench.out(&again), b"end");
    assert!(again.from_memo);
    assert_eq!(bench.engine.total(), 0);
}

#[test]
fn thunks_among_the_outputs_are_kept() {
    let bench = Bench::new();
    let root = {
        let mut root = gg_thunk::Tree::new();
        let inner = bench.store.put_tree(&gg_thunk::Tree::new()).unwrap();
        root.insert("in", gg_thunk::Node::Dir(inner)).unwrap();
        bench.store.put_tree(&root).unwrap()
    };
    let child = crate::fake::thunk("cat", "child", root, &[("out", false)]);
    assert!(!bench.store.contains_thunk(&child.name()).unwrap());
    let inputs = [("out", bench.value(&placeholder(child.name()))), ("child", bench.value(&child.encode()))];
    let parent = bench.thunk_with("copy", "", &inputs, &[("out", false), ("child", true)]);
    assert_eq!(bench.out(&bench.force(&parent)), b"child");

    // A thunk that nothing refers to is data.
    let mut other = child;
    other.umask = 0;
    let inputs = [("out", bench.value(&other.encode()))];
    let copied = bench.force(&bench.thunk("copy", "", &inputs));
    assert_eq!(bench.out(&copied), other.encode());
    assert!(!bench.store.contains_thunk(&other.name()).unwrap());
}

#[test]
fn thunks_that_wait_for_each_other_are_named() {
    let bench = Bench::new();
    // The producer is known before what it makes: it copies an input that is filled in by another run.
    let fill = |text: &str| bench.thunk("const", text, &[]);
    let own = fill("own");
    let user = bench.thunk("cat", "", &[("in", output(own, "out"))]);
    // `own` was run elsewhere and is said to stand for what needs it.
    let ObjectName::Value(object) = bench.value(&placeholder(user)) else { panic!("a value") };
    let mut record = (**bench.force(&fill("other")).record().unwrap()).clone();
    record.outputs.get_mut(&tag("out")).unwrap().object = object;
    bench.memo.put(&own, &record).unwrap();
    for keep_going in [false, true] {
        let forced = bench.force_all(&[user], keep_going);
        let Outcome::CouldNotRun(why) = &forced[0].outcome else { panic!("{forced:?}") };
        let (own, user) = (own.to_string(), user.to_string());
        assert!(why.contains("wait for each other") && why.contains(&own) && why.contains(&user), "{why}");
    }
    let itself = fill("itself");
    let ObjectName::Value(object) = bench.value(&placeholder(itself)) else { panic!("a value") };
    record.outputs.get_mut(&tag("out")).unwrap().object = object;
    bench.memo.put(&itself, &record).unwrap();
    let forced = bench.force(&itself);
    assert!(matches!(&forced.outcome, Outcome::CouldNotRun(why) if why.contains("wait for each other")), "{forced:?}");
}

#[test]
fn a_placeholder_for_what_is_not_there_is_named() {
    let bench = Bench::new();
    let nowhere = ThunkName::of(b"nowhere");
    let forced = bench.force(&bench.thunk("copy", "", &[("out", bench.value(&placeholder(nowhere)))]));
    assert!(matches!(forced.outcome, Outcome::DependencyFailed(name) if name == nowhere), "{forced:?}");

    let target = bench.thunk_with("cat", "", &[], &[("other", false)]);
    let forced = bench.force(&bench.thunk("copy", "", &[("out", bench.value(&placeholder(target)))]));
    let Outcome::CouldNotRun(why) = &forced.outcome else { panic!("{forced:?}") };
    assert!(why.contains(&format!("{target}#out")), "{why}");

    let mut cut = placeholder(target);
    cut.truncate(cut.len() - 3);
    let forced = bench.force(&bench.thunk("copy", "", &[("out", bench.value(&cut))]));
    let Outcome::CouldNotRun(why) = &forced.outcome else { panic!("{forced:?}") };
    assert!(why.contains("placeholder"), "{why}");
}
