//! The other tests again, by other users and under other restrictions.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_exec::{ExecError, RootKind};

use crate::fixture::{Fixture, build_tool, slot_program};
use crate::over_host;

const OTHER: u32 = 1000;

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Denies unshare(2), and clone(2) with a flag of a new namespace, with EPERM.
fn deny_namespaces() -> io::Result<()> {
    let stmt = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let jump = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let namespaces =
        libc::CLONE_NEWNS | libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWIPC;
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let any = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    let mut filter = [
        stmt(load, 0),
        jump(equal, libc::SYS_unshare as u32, 4, 0),
        jump(equal, libc::SYS_clone as u32, 0, 2),
        stmt(load, 16),
        jump(any, namespaces as u32, 1, 0),
        stmt(libc::BPF_RET, libc::SECCOMP_RET_ALLOW),
        stmt(libc::BPF_RET, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` points to `filter`, which outlives the call; the rest are integers.
    let failed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) != 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether the machine lets this user make namespaces, by util-linux's judgement.
fn machine_allows(uid: u32) -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["-Urmnipf", "sh", "-c", "mount -t tmpfs x /mnt"]);
    unshare.uid(uid).gid(uid);
    unshare.output().unwrap().status.success()
}

/// Runs every other test of this binary as another user, or without namespaces, or both.
fn again(uid: u32, deny: bool, expected: RootKind) {
    let dir = gg_testkit::temp_dir();
    let mut command = copied(dir.path(), uid, expected, Command::new);
    command.args(["--skip", "users::", "--test-threads", "2"]).uid(uid).gid(uid);
    if deny {
        // SAFETY: the closure makes two system calls and allocates nothing.
        unsafe { command.pre_exec(deny_namespaces) };
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" 0 failed"), "{said}");
}

/// This binary, copied to where that user may execute it, as a command that is made of the copy's path.
fn copied(dir: &Path, uid: u32, expected: RootKind, command: impl FnOnce(PathBuf) -> Command) -> Command {
    let copy = |from: &Path, name: &str| {
        let to = dir.join(name);
        fs::copy(from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).unwrap();
        to
    };
    let tests = copy(&std::env::current_exe().unwrap(), "tests");
    let slot = copy(&slot_program(), "gg-slot");
    let tool = dir.join("tool");
    build_tool(&tool);
    let own = dir.join("tmp");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(uid), Some(uid)).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(tests);
    command
        .current_dir(dir)
        .env("GG_TEST_SLOT", &slot)
        .env("GG_TEST_TOOL", tool)
        .env("GG_TEST_KIND", expected.to_string())
        .env("TMPDIR", own);
    command
}

/// The mounts are those of another user namespace, under which this one must not look.
#[test]
fn uid_1000_among_mounts() {
    if !is_root() || !machine_allows(OTHER) {
        return;
    }
    let dir = gg_testkit::temp_dir();
    let drop_root = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
    let among = |tests: PathBuf| over_host::among_mounts(&["-m"], &drop_root, &tests);
    over_host::passes(&mut copied(dir.path(), OTHER, RootKind::Namespaces, among));
}

#[test]
fn uid_1000() {
    if !is_root() {
        return;
    }
    let allowed = machine_allows(OTHER);
    again(OTHER, false, if allowed { RootKind::Namespaces } else { RootKind::Native });
}

#[test]
fn root_without_namespaces() {
    if is_root() {
        again(0, true, RootKind::Chroot);
    }
}

#[test]
fn uid_1000_without_namespaces() {
    if is_root() {
        again(OTHER, true, RootKind::Native);
    }
}

#[test]
fn a_kind_that_is_asked_for_is_made() {
    if !is_root() {
        return;
    }
    for kind in [RootKind::Chroot, RootKind::Native] {
        let mut f = Fixture::with(Some(kind), gg_exec::Limits::default());
        assert_eq!(f.slot.kind(), kind);
        f.put("a", b"text", 0o644);
        assert_eq!(f.say(&["cat", "a"]), "text");
    }
}

#[test]
fn a_slot_program_that_is_none_is_an_error() {
    let dir = gg_testkit::temp_dir();
    let store = gg_store::LocalStore::open(&dir.path().join("gg")).unwrap();
    for program in ["/bin/true", "/no/such/program"] {
        let options =
            gg_exec::SlotOptions { program: program.into(), force_kind: None, scratch: dir.path().join("scratch") };
        let error = gg_exec::Slot::start(&store, &options).unwrap_err();
        assert!(matches!(error, ExecError::Lost(_) | ExecError::Io { .. }), "{error}");
    }
}
