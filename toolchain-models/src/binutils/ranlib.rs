//! The indexer of archives.
//!
//! Knows its command line only.

use crate::binutils::getopt::{Opt, Words, flag, parse, with_value};
use crate::binutils::library::Standing;
use crate::binutils::{Call, determinism};
use crate::verdict::{Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    RealTimes(bool),
    Plugin,
    Probe,
    Unmodelled(&'static str),
}

static TABLE: &[Opt<Effect>] = &[
    flag("D", "", Effect::RealTimes(false)),
    flag("U", "", Effect::RealTimes(true)),
    // Nothing is written where an index needs no time.
    flag("t", "", Effect::Unmodelled("t: sets a time")),
    flag("hHvV", "help version", Effect::Probe),
    with_value("", "plugin", Effect::Plugin),
    // It takes the archiver's long names too.
    with_value("", "output record-libdeps target", Effect::Unmodelled("of the archiver")),
    flag("", "thin", Effect::Unmodelled("of the archiver")),
];

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    let mut real_times = None;
    let Words { options, operands: archives } = parse(&call.args, TABLE)?;
    for (spelled, effect, value) in options {
        call.shape(&spelled);
        match effect {
            Effect::RealTimes(real) => real_times = Some(real),
            Effect::Plugin => call.loads(&value)?,
            Effect::Probe => return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy())),
            Effect::Unmodelled(what) => return Err(Reason::new(ReasonKind::UnmodelledOption, what)),
        }
    }
    let real_times = match real_times {
        Some(real) => real,
        None => !determinism::by_default(&call.req.exe, call.world)?,
    };
    if real_times {
        return Err(Reason::new(ReasonKind::Times, "ranlib U"));
    }
    for archive in &archives {
        let path = call.path(archive);
        if let Standing::Thin(bytes) = call.standing(&path)? {
            call.reads_members(&path, &bytes)?;
        }
        call.modifies(archive)?;
    }
    call.loads_plugins()
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn help_has_no_option_that_the_table_lacks() {
        let known: Vec<&str> = TABLE.iter().flat_map(|opt| opt.names.split(' ')).collect();
        assert_eq!(crate::binutils::help::unknown_options("ranlib", &known), Vec::<String>::new());
    }
}
