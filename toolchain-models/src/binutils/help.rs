//! The long options that a tool's `--help` prints, for tests that hold a table against the tool.
//!
//! Knows no table.

use std::process::Command;

/// Long options that the tool prints at the beginning of a line of its help and that are not among `known`.
pub(crate) fn unknown_options(tool: &str, known: &[&str]) -> Vec<String> {
    let help = Command::new(tool).arg("--help").env("LC_ALL", "C").output().expect("the tool runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let is_name = |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '-' | '_');
    let mut names = Vec::new();
    // The linker prints options of each of its targets; those of Windows come last, with names of their own.
    let common = help.lines().take_while(|line| !line.starts_with("i386pe"));
    for line in common.filter(|line| line.trim_start().starts_with('-')) {
        // Options stand before a gap; what follows is prose.
        let head = line.trim_start().split("  ").next().unwrap_or_default();
        let words = head.split([' ', ',']).filter_map(|word| word.strip_prefix("--"));
        names.extend(words.map(|word| word.split(|byte| !is_name(byte)).next().unwrap_or_default().to_owned()));
    }
    assert!(names.len() >= 3, "{tool} --help prints options");
    names.retain(|name| !name.is_empty() && !known.contains(&name.as_str()));
    names
}
