//! The models of the binary utilities against the tools: which files a call writes, and how.

#[path = "support/live.rs"]
mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_models::{Inference, Input};

/// What a directory holds: inode, mode and bytes of each name.
type Snapshot = BTreeMap<PathBuf, (u64, u32, Vec<u8>)>;

struct Bench(live::Bench);

impl Bench {
    fn new() -> Self {
        let bench = Self(live::Bench::new(&[("members", "one.o main.o\n"), ("symbols", "main\n"), ("empty", "")]));
        let bench = Self(bench.0.with("SECRET", "token"));
        let script = "echo 'int one(void) { return 1; }' >one.c; echo 'int main(void) { return 0; }' >main.c
            gcc -g -c one.c main.c; gcc -g main.c -o prog; ar rcs old.a one.o; ar rcST thin.a one.o
            cp prog prog.0600; chmod 600 prog.0600; chmod 600 empty; cp prog set; chmod 4755 set; echo '-g main.o main3.o' >swapped
            ln -s old.a link.a; ln -s nowhere dangling.a; mkdir dir";
        let output = Command::new("sh").args(["-ec", script]).current_dir(bench.path()).output().expect("sh runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bench
    }

    fn path(&self) -> &Path {
        &self.0.cwd
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for entry in fs::read_dir(self.path()).expect("a directory") {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            if metadata.is_dir() {
                continue;
            }
            let bytes = fs::read(&path).unwrap_or_default();
            snapshot.insert(path, (metadata.ino(), metadata.mode(), bytes));
        }
        snapshot
    }

    /// Infers a call, then makes it, and holds what it wrote against what was declared.
    fn check(&self, line: &str) -> Inference {
        // Second names keep inodes from being given out again.
        let names = gg_testkit::temp_dir();
        for (number, path) in self.snapshot().keys().filter(|path| !path.is_symlink()).enumerate() {
            fs::hard_link(path, names.path().join(number.to_string())).expect("a second name");
        }
        let before = self.snapshot();
        let through_links = line.contains("link.a") || line.contains("dangling.a");
        let inference = if through_links {
            let inference = self.0.thunk(line);
            assert_eq!(self.0.native(line).status, Some(0), "{line}");
            inference
        } else {
            self.0.agrees(line)
        };
        let after = self.snapshot();
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let changed = after.iter().filter(|(path, now)| before.get(*path) != Some(now));
        let changed: BTreeSet<PathBuf> = changed.map(|(path, _)| real(path)).collect();
        let declared: BTreeSet<PathBuf> = inference.outputs.iter().map(|output| real(&output.path)).collect();
        assert!(changed.is_subset(&declared), "{line} wrote {changed:?}, declared {declared:?}");
        for output in &inference.outputs {
            let Some((inode, ..)) = before.get(&output.path) else { continue };
            let kept = after.get(&output.path).is_some_and(|(now, ..)| now == inode);
            let through = output.writes == gg_thunk::Writes::Through;
            assert_eq!(kept, through, "{line}: {} keeps its inode", output.path.display());
        }
        inference
    }
}

fn has_input(inference: &Inference, wanted: &Input) -> bool {
    inference.inputs.contains(wanted)
}

#[test]
fn archives() {
    let bench = Bench::new();
    let new = bench.check("ar rcs new.a one.o main.o");
    assert!(has_input(&new, &Input::File(bench.path().join("main.o"))));
    assert!(!new.env.contains_key(b"SECRET".as_slice()));
    let again = bench.check("ar rcs new.a one.o");
    assert!(has_input(&again, &Input::InPlace(bench.path().join("new.a"))));
    for line in [
        "ar r quiet.a one.o",
        "ar cru old.a one.o main.o",
        "ar -rc -s old.a main.o",
        "ar qc old.a main.o",
        "ar qDS fresh.a one.o",
        "ar m old.a one.o",
        "ar d old.a main.o",
        "ar rb one.o old.a main.o",
        "ar s old.a",
        "ar rc @members-archive",
        "ar rcs link.a main.o",
        "ar rc dangling.a main.o",
        "ar rcs none.a",
        "ranlib old.a",
        "ranlib -D old.a new.a",
    ] {
        fs::write(bench.path().join("members-archive"), "listed.a one.o 'main.o'\n").expect("written");
        bench.check(line);
    }
}

#[test]
fn archives_bring_the_plugins_that_the_tool_loads() {
    let bench = Bench::new();
    let inference = bench.0.thunk("ar rcs new.a one.o");
    let names = |input: &Input| match input {
        Input::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
        _ => None,
    };
    let names: BTreeSet<String> = inference.inputs.iter().filter_map(names).collect();
    assert!(names.contains("libc.so.6"), "{names:?}");
    for dir in ["/usr/lib/bfd-plugins", "/usr/lib/x86_64-linux-gnu/bfd-plugins"] {
        let Ok(entries) = fs::read_dir(dir) else { continue };
        for entry in entries {
            let entry = entry.expect("an entry");
            if entry.path().is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                assert!(names.contains(&name), "{name} is not among {names:?}");
            }
        }
    }
}

#[test]
fn stripping_and_copying() {
    let bench = Bench::new();
    for line in [
        "strip prog",
        "strip -g old.a",
        "strip --strip-unneeded one.o main.o",
        "strip -o stripped prog.0600",
        "strip -s -o prog.0600 prog",
        "strip set",
        "strip -R .comment -o set set",
        "objcopy --only-keep-debug prog prog.debug",
        "objcopy --strip-debug --add-gnu-debuglink=prog.debug prog",
        "objcopy -O binary --only-section=.text prog prog.bin",
        "objcopy -O srec prog prog.srec",
        "objcopy -I binary -O elf64-x86-64 -B i386:x86-64 symbols symbols.o",
        "objcopy --add-section .extra=symbols one.o extra.o",
        "objcopy --update-section .extra=members extra.o",
        "objcopy --dump-section .text=text.bin main.o main2.o",
        "objcopy --localize-symbols symbols main.o",
        "objcopy main.o prog.0600",
        "objcopy -v main.o copied.o",
        "strip -v -o stripped main.o",
        "strip --output-file=stripped --input-format elf64-x86-64 main.o",
        "objcopy --output-format binary main.o main.bin",
        "objcopy @swapped",
        "objcopy --strip-unneeded old.a copied.a",
        "objcopy -I srec -O binary prog.srec prog.bin",
    ] {
        let inference = bench.check(line);
        assert!(!inference.shape.is_empty(), "{line}");
    }
}

#[test]
fn packing_of_debug_information() {
    let bench = Bench::new();
    sh(
        &bench,
        "gcc -g -gsplit-dwarf -c one.c -o one.o; gcc -g -gsplit-dwarf -c main.c -o main.o; gcc -g -gsplit-dwarf main.o one.o -o prog",
    );
    let packed = bench.check("dwp one.dwo main.dwo -o all.dwp");
    assert!(has_input(&packed, &file(&bench, "main.dwo")));
    bench.check("dwp -v -o all.dwp main.dwo");
    bench.check("dwp --output=again.dwp all.dwp");
    for (line, kind) in [
        ("dwp -e prog", "footprint"),
        ("dwp --exec=prog -o x.dwp", "footprint"),
        ("dwp --verify-only main.dwo", "reads-only"),
        ("dwp main.dwo", "usage"),
        ("dwp -o x.dwp nowhere.dwo", "input"),
        ("dwp -o x.dwp @members", "unmodelled-option"),
        ("dwp --version", "probe-version"),
    ] {
        assert_eq!(bench.0.reason(line), kind, "{line}");
    }
}

#[test]
fn shapes_do_not_hold_names() {
    let bench = Bench::new();
    let shape = |line: &str| bench.0.thunk(line).shape;
    assert_eq!(shape("ar rcs a.a one.o"), shape("ar rcs b.a main.o one.o"));
    assert_ne!(shape("ar rcs a.a one.o"), shape("ar rc a.a one.o"));
    assert_eq!(shape("strip one.o"), shape("strip main.o"));
    assert_ne!(shape("strip one.o"), shape("strip -g one.o"));
}

fn sh(bench: &Bench, script: &str) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(bench.path()).output().expect("sh runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

fn file(bench: &Bench, name: &str) -> Input {
    Input::File(bench.path().join(name))
}

#[test]
fn extraction() {
    let bench = Bench::new();
    sh(&bench, "cp one.o a_name_that_is_too_long_for_the_header.o; echo text >text; chmod 755 text; mkdir into");
    sh(&bench, "ar rcU all.a one.o main.o a_name_that_is_too_long_for_the_header.o text; ar rc double.a one.o main.o");
    sh(&bench, "ar q double.a one.o; rm one.o main.o a_name*.o text");
    let all = bench.check("ar x all.a");
    assert!(has_input(&all, &file(&bench, "all.a")));
    assert_eq!(all.outputs.len(), 4);
    // What is there with the member's mode is written into.
    bench.check("ar x all.a");
    sh(&bench, "rm one.o main.o");
    bench.check("ar xv all.a ./dir/main.o");
    bench.check("ar x all.a text main.o");
    bench.check("ar x all.a none main.o");
    bench.check("ar x --output=into all.a");
    bench.check("ar x double.a");
    bench.check("ar xD --output into double.a main.o");
    sh(&bench, "chmod 600 main.o; ar rcS plain.a one.o");
    for (line, kind) in [
        ("ar x all.a main.o", "output-kind"),
        ("ar x double.a one.o one.o", "unmodelled-option"),
        ("ar xN 2 double.a one.o", "unmodelled-option"),
        ("ar xo all.a text", "times"),
        ("ar x all.a none", "reads-only"),
        ("ar x thin.a", "usage"),
        ("ar x one.o", "input"),
        ("ar x nowhere.a", "input"),
        ("ar x --output=nowhere all.a", "input"),
    ] {
        assert_eq!(bench.0.reason(line), kind, "{line}");
    }
}

#[test]
fn thin_archives() {
    let bench = Bench::new();
    sh(&bench, "mkdir sub lib; cp one.o sub/deep.o; ar rc lib/plain.a sub/deep.o main.o");
    let new = bench.check("ar rcT lib/new.a one.o sub/deep.o");
    assert!(has_input(&new, &file(&bench, "sub/deep.o")));
    assert_eq!(new.outputs[0].holds, gg_models::Holds::Binary);
    let more = bench.check("ar r --thin lib/new.a main.o");
    assert!(has_input(&more, &file(&bench, "lib/../sub/deep.o")), "{:?}", more.inputs);
    bench.check("ar s lib/new.a");
    bench.check("ranlib lib/new.a");
    // A member of a thin archive may be an archive: its members are taken over.
    let nested = bench.check("ar qcT nested.a lib/new.a lib/plain.a");
    assert!(has_input(&nested, &file(&bench, "lib/../sub/deep.o")), "{:?}", nested.inputs);
    let again = bench.check("ar rT nested.a one.o");
    assert!(has_input(&again, &file(&bench, "lib/plain.a")), "{:?}", again.inputs);
    bench.check("ranlib nested.a");
    sh(&bench, "rm sub/deep.o");
    assert_eq!(bench.0.reason("ranlib lib/new.a"), "input");
    assert_eq!(bench.0.reason("strip -g lib/new.a"), "footprint");
    assert_eq!(bench.0.reason("ar d nested.a one.o"), "unmodelled-option");
}

#[test]
fn archives_that_stay_as_they_are() {
    let bench = Bench::new();
    sh(&bench, "ar rcU dated.a one.o");
    for line in
        ["ar d old.a main.o", "ar dP old.a ./one.o", "ar dN 2 old.a one.o", "ar m old.a", "ar rcs old.a", "ar d old.a"]
    {
        let before = bench.snapshot();
        assert_eq!(bench.0.reason(line), "reads-only", "{line}");
        bench.0.native(line);
        assert!(before == bench.snapshot(), "{line}");
    }
    assert_eq!(bench.0.reason("ar ru dated.a one.o"), "times");
    bench.check("ar ru old.a one.o");
}

#[test]
fn spellings_of_the_archivers_options() {
    let bench = Bench::new();
    for line in [
        "ar --target=elf64-x86-64 rcs new.a one.o",
        "ar -c -r new.a main.o",
        "ar r -v new.a main.o one.o",
        "ar rcsf fixed.a one.o",
        "ar rcP paths.a ./one.o",
        "ar rcO offsets.a one.o",
        "ar mc old.a main.o",
        "ar ra one.o new.a symbols",
        "ar ri one.o new.a members",
        "ar ts new.a",
        "ar dN 1 new.a one.o",
        "ar rcl '-lm -L.' deps.a one.o",
        "ar rc --record-libdeps=-lm deps2.a one.o",
        "ar rc weird.o one.o",
        "ar -rc -- dashes.a one.o",
    ] {
        bench.check(line);
    }
    for (line, kind) in [
        ("ar ruD old.a one.o", "usage"),
        ("ar tu old.a", "usage"),
        ("ar rN 1 old.a one.o", "usage"),
        ("ar d", "usage"),
        ("ar xf old.a", "unmodelled-option"),
        ("ar --thi rc x.a one.o", "unknown-option"),
    ] {
        assert_eq!(bench.0.reason(line), kind, "{line}");
    }
}

#[test]
fn wrappers_call_the_tools_with_the_compilers_plugin() {
    let bench = Bench::new();
    sh(&bench, "gcc -flto -c one.c -o lto.o; gcc -flto -ffat-lto-objects -c main.c -o fat.o");
    let made = bench.check("gcc-ar rcs lto.a lto.o fat.o");
    let is_plugin = |input: &Input| matches!(input, Input::File(path) if path.ends_with("liblto_plugin.so"));
    assert!(made.inputs.iter().any(is_plugin));
    for line in [
        "gcc-ar rcT thin-lto.a lto.o",
        "gcc-ranlib lto.a",
        "x86_64-linux-gnu-gcc-ranlib-12 lto.a",
        "gcc-ar -r --target=elf64-x86-64 lto.a one.o",
        "ar rcs plain-lto.a lto.o",
        "ar --plugin=/usr/lib/bfd-plugins/liblto_plugin.so rcs plugin.a lto.o",
        "ranlib --plugin /usr/lib/bfd-plugins/liblto_plugin.so plugin.a",
    ] {
        bench.check(line);
    }
    for (line, kind) in [
        ("gcc-ar t lto.a", "reads-only"),
        ("strip -g lto.a", "lto"),
        ("objcopy lto.a out.a", "lto"),
        ("ranlib --thin lto.a", "unmodelled-option"),
        ("gcc-nm lto.a", "reads-only"),
        ("gcc-ar -B. rcs lto.a one.o", "unmodelled-option"),
        ("gcc-ar --version", "probe-version"),
        ("gcc-ar", "usage"),
        ("ar --plugin=nowhere.so rcs plugin.a lto.o", "input"),
    ] {
        assert_eq!(bench.0.reason(line), kind, "{line}");
    }
    let bench = Bench(bench.0.with("COMPILER_PATH", "/nowhere"));
    assert_eq!(bench.0.reason("gcc-ar rcs lto.a one.o"), "environment");
}

#[test]
fn what_runs_natively() {
    let bench = Bench::new();
    for (line, kind) in [
        ("ar t old.a", "reads-only"),
        ("ar p old.a", "reads-only"),
        ("ar rcU old.a one.o", "times"),
        ("ar rc new.a nowhere.o", "input"),
        ("ar rc new.a dir", "input"),
        ("ar rc dir one.o", "output-kind"),
        ("ar rc nowhere/new.a one.o", "input"),
        ("ar d nowhere.a one.o", "input"),
        ("ar -M", "unmodelled-option"),
        ("ar --version", "probe-version"),
        ("ar rcZ new.a one.o", "unknown-option"),
        ("nm prog", "reads-only"),
        ("strip -o empty prog", "output-kind"),
        ("objcopy prog dangling.a", "output-kind"),
        ("ranlib -t old.a", "unmodelled-option"),
        ("ranlib nowhere.a", "input"),
        ("strip -p prog", "times"),
        ("strip nowhere", "input"),
        ("strip --strip-everything prog", "unknown-option"),
        ("strip -o out prog set", "usage"),
        ("strip -o /dev/null prog", "output-kind"),
        ("objcopy --dump-section .text=/dev/full prog", "output-kind"),
        ("objcopy --redefine-syms=nowhere prog", "input"),
        ("objcopy", "usage"),
        ("strip -v prog", "unmodelled-option"),
        ("strip -g main.c", "input"),
        ("strip -O pei-x86-64 -o x.exe prog", "unmodelled-option"),
        ("objcopy -O efi-app-x86_64 prog x.efi", "unmodelled-option"),
        ("objcopy main.c copied", "input"),
    ] {
        assert_eq!(bench.0.reason(line), kind, "{line}");
    }
}

/// What an audit found of a tool says nothing of the one that takes its place.
#[test]
fn another_tool_is_another_shape() {
    let bench = Bench::new();
    let output = Command::new("sh")
        .args(["-ec", "for tool in strip objcopy ar ranlib; do cp \"$(command -v $tool)\" ./$tool; done"])
        .current_dir(bench.path())
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (tool, words) in
        [("strip", "-g one.o"), ("objcopy", "-g one.o other.o"), ("ar", "rcD new.a one.o"), ("ranlib", "-D old.a")]
    {
        let tool = bench.path().join(tool);
        let line = format!("{} {words}", tool.display());
        let shape = bench.0.thunk(&line).shape;
        assert_eq!(bench.0.thunk(&line).shape, shape, "{line}");
        let mut bytes = fs::read(&tool).expect("the tool");
        bytes.push(b'x');
        fs::write(&tool, bytes).expect("the tool is another");
        assert_ne!(bench.0.thunk(&line).shape, shape, "{line}");
    }
}
