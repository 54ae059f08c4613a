//! The packer of split debug information.
//!
//! Knows its command line only: files that a program's own debug information names are left to the tool.

use std::os::unix::ffi::OsStrExt;

use crate::binutils::getopt::{Opt, Words, flag, parse, with_value};
use crate::binutils::{Call, output};
use crate::verdict::{Holds, Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Pure,
    Output,
    /// A program, of which the names of files are read.
    Program,
    Verify,
    Probe,
}

static TABLE: &[Opt<Effect>] = &[
    with_value("o", "output", Effect::Output),
    with_value("e", "exec", Effect::Program),
    flag("v", "verbose", Effect::Pure),
    flag("", "verify-only", Effect::Verify),
    flag("hV", "help version", Effect::Probe),
];

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    if let Some(arg) = call.req.args().iter().find(|arg| arg.as_bytes().starts_with(b"@")) {
        // To this tool it is a file's name.
        return Err(Reason::new(ReasonKind::UnmodelledOption, arg.to_string_lossy()));
    }
    let mut target = None;
    let Words { options, operands: files } = parse(&call.args, TABLE)?;
    for (spelled, effect, value) in options {
        call.shape(&spelled);
        match effect {
            Effect::Pure => {}
            Effect::Output => target = Some(value),
            Effect::Program => {
                return Err(Reason::new(ReasonKind::Footprint, "dwp -e: a program names the files"));
            }
            Effect::Verify => return Err(Reason::new(ReasonKind::ReadsOnly, "dwp --verify-only")),
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
        }
    }
    let Some(target) = target.filter(|_| !files.is_empty()) else {
        return Err(Reason::new(ReasonKind::Usage, "dwp without files or an output"));
    };
    for file in &files {
        call.reads(file)?;
    }
    let output = output::by_stdio("out", &call.path(&target), Holds::Binary, call.world)?;
    call.writes(output)
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let known: Vec<&str> = TABLE.iter().flat_map(|opt| opt.names.split(' ')).collect();
        assert_eq!(crate::binutils::help::unknown_options("dwp", &known), Vec::<String>::new());
    }
}
