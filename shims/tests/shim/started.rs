//! A shim that finds no server starts one.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use gg_protocol::{Reply, make_socket_dir, read_request, write_reply};

use crate::place::Place;

/// A server that says where it stands, has the test listen, and then says that it listens.
const SERVER: &str = r#"#!/bin/sh
echo started >>"$PLACE/starts"
{
    echo "args $*"
    echo "cwd $(pwd)"
    echo "fds $(readlink /proc/$$/fd/0 /proc/$$/fd/2 | tr '\n' ' ')"
    ls -l /proc/$$/fd | grep -c leaked
    ps -o sid= -p $$ | tr -d ' '
    echo $$
    echo "make $MAKEFLAGS"
    umask
} >"$PLACE/seen"
echo go >"$PLACE/asks"
read x <"$PLACE/listens"
printf r
"#;

fn place() -> Place {
    let place = Place::new();
    place.tool("gg", SERVER);
    place.tool("gcc", "#!/bin/sh\nexit 6\n");
    place.shim("gg-gcc");
    assert!(place.command("mkfifo").args(["asks", "listens"]).status().unwrap().success());
    place
}

fn spawn(place: &Place) -> Child {
    place
        .command("sh")
        .args(["-c", "umask 077; exec shims/gg-gcc -c 7>leaked 8<leaked"])
        .env("GG_PROGRAM", place.at("tools/gg"))
        .env("PLACE", place.at(""))
        .env("MAKEFLAGS", " --jobserver-auth=7,8")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the server asks, listens in its place, and lets it go on.
fn listen(place: &Place) -> UnixListener {
    assert_eq!(fs::read(place.at("asks")).unwrap(), b"go\n");
    let listener = UnixListener::bind(make_socket_dir(&place.at("gg")).unwrap()).unwrap();
    fs::OpenOptions::new().write(true).open(place.at("listens")).unwrap().write_all(b"x\n").unwrap();
    listener
}

#[test]
fn the_server_holds_nothing_of_the_build() {
    let place = place();
    let child = spawn(&place);
    let listener = listen(&place);
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(read_request(&mut stream).unwrap().argv, [b"gcc", &b"-c"[..]]);
    write_reply(&mut stream, &Reply::Done { status: 9, stdout: b"out".to_vec(), stderr: Vec::new() }).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(9), b"out".to_vec()));

    let seen = fs::read_to_string(place.at("seen")).unwrap();
    let seen: Vec<&str> = seen.lines().collect();
    assert_eq!(seen[0], format!("args session serve --gg-dir {}", place.at("gg").display()));
    assert_eq!(seen[1], "cwd /");
    assert_eq!(seen[2], "fds /dev/null /dev/null ");
    assert_eq!(seen[3], "0", "descriptors of the caller");
    assert_ne!(seen[4], seen[5], "not the leader of the terminal's session to be");
    assert_eq!(seen[6], "make ");
    assert_eq!(seen[7], "0022");
}

/// Several at once: one starts the server, all are served.
#[test]
fn one_of_many_starts_it() {
    let place = place();
    let children: Vec<Child> = (0..8).map(|_| spawn(&place)).collect();
    let listener = listen(&place);
    for _ in &children {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream).unwrap();
        write_reply(&mut stream, &Reply::Done { status: 9, stdout: Vec::new(), stderr: Vec::new() }).unwrap();
    }
    for child in children {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(9));
    }
    assert_eq!(fs::read_to_string(place.at("starts")).unwrap(), "started\n");
}

/// A server that does not come up costs one try; the real tool runs.
#[test]
fn a_server_that_fails_is_not_tried_by_everyone() {
    let place = place();
    place.tool("gg", "#!/bin/sh\necho started >>\"$PLACE/starts\"\nexit 1\n");
    for _ in 0..3 {
        assert_eq!(spawn(&place).wait_with_output().unwrap().status.code(), Some(6));
    }
    assert_eq!(fs::read_to_string(place.at("starts")).unwrap(), "started\n");
}

/// The socket of a server that was killed is still there.
#[test]
fn a_dead_servers_socket_is_no_server() {
    let place = place();
    drop(place.listen());
    place.tool("gg", "#!/bin/sh\necho started >>\"$PLACE/starts\"\nprintf r\n");
    assert_eq!(spawn(&place).wait_with_output().unwrap().status.code(), Some(6));
    assert_eq!(fs::read_to_string(place.at("starts")).unwrap(), "started\n");
}

/// Without `GG_PROGRAM`, the server is `gg` beside the shim's executable.
#[test]
fn gg_is_found_beside_the_shim() {
    let place = place();
    fs::copy(env!("CARGO_BIN_EXE_gg-shim"), place.at("tools/gg-shim")).unwrap();
    fs::remove_file(place.at("shims/gg-gcc")).unwrap();
    std::os::unix::fs::symlink("../tools/gg-shim", place.at("shims/gg-gcc")).unwrap();
    place.tool("gg", "#!/bin/sh\necho started >>\"$PLACE/starts\"\nexit 1\n");
    let mut command = place.command(place.at("shims/gg-gcc"));
    command.env_remove("GG_PROGRAM").env("PLACE", place.at(""));
    assert_eq!(command.status().unwrap().code(), Some(6));
    assert_eq!(fs::read_to_string(place.at("starts")).unwrap(), "started\n");
}
