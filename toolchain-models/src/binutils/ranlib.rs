//! The indexer of archives.
//!
//! Knows its command line only.

use crate::binutils::getopt::{Opt, Value, Word, parse};
use crate::binutils::{Call, determinism};
use crate::verdict::{Reason, ReasonKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    NoTimes,
    RealTimes,
    Probe,
    Unmodelled(&'static str),
}

static TABLE: &[Opt<Effect>] = &[
    Opt { letters: "D", names: "", value: Value::None, effect: Effect::NoTimes },
    Opt { letters: "U", names: "", value: Value::None, effect: Effect::RealTimes },
    Opt { letters: "t", names: "", value: Value::None, effect: Effect::Unmodelled("t: sets a time") },
    Opt { letters: "hHvV", names: "help version", value: Value::None, effect: Effect::Probe },
    Opt { letters: "", names: "plugin", value: Value::Required, effect: Effect::Unmodelled("a plugin") },
];

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    let mut real_times = None;
    let mut archives = Vec::new();
    for word in parse(&call.args, TABLE)? {
        match word {
            Word::Operand(archive) => archives.push(archive),
            Word::Option(_, Effect::NoTimes, _) => real_times = Some(false),
            Word::Option(_, Effect::RealTimes, _) => real_times = Some(true),
            Word::Option(spelled, Effect::Probe, _) => {
                return Err(Reason::new(ReasonKind::ProbeVersion, spelled.to_string_lossy()));
            }
            Word::Option(_, Effect::Unmodelled(what), _) => {
                return Err(Reason::new(ReasonKind::UnmodelledOption, what));
            }
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
        call.modifies(archive)?;
        determinism::archive(&call.path(archive), call.world)?;
    }
    call.loads_plugins()
}
