//! The pages for users are whole.

use std::collections::BTreeSet;

use gg_models::ReasonKind;

const PAGE: &str = include_str!("../../../docs/commands/gg-cc.md");
const SESSION: &str = concat!(
    include_str!("../../session/src/session.rs"),
    include_str!("../../session/src/session/audited.rs"),
    include_str!("../../session/src/session/known.rs"),
    include_str!("../../session/src/session/lazy.rs")
);

/// The names in the first column of the table of reasons.
fn documented() -> BTreeSet<&'static str> {
    let (_, rest) = PAGE.split_once("## Why a call ran natively").expect("the section");
    let section = rest.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

/// The reasons that the session itself gives, as they stand in its source.
fn of_the_session() -> BTreeSet<&'static str> {
    let first_word = |rest: &'static str| rest.split('"').next().unwrap_or_default();
    let mut reasons: BTreeSet<&str> = SESSION.split("native(\"").skip(1).map(first_word).collect();
    reasons.extend(["session-error", gg_session::STORE_FULL, gg_session::LATE_FAILURE]);
    reasons
}

#[test]
fn every_reason_to_run_natively_is_explained_and_no_other() {
    let session = of_the_session();
    assert!(session.contains("model-disabled") && session.contains("tracer"), "{session:?}");
    assert!(SESSION.contains("\"session-error\""));
    let all: BTreeSet<&str> = ReasonKind::ALL.iter().map(|kind| kind.name()).chain(session).collect();
    assert_eq!(documented(), all);
}
