//! What the lexer finds in small sources.

use super::*;

fn names(source: &str) -> Vec<String> {
    Lexed::of(source.as_bytes(), Flavour::C)
        .operands
        .iter()
        .map(|operand| String::from_utf8_lossy(&operand.name).into_owned())
        .collect()
}

#[test]
fn includes_however_they_are_written() {
    assert_eq!(
        names(
            "#include <a.h>\n # /* x */ include /* y */ \"b.h\"\n%:include_next <c.h>\n#inc\\\nlude \"d\\\n.h\"\n/* x\n */ #import <e.h>"
        ),
        ["b.h", "d.h", "a.h", "e.h", "c.h"]
    );
}

#[test]
fn what_is_no_include() {
    assert_eq!(
        names("// #include <a.h>\n/*\n#include <b.h>\n*/\nchar *s = \"\\\n#include <c.h>\";\nx #include <d.h>\n"),
        Vec::<String>::new()
    );
}

#[test]
fn strings_hide_no_include() {
    assert_eq!(
        names(
            "char c = '\"'; int n = 1'000;\n#include <a.h>\nchar *r = R\"x(/* \" )\" )x\";\n#include <b.h>\n'/*\n#include <c.h>\n"
        ),
        ["a.h", "b.h", "c.h"]
    );
}

#[test]
fn questions_and_computed_operands() {
    let lexed = Lexed::of(
        b"#if __has_include(<a.h>) && __has_include_next(\"b.h\")\n#endif\n#ifdef __has_include\n#endif\n",
        Flavour::C,
    );
    assert_eq!(lexed.operands.len(), 2);
    assert!(lexed.operands.iter().all(|operand| operand.probe));
    assert!(!lexed.computed && !lexed.computed_probe);
    let lexed = Lexed::of(b"#include MACRO // x\n#include_next /**/ OTHER\n", Flavour::C);
    let names: Vec<_> = lexed.by_name.iter().map(|by| (by.name.as_slice(), by.next)).collect();
    assert_eq!((names, lexed.computed), (vec![(&b"MACRO"[..], false), (b"OTHER", true)], false));
    for source in ["#include MACRO(x)\n", "#include A B\n", "#include \\u00c1\n", "#include 1\n"] {
        assert!(Lexed::of(source.as_bytes(), Flavour::C).computed, "{source}");
    }
    assert!(Lexed::of(b"#if __has_include(MACRO)\n", Flavour::C).computed_probe);
}

#[test]
fn times() {
    assert!(Lexed::of(b"char *d = __DATE__;", Flavour::C).clock);
    assert!(Lexed::of(b"#define D __TIME__", Flavour::C).clock);
    assert!(Lexed::of(b"char *d = __TIMESTAMP__;", Flavour::C).timestamp);
    assert!(!Lexed::of(b"char *d = \"__DATE__\"; // __TIME__", Flavour::C).clock);
}

#[test]
fn once() {
    let flags = |source: &str| {
        let lexed = Lexed::of(source.as_bytes(), Flavour::C);
        (lexed.once, lexed.any_once)
    };
    assert_eq!(flags("# pragma /* x */ once\n"), (true, false));
    for source in ["#import <a.h>\n", "_Pragma(\"once\")", "_Pragma ( \" once\")", "#define P(x) _Pragma(#x)\n"] {
        assert_eq!(flags(source), (false, true), "{source}");
    }
    assert_eq!(flags("_Pragma(\"GCC poison x\") // #pragma once\n#pragma GCC once\n"), (false, false));
}

#[test]
fn assembler_directives() {
    let lexed = Lexed::of(b"asm(\"x:\\n\\t.incbin \\\"a.bin\\\"\\n\");", Flavour::C);
    assert_eq!((lexed.assembler, lexed.assembler_unclear), (vec![(false, b"a.bin".to_vec())], false));
    assert!(Lexed::of(b"asm(\".incbin \" NAME);", Flavour::C).assembler_unclear);
    assert!(Lexed::of(b"asm(\".incbin \\\"\" NAME \"\\\"\");", Flavour::C).assembler_unclear);
    assert!(!Lexed::of(b"options.include = 1; puts(\"see .include of it\");", Flavour::C).assembler_unclear);
    let lexed = Lexed::of(b" .include \"x.inc\"\n# a comment, don't\n.incbin \"b.bin\",1,2\n", Flavour::Assembly);
    assert_eq!(lexed.assembler, vec![(true, b"x.inc".to_vec()), (false, b"b.bin".to_vec())]);
    assert!(Lexed::of(b".incbin \\file\n", Flavour::Assembly).assembler_unclear);
}
