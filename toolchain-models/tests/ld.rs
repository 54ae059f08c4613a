//! The linker's model against the linker: what `ld --verbose` says it opened, and tried to open, in real links.

#[path = "support/live.rs"]
mod live;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_models::{Inference, Input};

const PROGRAM: &str = "#include <stdio.h>\n#include <math.h>\nint two(void);\nint main(int c, char **v) { printf(\"%f %d\\n\", sin(c), two()); return 0; }\n";

/// A directory with sources, and what is made of them by plain gcc.
struct Bench(live::Bench);

impl Bench {
    fn new() -> Self {
        let sources = [
            ("main.c", PROGRAM),
            ("two.c", "int one(void);\nint two(void) { return one() + 1; }\n"),
            ("one.c", "int one(void) { return 1; }\n"),
        ];
        let bench = Self(live::Bench::new(&sources));
        bench.sh("gcc -fPIC -c main.c two.c one.c");
        bench
    }

    fn path(&self) -> &Path {
        &self.0.cwd
    }

    fn file(&self, name: &str, text: &str) {
        self.0.write(name, text);
    }

    fn sh(&self, script: &str) -> String {
        let output = Command::new("sh").args(["-ec", script]).env("LC_ALL", "C").current_dir(self.path()).output();
        let output = output.expect("sh runs");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// The linker's call for a link by the driver.
    fn collect2(&self, driver: &str) -> String {
        let plan = self.sh(&format!("{driver} '-###' 2>&1"));
        let line = plan.lines().find(|line| line.contains("/collect2 ")).expect("a link in the plan");
        let words = shlex::split(line).expect("words").split_off(1);
        let words = shlex::try_join(words.iter().map(String::as_str)).expect("words without NUL");
        format!("ld {words}")
    }

    /// Holds the inference against what the linker says of the files that it opens and tries to, and the outputs of a run
    /// in a root of the inputs alone against the native ones.
    fn check(&self, call: &str) -> Inference {
        self.0.world.looked_up.borrow_mut().clear();
        let inference = self.0.agrees(call);
        let words = shlex::split(call).expect("words").split_off(1);
        let mut command = Command::new("ld");
        command.args(&words).arg("--verbose").env_clear().current_dir(self.path());
        let output = command.envs(self.0.env.iter().cloned()).output().expect("ld runs");
        assert!(output.status.success(), "{call}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("text");
        let inputs: BTreeSet<PathBuf> = files(&inference);
        let looked_up = self.0.world.looked_up.borrow();
        let mut opened = 0;
        for line in said.lines() {
            if let Some(name) = line.strip_prefix("attempt to open ").and_then(|rest| rest.strip_suffix(" succeeded")) {
                assert!(inputs.contains(&self.path().join(name)), "opened {name}, which is no input: {call}");
                opened += 1;
            } else if let Some(name) =
                line.strip_prefix("attempt to open ").and_then(|rest| rest.strip_suffix(" failed"))
            {
                assert_eq!(looked_up.get(&self.path().join(name)), Some(&false), "{name} was tried: {call}");
            } else if let Some((_, name)) = line.strip_prefix("found ").and_then(|rest| rest.split_once(" at ")) {
                assert!(inputs.contains(&self.path().join(name)), "found {name}, which is no input: {call}");
            }
        }
        assert!(opened > 0, "{said}");
        inference
    }
}

fn files(inference: &Inference) -> BTreeSet<PathBuf> {
    let file = |input: &Input| match input {
        Input::File(path) | Input::InPlace(path) => Some(path.clone()),
        Input::Dir(_) => None,
    };
    inference.inputs.iter().filter_map(file).collect()
}

#[test]
fn programs_as_the_driver_links_them() {
    let bench = Bench::new();
    bench.file("hello.cc", "#include <iostream>\nint main() { std::cout << 1; }\n");
    bench.sh("g++ -c hello.cc; ar rcs libone.a one.o");
    for driver in [
        "gcc main.o two.o one.o -lm -o prog",
        "gcc main.o two.o one.o -lm",
        "gcc -static main.o two.o one.o -lm -o static",
        "gcc -static-pie main.o two.o one.o -lm -o staticpie",
        "gcc -shared two.o one.o -o libtwo.so -Wl,-soname,libtwo.so.1",
        "gcc -no-pie -s main.o two.o -L. -Wl,-Bstatic -lone -Wl,-Bdynamic -lm -Wl,-Map,prog.map,--cref -o mapped",
        "gcc main.o two.o -L. -l:libone.a -lm -o exact",
        "g++ hello.o -o hello",
        "g++ -static-libstdc++ -static-libgcc hello.o -o hello2",
        "gcc -pthread -rdynamic main.o two.o one.o -lm -ldl -Wl,--gc-sections,--as-needed -o many",
    ] {
        bench.check(&bench.collect2(driver));
    }
}

#[test]
fn relocatable_and_plain_calls() {
    let bench = Bench::new();
    let inference = bench.check("ld -r -o both.o two.o one.o -Map=both.map --dependency-file both.d");
    let tags: Vec<&str> = inference.outputs.iter().map(|output| output.tag.as_str()).collect();
    assert_eq!(tags, ["out", "map", "deps"]);
    assert!(!files(&inference).iter().any(|path| path.ends_with("main.o")));
}

#[test]
fn own_libraries_archives_and_directories() {
    let bench = Bench::new();
    bench.sh("mkdir a b; ar rcs a/libone.a one.o; gcc -shared one.o -o b/libone.so; ar rcs b/libtwo.a two.o");
    let shared_second = bench.check(&bench.collect2("gcc main.o -La -Lb -ltwo -lone -lm -o first"));
    assert!(files(&shared_second).contains(&bench.path().join("a/libone.a")));
    let shared_first = bench.check(&bench.collect2("gcc main.o -Lb -La -ltwo -lone -lm -o second"));
    assert!(files(&shared_first).contains(&bench.path().join("b/libone.so")));
    bench
        .check(&bench.collect2(
            "gcc main.o -Lb -La -Wl,--whole-archive -ltwo -Wl,--no-whole-archive -static -lone -lm -o third",
        ));
    bench.check(
        &bench.collect2("gcc main.o b/libtwo.a -Wl,--push-state,-Bstatic -La -lone -Wl,--pop-state -lm -o fourth"),
    );
    bench.check(&bench.collect2("gcc main.o -Wl,--start-group b/libtwo.a a/libone.a -Wl,--end-group -lm -o fifth"));
}

#[test]
fn thin_archives_bring_their_members() {
    let bench = Bench::new();
    bench.file("a_name_that_is_too_long_for_the_header.c", "int one(void) { return 1; }\n");
    bench.sh("mkdir sub lib; gcc -c a_name_that_is_too_long_for_the_header.c; mv two.o sub; ar rcT lib/libboth.a sub/two.o a_name_that_is_too_long_for_the_header.o");
    let inference = bench.check(&bench.collect2("gcc main.o -Llib -lboth -lm -o prog"));
    let inputs = files(&inference);
    assert!(inputs.contains(&bench.path().join("lib/../sub/two.o")), "{inputs:?}");
    bench.sh("cp lib/libboth.a odd.a; printf rest >>odd.a");
    assert_eq!(bench.0.reason("ld main.o odd.a"), "footprint");
    bench.sh("rm sub/two.o");
    assert_eq!(bench.0.reason("ld main.o -Llib -lboth"), "input");
}

#[test]
fn needed_libraries_are_followed() {
    let bench = Bench::new();
    bench.sh("mkdir d1 d2; gcc -shared one.o -o d1/libone.so.1 -Wl,-soname,libone.so.1; gcc -shared two.o d1/libone.so.1 -o d2/libtwo.so");
    let linked = bench.check(&bench.collect2("gcc main.o -Ld2 -ltwo -Wl,-rpath-link,nowhere:d1 -lm -o prog"));
    assert!(files(&linked).contains(&bench.path().join("d1/libone.so.1")));
    let with_rpath = bench.check(&bench.collect2("gcc main.o -Ld2 -ltwo -Wl,-rpath,$PWD/d1 -lm -o prog2"));
    assert!(files(&with_rpath).contains(&bench.path().join("d1/libone.so.1")));
    for dir in ["$ORIGIN/../d1", "${ORIGIN}/../d1"] {
        let linked = bench.check(&bench.collect2(&format!("gcc main.o -Ld2 -ltwo -Wl,-rpath,'{dir}' -lm -o prog3")));
        assert!(files(&linked).iter().any(|path| path.ends_with("d1/libone.so.1")), "{dir}");
    }
    bench.sh("gcc -shared two.o d1/libone.so.1 -o d2/libtwo.so -Wl,-rpath,'$ORIGIN/../d1'");
    let by_origin = bench.check(&bench.collect2("gcc main.o -Ld2 -ltwo -lm -o prog4"));
    assert!(files(&by_origin).iter().any(|path| path.ends_with("d1/libone.so.1")));
    // By a variable.
    bench.sh("gcc -shared two.o d1/libone.so.1 -o d2/libtwo.so");
    let dir = bench.path().join("d1");
    let call = bench.collect2("gcc main.o -Ld2 -ltwo -lm -o prog3");
    let bench = Bench(bench.0.with("LD_RUN_PATH", &dir));
    assert!(files(&bench.check(&call)).contains(&dir.join("libone.so.1")));
}

#[test]
fn the_loaders_configuration_is_asked_last() {
    let bench = Bench::new();
    bench.sh("mkdir d1 d2; gcc -shared one.o -o d1/libone.so.1 -Wl,-soname,libone.so.1");
    // Not found at all: the linker asks the loader's configuration last.
    bench.sh("gcc -shared two.o d1/libone.so.1 -o d2/libtwo.so");
    let missing =
        bench.check(&bench.collect2("gcc main.o -Ld2 -ltwo -lm -Wl,--unresolved-symbols=ignore-all -o prog5"));
    assert!(files(&missing).contains(Path::new("/etc/ld.so.conf")));
}

#[test]
fn scripts_and_lists() {
    let bench = Bench::new();
    bench.file("v.map", "V1 { global: two; local: *; };\n");
    bench.check(&bench.collect2("gcc -shared two.o one.o -Wl,--version-script=v.map -o libtwo.so"));
    bench.sh("mkdir lib; cp libtwo.so lib/libtwo-real.so; ar rcs lib/libextra.a one.o");
    bench.file("lib/libtwo.so", "/* a script */\nGROUP ( libtwo-real.so AS_NEEDED ( -lextra ) )\n");
    let inference = bench.check(&bench.collect2("gcc main.o -Llib -ltwo -lm -o prog"));
    assert!(files(&inference).contains(&bench.path().join("lib/libtwo-real.so")));
    bench.file("list", "{ main; };\n");
    bench.check(&bench.collect2("gcc main.o one.o two.o -Wl,--dynamic-list=list -lm -o prog2"));
    bench.file("layout.ld", "INCLUDE common.ld\nSECTIONS { .text : { one.o(.text) *(.text) } }\n");
    bench.file("common.ld", "ENTRY(two)\nINPUT(two.o)\n");
    let bare = bench.check("ld -T layout.ld -o bare");
    for name in ["layout.ld", "common.ld", "one.o", "two.o"] {
        assert!(files(&bare).contains(&bench.path().join(name)), "{name}");
    }
    bench.file("implicit.ld", "INPUT(one.o two.o)\n");
    bench.check("ld -r implicit.ld -o implicit.o");
}

#[test]
fn scripts_name_files_in_many_places() {
    let bench = Bench::new();
    bench.sh("mkdir lib; cp one.o lib/plain; cp two.o lib/two.o; ar rcs lib/libpart.a one.o; cp one.o lib/near.o; cp two.o near.o");
    for (name, script) in [
        ("wild.ld", "SECTIONS { .text : { plain(.text) KEEP(two.o(.text)) *(.text) } }"),
        ("quoted.ld", "SECTIONS { .text : { \"one.o\"(.text .text.*) EXCLUDE_FILE(nowhere.o) *(.text) } }"),
        ("member.ld", "INPUT(-lpart) SECTIONS { .text : { *libpart.a:one.o(.text) *(EXCLUDE_FILE(*x.o) .text) } }"),
        ("search.ld", "SEARCH_DIR(lib) INPUT(-lpart two.o)"),
        ("startup.ld", "STARTUP(one.o) ENTRY(one) TARGET(elf64-x86-64) INPUT(two.o)"),
        (
            "format.ld",
            "OUTPUT_FORMAT(\"elf64-x86-64\", \"elf64-x86-64\", \"elf64-x86-64\") OUTPUT_ARCH(i386:x86-64) INPUT(one.o)",
        ),
        (
            "inner.ld",
            "MEMORY { ram : ORIGIN = 0, LENGTH = 1M } SECTIONS { .text : { INCLUDE part.ld *(.text) } > ram }",
        ),
    ] {
        bench.file(name, script);
        bench.file("part.ld", "one.o(.text)\n");
        bench.check(&format!("ld -Llib -r -T {name} main.o -o made.o"));
    }
    bench.file("lib/beside.ld", "INPUT(near.o)\n");
    let beside = bench.check("ld -r lib/beside.ld -o made.o");
    assert!(files(&beside).contains(&bench.path().join("near.o")));
    bench.file("extra.ld", "SECTIONS { .extra : { *(.extra) } } INSERT AFTER .text;");
    bench.check("ld -shared one.o -T extra.ld -o made.so");
    bench.check("ld -shared one.o -o made.so -dT quoted.ld -Llib");
    bench.check("ld -shared one.o --default-script=member.ld -o made.so -Llib");
}

/// `SEARCH_DIR` and `-L` make one list, in which the linker's own directories come last, or not at all.
#[test]
fn scripts_say_where_libraries_are() {
    let bench = Bench::new();
    bench.sh("mkdir given inner by_script; ar rcs by_script/libone.a one.o; ar rcs inner/libm.a one.o; cp inner/libm.a given");
    bench.sh("ld --verbose | sed '1,/^====/d;/^====/,$d' | grep -v SEARCH_DIR >base.ld");
    bench.file("whole.ld", "SEARCH_DIR(inner) SEARCH_DIR(\"by_script\") INCLUDE base.ld");
    bench.file("other.ld", "SEARCH_DIR(given)\nINCLUDE base.ld");
    bench.file("dirs.ld", "SEARCH_DIR(inner) SEARCH_DIR(by_script)\n");
    bench.file("insert.ld", "INCLUDE dirs.ld SECTIONS { .extra : { *(.extra) } } INSERT AFTER .text;");
    bench.file("late.ld", "SECTIONS { .extra : { *(.extra) } } INSERT AFTER .text; INCLUDE dirs.ld");
    for (call, found) in [
        ("-T whole.ld two.o -lone -lm", Some("inner")),
        ("two.o -lone -lm -T whole.ld", Some("inner")),
        ("two.o -lone -lm -T insert.ld", Some("inner")),
        ("two.o -lone -lm -dT whole.ld", Some("inner")),
        ("two.o -lone -lm -dT insert.ld", Some("inner")),
        ("two.o -lone -lm -dT whole.ld -Lgiven", Some("given")),
        ("two.o -lone -lm -T whole.ld -Lgiven", Some("inner")),
        ("two.o -lone -lm -T insert.ld -Lgiven", Some("inner")),
        ("two.o -lone -lm -Lgiven -T insert.ld", Some("given")),
        ("two.o -lone -lm -T other.ld -T dirs.ld", Some("given")),
        ("two.o -lone -lm -T insert.ld -T other.ld", Some("inner")),
        ("two.o -lone -lm -T insert.ld -dT other.ld", Some("inner")),
        ("two.o -lone -lm -T dirs.ld -dT other.ld", Some("inner")),
        ("two.o -lone -lm -dT other.ld -dT whole.ld", Some("inner")),
        ("two.o -lone -lm -T dirs.ld -nostdlib", Some("inner")),
        ("two.o dirs.ld -lone -lm", None),
        ("two.o dirs.ld -lone -lm -Lgiven", Some("given")),
        ("two.o dirs.ld -lone -lm -T other.ld", Some("given")),
    ] {
        let inference = bench.check(&format!("ld -shared -o made.so {call}"));
        let found = found.map(|dir| bench.path().join(dir).join("libm.a"));
        let own = files(&inference).into_iter().find(|path| path.ends_with("libm.a"));
        assert_eq!(own, found, "{call}");
    }
    for call in ["-T base.ld -lone", "-lone -nostdlib -T whole.ld", "-lone dirs.ld", "-T late.ld -lm -dT base.ld -lc"] {
        assert_eq!(bench.0.reason(&format!("ld -shared -o made.so two.o {call}")), "input", "{call}");
    }
}

#[test]
fn outputs_and_their_names() {
    let bench = Bench::new();
    bench.sh("mkdir out");
    bench.file("named.ld", "OUTPUT(named) INPUT(one.o) SECTIONS { .text : { *(.text) } }");
    bench.file("late.ld", "OUTPUT(late) INPUT(one.o)");
    bench.file("outer.ld", "INCLUDE named.ld");
    for (call, outputs) in [
        ("ld -T named.ld", &["named"][..]),
        ("ld -T outer.ld two.o", &["named"]),
        ("ld -T named.ld -o other", &["other"]),
        ("ld late.ld", &["a.out"]),
        ("ld -shared one.o -Map=%", &["a.out", "a.out.map"]),
        ("ld -shared one.o -o out/lib.so -Map=%.txt", &["out/lib.so", "out/lib.so.txt"]),
        ("ld -shared one.o -o lib.so -Map=out", &["lib.so", "out/lib.so.map"]),
        ("ld -shared one.o -o out/lib.so -Map out/", &["out/lib.so", "out/lib.so.map"]),
        ("ld -shared one.o -o lib.so -Map=first -Map=second", &["lib.so", "second"]),
        ("ld -shared one.o -o lib.so -Map=first -M", &["lib.so"]),
        ("ld -shared one.o -o lib.so --print-map -Map=second --cref", &["lib.so", "second"]),
        ("ld -shared one.o -o lib.so --out-implib imports.o", &["lib.so", "imports.o"]),
        ("ld -shared one.o -olib.so --dependency-file=lib.d -Map=-", &["lib.so", "lib.d"]),
    ] {
        let inference = bench.check(call);
        let made: Vec<_> = inference.outputs.iter().map(|output| output.path.clone()).collect();
        assert_eq!(made, outputs.iter().map(|name| bench.path().join(name)).collect::<Vec<_>>(), "{call}");
    }
    bench.sh("ln -s one.o link.o");
    for (call, kind) in [
        ("ld one.o -o link.o", "output-kind"),
        ("ld -T named.ld -Map=%", "unmodelled-option"),
        ("ld one.o -Map=%%", "usage"),
        ("ld -T nowhere.ld one.o", "input"),
        ("ld --oformat pei-x86-64 one.o", "unmodelled-option"),
        ("ld -m i386pep one.o", "unmodelled-option"),
        ("ld -shar one.o", "unknown-option"),
        ("ld -A x one.o", "unmodelled-option"),
        ("ld -plugin /usr/lib/x86_64-linux-gnu/bfd-plugins/libdep.so one.o", "unmodelled-option"),
    ] {
        assert_eq!(bench.0.reason(call), kind, "{call}");
    }
}

#[test]
fn options_that_end_the_search_for_shared_libraries() {
    let bench = Bench::new();
    bench.sh("mkdir both; ar rcs both/libone.a one.o; gcc -shared one.o -o both/libone.so");
    for (option, archive) in [
        ("-r", true),
        ("-i", true),
        ("-Ur", true),
        ("-N", true),
        ("-n", true),
        ("-static", true),
        ("--no-omagic", false),
    ] {
        let inference = bench.check(&format!("ld {option} two.o -Lboth -lone -o made"));
        let wanted = if archive { "both/libone.a" } else { "both/libone.so" };
        assert!(files(&inference).contains(&bench.path().join(wanted)), "{option}");
    }
    bench.check("ld -r two.o -Lboth -Bdynamic -l:libone.a -o made");
    // Names that the help does not print.
    bench
        .check("ld -shared --no-add-needed --sort_common --add-needed -warn-shared-textrel two.o -Lboth -lone -o made");
}

#[test]
fn libraries_of_another_machine_are_passed_over() {
    let bench = Bench::new();
    bench.sh("mkdir other mine; ar rcs mine/libone.a one.o");
    // An object of another machine: the same one, with another number in its header.
    let mut object = fs::read(bench.path().join("one.o")).expect("an object");
    object[18] = 0xb7;
    fs::write(bench.path().join("foreign.o"), object).expect("written");
    bench.sh("ar rc other/libone.a foreign.o");
    let inference = bench.check(&bench.collect2("gcc main.o two.o -Lother -Lmine -lone -lm -o prog"));
    assert!(files(&inference).contains(&bench.path().join("mine/libone.a")));
}

#[test]
fn what_runs_natively() {
    let bench = Bench::new();
    bench.sh("gcc -flto -c one.c -o lto.o; ar rcs liblto.a lto.o 2>/dev/null; mkdir out");
    for (line, kind) in [
        ("--version", "probe-version"),
        ("-v", "probe-version"),
        ("--print-sysroot one.o", "probe-print"),
        ("--no-such-option one.o", "unknown-option"),
        ("one.o -lnowhere", "input"),
        ("nowhere.o", "input"),
        ("one.o -o out", "output-kind"),
        ("one.o -o /dev/null", "output-kind"),
        ("one.o -o nowhere/x", "input"),
        ("-r one.o two.o -o one.o", "usage"),
        ("one.o --build-id=uuid", "unmodelled-option"),
        ("one.o -T nowhere.ld", "input"),
    ] {
        assert_eq!(bench.0.reason(&format!("ld {line}")), kind, "{line}");
    }
    for driver in ["gcc main.o two.o lto.o -lm", "gcc main.o two.o liblto.a -lm"] {
        assert_eq!(bench.0.reason(&bench.collect2(driver)), "lto", "{driver}");
    }
}

#[test]
fn response_files_are_read() {
    let bench = Bench::new();
    bench.file("list.rsp", "two.o 'one.o'\n");
    let inference = bench.check("ld -r @list.rsp -o both.o");
    assert!(files(&inference).contains(&bench.path().join("two.o")));
    assert!(inference.steps[0].argv.iter().any(|arg| arg == b"one.o"));
}
