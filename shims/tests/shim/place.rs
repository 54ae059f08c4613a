//! A directory with a `GG_DIR`, links to the shim, and tools written as scripts.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use gg_protocol::{Reply, Request, make_socket_dir, read_request, write_reply};
use tempfile::TempDir;

pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        for dir in ["shims", "tools", "gg"] {
            fs::create_dir(place.at(dir)).unwrap();
        }
        place
    }

    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A link to the shim.
    pub fn shim(&self, name: &str) -> PathBuf {
        let link = self.at("shims").join(name);
        symlink(env!("CARGO_BIN_EXE_gg-shim"), &link).unwrap();
        link
    }

    /// An executable script in `tools`.
    pub fn tool(&self, name: &str, script: &str) -> PathBuf {
        let file = self.at("tools").join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// A command in this place, whose `GG_DIR` has no server and cannot have one started, whose `PATH` is `tools` and the
    /// system's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env("GG_DIR", self.at("gg"))
            .env("GG_PROGRAM", "/nowhere/gg")
            .env_remove("GG_DISABLE")
            .env("PATH", format!("{}:/usr/bin:/bin", self.at("tools").display()))
            .stdin(Stdio::null());
        command
    }

    pub fn listen(&self) -> UnixListener {
        UnixListener::bind(make_socket_dir(&self.at("gg")).unwrap()).unwrap()
    }

    /// Runs a command while a session serves one call in this way.
    pub fn served<T: Send>(
        &self,
        command: &mut Command,
        serve: impl FnOnce(Request, &mut UnixStream) -> T + Send,
    ) -> (Output, T) {
        let listener = self.listen();
        std::thread::scope(|scope| {
            let server = scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&mut stream).unwrap();
                serve(request, &mut stream)
            });
            let output = command.output().unwrap();
            (output, server.join().unwrap())
        })
    }

    /// Runs a command while a session gives one call this reply.
    pub fn answered(&self, command: &mut Command, reply: &Reply) -> (Output, Request) {
        self.served(command, |request, stream| {
            write_reply(stream, reply).unwrap();
            request
        })
    }
}

/// The reply that has this program run.
pub fn run_real(exe: impl AsRef<Path>, argv: &[&str], report: bool) -> Reply {
    Reply::RunReal {
        exe: exe.as_ref().as_os_str().as_encoded_bytes().to_vec(),
        argv: argv.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        env: vec![(b"PATH".to_vec(), b"/usr/bin:/bin".to_vec()), (b"ONLY".to_vec(), b"\xfe".to_vec())],
        report,
    }
}

/// A child that is asked a thing and has to answer before it is sent a signal.
pub fn kill(pid: u32, signal: &str) -> ExitStatus {
    Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap()
}

/// Writes as a session that is not well.
pub fn raw(stream: &mut UnixStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}
