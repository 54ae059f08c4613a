//! What steps see, and what is seen of them.

use gg_exec::{Exit, RootKind};
use gg_thunk::{Step, Writes};

use crate::fixture::Fixture;

#[test]
fn what_is_not_in_the_tree_is_not_there() {
    let mut f = Fixture::new();
    std::fs::write(f.dir.join("hidden"), "on disk only").unwrap();
    f.put("given", b"in the tree", 0o644);
    assert_eq!(f.say(&["cat", "given"]), "in the tree");
    if f.slot.kind().sealed() {
        assert_eq!(f.say(&["cat", "hidden"]), "hidden: ENOENT\n");
        assert_eq!(f.say(&["ls", &f.path("")]), "given\ntool\n");
        assert_eq!(f.say(&["cat", "/etc/passwd"]), "/etc/passwd: ENOENT\n");
        assert_eq!(f.say(&["ls", "/proc"]), "/proc: ENOENT\n");
    } else {
        assert_eq!(f.say(&["cat", "hidden"]), "on disk only");
    }
}

#[test]
fn a_step_has_what_the_thunk_says_and_nothing_of_the_caller() {
    let mut f = Fixture::new();
    let mut thunk = f.thunk(&[&["self"]], &[]);
    thunk.umask = 0o037;
    thunk.env.insert(b"A".to_vec(), b"1 2".to_vec());
    thunk.env.insert(b"B\xff".to_vec(), b"\xfe".to_vec());
    let evidence = f.run_thunk(&thunk);
    let meta = std::fs::metadata("/proc/self").unwrap();
    use std::os::unix::fs::MetadataExt;
    let first = format!(
        "uid {} gid {} umask 037 cwd {} fds 3 ignored 0 masked 0 stdin -1\n",
        meta.uid(),
        meta.gid(),
        f.dir.display()
    );
    let mut expected = first.into_bytes();
    expected.extend_from_slice(b"A=1 2\nB\xff=\xfe\n");
    assert_eq!(String::from_utf8_lossy(&evidence.stdout), String::from_utf8_lossy(&expected));
    assert_eq!(evidence.stdout, expected);
}

#[test]
fn temporary_directory_and_devices_are_private() {
    let mut f = Fixture::new();
    if !f.slot.kind().sealed() {
        assert_eq!(f.slot.kind(), RootKind::Native);
        return;
    }
    assert_eq!(f.say(&["put", "/tmp/left", "x"]), "");
    assert_eq!(f.say(&["cat", "/tmp/left"]), "/tmp/left: ENOENT\n");
    assert!(f.say(&["stat", "/tmp"]).starts_with("41777 "));
    assert_eq!(f.say(&["ls", "/dev"]), "full\nnull\nrandom\ntty\nurandom\nzero\n");
    assert_eq!(f.say(&["put", "/dev/null", "x"]), "");
    assert_eq!(f.say(&["put", "/dev/full", "x"]), "/dev/full: ENOSPC\n");
    let mut thunk = f.thunk(&[&["stat", "/var/scratch/mine"]], &[]);
    let value = b"/var/scratch/mine".to_vec();
    thunk.env.insert(b"TMPDIR".to_vec(), value);
    let evidence = f.run_thunk(&thunk);
    assert!(evidence.stdout.starts_with(b"41777 "), "{evidence:?}");
}

#[test]
fn the_network_is_out_of_reach_in_namespaces() {
    let mut f = Fixture::new();
    let said = f.say(&["reach", "127.0.0.1"]);
    if f.slot.kind() == RootKind::Namespaces {
        assert_eq!(said, "127.0.0.1: ENETUNREACH\n");
        assert_eq!(f.say(&["reach", "192.0.2.1"]), "192.0.2.1: ENETUNREACH\n");
    } else {
        assert_eq!(said, "reached\n");
    }
}

#[test]
fn outputs_come_with_bytes_and_modes() {
    let mut f = Fixture::new();
    f.put_dir("sub");
    std::fs::create_dir(f.dir.join("sub")).unwrap();
    let steps: &[&[&str]] =
        &[&["put", "a", "aaa"], &["put", "sub/b", "bb"], &["chmod", "sub/b", "4751"], &["ln", "sub/b", "c"]];
    let evidence = f.run(steps, &["a", "sub/b", "c"]);
    assert!(evidence.succeeded(), "{evidence:?}");
    assert_eq!(f.made(&evidence, "a"), (b"aaa".to_vec(), 0o644));
    assert_eq!(f.made(&evidence, "sub/b"), (b"bb".to_vec(), 0o4751));
    assert_eq!(f.made(&evidence, "c"), (b"bb".to_vec(), 0o4751));
    let mut thunk = f.thunk(&[&["replace", "a", "x"]], &["a"]);
    thunk.umask = 0o077;
    let evidence = f.run_thunk(&thunk);
    assert_eq!(f.made(&evidence, "a"), (b"x".to_vec(), 0o600));
}

#[test]
fn a_missing_output_is_named_unless_it_is_optional() {
    let mut f = Fixture::new();
    let mut thunk = f.thunk(
        &[&["put", "a", "x"], &["mkdir", "dir"], &["mkfifo", "fifo"], &["ln", "/nowhere", "dangling"]],
        &["a", "none", "opt", "dir", "fifo", "dangling", "a/below"],
    );
    thunk.outputs[2].optional = true;
    let evidence = f.run_thunk(&thunk);
    assert_eq!(evidence.exit, Ok(Exit::Code(0)), "{evidence:?}");
    assert!(!evidence.succeeded());
    let missing: Vec<&str> = evidence.missing.iter().map(|tag| tag.as_str()).collect();
    assert_eq!(missing, ["none", "dir", "fifo", "dangling", "a_below"]);
    assert_eq!(evidence.outputs.len(), 1);
}

#[test]
fn the_first_failing_step_ends_the_thunk() {
    let mut f = Fixture::new();
    let evidence = f.run(&[&["put", "a", "x"], &["exit", "3"], &["put", "b", "x"]], &["a", "b"]);
    assert_eq!(evidence.exit, Ok(Exit::Code(3)));
    assert_eq!(evidence.failed_step, Some(1));
    assert!(evidence.outputs.is_empty() && evidence.missing.is_empty());
    let evidence = f.run(&[&["abort", "11"]], &[]);
    assert_eq!(evidence.exit, Ok(Exit::Signal(libc::SIGSEGV)));
    // The runner is process 1 of its namespace, but the step is not: every signal kills it.
    let evidence = f.run(&[&["abort", "15"]], &[]);
    assert_eq!(evidence.exit, Ok(Exit::Signal(libc::SIGTERM)));
    let mut thunk = f.thunk(&[&["exit", "0"]], &[]);
    thunk.steps.push(Step { exe: b"/no/such/tool".to_vec(), argv: vec![b"tool".to_vec()] });
    let evidence = f.run_thunk(&thunk);
    assert_eq!(evidence.failed_step, Some(1));
    let why = evidence.exit.unwrap_err();
    assert!(why.starts_with("cannot execute /no/such/tool: "), "{why}");
}

#[test]
fn argv_zero_is_the_thunks() {
    let mut f = Fixture::new();
    let mut thunk = f.thunk(&[&["argv0"]], &[]);
    thunk.steps[0].argv[0] = b"/another/name".to_vec();
    assert_eq!(f.run_thunk(&thunk).stdout, b"/another/name\n");
}

#[test]
fn megabytes_of_messages_come_whole() {
    let mut f = Fixture::new();
    let evidence = f.run(&[&["both", "5000000"], &["both", "10"]], &[]);
    assert!(evidence.stdout == b"out-out-o\n".repeat(500_001));
    assert!(evidence.stderr == b"err-err-e\n".repeat(500_001));
}

#[test]
fn time_and_memory_are_those_of_the_steps() {
    let mut f = Fixture::new();
    let evidence = f.run(&[&["spin"], &["grow", "64"], &["spin"]], &[]);
    assert!(evidence.succeeded(), "{evidence:?}");
    let usage = evidence.usage;
    assert!(usage.user_us + usage.sys_us >= 100_000, "{usage:?}");
    assert!(usage.wall_us > 0, "{usage:?}");
    assert!(usage.max_rss_kb >= 64 << 10, "{usage:?}");
}

#[test]
fn a_tool_that_changes_its_input_changes_a_copy() {
    let large = b"0123456".repeat(500_000);
    for bytes in [b"small".as_slice(), &large] {
        let mut f = Fixture::new();
        f.put("lib.a", bytes, 0o640);
        f.put_link("link.a", "lib.a");
        std::os::unix::fs::symlink("lib.a", f.dir.join("link.a")).unwrap();
        let mut thunk = f.thunk(&[&["append", "link.a", "+"]], &["link.a"]);
        thunk.outputs[0].writes = Writes::Through;
        let evidence = f.run_thunk(&thunk);
        assert!(evidence.succeeded(), "{evidence:?}");
        assert_eq!(f.made(&evidence, "link.a"), ([bytes, b"+"].concat(), 0o640));
        if f.slot.kind().sealed() {
            // Neither the store nor the laid-out tree has changed.
            let evidence = f.run(&[&["cat", "lib.a"]], &[]);
            assert!(evidence.stdout == bytes);
        }
    }
}

#[test]
fn what_steps_do_to_their_root_is_gone_for_the_next() {
    let mut f = Fixture::new();
    if !f.slot.kind().sealed() {
        assert_eq!(f.slot.kind(), RootKind::Native);
        return;
    }
    f.put("keep/a", b"a", 0o644);
    f.put("keep/b", b"b", 0o644);
    f.put_link("keep/l", "a");
    let steps: &[&[&str]] = &[
        &["put", "keep/a", "changed"],
        &["rm", "keep/b"],
        &["put", "keep/new", "new"],
        &["mkdir", "keep/dir"],
        &["put", "keep/dir/deep", "x"],
        &["chmod", "keep/dir", "0"],
        &["chmod", "keep", "700"],
        &["rm", "keep/l"],
        &["mkdir", "/elsewhere"],
        &["put", "/top", "x"],
    ];
    let evidence = f.run(steps, &[]);
    assert!(evidence.succeeded() && evidence.stdout.is_empty(), "{evidence:?}");
    let looks: &[&[&str]] = &[
        &["cat", "keep/a"],
        &["cat", "keep/b"],
        &["cat", "keep/l"],
        &["ls", "keep"],
        &["cat", "/top"],
        &["ls", "/elsewhere"],
    ];
    let evidence = f.run(looks, &[]);
    assert_eq!(String::from_utf8_lossy(&evidence.stdout), "abaa\nb\nl\n/top: ENOENT\n/elsewhere: ENOENT\n");
    assert!(f.say(&["stat", "keep"]).starts_with("40755 "));
}
