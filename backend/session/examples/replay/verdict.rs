//! What a command's two runs come to. Knows how runs are compared, not how they are made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::command::{Command, Ended, Runner};
use crate::tree::{Left, Tree};

/// The outcome of one command.
#[derive(Serialize, Deserialize)]
pub struct Verdict {
    pub number: usize,
    pub project: String,
    pub phase: String,
    pub kind: String,
    /// `thunk`, `native`, `unreplayable` or `wrong`.
    pub verdict: String,
    /// The session's reason to run the real tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason's detail, or what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub native_us: u64,
    pub gg_us: u64,
    pub cwd: PathBuf,
    pub argv: Vec<String>,
}

/// What a run left and said.
struct Run {
    ended: Ended,
    left: BTreeMap<PathBuf, Left>,
}

/// Runs a command both ways; the tree is then as it was.
pub fn of(number: usize, command: &Command, tree: &mut Tree, runner: &mut Runner) -> Result<Verdict> {
    let mut verdict = Verdict {
        number,
        project: command.project.clone(),
        phase: command.phase.clone(),
        kind: command.kind().name().to_owned(),
        verdict: "unreplayable".to_owned(),
        reason: None,
        detail: None,
        native_us: 0,
        gg_us: 0,
        cwd: command.cwd.clone(),
        argv: command.argv.clone(),
    };
    if !command.cwd.is_dir() {
        verdict.detail = Some("its directory has vanished".to_owned());
        return Ok(verdict);
    }
    for dir in command.output_dirs() {
        tree.make_dir(&dir)?;
    }
    let (ended, us) = runner.native(command)?;
    let native = take(tree, ended)?;
    let (ended, gg_us, line) = runner.by_the_shim(command)?;
    let gg = take(tree, ended)?;
    (verdict.native_us, verdict.gg_us) = (us, gg_us);

    let mut differing = differences(&native, &gg, tree)?;
    if !differing.is_empty() {
        // Where two native runs differ, gg may, too.
        let again = runner.native(command)?.0;
        let again = take(tree, again)?;
        let unstable = differences(&native, &again, tree)?;
        differing.retain(|what| !unstable.contains(what));
    }
    let Some(line) = line else {
        wrong(&mut verdict, "no session was asked");
        return Ok(verdict);
    };
    verdict.reason = line.native.clone();
    verdict.detail = line.detail;
    let failed_alone = matches!(line.native.as_deref(), Some("thunk-failed" | "model-disabled" | "fails-as-before"))
        && native.ended.status == Some(0);
    if !differing.is_empty() {
        let differing: Vec<&str> = differing.iter().map(String::as_str).collect();
        wrong(&mut verdict, &differing.join(", "));
    } else if failed_alone {
        wrong(&mut verdict, "the thunk fails where the tool does not");
    } else if native.ended.status != Some(command.rc) {
        let status = native.ended.status.map_or("a signal".to_owned(), |status| status.to_string());
        verdict.detail = Some(format!("ends with {status}, recorded {}", command.rc));
    } else {
        verdict.verdict = if line.thunk { "thunk" } else { "native" }.to_owned();
    }
    Ok(verdict)
}

fn wrong(verdict: &mut Verdict, what: &str) {
    verdict.verdict = "wrong".to_owned();
    verdict.detail = Some(match verdict.detail.take() {
        Some(detail) => format!("{what} ({detail})"),
        None => what.to_owned(),
    });
}

/// What a run left; the tree is put back.
fn take(tree: &mut Tree, ended: Ended) -> Result<Run> {
    let changes = tree.changes()?;
    let left = tree.left(&changes)?;
    tree.restore(&changes)?;
    Ok(Run { ended, left })
}

/// In what two runs differ.
fn differences(one: &Run, other: &Run, tree: &Tree) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    if one.ended.status != other.ended.status {
        found.insert("status".to_owned());
    }
    for (name, a, b) in
        [("stdout", &one.ended.stdout, &other.ended.stdout), ("stderr", &one.ended.stderr, &other.ended.stderr)]
    {
        if a != b {
            found.insert(name.to_owned());
        }
    }
    let paths: BTreeSet<&PathBuf> = one.left.keys().chain(other.left.keys()).collect();
    for path in paths {
        let of = |run: &Run| -> Result<Left> {
            Ok(match run.left.get(path) {
                Some(left) => left.clone(),
                None => tree.before(path)?,
            })
        };
        if let Some(how) = differ(&of(one)?, &of(other)?) {
            found.insert(format!("{how} of {}", path.display()));
        }
    }
    Ok(found)
}

fn differ(one: &Left, other: &Left) -> Option<&'static str> {
    match (one, other) {
        (Left::File(bytes, mode, touched), Left::File(bytes_b, mode_b, touched_b)) => {
            if bytes != bytes_b {
                Some("bytes")
            } else if mode != mode_b {
                Some("mode")
            } else if touched != touched_b {
                Some("time")
            } else {
                None
            }
        }
        _ => (one != other).then_some("presence"),
    }
}
