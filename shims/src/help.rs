//! What a shim says of itself: the help, and the manual page that is made of the same text.

use std::fmt::Write as _;

const USAGE: &str = "gg-shim TOOL [ARG...]    the same as gg-TOOL [ARG...]";

const ABOUT: &str = "\
Stands in for a compiler or one of its tools: gg-cc, gg-c++, gg-ar and the like are links to it, and so may be any
gg-NAME that you make, such as gg-gcc-12. A call is answered by the background process of GG_DIR, which is started
where there is none; what that does not understand is run by the real NAME on PATH.
";

/// Commands, and what they are for.
static COMMANDS: [(&str, &str); 3] = [
    ("make CC=gg-cc CXX=gg-c++ AR=gg-ar RANLIB=gg-ranlib", "a build through shims"),
    ("gg stats", "what became of the calls"),
    ("gg doctor", "what would go wrong here"),
];

/// The variables that a shim and its session look at.
static VARIABLES: [(&str, &str); 6] = [
    ("GG_AUDIT", "first, all, off or a fraction: which calls are also run natively and compared"),
    ("GG_DIR", "an absolute path: where store, memo and log are"),
    ("GG_DISABLE", "1: every call runs the real tool at once"),
    ("GG_LOG", "info, debug, off or an absolute path: what is written down of a call"),
    ("GG_PROGRAM", "the gg to start, if it is not the one beside the shim"),
    ("GG_SOCKET", "the session of this build only; gg-make sets it"),
];

/// What `gg-shim --help` says.
pub(crate) fn help() -> String {
    let mut text = format!("usage: {USAGE}\n\n{ABOUT}\n");
    for (name, what) in COMMANDS.iter().chain(&VARIABLES) {
        let _ = writeln!(text, "    {name:<12}  {what}");
    }
    text
}

/// The manual page, `gg-cc.1`.
pub(crate) fn man() -> String {
    let mut page = format!(".TH GG\\-CC 1 \"\" \"gg {}\"\n", env!("CARGO_PKG_VERSION"));
    page.push_str(".SH NAME\ngg\\-cc, gg\\-c++, gg\\-ar, gg\\-shim \\- a compiler and its tools, as thunks\n");
    page.push_str(".SH SYNOPSIS\n\\fBgg\\-\\fITOOL\\fR [\\fIARG\\fR...]\n.br\n");
    page.push_str("\\fBgg\\-shim \\fITOOL\\fR [\\fIARG\\fR...]\n");
    let _ = write!(page, ".SH DESCRIPTION\n{}", escaped(ABOUT));
    for (section, rows) in [("EXAMPLES", &COMMANDS[..]), ("ENVIRONMENT", &VARIABLES)] {
        let _ = writeln!(page, ".SH {section}");
        for (name, what) in rows {
            let _ = writeln!(page, ".TP\n.B {}\n{}", escaped(name), escaped(what));
        }
    }
    page.push_str(".SH \"EXIT STATUS\"\nThat of the tool.\n");
    page.push_str(".SH \"SEE ALSO\"\n.BR gg (1),\n.BR gg\\-make (1)\n");
    page
}

/// A text that roff does not take for anything else.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_page_has_everything_and_no_request_by_chance() {
        let page = man();
        for (name, what) in COMMANDS.iter().chain(&VARIABLES) {
            assert!(page.contains(&format!(".TP\n.B {}\n{}\n", escaped(name), escaped(what))), "{name}");
        }
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line.split(' ').next().unwrap();
            assert!([".TH", ".SH", ".TP", ".B", ".BR", ".br"].contains(&request), "{line}");
        }
    }

    #[test]
    fn the_documentation_has_the_same_variables() {
        let documented = include_str!("../../docs/commands/gg-cc.md");
        let documented = documented.split("\n## ").find(|section| section.starts_with("Environment")).unwrap();
        let documented: BTreeSet<&str> =
            documented.lines().filter_map(|line| line.strip_prefix("| `GG_")?.split('`').next()).collect();
        let known: BTreeSet<&str> = VARIABLES.iter().filter_map(|(name, _)| name.strip_prefix("GG_")).collect();
        assert_eq!(known, documented);
    }
}
