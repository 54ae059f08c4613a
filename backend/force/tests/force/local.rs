//! The local engine: real processes in real roots.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use gg_exec::{Exit, SlotOptions};
use gg_force::{
    Cancel, Coordinator, CoordinatorOptions, Event, ExecError, ForceOptions, Forced, Ground, LocalEngine, Outcome,
    RootKind, Site,
};
use gg_store::{LocalStore, Memo, Store as _};
use gg_thunk::{FileNode, Node, ObjectName, Output, Step, Thunk, Tree, TreeName, Writes};

use crate::fake::{output, tag};

struct Machine {
    store: LocalStore,
    coordinator: Coordinator,
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(&dir.path().join("gg")).unwrap();
        let options = SlotOptions {
            program: PathBuf::from(env!("CARGO_BIN_EXE_gg-force-slot")),
            force_kind: None,
            scratch: dir.path().join("scratch"),
        };
        let engine = LocalEngine::new(store.clone(), 2, options, None).unwrap();
        let memo = Memo::open(&store).unwrap();
        let coordinator =
            Coordinator::new(store.clone(), memo, vec![Arc::new(engine)], CoordinatorOptions::default()).unwrap();
        Machine { store, coordinator, dir }
    }

    /// Compiles a static program and gives the tree `{name}` that holds it.
    fn program(&self, name: &str, source: &Path) -> TreeName {
        let exe = self.dir.path().join(name);
        let status = Command::new("gcc").args(["-static", "-O1", "-o"]).arg(&exe).arg(source).status().unwrap();
        assert!(status.success(), "gcc -static {}", source.display());
        let object = ObjectName::Value(self.store.put_file(&exe).unwrap());
        let mut bin = Tree::new();
        bin.insert(name, Node::File(FileNode { object, mode: 0o755, mtime: None })).unwrap();
        self.store.put_tree(&bin).unwrap()
    }

    fn text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The root with `/bin` and these files.
    fn root(&self, bin: TreeName, files: &[(&str, ObjectName)]) -> TreeName {
        let mut root = crate::fake::tree(files);
        root.insert("bin", Node::Dir(bin)).unwrap();
        self.store.put_tree(&root).unwrap()
    }

    fn out(&self, forced: &Forced) -> String {
        let record = forced.record().unwrap_or_else(|| panic!("{:?}", forced.outcome));
        let bytes = self.store.get(&record.outputs[&tag("out")].object).unwrap().unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

fn thunk(argv: &[&str], exe: &str, root: TreeName, outputs: &[(&str, bool)]) -> Thunk {
    let output = |(name, optional): &(&str, bool)| Output {
        tag: tag(name),
        path: format!("/{name}").into_bytes(),
        optional: *optional,
        writes: Writes::Replace,
    };
    Thunk {
        steps: vec![Step {
            exe: exe.as_bytes().to_vec(),
            argv: argv.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        }],
        env: BTreeMap::new(),
        cwd: b"/".to_vec(),
        umask: 0o022,
        root,
        outputs: outputs.iter().map(output).collect(),
    }
}

const TOOL: &str = r#"
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int c;
    FILE *in = fopen("/in", "r"), *out = fopen("/out", "w");
    if (argc > 1 && argv[1][0] == 'w')
        for (;;) pause();
    if (!in || !out) { perror("/in"); return 4; }
    while ((c = getc(in)) != EOF) putc(c >= 'a' && c <= 'z' ? c - 32 : c, out);
    fputs(argv[1], out);
    fprintf(stderr, "warning: %s\n", argv[1]);
    return 0;
}
"#;

#[test]
fn two_programs_one_after_the_other() {
    let machine = Machine::new();
    let bin = machine.program("tool", &machine.text("tool.c", TOOL));
    let source = ObjectName::Value(machine.store.put(b"hello ").unwrap());
    let first = thunk(&["tool", "a"], "/bin/tool", machine.root(bin, &[("in", source)]), &[("out", false)]);
    let first = machine.store.put_thunk(&first).unwrap();
    let root = machine.root(bin, &[("in", output(first, "out"))]);
    let second = thunk(&["tool", "b"], "/bin/tool", root, &[("out", false)]);
    let second = machine.store.put_thunk(&second).unwrap();
    let forced = machine.coordinator.force(&second, ForceOptions::default());
    assert_eq!(machine.out(&forced), "HELLO Ab");
    let record = forced.record().unwrap();
    assert_eq!(machine.store.get(&record.stderr).unwrap().unwrap(), b"warning: b\n");
    assert_eq!(record.outputs[&tag("out")].mode, 0o644);

    let missing = thunk(&["tool", "c"], "/bin/tool", machine.root(bin, &[]), &[("out", false)]);
    let forced = machine.coordinator.force_thunk(Arc::new(missing), ForceOptions::default());
    let Outcome::Failed { exit, stderr, .. } = &forced.outcome else { panic!("{forced:?}") };
    assert_eq!(*exit, Exit::Code(4));
    assert!(String::from_utf8_lossy(stderr).contains("/in"), "{stderr:?}");
}

#[test]
fn a_process_that_nobody_waits_for_is_killed() {
    let machine = Machine::new();
    let bin = machine.program("tool", &machine.text("tool.c", TOOL));
    let waits = thunk(&["tool", "wait"], "/bin/tool", machine.root(bin, &[]), &[("out", false)]);
    let waits = machine.store.put_thunk(&waits).unwrap();
    let cancel = Cancel::new();
    let mut options = ForceOptions::default();
    options.cancel = cancel.clone();
    let forced = machine.coordinator.force_all(&[waits], options, &mut |progress| {
        if matches!(progress.event, Event::Started { .. }) {
            cancel.cancel();
        }
    });
    assert!(matches!(forced[0].outcome, Outcome::Cancelled), "{forced:?}");
    // Both slots are to be had again: this would wait for ever otherwise, as would the end of the engine.
    let source = ObjectName::Value(machine.store.put(b"x").unwrap());
    for arg in ["1", "2"] {
        let next = thunk(&["tool", arg], "/bin/tool", machine.root(bin, &[("in", source.clone())]), &[("out", false)]);
        let forced = machine.coordinator.force_thunk(Arc::new(next), ForceOptions::default());
        assert_eq!(machine.out(&forced), format!("X{arg}"));
    }
}

#[test]
fn fibonacci_by_thunks_that_answer_with_thunks() {
    let machine = Machine::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/force/fib.c");
    let bin = machine.program("fib", &source);
    let outputs = [("out", false), ("left", true), ("right", true), ("sum", true), ("sum-root", true)];
    let fib = |n: u32| {
        let argv = ["fib", &n.to_string(), &bin.to_string()];
        let thunk = thunk(&argv, "/bin/fib", machine.root(bin, &[]), &outputs);
        machine.store.put_thunk(&thunk).unwrap()
    };
    let forced = machine.coordinator.force(&fib(12), ForceOptions::default());
    assert_eq!(machine.out(&forced), "144\n");
    // fib(0) to fib(12) once each, and a sum for each from fib(2) on; sums of equal numbers are one.
    let counters = machine.coordinator.counters();
    let executed = counters.executed["local"];
    assert!((13..=13 + 11).contains(&executed), "{counters:?}");
    if counters.unsealed == 0 {
        let again = machine.coordinator.force(&fib(12), ForceOptions::default());
        assert!(again.from_memo);
        assert_eq!(machine.out(&again), "144\n");
        assert_eq!(machine.out(&machine.coordinator.force(&fib(13), ForceOptions::default())), "233\n");
        assert_eq!(machine.coordinator.counters().executed["local"], executed + 2);
    }
}

#[test]
fn what_the_tree_lacks_is_taken_from_the_host_and_not_remembered() {
    let machine = Machine::new();
    let site = Site {
        program: PathBuf::from(env!("CARGO_BIN_EXE_gg-force-slot")),
        scratch: machine.dir.path().join("scratch"),
    };
    let source = TOOL.replace("\"/in\"", "argv[2]");
    let bin = machine.program("tool", &machine.text("tool.c", &source));
    let missed = machine.text("missed", "host ");
    let argv = ["tool", "a", missed.to_str().unwrap()];
    let mut late = thunk(&argv, "/bin/tool", machine.root(bin, &[]), &[("out", false)]);
    late.cwd = machine.dir.path().as_os_str().as_encoded_bytes().to_vec();
    let ground = site.survey(&machine.store).unwrap();
    let ran = site.run_over_host(&machine.store, &ground, &late, &Cancel::new());
    if ground.kind != RootKind::Namespaces {
        let Err(ExecError::Refused { kind: RootKind::OverHost, why }) = ran else { panic!("{ran:?}") };
        assert!(why.contains("it takes namespaces"), "{why}");
        return;
    }
    let evidence = ran.unwrap();
    assert!(evidence.succeeded(), "{evidence:?}");
    assert!(evidence.kind == RootKind::OverHost && !evidence.kind.sealed());
    assert_eq!(evidence.stderr, b"warning: a\n");
    assert_eq!(machine.store.get(&evidence.outputs[&tag("out")].name).unwrap().unwrap(), b"HOST a");

    // The memo has nothing of it: the thunk is run again, and fails as it did.
    let forced = machine.coordinator.force_thunk(Arc::new(late.clone()), ForceOptions::default());
    let Outcome::Failed { exit: Exit::Code(4), stderr, .. } = &forced.outcome else { panic!("{forced:?}") };
    assert!(String::from_utf8_lossy(stderr).contains("No such file"), "{stderr:?}");

    let cancelled = Cancel::new();
    cancelled.cancel();
    let evidence = site.run_over_host(&machine.store, &ground, &late, &cancelled).unwrap();
    assert!(evidence.exit.is_err() && evidence.outputs.is_empty(), "{evidence:?}");
    for kind in [RootKind::Chroot, RootKind::Native] {
        let ground = Ground { kind, refusals: vec!["namespaces: no".to_owned()] };
        let error = site.run_over_host(&machine.store, &ground, &late, &Cancel::new()).unwrap_err();
        assert!(error.to_string().contains("over-host") && error.to_string().contains("namespaces: no"), "{error}");
    }
}
