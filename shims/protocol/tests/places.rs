//! Where the socket is, which `GG_DIR` is meant, where the real tool is: on a real file system.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use gg_protocol::real_tool::Finder;
use gg_protocol::{
    Client, Error, NoGgDir, Reply, Request, gg_dir, make_socket_dir, read_request, socket_path, write_reply,
};

fn executable(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn dir_of(cwd: &Path, env: &[(&str, &Path)]) -> Result<PathBuf, NoGgDir> {
    gg_dir(cwd, |name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
}

#[test]
fn gg_dir_is_the_first_that_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (src, cache, home) = (temp.path().join("p/src/deep"), temp.path().join("cache"), temp.path().join("home"));
    fs::create_dir_all(&src).unwrap();
    let caches: [(&str, &Path); 2] = [("XDG_CACHE_HOME", &cache), ("HOME", &home)];
    let named = |gg: &str| dir_of(&src, &[&caches[..], &[("GG_DIR", Path::new(gg))]].concat());
    assert_eq!(named("/explicit"), Ok("/explicit".into()));
    assert_eq!(dir_of(&src, &caches), Ok(cache.join("gg")));
    fs::create_dir(temp.path().join("p/.gg")).unwrap();
    assert_eq!(dir_of(&src, &caches), Ok(temp.path().join("p/.gg")));
    // neither is taken for something else
    assert_eq!(named("some/where"), Err(NoGgDir::NotAbsolute("some/where".into())));
    assert_eq!(named(""), Err(NoGgDir::NotAbsolute("".into())));
    fs::write(temp.path().join("p/src/.gg"), "a file is none").unwrap();
    assert_eq!(dir_of(&src, &caches), Ok(temp.path().join("p/.gg")));
    fs::remove_dir(temp.path().join("p/.gg")).unwrap();
    assert_eq!(dir_of(&src, &[("HOME", &home)]), Ok(home.join(".cache/gg")));
    assert_eq!(
        dir_of(&src, &[("XDG_CACHE_HOME", Path::new("not/absolute")), ("HOME", &home)]),
        Ok(home.join(".cache/gg"))
    );
    assert_eq!(dir_of(&src, &[]), Err(NoGgDir::Nowhere));
}

#[test]
fn one_round_trip_over_a_long_path_too() {
    for name in ["short".to_owned(), "long".repeat(40)] {
        let temp = tempfile::tempdir().unwrap();
        let gg = temp.path().join(name);
        let socket = make_socket_dir(&gg).unwrap();
        assert_eq!(socket, socket_path(&gg));
        assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let listener = UnixListener::bind(&socket).unwrap();
        let reply = Reply::Refused { message: "busy".into() };
        let sent = Request::of_this_process(b"ar".to_vec(), vec![b"ar".to_vec()], "/bin/gg-shim".into()).unwrap();
        let received = std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&mut stream).unwrap();
                write_reply(&mut stream, &reply).unwrap();
                request
            });
            let mut client = Client::connect(&socket).unwrap();
            assert_eq!(client.call(&sent).unwrap(), reply);
            server.join().unwrap()
        });
        assert_eq!(received, sent);
        assert_eq!(received.pid, std::process::id());
        fs::remove_file(socket).unwrap();
    }
}

#[test]
fn a_socket_that_others_can_replace_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let socket = make_socket_dir(temp.path()).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(Client::connect(&socket).is_ok());
    fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Client::connect(&socket), Err(Error::NotOurs)));
    make_socket_dir(temp.path()).unwrap();
    assert!(Client::connect(&socket).is_ok());
}

#[test]
fn a_reply_in_another_version_or_cut_short_is_an_error() {
    for (answer, expected) in [
        (&b"gg-A\x02\0\0\0\0\0\0\0"[..], "protocol version 2, not 1"),
        (b"gg-A\x01\0\0\0\xff\0\0\0\0", "connection ended inside a frame"),
        (b"gg-A\x01\0\0\0\x01\0\0\0\x09", "malformed frame: kind of reply"),
        (b"", "connection ended before a frame"),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let socket = make_socket_dir(temp.path()).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let sent = Request::of_this_process(b"ar".to_vec(), vec![b"ar".to_vec()], "/bin/gg-shim".into()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                read_request(&mut stream).unwrap();
                stream.write_all(answer).unwrap();
            });
            assert_eq!(Client::connect(&socket).unwrap().call(&sent).unwrap_err().to_string(), expected);
        });
    }
}

#[test]
fn the_real_tool_is_the_first_that_is_no_shim() {
    let temp = tempfile::tempdir().unwrap();
    let at = |path: &str| temp.path().join(path);
    executable(&at("prefix/bin/gg-shim"));
    executable(&at("other/bin/gg-shim"));
    executable(&at("real/gcc"));
    executable(&at("real/as"));
    fs::create_dir_all(at("shims")).unwrap();
    fs::create_dir_all(at("hard")).unwrap();
    fs::create_dir_all(at("odd/gcc")).unwrap();
    fs::write(at("odd/as"), "not executable").unwrap();
    symlink(at("prefix/bin/gg-shim"), at("shims/as")).unwrap();
    symlink(at("other/bin/gg-shim"), at("shims/gcc")).unwrap();
    fs::hard_link(at("prefix/bin/gg-shim"), at("hard/gcc")).unwrap();

    let shim = at("prefix/bin/gg-shim");
    let finder = Finder::new(temp.path(), Some(&shim));
    let path = format!("{0}/shims:hard:{0}/odd:{0}/prefix/bin:real:/nowhere", temp.path().display());
    assert_eq!(finder.find(b"gcc", path.as_bytes()), Some(at("real/gcc")));
    assert_eq!(finder.find(b"as", path.as_bytes()), Some(at("real/as")));
    assert_eq!(finder.find(b"ld", path.as_bytes()), None);
    assert_eq!(finder.find(b"real/gcc", path.as_bytes()), Some(at("real/gcc")));
    assert_eq!(finder.find(b"shims/gcc", path.as_bytes()), None);
    let left = format!("{0}/odd:{0}/prefix/bin:real:/nowhere", temp.path().display());
    assert_eq!(finder.without_shims(path.as_bytes()), left.as_bytes());
    // an empty entry is the working directory
    executable(&at("ld"));
    assert_eq!(finder.find(b"ld", b"/nowhere:"), Some(at("ld")));
}
