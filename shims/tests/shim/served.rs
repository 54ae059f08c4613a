//! What the shim does with each reply.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use gg_protocol::{FdKind, RanStatus, Reply, read_ran, read_request, write_reply};

use crate::place::{Place, kill, raw, run_real};

fn done(status: i32, stdout: &[u8], stderr: &[u8]) -> Reply {
    Reply::Done { status, stdout: stdout.to_vec(), stderr: stderr.to_vec() }
}

#[test]
fn the_request_says_what_the_caller_is() {
    let place = Place::new();
    let shim = place.shim("gg-x86_64-linux-gnu-gcc-12");
    let script = "umask 027; exec \"$@\"";
    let mut command = place.command("sh");
    command.args(["-c", script, "sh"]).arg(shim).arg(OsStr::from_bytes(b"-DX=\xff\xfe\n")).arg("");
    command.env("ODD", OsStr::from_bytes(b"\x80=")).env("EMPTY", "");
    let (output, request) = place.answered(&mut command, &done(0, b"", b""));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(request.tool, b"x86_64-linux-gnu-gcc-12");
    assert_eq!(request.argv, [&b"x86_64-linux-gnu-gcc-12"[..], b"-DX=\xff\xfe\n", b""]);
    let cwd = fs::canonicalize(place.at(".")).unwrap();
    assert_eq!(request.cwd, cwd.as_os_str().as_bytes());
    let stat = fs::metadata(&cwd).unwrap();
    assert_eq!(request.cwd_id, (stat.dev(), stat.ino()));
    let stat = fs::metadata("/").unwrap();
    assert_eq!(request.root, (stat.dev(), stat.ino()));
    assert_eq!(request.umask, 0o027);
    assert_eq!(request.var(b"ODD"), Some(&b"\x80="[..]));
    assert_eq!(request.var(b"EMPTY"), Some(&b""[..]));
    assert_eq!(request.fds.map(|fd| fd.kind), [FdKind::Null, FdKind::Pipe, FdKind::Pipe]);
    assert_ne!(request.fds[1], request.fds[2]);
    let shim = fs::canonicalize(env!("CARGO_BIN_EXE_gg-shim")).unwrap();
    assert_eq!(request.shim, shim.as_os_str().as_bytes());
}

#[test]
fn ten_megabytes_of_messages_arrive_whole() {
    let place = Place::new();
    let stderr: Vec<u8> = (0..10 << 20).map(|at: u32| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let (output, _) = place.answered(&mut place.command(place.shim("gg-cc")), &done(1, b"to stdout\n", &stderr));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"to stdout\n");
    assert!(output.stderr == stderr);
}

#[test]
fn a_reader_that_has_gone_kills_by_sigpipe() {
    let place = Place::new();
    let mut shim = place.command(place.shim("gg-nm"));
    let listener = place.listen();
    let mut child = shim.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let (mut stream, _) = listener.accept().unwrap();
    read_request(&mut stream).unwrap();
    write_reply(&mut stream, &done(0, &[b'x'; 100], b"")).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(13));
}

/// What the tool makes of it: gcc fails when it cannot write the rules of `-M`, ar does not care.
#[test]
fn output_that_cannot_be_written_is_the_tools_affair() {
    let place = Place::new();
    fs::write(place.at("a.c"), "int a;\n").unwrap();
    let full = |shim: &str, args: &str| {
        let place = Place::new();
        fs::write(place.at("a.o"), "").unwrap();
        fs::write(place.at("a.c"), "int a;\n").unwrap();
        let mut script = place.command("sh");
        script.args(["-c", &format!("\"$1\" {args} >/dev/full 2>/dev/full"), "sh"]).arg(place.shim(shim));
        place.answered(&mut script, &done(0, b"a", b"b")).0.status.code()
    };
    let native = |command: &str| {
        let script = format!("{command} >/dev/full 2>/dev/full");
        place.command("sh").args(["-c", &script]).status().unwrap().code()
    };
    assert_eq!(native("gcc -M a.c"), Some(1));
    assert_eq!(full("gg-gcc", "-M a.c"), Some(1));
    assert_eq!(native("gcc -c a.c && ar rv a.a a.o"), Some(0));
    assert_eq!(full("gg-ar", "rv a.a a.o"), Some(0));
}

#[test]
fn run_real_takes_the_shims_place() {
    let place = Place::new();
    let script = "echo $$ \"$0\" \"$1\"; env; cat; echo err >&2; exit 4";
    let mut shim = place.command(place.shim("gg-cc"));
    let listener = place.listen();
    fs::write(place.at("stdin"), "from stdin\n").unwrap();
    let child = shim
        .stdin(fs::File::open(place.at("stdin")).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(read_request(&mut stream).unwrap().pid, child.id());
    let pid = child.id();
    write_reply(&mut stream, &run_real("/bin/sh", &["sh", "-c", script, "zero", "one"], false)).unwrap();
    // the connection ends by the exec
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(output.stderr, b"err\n");
    let lines: Vec<&[u8]> = output.stdout.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.first(), Some(&format!("{pid} zero one").as_bytes()));
    assert!(lines.contains(&&b"ONLY=\xfe"[..]));
    assert!(lines.contains(&&b"from stdin"[..]));
    assert!(!lines.iter().any(|line| line.starts_with(b"GG_DIR=")), "the environment is the reply's");
}

#[test]
fn the_end_of_the_real_tool_is_reported_and_shared() {
    for (script, expected, code, signal) in [
        ("exit 3", RanStatus::Exit(3), Some(3), None),
        ("exit 0", RanStatus::Exit(0), Some(0), None),
        ("kill -SEGV $$", RanStatus::Signal(11), None, Some(11)),
        ("kill -KILL $$", RanStatus::Signal(9), None, Some(9)),
    ] {
        let place = Place::new();
        let (output, ran) = place.served(&mut place.command(place.shim("gg-cc")), |_, stream| {
            write_reply(stream, &run_real("/bin/sh", &["sh", "-c", script], true)).unwrap();
            read_ran(stream).unwrap()
        });
        assert_eq!(ran.status, expected, "{script}");
        assert_eq!((output.status.code(), output.status.signal()), (code, signal), "{script}");
        assert!(!output.status.core_dumped());
    }
}

/// A script without `#!`, as `execvp` would run it.
#[test]
fn a_script_without_an_interpreter_is_run_by_sh() {
    for report in [false, true] {
        let place = Place::new();
        let tool = place.tool("gcc", "echo \"$1\"; exit 7\n");
        let (output, ()) = place.served(&mut place.command(place.shim("gg-gcc")), |_, stream| {
            write_reply(stream, &run_real(&tool, &["gcc", "arg"], report)).unwrap();
            if report {
                assert_eq!(read_ran(stream).unwrap().status, RanStatus::Exit(7));
            }
        });
        assert_eq!((output.status.code(), output.stdout), (Some(7), b"arg\n".to_vec()));
    }
}

#[test]
fn signals_to_the_shim_reach_the_tool() {
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        let place = Place::new();
        let listener = place.listen();
        let script = format!("trap 'echo got; exit {number}' {signal}; echo ready; read x <fifo");
        assert!(place.command("mkfifo").arg("fifo").status().unwrap().success());
        let mut child = place.command(place.shim("gg-cc")).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream).unwrap();
        write_reply(&mut stream, &run_real("/bin/sh", &["sh", "-c", &script], true)).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("ready"));
        assert!(kill(child.id(), signal).success());
        assert_eq!(read_ran(&mut stream).unwrap().status, RanStatus::Exit(number));
        assert_eq!(lines.next().as_deref(), Some("got"));
        assert_eq!(child.wait().unwrap().code(), Some(number));
    }
}

/// The tool ends with a shim that is killed, as if it had been the tool: its end of the pipe closes.
#[test]
fn a_killed_shim_leaves_no_tool_behind() {
    let place = Place::new();
    let listener = place.listen();
    assert!(place.command("mkfifo").arg("fifo").status().unwrap().success());
    let mut child = place.command(place.shim("gg-cc")).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    read_request(&mut stream).unwrap();
    write_reply(&mut stream, &run_real("/bin/sh", &["sh", "-c", "echo ready; read x <fifo"], true)).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(out.read_line(&mut line).unwrap(), 0);
    assert!(read_ran(&mut stream).is_err());
}

/// A caller that ignores SIGCHLD and SIGPIPE: the tool is to find both ignored, the shim to learn the status all the same.
#[test]
fn ignored_signals_stay_ignored() {
    for report in [false, true] {
        let place = Place::new();
        let mut command = place.command("env");
        command.args(["--ignore-signal=CHLD", "--ignore-signal=PIPE"]).arg(place.shim("gg-cc"));
        let tool = ["grep", "-hs", "SigIgn", "/proc/self/status", "/nowhere"];
        let (output, ()) = place.served(&mut command, |_, stream| {
            write_reply(stream, &run_real("/bin/grep", &tool, report)).unwrap();
            if report {
                assert_eq!(read_ran(stream).unwrap().status, RanStatus::Exit(2));
            }
        });
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stdout).unwrap();
        let ignored = u64::from_str_radix(text.trim_start_matches("SigIgn:").trim(), 16).unwrap();
        let both = 1 << (13 - 1) | 1 << (17 - 1);
        assert_eq!(ignored & both, both, "report {report}: {text}");
    }
}

#[test]
fn a_session_that_fails_is_not_the_callers_failure() {
    let answers: [&[u8]; 5] = [
        b"",
        b"gg-A\x02\0\0\0\x04\0\0\0abcd",
        b"gg-A\x01\0\0\0\xff\xff\xff\xff",
        b"gg-A\x01\0\0\0\x20\0\0\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ];
    for answer in answers {
        let place = Place::new();
        place.tool("gcc", "#!/bin/sh\necho \"real $1\"; exit 6\n");
        let (output, ()) = place.served(place.command(place.shim("gg-gcc")).arg("-c"), |_, stream| raw(stream, answer));
        assert_eq!((output.status.code(), output.stdout), (Some(6), b"real -c\n".to_vec()), "{answer:?}");
        assert_eq!(output.stderr, b"");
    }
}

#[test]
fn replies_that_cannot_be_followed_leave_the_real_tool() {
    let refused = Reply::Refused { message: "no".into() };
    for reply in [refused, run_real("/nowhere/gcc", &["gcc"], false), run_real("/nowhere/gcc", &["gcc"], true)] {
        let place = Place::new();
        place.tool("gcc", "#!/bin/sh\nexit 6\n");
        let (output, _) = place.answered(&mut place.command(place.shim("gg-gcc")), &reply);
        assert_eq!(output.status.code(), Some(6), "{reply:?}");
        assert_eq!(output.stderr, b"");
    }
}

/// gcc with a closed stderr fails where it has something to say: not a matter for a session.
#[test]
fn a_closed_descriptor_means_the_real_tool() {
    let place = Place::new();
    place.tool("gcc", "#!/bin/sh\n[ -e /proc/self/fd/2 ] && exit 1; exit 6\n");
    let listener = place.listen();
    let mut script = place.command("sh");
    script.args(["-c", "exec \"$1\" 2>&-", "sh"]).arg(place.shim("gg-gcc"));
    assert_eq!(script.status().unwrap().code(), Some(6));
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_tool_may_be_an_argument() {
    let place = Place::new();
    let mut command = place.command(env!("CARGO_BIN_EXE_gg-shim"));
    let (output, request) = place.answered(command.args(["ar", "t", "x.a"]), &done(9, b"", b""));
    assert_eq!(output.status.code(), Some(9));
    assert_eq!(
        (request.tool, request.argv),
        (b"ar".to_vec(), ["ar", "t", "x.a"].map(|arg| arg.as_bytes().to_vec()).to_vec())
    );
}

#[test]
fn the_session_of_a_build_goes_before_that_of_its_gg_dir() {
    let place = Place::new();
    let own = gg_protocol::make_own_socket_dir(&place.at("own"), 7).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&own).unwrap();
    let _of_gg_dir = place.listen();
    let mut shim = place.command(place.shim("gg-cc"));
    let child = shim.env(gg_protocol::SOCKET_VARIABLE, &own).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    read_request(&mut stream).unwrap();
    write_reply(&mut stream, &done(3, b"own", b"")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"own"[..]));
}

/// Who led the build may be gone; and a relative path would mean another socket in each directory.
#[test]
fn a_builds_session_that_is_not_there_is_passed_over() {
    let place = Place::new();
    let dead = gg_protocol::make_own_socket_dir(&place.at("own"), 7).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let shim = place.shim("gg-cc");
    for socket in [dead.as_os_str(), OsStr::new("own/run/session-1-7.sock"), OsStr::new("/nowhere"), OsStr::new("")] {
        let mut command = place.command(&shim);
        let (output, _) = place.answered(command.env(gg_protocol::SOCKET_VARIABLE, socket), &done(4, b"", b""));
        assert_eq!(output.status.code(), Some(4), "{socket:?}");
        fs::remove_file(place.at("gg/run/session-1.sock")).unwrap();
    }
}
