//! The copier of object files.
//!
//! Knows its command line only; what it changes is its own concern.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::binutils::getopt::{Opt, Value, Words, flag, parse, with_value};
use crate::binutils::{Call, format, output};
use crate::verdict::{Holds, Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Pure,
    /// The value is a file that is read.
    Reads,
    /// The value is `NAME=FILE`, and the file is read.
    ReadsSection,
    /// The value is `NAME=FILE`, and the file is written.
    WritesSection,
    /// The value is a format of files.
    Target,
    /// The input's format.
    InputTarget,
    RealTimes(bool),
    /// Says which file is made of which.
    Verbose,
    KeepsDates,
    Probe,
    Unmodelled(&'static str),
}

const OTHER_SYSTEMS: Effect = Effect::Unmodelled("of other systems");

static TABLE: &[Opt<Effect>] = &[
    with_value("I", "input-target input-format", Effect::InputTarget),
    with_value("O", "output-target output-format", Effect::Target),
    with_value("F", "target", Effect::InputTarget),
    with_value("B", "binary-architecture", Effect::Pure),
    flag("", "debugging", Effect::Pure),
    flag("p", "preserve-dates", Effect::KeepsDates),
    flag("D", "enable-deterministic-archives", Effect::RealTimes(false)),
    flag("U", "disable-deterministic-archives", Effect::RealTimes(true)),
    with_value("j", "only-section", Effect::Pure),
    with_value("", "add-gnu-debuglink", Effect::Reads),
    with_value("R", "remove-section", Effect::Pure),
    flag("S", "strip-all", Effect::Pure),
    flag("g", "strip-debug", Effect::Pure),
    flag("", "strip-dwo strip-unneeded only-keep-debug extract-dwo extract-symbol", Effect::Pure),
    flag("", "keep-section-symbols keep-file-symbols localize-hidden weaken", Effect::Pure),
    with_value("N", "strip-symbol", Effect::Pure),
    with_value("K", "keep-symbol", Effect::Pure),
    with_value("L", "localize-symbol", Effect::Pure),
    with_value("G", "keep-global-symbol", Effect::Pure),
    with_value("W", "weaken-symbol", Effect::Pure),
    with_value("", "strip-unneeded-symbol keep-section globalize-symbol remove-relocations", Effect::Pure),
    flag("w", "wildcard", Effect::Pure),
    flag("x", "discard-all", Effect::Pure),
    flag("X", "discard-locals", Effect::Pure),
    Opt { letters: "i", names: "interleave", value: Value::Optional, effect: Effect::Pure },
    with_value("b", "byte", Effect::Pure),
    with_value("", "interleave-width gap-fill pad-to set-start change-start adjust-start", Effect::Pure),
    with_value("", "change-addresses adjust-vma change-section-address adjust-section-vma", Effect::Pure),
    with_value("", "change-section-lma change-section-vma set-section-flags set-section-alignment", Effect::Pure),
    flag("", "change-warnings adjust-warnings no-change-warnings no-adjust-warnings", Effect::Pure),
    with_value("", "add-section update-section", Effect::ReadsSection),
    with_value("", "dump-section", Effect::WritesSection),
    with_value("", "rename-section long-section-names redefine-sym reverse-bytes srec-len", Effect::Pure),
    flag("", "change-leading-char remove-leading-char srec-forceS3", Effect::Pure),
    with_value("", "redefine-syms strip-symbols strip-unneeded-symbols keep-symbols localize-symbols", Effect::Reads),
    with_value("", "globalize-symbols keep-global-symbols weaken-symbols", Effect::Reads),
    with_value("", "add-symbol alt-machine-code elf-stt-common verilog-data-width", Effect::Pure),
    with_value("", "prefix-symbols prefix-sections prefix-alloc-sections", Effect::Pure),
    flag("", "writable-text readonly-text pure impure decompress-debug-sections no-merge-notes", Effect::Pure),
    Opt { letters: "", names: "compress-debug-sections", value: Value::Optional, effect: Effect::Pure },
    flag("M", "merge-notes", Effect::Pure),
    with_value("", "file-alignment heap image-base section-alignment stack subsystem", OTHER_SYSTEMS),
    flag("v", "verbose", Effect::Verbose),
    flag("Vh", "version help info", Effect::Probe),
];

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    let mut real_times = None;
    let mut verbose = false;
    let mut given = false;
    let mut is_srec = false;
    let mut dumped = Vec::new();
    let Words { options, operands: files } = parse(&call.args, TABLE)?;
    for (spelled, effect, value) in options {
        call.shape(&spelled);
        match effect {
            Effect::Pure => call.shape(&value),
            Effect::Reads => {
                call.reads(&value)?;
            }
            Effect::ReadsSection => {
                call.reads(section_file(&value)?)?;
            }
            Effect::WritesSection => dumped.push(section_file(&value)?.to_owned()),
            Effect::Target | Effect::InputTarget => {
                format::target(&value)?;
                given |= effect == Effect::InputTarget;
                is_srec |= value.as_bytes().ends_with(b"srec");
                call.shape(&value);
            }
            Effect::RealTimes(real) => real_times = Some(real),
            Effect::Verbose => verbose = true,
            Effect::KeepsDates => return Err(Reason::new(ReasonKind::Times, "objcopy -p")),
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
            Effect::Unmodelled(what) => return Err(Reason::new(ReasonKind::UnmodelledOption, what)),
        }
    }
    let (input, target): (&OsString, Option<&OsString>) = match files.as_slice() {
        [input] => (input, None),
        [input, target] => (input, Some(target).filter(|target| *target != input)),
        _ => return Err(Reason::new(ReasonKind::Usage, "objcopy takes one file or two")),
    };
    let is_archive = format::check(call, &call.path(input), real_times, given)?;
    if (verbose || is_srec) && (is_archive || target.is_none()) {
        let what = if verbose { "v" } else { "srec" };
        return Err(Reason::new(ReasonKind::UnmodelledOption, format!("{what}: names a temporary file")));
    }
    match target {
        None => call.modifies(input)?,
        Some(target) => {
            call.reads(input)?;
            call.replaces(target)?;
        }
    }
    for file in dumped {
        let output = output::by_stdio(&call.tag(), &call.path(&file), Holds::Text, call.world)?;
        call.writes(output)?;
    }
    Ok(())
}

/// The file in `NAME=FILE`.
fn section_file(value: &OsStr) -> Result<&OsStr, Reason> {
    let bytes = value.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(equals) => Ok(OsStr::from_bytes(&bytes[equals + 1..])),
        None => Err(Reason::new(ReasonKind::Usage, format!("{} names no file", value.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let known: Vec<&str> = TABLE.iter().flat_map(|opt| opt.names.split(' ')).collect();
        assert_eq!(crate::binutils::help::unknown_options("objcopy", &known), Vec::<String>::new());
    }
}
