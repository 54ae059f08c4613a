//! Plans from templates against the driver's own answers to the very commands.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use super::*;
use crate::world::{FileKind, RunOutput, Stat};

/// The machine, as far as plans need it.
#[derive(Default)]
struct Machine {
    runs: RefCell<usize>,
    kept: RefCell<HashMap<String, Vec<u8>>>,
}

impl World for Machine {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.stat(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        use std::os::unix::fs::MetadataExt;
        Ok(std::fs::metadata(path).ok().map(|metadata| Stat {
            kind: if metadata.is_dir() { FileKind::Dir } else { FileKind::File },
            mode: metadata.mode() & 0o7777,
            size: metadata.len(),
            dev: metadata.dev(),
            ino: metadata.ino(),
            mtime_ns: i128::from(metadata.mtime()),
            ctime_ns: i128::from(metadata.ctime()),
        }))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        Ok(std::fs::read(path)?.into())
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok(self.read(path)?.iter().copied().skip(offset as usize).take(len).collect())
    }

    fn read_dir(&self, _: &Path) -> io::Result<Option<Vec<OsString>>> {
        Ok(None)
    }

    fn run(&self, exe: &Path, argv: &[OsString], env: &[(OsString, OsString)], cwd: &Path) -> io::Result<RunOutput> {
        *self.runs.borrow_mut() += 1;
        let mut command = Process::new(exe);
        command.args(&argv[1..]).env_clear().envs(env.iter().cloned()).current_dir(cwd).stdin(Stdio::null());
        let output = command.output()?;
        Ok(RunOutput { status: output.status.code(), stdout: output.stdout, stderr: output.stderr })
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.kept.borrow().get(key).cloned()
    }

    fn remember(&self, key: &str, value: &[u8]) {
        self.kept.borrow_mut().insert(key.to_owned(), value.to_owned());
    }
}

fn request(tool: &str) -> Request {
    let path = std::env::var_os("PATH").unwrap();
    let exe = std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|exe| exe.is_file()).unwrap();
    let path = path.as_bytes().split(|byte| *byte == b':').filter(|dir| dir.starts_with(b"/")).collect::<Vec<_>>();
    Request {
        tool: tool.into(),
        exe,
        argv: vec![tool.into()],
        cwd: std::env::temp_dir(),
        env: vec![("PATH".into(), OsString::from_vec(path.join(&b':')))],
        umask: 0o022,
        stderr_is_tty: false,
    }
}

fn words(parts: &[&[u8]]) -> Vec<OsString> {
    let words = parts.iter().flat_map(|part| part.split(|byte| *byte == b'\0')).filter(|word| !word.is_empty());
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

const SOURCES: &[&[u8]] = &[
    b"a.c",
    b"d/a.c",
    b"/abs/dir/a.b.c",
    b"./x/../a..b.c",
    b"sp ace/a b.c",
    b"d/\xff\xfe.c",
    b"d//a.cc",
    b"q'u\"o$t%i\\e.cpp",
    b"a+b,c=d.cxx",
    b"d/a.S",
    b"head.v1.S",
    b"d/a.s",
    b"a.c.s",
    b".hidden.c",
    b"/a.c",
    b"d/.c",
    b"a.i",
    b"plain",
    b"a.C",
];

const OUTPUTS: &[&[u8]] = &[
    b"",
    b"-o\0a.o",
    b"-o\0d/e/x.y.o",
    b"-od/x",
    b"-o\0/abs/a.lo",
    b"-o\0sp ace/o o.o",
    b"-o\0d/\xe4.obj",
    b"-o\0.tmp.o",
    b"-o\0d/x.c",
    b"-o\0d/a.out",
    b"-o\0/x.o",
    b"-o\0d//y.o",
    b"-o\0./a.s",
    b"-o\0d/x.o.tmp~",
    b"-o\0d/",
];

const FLAGS: &[&[u8]] = &[
    b"-c",
    b"-S",
    b"-c\0-MD",
    b"-c\0-MMD\0-MP\0-MF\0d/f.d",
    b"-S\0-MD\0-MQ\0a$b\0-MT\0x y",
    b"-c\0-Wp,-MMD,d/.x.o.d",
    b"-c\0-Wp,-MD,a.d\0-Wp,-MT,t/x.o",
    b"-c\0-DA=1\0-D\0B=\"q r\"\0-DC\0-UD\0-DE=\0-DF=a,b\\c%d$e",
    b"-c\0-Iinc\0-I\0i j\0-iquote\0q\0-isystem/usr/x\0-idirafter\0z\0-I=s\0-I../\xff",
    b"-c\0-include\0d/h.h\0-imacros\0m.h\0-O2\0-g\0-Wall\0-pipe",
    b"-c\0-x\0c\0-std=gnu99\0-fPIC\0-MD",
    b"-c\0-x\0assembler-with-cpp\0-g\0-MMD",
    b"-c\0-x\0c++\0-pthread",
    b"-c\0-Wa,-Iinc\0-Wa,--noexecstack\0-m32\0-gdwarf-4",
    b"-g\0-S\0-MFf.d\0-MD\0-MTa b\0-iquotex\0-includeh.h",
    b"-fdebug-prefix-map=a=b\0-c\0-D__K=kmod_x\0-DN=\"foo\"\0-MD",
];

#[test]
fn a_template_gives_what_the_driver_says() {
    let (machine, mut instantiated) = (Machine::default(), 0);
    for (tool, step) in [("gcc", 7), ("g++", 37)] {
        let request = request(tool);
        let mut number = 0;
        for source in SOURCES {
            for output in OUTPUTS {
                for flags in FLAGS {
                    number += 1;
                    // Prime steps: with gcc each two of source, output and flags come up together, though not each three.
                    if number % step != 0 {
                        continue;
                    }
                    let orders = [words(&[flags, source, output]), words(&[output, flags, source])];
                    let args = &orders[number % 2];
                    let Ok(Some(made)) = known(&request, args, &machine) else { continue };
                    let asked = plan::ask(&request, args, &machine).unwrap_or_else(|error| panic!("{args:?}: {error}"));
                    let argvs =
                        |plan: &Plan| plan.commands.iter().map(|command| command.argv.clone()).collect::<Vec<_>>();
                    assert_eq!(argvs(&made), argvs(&asked), "{args:?}");
                    assert_eq!(made.exported, asked.exported, "{args:?}");
                    instantiated += 1;
                }
            }
        }
    }
    assert!(instantiated > 200, "{instantiated}");
}

#[test]
fn one_question_for_many_files() {
    let (machine, request) = (Machine::default(), request("gcc"));
    for number in 0..20 {
        let line = format!("-c\0-O2\0-DX={number}\0-Idir{number}\0-MD\0src/f{number}.c\0-o\0obj/f{number}.o");
        plan(&request, &words(&[line.as_bytes()]), &machine).unwrap();
    }
    assert_eq!(*machine.runs.borrow(), 1);
}

#[test]
fn what_is_not_usual_is_asked_for() {
    for line in [
        "a.c",
        "-c\0a.c\0b.c",
        "-c\0a.i",
        "-c\0a.c\0-o\0a.c",
        "-E\0a.c",
        "-c\0-march=native\0a.c",
        "-c\0GgM00Q.c",
        "-c\0/dev/x.c",
        "-c\0a.c\0-o\0a.o\0-o\0b.o",
        "-c\0-Bdir\0a.c",
        "-c\0-S\0a.c",
        "-c\0.c",
        "-c\0-Wp,-MD,a,b\0a.c",
        "-c\0a.c\0-o\0/dev/null",
    ] {
        assert!(mark(&words(&[line.as_bytes()])).is_none(), "{line}");
    }
    assert!(mark(&words(&[b"-c\0a.c"])).is_some());
}

#[test]
fn marks_in_unknown_places() {
    let parts = [(Part::Dir, b"d".to_vec()), (Part::Stem, b"s".to_vec()), (Part::Value, b"v".to_vec())];
    for word in ["GgM00Q/GgM01Q.c", "/GgM00Q/", "GgM01Q", "GgM01Q.d", "X=GgM02Q", "GgM02Q", "plain"] {
        assert!(understood(word.as_bytes(), &parts), "{word}");
    }
    for word in ["GgM00Q", "xGgM01Q.c", "GgM01Q-c", "GgM02Qx", "GgM03Q", "GgM0", "GgMGgM01Q"] {
        assert!(!understood(word.as_bytes(), &parts), "{word}");
    }
    assert_eq!(fill(b"GgM00Q/GgM01Q.c", &parts).unwrap(), "d/s.c");
}
