//! A build tree beside a source tree that may only be read, by an ordinary user.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use gg_testkit::Tree;
use serde_json::json;

use crate::bench::{Bench, Ended, GG_MAKE, assert_alike};
use crate::places::NOBODY;

/// Sources that may only be read, and a directory to build in.
fn project() -> Tree {
    let makefile = "\
S = ../src
VPATH = $(S)
CFLAGS = -g -Wall -MMD -I. -I$(S)
prog: main.o part.o libmore.a
\t$(CC) -o $@ $^
main.o: made.h
made.h: made.in
\tsed s/@/1/ $< >$@
libmore.a: more.o
\tar rcs $@ $^
into-source: more.c
\t-$(CC) -c -o $(S)/more.o $<
\t-$(CC) -S -o read-only.o $<
\t-$(CC) -g -c -o read-only.o $<
\t-ar rcs $(S)/more.a main.o
";
    Tree::new()
        .file("src/Makefile", makefile)
        .file("src/made.in", "#define MADE @\n")
        .file(
            "src/main.c",
            "#include <made.h>\n#include \"part.h\"\nint main(void) { return part() + more() - MADE; }\n",
        )
        .file("src/part.h", "int part(void), more(void);\n")
        .file("src/part.c", "#include \"part.h\"\nint part(void) { int unused; return 1; }\n")
        .file("src/more.c", "int more(void) { return 0; }\n")
        .file("build/read-only.o", "old")
}

/// A bench for a user whom rights bind.
struct Ordinary {
    bench: Bench,
    is_root: bool,
}

impl Ordinary {
    fn new(project: Tree) -> Ordinary {
        let bench = Bench::new(project);
        fs::create_dir(bench.at("bin")).unwrap();
        for program in ["gg-make", "gg", "gg-shim"] {
            // that user might not reach the target directory
            fs::copy(GG_MAKE.replace("gg-make", program), bench.at("bin").join(program)).unwrap();
        }
        fs::create_dir(bench.at("gg")).unwrap();
        set_mode(&bench.at(""), 0o755);
        let is_root = fs::metadata(bench.at("gg")).unwrap().uid() == 0;
        let ordinary = Ordinary { bench, is_root };
        ordinary.own(&ordinary.bench.at("gg"));
        ordinary
    }

    fn own(&self, path: &Path) {
        if self.is_root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// The project as it was written: `src` may be read only, `build` is the user's.
    fn fresh(&self) {
        self.make_writable();
        self.bench.fresh();
        for (path, _) in Tree::read(self.bench.file("build")).unwrap().entries() {
            self.own(&self.bench.file("build").join(path));
        }
        self.own(&self.bench.file("build"));
        set_mode(&self.bench.file("build/read-only.o"), 0o444);
        set_mode(&self.bench.file("src"), 0o555);
    }

    fn make_writable(&self) {
        set_mode(&self.bench.file("src"), 0o755);
    }

    fn run(&self, program: &Path, args: &[&str]) -> Ended {
        let mut command = self.bench.command(program);
        command.env("GG_SUMMARY", "no").current_dir(self.bench.file("build")).args(args);
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.bench.ended(command.output().unwrap())
    }

    /// Plain make and gg-make, held against each other.
    fn alike(&self, args: &[&str]) -> Ended {
        self.fresh();
        let native = self.run(Path::new("make"), args);
        self.fresh();
        let gg = self.run(&self.bench.at("bin/gg-make"), args);
        assert_alike(&native, &gg);
        gg
    }
}

impl Drop for Ordinary {
    fn drop(&mut self) {
        self.make_writable();
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The calls were thunks, if a private root can be made here by such a user.
fn assert_thunks(stats: &serde_json::Value, number: u64) {
    let unsealed = stats["native"]["unsealed"] == stats["commands"];
    assert!(unsealed || stats["thunks"].as_u64() >= Some(number), "{stats}");
    assert_eq!(stats["model_misses"], json!([]));
}

#[test]
fn a_build_tree_beside_a_read_only_source_tree() {
    let ordinary = Ordinary::new(project());
    for _ in 0..2 {
        let ended = ordinary.alike(&["-f", "../src/Makefile", "-j1"]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("unused variable"), "{}", ended.stderr);
    }
    assert_thunks(&ordinary.bench.stats(), 10);
    let user = if ordinary.is_root { NOBODY } else { fs::metadata(ordinary.bench.at("gg")).unwrap().uid() };
    assert_eq!(fs::metadata(ordinary.bench.file("build/prog")).unwrap().uid(), user);
}

/// The tool says that it may not write there, or replaces what may only be read, as it does without gg.
#[test]
fn outputs_where_nothing_may_be_written() {
    let ordinary = Ordinary::new(project());
    for _ in 0..2 {
        let ended = ordinary.alike(&["-f", "../src/Makefile", "-j1", "main.o", "into-source"]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("Error 1 (ignored)").count(), 3, "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("ermission denied").count(), 3, "{}", ended.stderr);
    }
    assert_thunks(&ordinary.bench.stats(), 2);
}

/// As cmake writes them; the compiler is named when it is configured.
#[test]
fn makefiles_of_cmake() {
    let list = "\
cmake_minimum_required(VERSION 3.13)
project(both C CXX)
add_library(part STATIC part.c)
add_executable(prog main.cc)
target_link_libraries(prog part)
install(TARGETS prog DESTINATION bin)
";
    let bench = Bench::new(
        Tree::new()
            .file("src/CMakeLists.txt", list)
            .file("src/part.c", "int part(void) { return 7; }\n")
            .file("src/main.cc", "extern \"C\" int part();\nint main() { return part() - 7; }\n"),
    );
    if bench.command("cmake").arg("--version").output().is_err() {
        eprintln!("no cmake here: `scripts/setup cmake` installs it");
        return;
    }
    let shims = bench.at("shims");
    fs::create_dir(&shims).unwrap();
    for name in ["gg-gcc", "gg-g++", "gg-ar", "gg-ranlib"] {
        std::os::unix::fs::symlink(GG_MAKE.replace("gg-make", "gg-shim"), shims.join(name)).unwrap();
    }
    let build = |make: &str, prefix: &str| {
        bench.fresh();
        set_mode(&bench.file("src"), 0o555);
        let run = |mut command: Command| {
            command.env("PATH", format!("{}:/usr/bin:/bin", shims.display())).env("GG_SUMMARY", "no");
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let mut cmake = bench.command("cmake");
        cmake.args(["-S", "src", "-B", "build", "-G", "Unix Makefiles"]);
        cmake.args([&format!("-DCMAKE_C_COMPILER={prefix}gcc"), &format!("-DCMAKE_CXX_COMPILER={prefix}g++")]);
        for (variable, tool) in [("AR", "ar"), ("RANLIB", "ranlib")] {
            let directory = if prefix.is_empty() { Path::new("/usr/bin") } else { &shims };
            cmake.arg(format!("-DCMAKE_{variable}={}/{prefix}{tool}", directory.display()));
        }
        cmake.env("GG_DISABLE", "1");
        run(cmake);
        bench.reset_stats();
        let mut command = bench.command(make);
        command.args(["-C", "build", "-j2"]);
        run(command);
        let image = bench.file("image");
        let mut command = bench.command(make);
        command.args(["-C", "build", "install"]).arg(format!("DESTDIR={}", image.display()));
        run(command);
        set_mode(&bench.file("src"), 0o755);
        let file = |path: &str| fs::read(bench.file(path)).unwrap();
        let objects = ["build/CMakeFiles/prog.dir/main.cc.o", "build/CMakeFiles/part.dir/part.c.o"];
        let rest = ["build/libpart.a", "build/prog", "image/usr/local/bin/prog"];
        objects.into_iter().chain(rest).map(file).collect::<Vec<_>>()
    };
    let native = build("make", "");
    let gg = build(GG_MAKE, "gg-");
    assert!(native == gg);
    let stats = bench.stats();
    // two compilations, archive and index, a link
    assert_eq!((&stats["commands"], &stats["thunks"]), (&json!(5), &json!(5)), "{stats}");
}
