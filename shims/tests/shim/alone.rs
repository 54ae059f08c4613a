//! Without a session the shim is the real tool.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::place::Place;

#[test]
fn gcc_says_what_gcc_says() {
    let place = Place::new();
    for args in [&["--version"][..], &["-c", "missing.c"], &[], &["-print-prog-name=as"]] {
        let real = place.command("gcc").args(args).output().unwrap();
        let shim = place.command(place.at("shims/gg-gcc")).args(args).output();
        let shim = shim.unwrap_or_else(|_| place.command(place.shim("gg-gcc")).args(args).output().unwrap());
        assert_eq!(shim, real, "{args:?}");
    }
}

/// Shims under plain names before the real tools on `PATH`: the real gcc finds the real `as`, and nothing recurses.
#[test]
fn shims_on_path_are_passed_over() {
    let place = Place::new();
    for name in ["gcc", "as", "ld", "cc"] {
        place.shim(name);
    }
    // a second one, under another name of the directory
    symlink(place.at("shims"), place.at("again")).unwrap();
    fs::write(place.at("a.c"), "int main(void) { return 0; }\n").unwrap();
    let path = format!("{0}/shims:{0}/again:shims:/usr/bin:/bin", place.at("").display());
    let build = |program: &str| {
        let output = place.command(program).args(["-v", "-o", "a.out", "a.c"]).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let shown = place.command(program).arg("-print-prog-name=as").env("PATH", &path).output().unwrap();
        (fs::read(place.at("a.out")).unwrap(), shown.stdout)
    };
    let through = build(place.at("shims/gcc").to_str().unwrap());
    let native = build("/usr/bin/gcc");
    assert!(through.0 == native.0);
    assert_eq!(through.1, place.command("/usr/bin/gcc").arg("-print-prog-name=as").output().unwrap().stdout);

    let tools = place.at("tools").display().to_string();
    place.tool("ar", "#!/bin/sh\necho \"$PATH\"\n");
    let seen = place.command(place.shim("gg-ar")).env("PATH", format!("{tools}:{path}")).output().unwrap();
    assert_eq!(seen.stdout, format!("{tools}:/usr/bin:/bin\n").as_bytes());
}

#[test]
fn a_copy_of_the_shim_under_the_tools_name_does_not_recurse() {
    let place = Place::new();
    fs::copy(env!("CARGO_BIN_EXE_gg-shim"), place.at("tools/gcc")).unwrap();
    let output = place.command(place.shim("gg-gcc")).arg("--version").output().unwrap();
    assert_eq!(output, Command::new("gcc").arg("--version").output().unwrap());
}

#[test]
fn a_tool_that_does_not_exist_is_named() {
    let place = Place::new();
    let output = place.command(place.shim("gg-no-such-tool")).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(output.stderr, b"gg-no-such-tool: no-such-tool: not found on PATH\n");
    // called by a plain name, with nothing but itself on PATH
    let output = place.command(place.shim("cc")).env("PATH", place.at("shims")).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(127), b"cc: cc: not found on PATH\n".to_vec()));
    let output = place.command(env!("CARGO_BIN_EXE_gg-shim")).output().unwrap();
    let usage = b"usage: gg-shim TOOL [ARG...] (gg-shim --help says more)\n";
    assert_eq!((output.status.code(), output.stderr), (Some(2), usage.to_vec()));
}

#[test]
fn gg_shim_says_what_it_is() {
    let place = Place::new();
    let output = place.command(env!("CARGO_BIN_EXE_gg-shim")).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    for word in ["usage: gg-shim TOOL", "gg-cc", "gg stats", "GG_DISABLE"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    // under a tool's name it is the tool's own
    place.tool("gcc", "#!/bin/sh\necho gcc \"$@\"\n");
    assert_eq!(place.command(place.shim("gg-gcc")).arg("--help").output().unwrap().stdout, b"gcc --help\n");
}

#[test]
fn a_tool_that_cannot_be_executed_is_126() {
    let place = Place::new();
    place.tool("gcc", "#!/nowhere/interpreter\n");
    let output = place.command(place.shim("gg-gcc")).output().unwrap();
    assert_eq!(output.status.code(), Some(126));
    // what is not executable is passed over, as on any PATH
    fs::set_permissions(place.at("tools/gcc"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = place.command(place.at("shims/gg-gcc")).arg("--version").output().unwrap();
    assert_eq!(output, Command::new("gcc").arg("--version").output().unwrap());
}

#[test]
fn cc1_is_where_gcc_has_it() {
    let place = Place::new();
    let real = Command::new("gcc").arg("-print-prog-name=cc1").output().unwrap().stdout;
    let real = String::from_utf8(real).unwrap();
    fs::write(place.at("a.c"), "int a;\n").unwrap();
    let args = ["-quiet", "a.c", "-o", "-"];
    let expected = place.command(real.trim()).args(args).output().unwrap();
    let shim = place.command(place.shim("gg-cc1")).args(args).output().unwrap();
    assert!(expected.status.success());
    assert_eq!(shim, expected);
}

#[test]
fn gg_disable_asks_nobody() {
    let place = Place::new();
    place.tool("gcc", "#!/bin/sh\nexit 6\n");
    let listener = place.listen();
    let mut command = place.command(place.shim("gg-gcc"));
    assert_eq!(command.env("GG_DISABLE", "1").status().unwrap().code(), Some(6));
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let (output, _) = {
        drop(listener);
        fs::remove_file(gg_protocol::socket_path(&place.at("gg"))).unwrap();
        let reply = gg_protocol::Reply::Done { status: 8, stdout: Vec::new(), stderr: Vec::new() };
        place.answered(command.env("GG_DISABLE", "0"), &reply)
    };
    assert_eq!(output.status.code(), Some(8));
}

/// Neither a `GG_DIR` that cannot be made nor an environment that names none is an error.
#[test]
fn without_a_gg_dir_too() {
    let place = Place::new();
    place.tool("gcc", "#!/bin/sh\nexit 6\n");
    let shim = place.shim("gg-gcc");
    let program = place.tool("gg", "#!/bin/sh\nexit 0\n");
    let mut command = place.command(&shim);
    assert_eq!(command.env("GG_DIR", "/proc/none/gg").env("GG_PROGRAM", program).status().unwrap().code(), Some(6));
    // one of whichever directory the call is made in is none
    let mut command = place.command(&shim);
    command.env("GG_DIR", "here").env("GG_PROGRAM", place.at("tools/gg"));
    assert_eq!(command.status().unwrap().code(), Some(6));
    assert!(!place.at("here").exists());
    let mut command = place.command(&shim);
    command.env_remove("GG_DIR").env_remove("HOME").env_remove("XDG_CACHE_HOME");
    assert_eq!(command.status().unwrap().code(), Some(6));
}

/// A gcc that is called by its path looks for `as` and `ld` on `PATH`, and may find shims.
#[test]
fn what_gcc_itself_runs_is_left_to_it() {
    let place = Place::new();
    place.tool("as", "#!/bin/sh\necho the real as\n");
    let mut shim = place.command(place.shim("as"));
    let listener = place.listen();
    listener.set_nonblocking(true).unwrap();
    let output = shim.env("COLLECT_GCC", "/usr/bin/gcc").output().unwrap();
    assert_eq!(output.stdout, b"the real as\n");
    assert!(listener.accept().is_err(), "nobody has asked the session");
}
