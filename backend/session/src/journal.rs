//! One line a call, appended to `GG_DIR/log/calls.jsonl`, and the sums of those lines that `gg stats` shows.
//!
//! A line that cannot be written is no reason to fail a call; it is then missing from the sums.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One call, or a miss that showed after it.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    /// The session's identity: its start in microseconds since 1970 and its process.
    pub session: String,
    /// The tool's name; empty for a line that only reports a miss.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tool: String,
    /// Microseconds since 1970 at which the request had been read.
    pub at_us: u64,
    /// From request to reply.
    pub wall_us: u64,
    /// What the steps used, where they were executed.
    #[serde(skip_serializing_if = "zero")]
    pub cpu_us: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub thunk: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub memo: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub audited: bool,
    /// The engine that executed the thunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Why the real tool ran natively.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// What exactly: an option, a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the model had missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miss: Option<String>,
}

fn zero(number: &u64) -> bool {
    *number == 0
}

/// What became of the calls, summed.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stats {
    /// Calls that reached a session.
    pub commands: u64,
    /// Those that became thunks.
    pub thunks: u64,
    /// Thunks whose result was in the memo.
    pub memo_hits: u64,
    /// Calls answered before the work was done.
    pub lazy: u64,
    /// Thunks held against a traced native run.
    pub audited: u64,
    /// Thunks executed, by engine.
    pub executed: BTreeMap<String, u64>,
    /// Calls that ran natively, by reason.
    pub native: BTreeMap<String, u64>,
    /// What models had missed.
    pub model_misses: Vec<String>,
    /// Seconds from requests to replies, summed over calls.
    pub wall_s: f64,
    /// Seconds of processor time that executed thunks used.
    pub cpu_s: f64,
}

/// The log of calls in one `GG_DIR`.
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The journal of this `GG_DIR`; nothing is made until a line is written.
    pub fn open(gg_dir: &Path) -> Journal {
        Journal { path: gg_dir.join("log").join("calls.jsonl") }
    }

    pub(crate) fn write(&self, line: &Line) {
        let append = || -> io::Result<()> {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            let open = || OpenOptions::new().append(true).create(true).open(&self.path);
            let mut file: File = open().or_else(|_| {
                std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("/")))?;
                open()
            })?;
            file.write_all(&text)
        };
        // See the module's first lines.
        let _ = append();
    }

    /// The sums: of all sessions since the last [`Journal::reset`], or of the last session only.
    pub fn stats(&self, last: bool) -> io::Result<Stats> {
        let mut stats = Stats::default();
        let mut session = String::new();
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(stats),
            Err(e) => return Err(e),
        };
        for text in BufReader::new(file).split(b'\n') {
            // A torn line is one that a killed session was writing.
            let Ok(line) = serde_json::from_slice::<Line>(&text?) else { continue };
            if last && line.session > session {
                session.clone_from(&line.session);
                stats = Stats::default();
            }
            if !last || line.session == session {
                stats.add(line);
            }
        }
        Ok(stats)
    }

    /// Forgets all lines.
    pub fn reset(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

impl Stats {
    pub(crate) fn add(&mut self, line: Line) {
        self.commands += u64::from(!line.tool.is_empty());
        self.thunks += u64::from(line.thunk);
        self.memo_hits += u64::from(line.memo);
        self.audited += u64::from(line.audited);
        if let Some(engine) = line.engine {
            *self.executed.entry(engine).or_default() += 1;
        }
        if let Some(reason) = line.native {
            *self.native.entry(reason).or_default() += 1;
        }
        self.model_misses.extend(line.miss);
        self.wall_s += line.wall_us as f64 / 1e6;
        self.cpu_s += line.cpu_us as f64 / 1e6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_summed_by_session() {
        let dir = std::env::temp_dir().join(format!("gg-journal-{}", std::process::id()));
        let journal = Journal::open(&dir);
        assert_eq!(journal.stats(false).unwrap(), Stats::default());
        let line = Line { session: "1".into(), tool: "gcc".into(), thunk: true, ..Line::default() };
        journal.write(&Line { engine: Some("local".into()), cpu_us: 500_000, ..line.clone() });
        journal.write(&Line { session: "2".into(), memo: true, ..line.clone() });
        journal.write(&Line { session: "2".into(), thunk: false, native: Some("stdin".into()), ..line });
        journal.write(&Line { session: "2".into(), miss: Some("a.h".into()), ..Line::default() });
        let all = journal.stats(false).unwrap();
        assert_eq!((all.commands, all.thunks, all.memo_hits, all.executed["local"]), (3, 2, 1, 1));
        assert_eq!((all.native["stdin"], all.model_misses.clone(), all.cpu_s), (1, vec!["a.h".to_owned()], 0.5));
        assert_eq!(journal.stats(true).unwrap().commands, 2);
        journal.reset().unwrap();
        assert_eq!(journal.stats(false).unwrap(), Stats::default());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
