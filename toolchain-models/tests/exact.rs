//! The exact scan's list against the compiler's own depfile, byte for byte, over small sources that hold a trap each. What
//! is read where is told by which headers are on the list.

#[path = "support/live.rs"]
mod live;

use live::Bench;

/// A bench with headers `y.h` (yes) and `n.h` (no), and this source.
fn bench(name: &str, source: &str) -> Bench {
    let bench = Bench::new(&[("y.h", ""), ("n.h", ""), ("sub/y.h", ""), ("sub/z.h", "#include \"y.h\"\n")]);
    bench.write(name, source);
    bench
}

/// Holds the depfile that the scan gives against that which the compiler writes.
#[track_caller]
fn exact(bench: &Bench, command: &str) -> String {
    let command = format!("{command} -MD -MF out.d");
    let inference = bench.thunk(&command);
    let source = || std::fs::read_to_string(bench.cwd.join("a.c")).unwrap_or_default();
    assert_eq!(inference.unsure, Vec::<&str>::new(), "{command}: {}", source());
    let native = bench.native(&command);
    assert_eq!(native.status, Some(0), "{command}: {}", String::from_utf8_lossy(&native.stderr));
    let written = String::from_utf8_lossy(&native.written[&bench.cwd.join("out.d")].0).into_owned();
    let [(index, given)] = inference.depfiles.as_slice() else { panic!("{command}: no depfile") };
    assert_eq!(inference.outputs[*index].path, bench.cwd.join("out.d"));
    assert_eq!(String::from_utf8_lossy(given), written, "{command}");
    written
}

#[track_caller]
fn unsure(source: &str, name: &str) {
    let bench = bench("a.c", source);
    assert_eq!(bench.thunk("gcc -w -c a.c").unsure, [name], "{source}");
}

/// `#if` these, and only then include `y.h`.
fn conditions(compiler: &str, name: &str, before: &str, conditions: &[&str]) {
    for condition in conditions {
        let source = format!("{before}\n#if {condition}\n#include \"y.h\"\n#else\n#include \"n.h\"\n#endif\n");
        let bench = bench(name, &source);
        exact(&bench, &format!("{compiler} -w -c {name} -o x.o"));
    }
}

/// A sample; `scripts/scan-oracle headers` takes them all.
#[test]
fn headers_of_the_libraries() {
    for (compiler, suffix, headers) in [
        (
            "gcc",
            "c",
            "stdio.h stdlib.h math.h tgmath.h signal.h sys/socket.h linux/if_ether.h immintrin.h stdatomic.h errno.h",
        ),
        (
            "g++ -std=c++20",
            "cc",
            "iostream regex filesystem random future ranges cmath string.h unordered_map experimental/simd",
        ),
        ("gcc -ansi", "c", "stdio.h stdlib.h sys/types.h limits.h"),
        ("g++ -std=c++98 -O2", "cc", "iostream map locale ext/hash_map"),
    ] {
        let source: String = headers.split(' ').map(|header| format!("#include <{header}>\n")).collect();
        let name = format!("all.{suffix}");
        exact(&bench(&name, &source), &format!("{compiler} -w -c {name}"));
        for header in headers.split(' ') {
            exact(&bench(&name, &format!("#include <{header}>\n")), &format!("{compiler} -w -c {name}"));
        }
    }
}

#[test]
fn parameters_are_told_as_they_are_spelled() {
    let command = "gcc --param=max-inline-insns-single=50 --param max-unroll-times=4 -c a.c";
    assert_eq!(bench("a.c", "int a;\n").agrees(command).unsure, Vec::<&str>::new());
}

#[test]
fn arithmetic() {
    let all = [
        "-1 > 0u",
        "-1 >> 1 == -1",
        "-1u >> 63 == 1",
        "1 << 64",
        "1 << -1",
        "(2 || 1/0) && (0 ? 1/0 : 3)",
        "1 ? -1 : 0u",
        "(1 ? -1 : 0u) > 0",
        "0x8000000000000000 < 0",
        "-9223372036854775807 - 1 < 0",
        "18446744073709551615 == -1",
        "7 / -2 == -3 && -7 % 3 == -1",
        "1, 0",
        "(0, 1)",
        "!0 == ~-2",
        "'a' == 97 && '\\377' < 0 && 'ab' == 24930",
        "'\\x41' == 'A' && '\\0' == 0",
        "0b101 == 5 && 010 == 8",
        "1 ? 2 ? 0 : 1 : 1",
        "3 & 6 ^ 1 | 8",
        "1 - 1 - 1",
        "2 > 1 > 0 == 1",
        "unknown",
        "unknown + 1",
        "true",
        "+ + 1 - - 1",
    ];
    conditions("gcc", "a.c", "", &all);
    conditions("g++", "a.cc", "", &["true", "true and not false", "1 bitand 3", "compl 0 == -1", "__cplusplus > 1u"]);
    assert_eq!(bench("a.c", "#if 1 || (\n#endif\n").thunk("gcc -c a.c").unsure, ["malformed"]);
}

#[test]
fn what_is_defined() {
    let before = "#define ONE 1\n#define NOTHING\n#define D defined\n#define DX defined(ONE)\n#define ID(x) x\n\
                  #define EMPTY ID()\n#undef GONE\n";
    let all = [
        "defined ONE && defined(NOTHING) && !defined GONE",
        "D ONE",
        "D(NOTHING)",
        "DX",
        "defined __FILE__ && defined __COUNTER__ && defined _Pragma",
        "defined __has_include && defined(__has_include_next)",
        "defined(__STDC_HOSTED__) && __STDC_HOSTED__",
        "ONE EMPTY == ID(ONE)",
    ];
    conditions("gcc", "a.c", before, &all);
    conditions("gcc -std=c99", "a.c", "", &["__STDC_VERSION__ == 199901L", "__STRICT_ANSI__"]);
    conditions(
        "gcc -O2 -fPIC -march=x86-64-v3 -fopenmp",
        "a.c",
        "",
        &["__OPTIMIZE__", "__PIC__ == 2", "__AVX2__", "_OPENMP"],
    );
    conditions("gcc -O0 -undef", "a.c", "", &["__GNUC__", "__OPTIMIZE__", "__LINE__ == 2"]);
    conditions(
        "gcc -DA -DB=2 '-DF(x)=x+1' -UA -DC= -DB=3",
        "a.c",
        "",
        &["A", "B == 3", "F(1) == 2", "C 1", "defined C"],
    );
}

#[test]
fn expansion() {
    let before = "#define CAT(a, b) a ## b\n#define XCAT(a, b) CAT(a, b)\n#define AB 1\n#define A AB\n#define f(x) x f\n\
                  #define SELF SELF + 1\n#define ADD(a, b) ((a) + (b))\n#define LAST(a, ...) __VA_ARGS__\n\
                  #define GNU(a, r...) ADD(a, ## r)\n#define COUNT(...) N(__VA_ARGS__, 3, 2, 1, 0)\n\
                  #define N(a, b, c, n, ...) n\n#define NAME CAT(A, B)\n#define g f\n#define EMPTY\n\
                  #define DEFER(m) m EMPTY\n#define TWO() 2\n#define t(x, y) x\n#define h(a) a(1)\n#define id(a) a\n";
    let all = [
        "CAT(1, 2) == 12",
        "XCAT(A, 2) == 12",
        "NAME == 1",
        "CAT(A, B)",
        "XCAT(1, CAT(2, 3)) == 123",
        "CAT(, 1) && CAT(1,)",
        "SELF == 1",
        "LAST(0, 1)",
        "LAST(0, 0, 1)",
        "GNU(1, 2) == 3",
        "COUNT(a) == 1 && COUNT(a, b) == 2 && COUNT(a, (b, c)) == 2",
        "h(id)",
        "DEFER(TWO) + 1",
        "ADD (1,\\\n 2) == 3",
        "ADD(1, /* , */ 2) == 3",
        "t(t(1, 0), 0)",
        "f",
        "f == 0",
        "TWO () == 2",
    ];
    conditions("gcc", "a.c", before, &all);
    conditions("gcc -std=c11", "a.c", before, &["LAST(0, 1)", "COUNT(a) == 1", "COUNT() == 1"]);
}

#[test]
fn computed_includes() {
    let bench = bench(
        "a.c",
        "#define STR(x) #x\n#define XSTR(x) STR(x)\n#define DIR sub\n#define HEADER(x) <x>\n#define EMPTY\n#define Q \"y.h\"\n\
         #include XSTR(DIR/y.h)\n#include HEADER(sub/z.h)\n#include EMPTY <sub/y.h>\n#include Q\n#include STR(n.h) // x\n\
         #define __HAS(x) __has_include(x)\n#if __HAS(<n.h>) && __HAS(\"sub/z.h\") && __HAS(Q) && !__HAS(<DIR/none.h>)\n\
         #include <n.h>\n#endif\n#if __has_include EMPTY(<sub/y.h>)\n#include \"sub/../y.h\"\n#endif\n",
    );
    exact(&bench, "gcc -I. -c a.c");
    bench.write(
        "self.c",
        "#ifndef AGAIN\n#define AGAIN\n#include __FILE__\n#include \"y.h\"\n#else\n#include \"n.h\"\n#endif\n",
    );
    exact(&bench, "gcc -c self.c");
    bench.write("level.c", "#if __INCLUDE_LEVEL__ < 3\n#include \"level.c\"\n#else\n#include \"y.h\"\n#endif\n");
    exact(&bench, "gcc -c level.c");
    bench.write(
        "line.c",
        "#if __LINE__ == 1\n#include \"y.h\"\n#endif\n#line 7\n#if __LINE__ == 7\n#include \"n.h\"\n#endif\n",
    );
    exact(&bench, "gcc -c line.c");
}

#[test]
fn spellings_of_directives() {
    let yes = "#include \"y.h\"\n";
    for (name, source, options) in [
        ("a.c", "%:define A\n%:ifdef A\n%: include \"y.h\"\n%:endif\n", ""),
        ("a.c", "??=include \"y.h\"\n", "-std=c99"),
        ("a.c", "??=include \"y.h\"\n", "-trigraphs"),
        ("a.c", "#if 0 ??/\n|| 1\n#include \"y.h\"\n#endif\n", "-std=c17"),
        ("a.c", "#if 0 // don't\n#elif 1 /* it's\n */ && 1\n#include \"y.h\"\n#endif\n", ""),
        ("a.c", "\r\n#if 1\r\n#include \"y.h\"\r\n#else\r\n#endif\r\n", ""),
        ("a.c", "#inc\\\r\nlude \"y.h\"\r\n", ""),
        ("a.c", "\u{feff}#include \"y.h\"\n", ""),
        ("a.c", "int a;\n/* \n#include \"n.h\"\n*/ # include \"y.h\"\n", ""),
        ("a.c", "const char *s = \"/*\";\n#include \"y.h\"\nchar c = '\"';\n#include <n.h>\n", "-I."),
        ("a.cc", "auto s = R\"x(\n#include \"n.h\"\n)x\";\n#include \"y.h\"\n", ""),
        ("a.cc", "#include \"y.h\"//\n#include <n.h>/**/\n", "-I."),
        ("a.cc", "int i = 1'000; // '\n#include \"y.h\"\n", ""),
        ("a.c", "#ifdef A\n#elifdef __GNUC__\n#include \"y.h\"\n#endif\n", ""),
        ("a.c", "#ifdef A\n#elifdef __GNUC__\n#include \"n.h\"\n#else\n#include \"y.h\"\n#endif\n", "-std=c11"),
        ("a.c", "#if 0\n#if nonsense (\n#else\n#endif\n#elif 1\n#include \"y.h\"\n#elif nonsense (\n#endif\n", ""),
        (
            "a.S",
            "# it's a comment\n#include \"y.h\"\n# 1 is a comment\n#ifdef __ASSEMBLER__\n#include \"n.h\"\n#endif\n",
            "",
        ),
        ("a.S", " movb $'a, %al\n#include \"y.h\"\n", ""),
        ("a.c", "#define EVAL(x) x\n#if EVAL(1) /**/\n#  /**/ include /**/ \"y.h\" /**/\n#endif", ""),
    ] {
        let bench = bench(name, &source.replace("YES", yes));
        let compiler = if name.ends_with(".cc") { "g++" } else { "gcc" };
        exact(&bench, &format!("{compiler} -w {options} -c {name} -o x.o"));
    }
}

#[test]
fn files_that_are_read_once() {
    let bench = Bench::new(&[
        (
            "a.c",
            "#include \"one.h\"\n#include <one.h>\n#include \"./one.h\"\n#include \"sub/one.h\"\n#include \"two.h\"\n#include <two.h>\n#include \"./two.h\"\n#include \"two.h\"\n",
        ),
        ("one.h", "#pragma once\nint one;\n"),
        ("sub/one.h", "#pragma once\nextern int one;\n"),
        ("two.h", "#ifndef TWO\n#define TWO\n#include \"deep.h\"\n#endif\n"),
        ("deep.h", "extern int deep;\n"),
        (
            "b.c",
            "#import \"deep.h\"\n#import \"deep.h\"\n#include \"deep.h\"\n#undef TWO\n#include \"two.h\"\n#undef TWO\n#include \"two.h\"\n",
        ),
        (
            "c.c",
            "_Pragma(\"once\")\n#include \"p.h\"\n#include \"p.h\"\n#include <p.h>\n#if N != 1\n#include \"n.h\"\n#endif\n",
        ),
        ("p.h", "_Pragma(\"once\")\n#ifdef N\n#define M\n#endif\n#define N 1\n"),
        ("d.c", "#include \"g.h\"\n#include <g.h>\n#include \"./g.h\"\n"),
        ("g.h", "#if !defined(G)\n#define G\n#endif\n"),
    ]);
    for name in ["a.c", "b.c", "c.c", "d.c"] {
        exact(&bench, &format!("gcc -w -I. -c {name} -o x.o"));
    }
}

#[test]
fn places_of_the_search_path() {
    let bench = Bench::new(&[
        ("a.c", "#include \"x.h\"\n#include <x.h>\n#include \"v.h\"\n#include <s.h>\n"),
        ("one/x.h", "#include_next <x.h>\n#if __has_include_next(<x.h>)\n#include \"beside.h\"\n#endif\n"),
        ("two/x.h", "#include_next \"x.h\"\n"),
        ("three/x.h", "#ifdef FORCED\n#include \"f.h\"\n#endif\n"),
        ("one/beside.h", "#include_next <v.h>\n"),
        ("v.h", ""),
        ("two/v.h", ""),
        ("f.h", "#define FORCED\n"),
        ("sys/s.h", "#pragma GCC system_header\n#include \"t.h\"\n#include <v.h>\n"),
        ("sys/t.h", ""),
        ("m.h", "#define MACROS\n#include \"two/v.h\"\nint text;\n"),
    ]);
    std::os::unix::fs::symlink("sys", bench.cwd.join("a-long-name-of-sys")).unwrap();
    for options in [
        "-Ione -Itwo -Ithree -Isys",
        "-iquote one -Itwo -isystem three -isystem sys",
        "-isystem one -Itwo -I three -idirafter sys -I.",
        "-Ione -Itwo -Ithree -Isys -isystem two -isystem sys -I. -include f.h -imacros m.h",
        "-I. -include ./f.h -include two/v.h -Ione/ -Itwo/. -Ithree -isystem a-long-name-of-sys/../sys",
        "-Ione -Itwo -Ithree -isystem a-long-name-of-sys",
        "-Ione -Itwo -Ithree -isystem a-long-name-of-sys -fno-canonical-system-headers",
        "-nostdinc -Ione -Itwo -Ithree -Isys",
        "-ffreestanding -iprefix t -iwithprefix wo -Ione -Ithree -Isys",
    ] {
        for style in ["-MP", "-MT 'x y' -MQ 'a b$#' -MT z"] {
            exact(&bench, &format!("gcc -w {options} {style} -c a.c -o x.o"));
        }
        users(&bench, &format!("gcc -w {options} -c a.c -o x.o"));
    }
    let bench = bench.with("CPATH", "one::two").with("C_INCLUDE_PATH", "three:sys");
    exact(&bench, "gcc -w -c a.c -o x.o");
    users(&bench, "gcc -w -c a.c -o x.o");
}

/// The same for `-MMD`.
#[track_caller]
fn users(bench: &Bench, command: &str) {
    let command = format!("{command} -MMD -MF out.d");
    let native = bench.native(&command);
    assert_eq!(native.status, Some(0), "{command}: {}", String::from_utf8_lossy(&native.stderr));
    let written = &native.written[&bench.cwd.join("out.d")].0;
    let inference = bench.thunk(&command);
    let given = inference.depfiles.first().map(|(_, bytes)| String::from_utf8_lossy(bytes));
    assert_eq!(given, Some(String::from_utf8_lossy(written)), "{command}");
}

#[test]
fn pragmas() {
    for source in [
        "#define A 1\n#pragma push_macro(\"A\")\n#undef A\n#if !A\n#include \"y.h\"\n#endif\n#pragma pop_macro(\"A\")\n#if A\n#include \"n.h\"\n#endif\n",
        "#define A 1\n_Pragma(\"push_macro(\\\"A\\\")\") int x;\n#define A 2\n#pragma pop_macro ( \"A\" )\n#if A == 1\n#include \"n.h\"\n#endif\n",
        "#pragma GCC push_options\n#pragma GCC target(\"avx2\")\n#ifdef __AVX2__\n#define WIDE\n#endif\n#pragma GCC pop_options\n#ifdef __AVX2__\n#include \"y.h\"\n#endif\n",
        "#include <immintrin.h>\n#ifdef _IMMINTRIN_H_INCLUDED\n#include \"y.h\"\n#endif\n",
        "#define DO(x) _Pragma(#x)\nDO(GCC diagnostic push)\n#include \"y.h\"\n",
    ] {
        exact(&bench("a.c", source), "gcc -w -c a.c");
    }
    for source in [
        "#pragma GCC target(\"avx2\")\n#ifdef __AVX2__\n#include \"y.h\"\n#endif\n",
        "#pragma GCC target(\"avx2\")\n#ifdef __AVX2__\n#define W\n#endif\n#pragma GCC reset_options\n#ifdef W\n#include \"y.h\"\n#endif\n",
    ] {
        unsure(source, "target");
    }
    unsure("#define A\n#define DO(x) _Pragma(#x)\nDO(push_macro(\"A\"))\n", "pragma");
    unsure("#define P _Pragma(\"once\")\n", "pragma");
    unsure("#define ID(x) x\nint ID(_Pragma(\"push_macro(\\\"ID\\\")\") b);\n", "pragma");
}

#[test]
fn questions_to_the_compiler() {
    let all = [
        "__has_attribute(noreturn) && !__has_attribute(no_such_attribute)",
        "__has_attribute(__format__)",
        "__has_builtin(__builtin_expect) && !__has_builtin(__builtin_none)",
        "__has_cpp_attribute(gnu::unused)",
        "defined __has_feature",
        "defined __has_c_attribute",
    ];
    conditions("gcc", "a.c", "#define NOTHING\n", &all);
    let more = ["__has_cpp_attribute(nodiscard) >= 201603", "__has_cpp_attribute(likely)", "__has_builtin(memcpy)"];
    conditions("g++", "a.cc", "", &more);
    // A declaration may hide it.
    unsure("int abs(int);\n#if __has_builtin(abs)\n#endif\n", "declared");
}

#[test]
fn doubts() {
    unsure("#if __COUNTER__\n#endif\n", "counter");
    unsure("#if \\\n __LINE__ == 2\n#endif\n", "line");
    unsure("#define \u{e9} 1\n#if \u{e9}\n#endif\n", "characters");
    unsure("#define V(a, ...) a __VA_OPT__(+ 1)\n#if V(1, 2) == 2\n#endif\n", "va-opt");
    unsure("#assert machine(x86)\n#if #machine(x86)\n#endif\n", "assertion");
}

#[test]
fn names_that_make_must_have_quoted() {
    let names = ["a b.h", "a#b.h", "a$b.h", "a\\b.h", "a\\ b.h", "a:b.h", "a%b.h", "a\tb.h", "\u{e9}.h"];
    let source: String = names.iter().map(|name| format!("#include \"{name}\"\n")).collect();
    let bench = bench("a.c", &source);
    for name in names {
        bench.write(name, "");
    }
    bench.write("b c.c", "#include \"a b.h\"\n");
    exact(&bench, "gcc -MP -c a.c");
    exact(&bench, "gcc -c 'b c.c'");
    exact(&bench, "gcc -c ./a.c -o sub/../sub/x.o");
}

/// gcc 12 passes over an include of what it was asked for before.
#[test]
fn missing_headers_that_were_asked_for() {
    for source in [
        "#if __has_include(<none.h>)\n#endif\n#include <none.h>\n#include \"y.h\"\n",
        "#if __has_include(\"none.h\")\n#endif\n#include <none.h>\n#include \"none.h\"\n#include \"y.h\"\n",
        "#include \"sub/z.h\"\n#if __has_include(<none.h>)\n#endif\n#include \"none.h\"\n#include \"y.h\"\n",
    ] {
        exact(&bench("a.c", source), "gcc -w -c a.c");
    }
}

/// A header that is missing or an error ends in no depfile.
#[test]
fn what_fails() {
    for source in ["#include \"none.h\"\n", "#error no\n", "#include <none.h>\n"] {
        let bench = bench("a.c", source);
        assert_eq!(bench.thunk("gcc -MD -c a.c").depfiles, Vec::new(), "{source}");
        assert_ne!(bench.native("gcc -MD -c a.c").status, Some(0));
    }
}
