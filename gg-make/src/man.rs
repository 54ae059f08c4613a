//! The manual page, in roff, from the tables that `--gg-help` prints. Knows no option.

use std::fmt::Write as _;

use crate::options::{ABOUT, ROWS, VARIABLES};

/// The page, `gg-make.1`.
pub(crate) fn page() -> String {
    let mut page = format!(".TH GG\\-MAKE 1 \"\" \"gg {}\"\n", env!("CARGO_PKG_VERSION"));
    page.push_str(".SH NAME\ngg\\-make \\- make, with the toolchain's commands as thunks\n");
    page.push_str(".SH SYNOPSIS\n.B gg\\-make\n[\\fIARGUMENT OF MAKE\\fR | \\fB\\-\\-gg\\-\\fIOPTION\\fR]...\n");
    let _ = writeln!(page, ".SH DESCRIPTION\n{}", escaped(ABOUT));
    for row in &ROWS {
        let _ = write!(page, ".TP\n\\fB\\-\\-gg\\-{}\\fR", escaped(row.name));
        if !row.value.is_empty() {
            let _ = write!(page, "{}\\fI{}\\fR", row.joint(), escaped(row.value));
        }
        let _ = writeln!(page, "\n{}", escaped(row.help));
    }
    page.push_str(".SH ENVIRONMENT\n");
    for row in &ROWS {
        if let Some(variable) = row.variable {
            let _ = writeln!(page, ".TP\n.B {variable}\nthe same as \\fB\\-\\-gg\\-{}\\fR", escaped(row.name));
        }
    }
    for (variable, help) in VARIABLES {
        let _ = writeln!(page, ".TP\n.B {variable}\n{}", escaped(help));
    }
    page.push_str(".SH \"EXIT STATUS\"\nThat of make. 2 also if an option of gg is wrong, 127 if there is no make.\n");
    page.push_str(
        ".SH \"SEE ALSO\"\n.BR gg (1),\n.BR gg\\-cc (1),\n.BR gg\\-infer (1),\n.BR gg\\-force (1),\n.BR make (1)\n",
    );
    page
}

/// A text that roff does not take for anything else.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_every_option_and_variable() {
        let page = page();
        for row in &ROWS {
            assert!(page.contains(&format!(".TP\n\\fB\\-\\-gg\\-{}\\fR", row.name)), "{}", row.name);
            assert!(page.contains(&escaped(row.help)), "{}", row.name);
            assert!(row.variable.is_none_or(|name| page.contains(&format!(".B {name}\n"))), "{}", row.name);
        }
        assert!(VARIABLES.iter().all(|(name, help)| page.contains(&format!(".B {name}\n{}\n", escaped(help)))));
    }

    #[test]
    fn nothing_in_it_is_a_request_by_chance() {
        for line in page().lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line.split(' ').next().unwrap();
            assert!([".TH", ".SH", ".TP", ".B", ".BR"].contains(&request), "{line}");
        }
        assert_eq!(escaped("a\\-b"), "a\\e\\-b");
    }
}
