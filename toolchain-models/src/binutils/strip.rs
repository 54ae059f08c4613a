//! The stripper.
//!
//! Knows its command line only; what it takes out is its own concern.

use std::ffi::OsString;

use crate::binutils::getopt::{Opt, Word, flag, parse, with_value};
use crate::binutils::{Call, determinism};
use crate::verdict::{Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Pure,
    Output,
    NoTimes,
    RealTimes,
    KeepsDates,
    Probe,
    Unmodelled(&'static str),
}

static TABLE: &[Opt<Effect>] = &[
    with_value("o", "", Effect::Output),
    flag("D", "enable-deterministic-archives", Effect::NoTimes),
    flag("U", "disable-deterministic-archives", Effect::RealTimes),
    flag("p", "preserve-dates", Effect::KeepsDates),
    flag("s", "strip-all", Effect::Pure),
    flag("gSd", "strip-debug", Effect::Pure),
    flag(
        "",
        "strip-dwo strip-unneeded only-keep-debug no-merge-notes keep-section-symbols keep-file-symbols",
        Effect::Pure,
    ),
    flag("M", "merge-notes", Effect::Pure),
    flag("w", "wildcard", Effect::Pure),
    flag("x", "discard-all", Effect::Pure),
    flag("X", "discard-locals", Effect::Pure),
    flag("v", "verbose", Effect::Unmodelled("v: names a temporary file")),
    with_value("R", "remove-section", Effect::Pure),
    with_value("N", "strip-symbol", Effect::Pure),
    with_value("K", "keep-symbol", Effect::Pure),
    with_value("", "keep-section remove-relocations", Effect::Pure),
    with_value("I", "input-target", Effect::Pure),
    with_value("O", "output-target", Effect::Pure),
    with_value("F", "target", Effect::Pure),
    flag("Vh", "version help info", Effect::Probe),
    // Of object files for Windows; printed by `--help`.
    with_value(
        "",
        "file-alignment heap image-base section-alignment stack subsystem",
        Effect::Unmodelled("of other systems"),
    ),
    flag("", "base_file dll", Effect::Unmodelled("of other systems")),
];

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    let mut output: Option<OsString> = None;
    let mut real_times = None;
    let mut files = Vec::new();
    for word in parse(&call.args, TABLE)? {
        let (spelled, effect, value) = match word {
            Word::Operand(file) => {
                files.push(file);
                continue;
            }
            Word::Option(spelled, effect, value) => (spelled, effect, value),
        };
        call.shape(&spelled);
        match effect {
            Effect::Pure => call.shape(&value),
            Effect::Output => output = Some(value),
            Effect::NoTimes => real_times = Some(false),
            Effect::RealTimes => real_times = Some(true),
            Effect::KeepsDates => return Err(Reason::new(ReasonKind::Times, "strip -p")),
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
            Effect::Unmodelled(what) => return Err(Reason::new(ReasonKind::UnmodelledOption, what)),
        }
    }
    for file in &files {
        let path = call.path(file);
        if call.kind(&path)?.is_none() {
            return Err(Reason::new(ReasonKind::Input, format!("{} not found", file.display())));
        }
        check_archive(call, &path, real_times)?;
    }
    match (output, files.as_slice()) {
        (None, files) => {
            for file in files {
                call.modifies(file)?;
            }
            Ok(())
        }
        (Some(output), [file]) if output == *file => call.modifies(file),
        (Some(output), [file]) => {
            call.reads(file)?;
            call.replaces(&output)
        }
        (Some(_), _) => Err(Reason::new(ReasonKind::Usage, "strip -o with several files")),
    }
}

/// Archives may keep times; thin ones are not modelled.
pub(super) fn check_archive(call: &Call<'_>, path: &std::path::Path, real_times: Option<bool>) -> Result<(), Reason> {
    if !determinism::archive(path, call.world)? {
        return Ok(());
    }
    let real_times = match real_times {
        Some(real) => real,
        None => !determinism::by_default(&call.req.exe, call.world)?,
    };
    if real_times { Err(Reason::new(ReasonKind::Times, "an archive with times")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let known: Vec<&str> = TABLE.iter().flat_map(|opt| opt.names.split(' ')).collect();
        assert_eq!(crate::binutils::help::unknown_options("strip", &known), Vec::<String>::new());
    }
}
