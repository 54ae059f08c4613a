//! The architecture's rule of who may use whom, held against what cargo says of the workspace.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each crate of the workspace and the crates of the workspace that it may use directly. The same table stands in
/// `docs/architecture.md`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("gg-thunk", &[]),
    ("gg-store", &["gg-thunk"]),
    ("gg-exec", &["gg-thunk", "gg-store"]),
    ("gg-force", &["gg-thunk", "gg-store", "gg-exec"]),
    ("gg-models", &["gg-thunk"]),
    ("gg-protocol", &[]),
    ("gg-session", &["gg-protocol", "gg-models", "gg-thunk", "gg-store", "gg-force"]),
    ("gg", &["gg-thunk", "gg-store", "gg-exec", "gg-force", "gg-models", "gg-protocol", "gg-session"]),
    ("gg-make", &["gg-session"]),
    ("gg-shims", &["gg-protocol"]),
    (TESTKIT, &[]),
];

const TESTKIT: &str = "gg-testkit";

/// What a shim must never link: it has to start in half a millisecond.
const TOO_HEAVY_FOR_SHIMS: &[&str] = &["tokio", "async-std", "smol", "clap", "regex", "serde", "serde_json"];

struct Dependency {
    name: String,
    dev: bool,
}

fn workspace() -> BTreeMap<String, Vec<Dependency>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let dependencies = dependencies
                .iter()
                .map(|dependency| Dependency { name: text(&dependency["name"]), dev: dependency["kind"] == "dev" })
                .collect();
            (text(&package["name"]), dependencies)
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn violations(workspace: &BTreeMap<String, Vec<Dependency>>) -> Vec<String> {
    let rule: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut found = Vec::new();
    for (name, dependencies) in workspace {
        let Some(may_use) = rule.get(name.as_str()) else {
            found.push(format!("{name} has no row in the table"));
            continue;
        };
        for dependency in dependencies {
            let used = dependency.name.as_str();
            let allowed = match used {
                _ if !workspace.contains_key(used) => !(name.starts_with("gg") && used.starts_with("aws-")),
                TESTKIT => dependency.dev,
                _ => may_use.contains(&used),
            };
            if !allowed {
                found.push(format!("{name} must not use {used}{}", if dependency.dev { " (in tests)" } else { "" }));
            }
        }
    }
    found
}

#[test]
fn crates_use_only_what_the_architecture_lets_them() {
    assert_eq!(violations(&workspace()), Vec::<String>::new());
}

#[test]
fn the_table_names_the_crates_of_the_workspace() {
    let workspace = workspace();
    let members: BTreeSet<&str> = workspace.keys().map(String::as_str).collect();
    let rows: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, members);
}

#[test]
fn the_newcomers_page_shows_the_same_table() {
    let page = include_str!("../../docs/architecture.md");
    for (name, may_use) in MAY_USE {
        let row = page
            .lines()
            .find(|line| line.starts_with("| `") && line.contains(&format!("| {name} |")))
            .unwrap_or_else(|| panic!("docs/architecture.md has no row for {name}"));
        let shown = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default().trim();
        let mut shown: Vec<&str> = shown.split(", ").filter(|used| *used != "–").collect();
        let mut wanted = may_use.to_vec();
        shown.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(shown, wanted, "the row of {name}");
    }
}

#[test]
fn shims_stay_light() {
    let workspace = workspace();
    for name in ["gg-shims", "gg-protocol"] {
        let heavy: Vec<&str> = workspace[name]
            .iter()
            .filter(|dependency| !dependency.dev)
            .map(|dependency| dependency.name.as_str())
            .filter(|used| TOO_HEAVY_FOR_SHIMS.contains(used))
            .collect();
        assert_eq!(heavy, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_forbidden_use_is_found() {
    let use_of = |name: &str, dev| Dependency { name: name.to_owned(), dev };
    let workspace = BTreeMap::from([
        ("gg-thunk".to_owned(), vec![use_of("gg-store", false), use_of("sha2", false)]),
        ("gg-store".to_owned(), vec![use_of("gg-thunk", false), use_of(TESTKIT, true), use_of("aws-sdk-s3", false)]),
        ("gg-shims".to_owned(), vec![use_of(TESTKIT, false)]),
        ("gg-new".to_owned(), vec![]),
        (TESTKIT.to_owned(), vec![]),
    ]);
    assert_eq!(
        violations(&workspace),
        [
            "gg-new has no row in the table",
            "gg-shims must not use gg-testkit",
            "gg-store must not use aws-sdk-s3",
            "gg-thunk must not use gg-store",
        ]
    );
}
