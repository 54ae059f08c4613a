//! The manual pages, and what they and `--help` say at their end. Knows no option: those stand in the definition.

use std::io;
use std::path::Path;

use clap_mangen::Man;

/// The end of `gg --help`. A line that begins at the margin and ends with a colon is a heading.
pub(crate) const GG: &str = "\
See also:
  gg-make(1), gg-cc(1), gg-infer(1), gg-force(1)";

/// The end of `gg infer --help`.
pub(crate) const INFER: &str = "\
Placeholders:
  A placeholder is two lines of text: #!/usr/bin/env gg-force-and-run, and the
  name of an output of a thunk. gg describe FILE tells what it stands for, gg
  force puts the file in its place, running it does so too. It is honoured
  only where the GG_DIR that issued it is in use. A tree with placeholders is
  for gg; plain make takes them for what they stand for.

Failures:
  When a command fails whose call was answered already, and something needs
  its output at once, what was made of it is removed and the build is run
  again, with that command done at once: make decides and speaks.

Exit status:
  That of the build. 1 also where a program that gg does not know has read a
  placeholder's text, and made something of it. Where GG_DIR cannot be opened,
  one line says why, and the build runs without gg.

Environment:
  GG_DIR: where store, memo and log are. GG_SUMMARY=no: nothing is said at the
  end.

See also:
  gg-force(1), gg-make(1), gg-cc(1), make(1)";

/// The end of `gg force --help`.
pub(crate) const FORCE: &str = "\
Failures:
  Each failing command is printed once, with its messages. Its outputs, what
  depends on them, and without --keep-going what was not begun, are removed;
  what was made stays. Correct the source and go on with make, gg-make, or gg
  infer and gg force: each makes what is missing.

Exit status:
  0 if all was made, 1 if a command failed, or something could not be forced.

Environment:
  GG_DIR: where store, memo and log are. GG_SUMMARY=no: nothing is said at the
  end.

See also:
  gg-infer(1), gg-make(1), gg-cc(1)";

/// Writes a page for each command to a directory.
pub(crate) fn write(definition: clap::Command, dir: &Path) -> io::Result<()> {
    let mut definition = definition.disable_help_subcommand(true);
    definition.build();
    let mut all = vec![definition];
    while let Some(command) = all.pop() {
        all.extend(command.get_subcommands().cloned());
        let man = Man::new(command);
        let mut page = Vec::new();
        man.render(&mut page)?;
        std::fs::write(dir.join(man.get_filename()), with_headings(&page))?;
    }
    Ok(())
}

/// A page whose last section is made of sections, as the texts above have them.
fn with_headings(page: &[u8]) -> Vec<u8> {
    let (mut text, mut at_end) = (Vec::new(), false);
    for line in page.split_inclusive(|byte| *byte == b'\n') {
        let heading =
            line.strip_suffix(b":\n").filter(|words| at_end && words.first().is_some_and(u8::is_ascii_uppercase));
        match heading {
            _ if line == b".SH EXTRA\n" => at_end = true,
            Some(words) => text.extend([b".SH \"", &*words.to_ascii_uppercase(), b"\"\n"].concat()),
            // indented lines would be broken where they stand
            None if at_end => text.extend(line.trim_ascii_start()),
            None => text.extend(line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn sections_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        write(crate::args::Args::command(), dir.path()).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        for (name, sections) in [
            ("gg.1", &["SEE ALSO"][..]),
            ("gg-infer.1", &["PLACEHOLDERS", "FAILURES", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"]),
            ("gg-force.1", &["FAILURES", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"]),
        ] {
            let page = page(name);
            assert!(!page.contains("EXTRA") && !page.contains("\n  "), "{page}");
            let found: Vec<_> =
                page.lines().filter_map(|line| line.strip_prefix(".SH \"")?.strip_suffix('"')).collect();
            assert_eq!(found, sections, "{page}");
        }
        assert!(page("gg-session-serve.1").contains(".SH OPTIONS"));
    }
}
