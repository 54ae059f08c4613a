//! Every option of the binary utilities alone, against the tools.

#[path = "support/live.rs"]
mod live;

#[path = "support/every.rs"]
mod every;

use every::{Every, Value, options};

const FILES: &str = "
    printf '#include <stdio.h>\\nint one(void) { return 1; }\\nstatic int loc(void) { return 2; }\\nint data[3] = {1, 2, 3};\\nint use(void) { return loc(); }\\n' >one.c
    printf 'int one(void);\\nextern int data[];\\nint _start(void) { return one() + data[0]; }\\n' >main.c
    gcc -g -fPIC -c one.c main.c
    gcc -g -nostdlib main.o one.o -o prog
    gcc -shared -nostdlib -fPIC one.o -o libone.so
    mkdir dir sub lib; cp one.o sub/deep.o
    ar rc old.a one.o main.o; ar rcT thin.a one.o sub/deep.o; ar rc empty.a; ar rcU dated.a one.o
    cp libone.so lib/; ar rc lib/libone.a one.o
    gcc -g -gsplit-dwarf -c one.c -o split.o; mv split.dwo one.dwo; gcc -g -gsplit-dwarf -c main.c -o split.o; mv split.dwo main.dwo
    printf 'one\\nmain\\n' >symbols; printf 'one uno\\n' >pairs; printf 'some data\\n' >data
    printf 'SECTIONS { .text : { *(.text) } .data : { *(.data) } }\\n' >script.ld
    printf 'V1 { global: one; local: *; };\\n' >version.map; printf '{ one; };\\n' >list
    printf '#!/bin/sh\\n' >handler; chmod 755 handler
";

/// The word or words of an option with its value; nothing where a value is needed and none is known.
fn spell(name: &str, value: Value, known: &[(&str, &str)]) -> Option<Vec<String>> {
    let values = known.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value);
    let joined = |value: &str| match value {
        "" => name.to_owned(),
        value if name.len() == 2 => format!("{name}{value}"),
        value => format!("{name}={value}"),
    };
    let mut spelled: Vec<String> = match value {
        Value::None => vec![name.to_owned()],
        Value::Required => values.flat_map(|value| [format!("{name} {value}"), joined(value)]).collect(),
        Value::Optional => std::iter::once(name.to_owned()).chain(values.map(joined)).collect(),
    };
    spelled.dedup();
    (!spelled.is_empty()).then_some(spelled)
}

fn each(tool: &str, known: &[(&str, &str)], calls: &[&str], identical: usize) {
    let mut every = Every::new(FILES);
    for (name, value) in options(tool, None) {
        let spelled = spell(&name, value, known).unwrap_or_else(|| panic!("{tool} {name}: which value?"));
        every.calls(&spelled, calls);
    }
    every.done(tool, identical);
}

const FORMATS: [(&str, &str); 6] = [
    ("-I", "elf64-x86-64"),
    ("--input-target", "elf64-x86-64"),
    ("-O", "elf64-x86-64"),
    ("--output-target", "elf64-x86-64"),
    ("-F", "elf64-x86-64"),
    ("--target", "elf64-x86-64"),
];

#[test]
fn strip() {
    let mut known = FORMATS.to_vec();
    known.extend([
        ("-R", ".comment"),
        ("--remove-section", ".comment"),
        ("--remove-relocations", ".text"),
        ("-N", "one"),
        ("--strip-symbol", "one"),
        ("-K", "one"),
        ("--keep-symbol", "one"),
        ("--keep-section", ".comment"),
        ("-o", "made"),
    ]);
    let calls =
        ["strip OPTION prog", "strip OPTION -g main.o one.o", "strip OPTION -s -o out prog", "strip OPTION -g old.a"];
    each("strip", &known, &calls, 100);
}

#[test]
fn objcopy() {
    let mut known = FORMATS.to_vec();
    let sections = ["-j", "--only-section", "-R", "--remove-section", "--remove-relocations", "--keep-section"];
    let symbols = [
        "-N",
        "--strip-symbol",
        "--strip-unneeded-symbol",
        "-K",
        "--keep-symbol",
        "-L",
        "--localize-symbol",
        "--globalize-symbol",
        "-G",
        "--keep-global-symbol",
        "-W",
        "--weaken-symbol",
    ];
    let lists = [
        "--strip-symbols",
        "--strip-unneeded-symbols",
        "--keep-symbols",
        "--localize-symbols",
        "--globalize-symbols",
        "--keep-global-symbols",
        "--weaken-symbols",
    ];
    known.extend(sections.map(|name| (name, ".text")));
    known.extend(symbols.map(|name| (name, "one")));
    known.extend(lists.map(|name| (name, "symbols")));
    for name in [
        "--change-start",
        "--adjust-start",
        "--change-addresses",
        "--adjust-vma",
        "--set-start",
        "--pad-to",
        "--gap-fill",
    ] {
        known.push((name, "0x10"));
    }
    for name in ["--change-section-address", "--adjust-section-vma", "--change-section-lma", "--change-section-vma"] {
        known.push((name, ".text+0x10"));
    }
    for name in ["--file-alignment", "--heap", "--image-base", "--section-alignment", "--stack", "--subsystem"] {
        known.push((name, "16"));
    }
    for name in ["--prefix-symbols", "--prefix-sections", "--prefix-alloc-sections"] {
        known.push((name, "pre"));
    }
    known.extend([
        ("-B", "i386:x86-64"),
        ("--binary-architecture", "i386:x86-64"),
        ("--add-gnu-debuglink", "prog"),
        ("-i", "4"),
        ("--interleave", "4"),
        ("--interleave-width", "2"),
        ("-b", "0"),
        ("--byte", "0"),
        ("--set-section-flags", ".text=alloc,code"),
        ("--set-section-alignment", ".text=16"),
        ("--add-section", ".extra=data"),
        ("--update-section", ".data=data"),
        ("--dump-section", ".data=made"),
        ("--rename-section", ".data=.other"),
        ("--long-section-names", "keep"),
        ("--reverse-bytes", "4"),
        ("--redefine-sym", "one=uno"),
        ("--redefine-syms", "pairs"),
        ("--srec-len", "32"),
        ("--add-symbol", "new=.text:0"),
        ("--alt-machine-code", "1"),
        ("--compress-debug-sections", "zlib"),
        ("--compress-debug-sections", "none"),
        ("--compress-debug-sections", "zstd"),
        ("--elf-stt-common", "yes"),
        ("--verilog-data-width", "4"),
    ]);
    each("objcopy", &known, &["objcopy OPTION main.o", "objcopy OPTION prog out", "objcopy OPTION old.a out.a"], 200);
}

#[test]
fn objcopy_formats() {
    let mut every = Every::new(FILES);
    for format in [
        "binary",
        "srec",
        "symbolsrec",
        "ihex",
        "verilog",
        "tekhex",
        "elf32-i386",
        "elf64-little",
        "elf32-x86-64",
        "pei-x86-64",
        "pe-x86-64",
        "pdb",
        "plugin",
    ] {
        every.call(&format!("objcopy -O {format} prog out"));
        every.call(&format!("objcopy --output-target={format} -j .text main.o out"));
        every.call(&format!("objcopy -I {format} -O elf64-x86-64 data out"));
        every.call(&format!("objcopy -F {format} one.o"));
    }
    every.done("objcopy's formats", 12);
}

#[test]
fn ranlib() {
    let known = [("--plugin", "/usr/lib/bfd-plugins/liblto_plugin.so")];
    each(
        "ranlib",
        &known,
        &["ranlib OPTION old.a", "ranlib OPTION thin.a", "ranlib OPTION empty.a dated.a", "ranlib OPTION one.o"],
        4,
    );
}

#[test]
fn dwp() {
    let known = [("-e", "prog"), ("--exec", "prog"), ("-o", "made"), ("--output", "made")];
    each("dwp", &known, &["dwp OPTION -o made one.dwo main.dwo", "dwp OPTION one.o"], 3);
}

fn archiver(operation: &str, identical: usize) {
    let mut every = Every::new(FILES);
    let all = "D U T u c v N l o S s O V f P a b i cs cT vT";
    // Those that print run natively, whatever is said beside.
    let few = if matches!(operation, "p" | "t") { "s v u" } else { all };
    for modifier in std::iter::once("").chain(few.split(' ')) {
        let value = match modifier {
            "a" | "b" | "i" => "one.o ",
            "N" => "1 ",
            "l" => "-lm ",
            _ => "",
        };
        // Without an operation the letters would go on in the archive's name.
        if operation == "s" && modifier == "S" {
            continue;
        }
        let more: &[&str] = if matches!(modifier, "" | "u" | "D" | "s" | "c") { &["empty.a", "dated.a"] } else { &[] };
        for archive in ["new.a", "old.a", "thin.a"].iter().chain(more) {
            every.call(&format!("ar {operation}{modifier} {value}{archive} one.o"));
        }
        every.call(&format!("ar -{operation}{modifier} {value}old.a sub/deep.o data"));
        every.call(&format!("ar {operation}{modifier} {value}old.a"));
    }
    for long in [
        "--thin",
        "--target=elf64-x86-64",
        "--output=dir",
        "--record-libdeps=-lm",
        "--plugin /usr/lib/bfd-plugins/liblto_plugin.so",
    ] {
        every.call(&format!("ar {long} {operation} old.a one.o"));
        every.call(&format!("ar {operation} thin.a {long} main.o"));
    }
    every.done(&format!("ar {operation}"), identical);
}

#[test]
fn ar_replaces() {
    archiver("r", 40);
}

#[test]
fn ar_appends() {
    archiver("q", 40);
}

#[test]
fn ar_deletes() {
    archiver("d", 20);
}

#[test]
fn ar_moves() {
    archiver("m", 20);
}

#[test]
fn ar_extracts() {
    archiver("x", 10);
}

#[test]
fn ar_lists_prints_and_indexes() {
    archiver("t", 0);
    archiver("p", 0);
    archiver("s", 10);
}

#[test]
fn ld() {
    let mut known = Vec::new();
    for name in [
        "-e",
        "--entry",
        "-u",
        "--undefined",
        "--require-defined",
        "-y",
        "--trace-symbol",
        "-fini",
        "-init",
        "--task-link",
        "--export-dynamic-symbol",
        "--wrap",
        "--ignore-unresolved-symbol",
        "--version-exports-section",
    ] {
        known.push((name, "one"));
    }
    for name in [
        "-f",
        "--auxiliary",
        "-F",
        "--filter",
        "-h",
        "-soname",
        "-I",
        "--dynamic-linker",
        "-plugin-opt",
        "-flto-partition",
    ] {
        known.push((name, "name"));
    }
    for name in ["-Tbss", "-Tdata", "-Ttext", "-Ttext-segment", "-Trodata-segment", "-Tldata-segment"] {
        known.push((name, "0x100000"));
    }
    for name in [
        "-G",
        "--gpsize",
        "--hash-size",
        "--max-cache-size",
        "--spare-dynamic-tags",
        "--split-by-file",
        "--split-by-reloc",
    ] {
        known.push((name, "8"));
    }
    known.extend([
        ("-a", "shared"),
        ("-A", "i386:x86-64"),
        ("--architecture", "i386:x86-64"),
        ("-b", "elf64-x86-64"),
        ("--format", "binary"),
        ("-c", "script.ld"),
        ("--mri-script", "script.ld"),
        ("--dependency-file", "made"),
        ("-l", "one"),
        ("--library", "one"),
        ("-L", "lib"),
        ("--library-path", "lib"),
        ("--sysroot", "/"),
        ("-m", "elf_x86_64"),
        ("-m", "elf_i386"),
        ("-o", "out"),
        ("--output", "out"),
        ("--out-implib", "made"),
        ("-plugin", "/usr/lib/bfd-plugins/liblto_plugin.so"),
        ("-fuse-ld", "bfd"),
        ("-R", "prog"),
        ("-R", "lib"),
        ("--just-symbols", "prog"),
        ("-T", "script.ld"),
        ("--script", "script.ld"),
        ("--default-script", "script.ld"),
        ("-dT", "script.ld"),
        ("--unique", ".text"),
        ("-Y", "lib"),
        ("-assert", "definitions"),
        ("--defsym", "sym=1"),
        ("--demangle", "gnu-v3"),
        ("-Map", "made"),
        ("-Map", "dir"),
        ("--error-handling-script", "handler"),
        ("--oformat", "elf64-x86-64"),
        ("--oformat", "binary"),
        ("--retain-symbols-file", "symbols"),
        ("-rpath", "lib"),
        ("-rpath-link", "lib"),
        ("--sort-common", "descending"),
        ("--sort-section", "name"),
        ("--section-start", ".data=0x200000"),
        ("--unresolved-symbols", "ignore-all"),
        ("--verbose", "99"),
        ("--version-script", "version.map"),
        ("--dynamic-list", "list"),
        ("--export-dynamic-symbol-list", "list"),
        ("--orphan-handling", "warn"),
        ("--ctf-share-types", "share-duplicated"),
        ("--build-id", "sha1"),
        ("--build-id", "md5"),
        ("--build-id", "0x1234"),
        ("--build-id", "none"),
        ("--build-id", "uuid"),
        ("--package-metadata", "{}"),
        ("--compress-debug-sections", "zlib"),
        ("--compress-debug-sections", "zstd"),
        ("--hash-style", "gnu"),
        ("--hash-style", "both"),
        ("-z", "now"),
        ("-P", "lib"),
        ("--audit", "lib"),
        ("--depaudit", "lib"),
        ("--exclude-libs", "ALL"),
    ]);
    let mut every = Every::new(FILES);
    // Those of targets for Windows come last.
    for (name, value) in options("ld", Some("i386pe")) {
        let value = if name == "-z" { Value::Required } else { value };
        let spelled = spell(&name, value, &known).unwrap_or_else(|| panic!("ld {name}: which value?"));
        every.calls(&spelled, &["ld OPTION -Llib main.o -lone -o out", "ld -shared OPTION one.o -o out"]);
    }
    every.done("ld", 400);
}

#[test]
fn words_of_the_linkers_z() {
    let help = std::process::Command::new("ld").arg("--help").env("LC_ALL", "C").output().expect("ld runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let mut every = Every::new(FILES);
    let lines = help.lines().filter_map(|line| line.trim_start().strip_prefix("-z "));
    let words: std::collections::BTreeSet<&str> = lines.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(words.len() > 30, "{help}");
    for word in words {
        let values: &[&str] = match word.split_once('=').map_or(word, |(word, _)| word) {
            "common-page-size" | "max-page-size" => &["=0x1000"],
            "stack-size" => &["=65536"],
            "start-stop-visibility" => &["=hidden"],
            "cet-report" | "lam-u48-report" | "lam-u57-report" | "lam-report" => &["=warning", "=none"],
            "x86-64-baseline" | "x86-64-v2" => &[""],
            _ => &[""],
        };
        for value in values {
            let word = word.split(['=', '[']).next().unwrap_or_default();
            every.call(&format!("ld -z {word}{value} main.o one.o -o out"));
            every.call(&format!("ld -shared -z{word}{value} one.o -o out"));
        }
    }
    every.done("ld -z", 60);
}
