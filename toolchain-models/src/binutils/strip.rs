//! The stripper.
//!
//! Knows its command line only; what it takes out is its own concern.

use std::ffi::OsString;

use crate::binutils::getopt::{Opt, Words, flag, parse, with_value};
use crate::binutils::{Call, format};
use crate::verdict::{Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Pure,
    Output,
    Target,
    RealTimes(bool),
    /// Says which file is made of which.
    Verbose,
    KeepsDates,
    Probe,
    Unmodelled(&'static str),
}

static TABLE: &[Opt<Effect>] = &[
    with_value("o", "output-file", Effect::Output),
    flag("D", "enable-deterministic-archives", Effect::RealTimes(false)),
    flag("U", "disable-deterministic-archives", Effect::RealTimes(true)),
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
    flag("v", "verbose", Effect::Verbose),
    with_value("R", "remove-section", Effect::Pure),
    with_value("N", "strip-symbol", Effect::Pure),
    with_value("K", "keep-symbol", Effect::Pure),
    with_value("", "keep-section remove-relocations", Effect::Pure),
    with_value("I", "input-target input-format", Effect::Target),
    with_value("O", "output-target output-format", Effect::Target),
    with_value("F", "target", Effect::Target),
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
    let mut verbose = false;
    let Words { options, operands: files } = parse(&call.args, TABLE)?;
    for (spelled, effect, value) in options {
        call.shape(&spelled);
        match effect {
            Effect::Pure => call.shape(&value),
            Effect::Output => output = Some(value),
            Effect::Target => {
                format::target(&value)?;
                call.shape(&value);
            }
            Effect::RealTimes(real) => real_times = Some(real),
            Effect::Verbose => verbose = true,
            Effect::KeepsDates => return Err(Reason::new(ReasonKind::Times, "strip -p")),
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
            Effect::Unmodelled(what) => return Err(Reason::new(ReasonKind::UnmodelledOption, what)),
        }
    }
    let in_place = |file: &OsString| output.as_ref().is_none_or(|output| output == file);
    for file in &files {
        let is_archive = format::check(call, &call.path(file), real_times, false)?;
        if verbose && (is_archive || in_place(file)) {
            return Err(Reason::new(ReasonKind::UnmodelledOption, "v: names a temporary file"));
        }
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

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let known: Vec<&str> = TABLE.iter().flat_map(|opt| opt.names.split(' ')).collect();
        assert_eq!(crate::binutils::help::unknown_options("strip", &known), Vec::<String>::new());
    }
}
