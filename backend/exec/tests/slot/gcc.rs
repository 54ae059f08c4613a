//! gcc's own compiler and assembler in a root of nothing but the files they need.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use gg_store::Store;
use gg_thunk::{FileNode, Node, ObjectName, Step, Thunk};

use crate::fixture::Fixture;

const SOURCE: &str = "#include <stdio.h>\n#include \"own.h\"\nint main(void) { return puts(OWN); }\n";

/// Puts a file of the machine into the tree, with the symlinks on the way to it.
fn add(f: &mut Fixture, path: &Path) {
    let mut walked = PathBuf::from("/");
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        match part {
            Component::ParentDir => drop(walked.pop()),
            Component::Normal(name) => walked.push(name),
            _ => continue,
        }
        let meta = fs::symlink_metadata(&walked).unwrap();
        let key = walked.to_str().unwrap()[1..].to_owned();
        if meta.is_symlink() {
            let target = fs::read_link(&walked).unwrap();
            f.nodes.insert(key, Some(Node::Symlink(target.as_os_str().as_bytes().to_vec())));
            walked.pop();
            return add(f, &walked.join(target).join(parts.as_path()));
        }
        if meta.is_file() {
            let object = ObjectName::Value(f.store.put(&fs::read(&walked).unwrap()).unwrap());
            let mode = meta.permissions().mode() & 0o7777;
            f.nodes.insert(key, Some(Node::File(FileNode { object, mode, mtime: None })));
        }
    }
}

fn output(program: impl AsRef<OsStr>, args: &[&str], dir: &Path) -> (String, String) {
    let output = Command::new(program.as_ref()).args(args).env("LC_ALL", "C").current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{:?} {args:?}: {output:?}", program.as_ref());
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A program and the libraries it loads.
fn add_program(f: &mut Fixture, program: &str) {
    add(f, Path::new(program));
    let (libraries, _) = output("ldd", &[program], Path::new("/"));
    for word in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        add(f, Path::new(word));
    }
}

/// The compilation of `main.c` to `made.o`, with all that it needs, and the object that gcc itself makes.
pub fn compilation(f: &mut Fixture) -> (Thunk, Vec<u8>) {
    f.put("main.c", SOURCE.as_bytes(), 0o644);
    f.put("own.h", b"#define OWN \"own\"\n", 0o644);
    let dir = f.dir.clone();
    output("gcc", &["-g", "-O2", "-c", "main.c", "-o", "native.o"], &dir);
    let native = fs::read(dir.join("native.o")).unwrap();

    // The driver's own plan: cc1 to a temporary file, as from it. PWD is what the driver sets for cc1.
    let (_, plan) = output("gcc", &["-###", "-g", "-O2", "-c", "main.c", "-o", "made.o"], &dir);
    let assembly = f.path("main.s");
    let mut steps = Vec::new();
    for line in plan.lines().filter(|line| line.starts_with(' ')) {
        let mut words = shlex::split(line).unwrap();
        if !["cc1", "as"].contains(&words[0].rsplit('/').next().unwrap()) {
            continue;
        }
        for word in &mut words {
            if word.ends_with(".s") {
                word.clone_from(&assembly);
            }
        }
        let (found, _) = output("sh", &["-c", "command -v \"$0\"", &words[0]], &dir);
        add_program(f, found.trim());
        steps.push(Step {
            exe: found.trim().as_bytes().to_vec(),
            argv: words.into_iter().map(String::into_bytes).collect(),
        });
    }
    assert_eq!(steps.len(), 2, "{plan}");
    // With the same options: optimization brings headers of its own.
    let (rule, _) = output("gcc", &["-M", "-O2", "main.c"], &dir);
    for header in rule.split_whitespace().filter(|word| word.starts_with('/')) {
        add(f, Path::new(header));
    }
    let mut thunk = f.thunk(&[], &["made.o"]);
    thunk.steps = steps;
    (thunk, native)
}

#[test]
fn an_object_made_in_a_root_is_the_native_one() {
    let mut f = Fixture::new();
    let (mut thunk, native) = compilation(&mut f);
    for round in 0..2 {
        let evidence = f.run_thunk(&thunk);
        assert!(evidence.succeeded(), "{evidence:?}");
        assert!(evidence.stderr.is_empty(), "{evidence:?}");
        let (made, mode) = f.made(&evidence, "made.o");
        assert!(made == native, "round {round}: {} and {} bytes", made.len(), native.len());
        assert_eq!(mode, 0o644);
    }
    if !f.slot.kind().sealed() {
        return;
    }
    // The same without a header that the preprocessor wants.
    f.remove("own.h");
    thunk.root = f.tree();
    let evidence = f.run_thunk(&thunk);
    assert_eq!(evidence.failed_step, Some(0));
    let said = String::from_utf8(evidence.stderr).unwrap();
    assert!(said.contains("own.h: No such file or directory"), "{said}");
}
