//! Sources by which a scanner that is not cpplib can be led astray: each is a thunk that gives what the compiler alone
//! gives, or it is left to the compiler with a reason.

#[path = "support/live.rs"]
mod live;

use live::Bench;

/// Either an object with the other branch's symbol, or the wrong words, is what a scanner would give that misses `opt.h`.
const ASKS: &str = "#if __has_include(\"opt.h\")\nint with;\n#else\nint without;\n#endif\n";

fn bench(files: &[(&str, &str)]) -> Bench {
    let bench = Bench::new(&[("opt.h", ""), ("hi/q.h", "int which_hi;\n"), ("lo/q.h", "int which_lo;\n")]);
    for (name, content) in files {
        bench.write(name, content);
    }
    bench
}

#[test]
fn bytes_before_a_directive() {
    let bench = bench(&[
        ("bom.c", &format!("\u{feff}{ASKS}")),
        ("bom2.c", "\u{feff}#include \"opt.h\"\nint a;\n"),
        ("bom3.c", "\u{feff}#define H <q.h>\n#include H\n#if 0\n#include \"lo/q.h\"\n#endif\n"),
        ("nul.c", &format!("\0{ASKS}")),
    ]);
    for name in ["bom.c", "bom2.c", "nul.c"] {
        bench.agrees(&format!("gcc -c {name}"));
    }
    bench.agrees("gcc -Ihi -Ilo -c bom3.c");
}

#[test]
fn strings_that_are_raw_and_strings_that_are_not() {
    let bench = bench(&[
        ("raw.cc", &format!("const char *s = R\"(call )\\\n\" /* still raw )\";\n{ASKS}/* */\n")),
        ("plain.cc", &format!("const char *s = R\"(a \" /* b )\";\n{ASKS}/* */\n")),
        ("old.c", &format!("#define R \"r\"\nconst char *s = R\"(abc\";\n{ASKS}")),
        ("old.S", &format!("#define R \"r\"\n.ascii R\"(abc\"\n{}", ASKS.replace("int ", ".globl ").replace(';', ""))),
    ]);
    assert_eq!(bench.reason("g++ -c raw.cc"), "footprint");
    bench.agrees("g++ -c plain.cc");
    for standard in ["c90", "c99", "c11", "c17", "gnu90", "iso9899:1999"] {
        bench.agrees(&format!("gcc -std={standard} -c old.c -o {}.o", standard.replace(':', "_")));
    }
    bench.agrees("gcc -ansi -c old.c");
    bench.agrees("gcc -c old.S");
    bench.write("plain.c", &format!("const char *s = R\"(a \" /* b )\";\n{ASKS}/* */\n"));
    for standard in ["gnu99", "gnu11", "gnu2x"] {
        bench.agrees(&format!("gcc -std={standard} -c plain.c -o {standard}.o"));
    }
    bench.write("old.cc", &format!("#define R \"r\"\nconst char *s = R\"(abc\";\n{ASKS}"));
    for standard in ["c++98", "gnu++03"] {
        bench.agrees(&format!("g++ -std={standard} -c old.cc -o {standard}.o"));
    }
}

/// A table of names, as bison writes it: none of its strings is raw, though names end in R before a quote.
#[test]
fn names_that_end_in_r_before_a_quote() {
    let bench = bench(&[(
        "table.c",
        &format!(
            "/* don't */\nconst char *const n[] = {{ \"END\", \"NUMBER\", \"'('\", \"OR\" }};\n#define S(N) \\\n  (N)\n{ASKS}int x = S(1);\n"
        ),
    )]);
    bench.agrees("gcc -c table.c");
}

#[test]
fn trigraphs() {
    let bench = bench(&[("a.c", &format!("const char *s = \"??/\" /*\";\n{ASKS}//*/\n"))]);
    for options in ["-std=c11", "-trigraphs", "-std=c11 -fno-builtin"] {
        bench.agrees(&format!("gcc {options} -c a.c"));
    }
    // `//*` is no comment in C90.
    assert_eq!(bench.reason("gcc -ansi -c a.c"), "footprint");
    bench.write("b.c", "/* what??/ */\nint b;\n");
    bench.agrees("gcc -c b.c");
    bench.agrees("gcc -std=gnu11 -c b.c");
}

#[test]
fn questions_that_are_not_spelled_as_such() {
    for definitions in [
        "#define HI __has_include\n#if HI(\"opt.h\")\n#endif\n",
        "#define LP (\n#if __has_include LP \"opt.h\")\n#endif\n",
        "#define C(a, b) a##b\n#if C(__has_inc, lude)(\"opt.h\")\n#endif\n",
        "#define HAS(x) __has_include(x)\n",
    ] {
        bench(&[("a.c", definitions)]).agrees("gcc -c a.c");
    }
    let bench = bench(&[(
        "a.c",
        "#if defined __has_include && defined(__has_include) && !defined ( __has_include_next )\n#endif\n#ifdef __has_include\nint a;\n#endif\n",
    )]);
    bench.agrees("gcc -c a.c");
    bench.write("b.c", "#if HAS(\"opt.h\")\nint a;\n#endif\n");
    bench.agrees("gcc -D'HAS(x)=__has_include(x)' -c b.c");
}

#[test]
fn what_options_define() {
    let bench = bench(&[("a.c", "const char *s = S;\n"), ("b.c", "int a;\n"), ("blob", "bytes")]);
    assert!(bench.thunk("gcc -DS=__TIME__ -c a.c").momentary);
    assert!(bench.agrees("gcc -DS=__TIMESTAMP__ -c a.c").timestamps);
    let inline = r#"gcc '-DX=asm(".incbin \"blob\"")' -c b.c"#;
    assert!(bench.agrees(inline).inputs.iter().any(|input| format!("{input:?}").contains("blob")));
}

#[test]
fn names_of_macros_that_are_spelled_otherwise() {
    let source = "#define \\u0024H <q.h>\n#include $H\n#if 0\n#include \"lo/q.h\"\n#endif\n";
    bench(&[("a.c", source)]).agrees("gcc -Ihi -Ilo -c a.c");
    let source = "#define \\u00c1 <q.h>\n#include \u{c1}\n#if 0\n#include \"lo/q.h\"\n#endif\n";
    bench(&[("a.c", source)]).agrees("gcc -Ihi -Ilo -c a.c");
}

/// Messages quote the file that `#line` names, and `-fverbose-asm` does.
#[test]
fn files_that_lines_are_said_to_be_from() {
    let bench = bench(&[
        ("gram.y", "one\ntwo  return unused_thing;\n"),
        ("gram.c", "int f(void)\n{\n#line 2 \"gram.y\"\n  int unused_thing;\n  return 0;\n}\n"),
        ("verbose.c", "int f(int a){\n# 2 \"gram.y\"\n return a+1;\n}\n"),
        ("orig.c", "int f(void)\n{\n int unused;\n return 0;\n}\n"),
        ("macro.c", "#define F \"gram.y\"\n#line 2 F\nint a;\n"),
    ]);
    bench.agrees("gcc -Wall -c gram.c");
    bench.agrees("gcc -fverbose-asm -S verbose.c");
    assert_eq!(bench.native("gcc -E orig.c -o pre.i").status, Some(0));
    bench.agrees("gcc -Wall -c pre.i");
    assert_eq!(bench.reason("gcc -c macro.c"), "footprint");
    std::fs::remove_file(bench.cwd.join("gram.y")).unwrap();
    bench.agrees("gcc -Wall -c gram.c");
}

#[test]
fn files_whose_times_are_compared() {
    let bench = bench(&[
        ("a.c", "#pragma GCC dependency \"opt.h\"\nint x;\n"),
        ("b.c", "_Pragma(\"GCC dependency \\\"opt.h\\\"\")\nint x;\n"),
    ]);
    assert_eq!(bench.reason("gcc -c a.c"), "times");
    assert_eq!(bench.reason("gcc -c b.c"), "times");
}

#[test]
fn headers_that_include_each_other() {
    let bench = bench(&[
        ("d/d.h", "#ifndef D\n#define D\n#include \"../e/e.h\"\nint d;\n#endif\n"),
        ("e/e.h", "#ifndef E\n#define E\n#include \"../d/d.h\"\nint e;\n#endif\n"),
        ("a.c", "#include \"d/d.h\"\n#include \"d/../e/e.h\"\n"),
    ]);
    bench.agrees("gcc -g -c a.c");
}

/// The same header by two names: it includes what is beside the name by which it was found.
#[test]
fn links_into_other_directories() {
    let bench = bench(&[
        ("one/x.h", "#include \"y.h\"\n"),
        ("one/y.h", "int one;\n"),
        ("two/y.h", "int two;\n"),
        ("a.c", "#include \"one/x.h\"\n#include \"two/x.h\"\n"),
    ]);
    std::os::unix::fs::symlink("../one/x.h", bench.cwd.join("two/x.h")).unwrap();
    bench.agrees("gcc -c a.c");
}
