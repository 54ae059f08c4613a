//! The seccomp program that stops a process at the traced calls and at no others.
//!
//! It only makes the program; the started process installs it (see `spawn`).

use super::syscall;

/// The stop's data for a traced call.
pub(super) const TRACED: u32 = 1;
/// The stop's data for a call of another instruction set.
pub(super) const FOREIGN: u32 = 2;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCH: u32 = 0;

/// Calls of x86's x32 set carry this bit; no call of another machine reaches it.
const X32: u32 = 0x4000_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;

/// The program.
pub(super) fn program() -> Vec<libc::sock_filter> {
    let calls: Vec<u32> = syscall::all().filter_map(|(nr, _)| u32::try_from(nr).ok()).collect();
    let mut program = vec![
        load(MACHINE),
        jump(libc::BPF_JEQ, ARCH, 1, 0),
        ret(libc::SECCOMP_RET_TRACE | FOREIGN),
        load(NUMBER),
        jump(libc::BPF_JGE, X32, 0, 1),
        ret(libc::SECCOMP_RET_TRACE | FOREIGN),
        // Files opened by a ring of requests would not be seen.
        jump(libc::BPF_JEQ, libc::SYS_io_uring_setup as u32, 0, 1),
        ret(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ];
    for (i, nr) in calls.iter().enumerate() {
        let over_the_rest = u8::try_from(calls.len() - i).unwrap_or(u8::MAX);
        program.push(jump(libc::BPF_JEQ, *nr, over_the_rest, 0));
    }
    program.push(ret(libc::SECCOMP_RET_ALLOW));
    program.push(ret(libc::SECCOMP_RET_TRACE | TRACED));
    program
}

fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    statement(libc::BPF_JMP | test | libc::BPF_K, value, if_true, if_false)
}

fn ret(action: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action, 0, 0)
}

fn statement(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}
