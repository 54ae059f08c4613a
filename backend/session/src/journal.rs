//! One line a call, appended to `GG_DIR/log/calls.jsonl`, and the sums of those lines that `gg stats` shows. A call's
//! `GG_LOG` says whether there is a line, how much it tells, and in which other file it stands too.
//!
//! A line that cannot be written is no reason to fail a call; it is then missing from the sums.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_protocol::Request;
use serde::{Deserialize, Serialize};

use crate::sys::append_line;

/// One call, or what showed after it: a miss, a thunk that was forced.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    /// The session's identity: its start in microseconds since 1970 and its process.
    pub session: String,
    /// The tool's name; empty for a line that is no call.
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
    /// Answered before the work was done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lazy: bool,
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
    /// Why what was kept of the call did not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anew: Option<String>,
    /// Parts of the time: until the thunk was known, until the memo had answered, until the outputs were placed.
    #[serde(skip_serializing_if = "zero")]
    pub known_us: u64,
    #[serde(skip_serializing_if = "zero")]
    pub memo_us: u64,
    #[serde(skip_serializing_if = "zero")]
    pub placed_us: u64,
    /// What the model had missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miss: Option<String>,
}

/// What `GG_LOG` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Log<'a> {
    /// No line.
    Off,
    /// A line that tells what became of the call.
    Info,
    /// One that also tells why.
    Debug,
    /// The same, in this file too.
    File(&'a Path),
}

impl<'a> Log<'a> {
    /// `off`, `info`, `debug` or an absolute path; `None` if it is none of these.
    pub fn parse(text: &'a [u8]) -> Option<Log<'a>> {
        match text {
            b"" | b"info" => Some(Log::Info),
            b"off" => Some(Log::Off),
            b"debug" => Some(Log::Debug),
            path => Some(Log::File(Path::new(OsStr::from_bytes(path)))).filter(|_| path.starts_with(b"/")),
        }
    }

    pub(crate) fn of(request: &'a Request) -> Log<'a> {
        request.var(b"GG_LOG").and_then(Log::parse).unwrap_or(Log::Info)
    }
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

/// What native calls were about.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Details {
    counts: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Details {
    fn add(&mut self, line: Line) {
        if let (Some(reason), Some(detail)) = (line.native, line.detail) {
            *self.counts.entry(reason).or_default().entry(detail).or_default() += 1;
        }
    }

    /// The details of a reason with their counts, the most frequent first, equals by their bytes.
    pub fn of(&self, reason: &str) -> Vec<(&str, u64)> {
        let counts = self.counts.get(reason).into_iter().flatten();
        let mut all: Vec<(&str, u64)> = counts.map(|(detail, count)| (detail.as_str(), *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
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

    pub(crate) fn write_call(&self, mut line: Line, log: Log<'_>) {
        match log {
            Log::Off => return,
            Log::Info => line = Line { anew: None, known_us: 0, memo_us: 0, placed_us: 0, ..line },
            Log::Debug => {}
            Log::File(path) => append(path, &line),
        }
        self.write(&line);
    }

    pub(crate) fn write(&self, line: &Line) {
        append(&self.path, line);
    }

    /// The sums: of all sessions since the last [`Journal::reset`], or of the last session only.
    pub fn stats(&self, last: bool) -> io::Result<Stats> {
        let mut stats = self.sum(last, Stats::add)?;
        for seconds in [&mut stats.wall_s, &mut stats.cpu_s] {
            // The lines have microseconds.
            *seconds = (*seconds * 1e6).round() / 1e6;
        }
        Ok(stats)
    }

    /// What the native calls among the same lines were about.
    pub fn details(&self, last: bool) -> io::Result<Details> {
        self.sum(last, Details::add)
    }

    fn sum<T: Default>(&self, last: bool, add: impl Fn(&mut T, Line)) -> io::Result<T> {
        let mut sum = T::default();
        let mut session = String::new();
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(sum),
            Err(e) => return Err(e),
        };
        for text in BufReader::new(file).split(b'\n') {
            // A torn line is one that a killed session was writing.
            let Ok(line) = serde_json::from_slice::<Line>(&text?) else { continue };
            if last && line.session > session {
                session.clone_from(&line.session);
                sum = T::default();
            }
            if !last || line.session == session {
                add(&mut sum, line);
            }
        }
        Ok(sum)
    }

    /// Forgets all lines.
    pub fn reset(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

fn append(path: &Path, line: &Line) {
    let append = || -> io::Result<()> {
        let text = serde_json::to_vec(line)?;
        append_line(path, &text).or_else(|_| {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            append_line(path, &text)
        })
    };
    // See the module's first lines.
    let _ = append();
}

impl Stats {
    pub(crate) fn add(&mut self, line: Line) {
        self.commands += u64::from(!line.tool.is_empty());
        self.thunks += u64::from(line.thunk);
        self.memo_hits += u64::from(line.memo);
        self.lazy += u64::from(line.lazy);
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
        let native = Line { session: "2".into(), thunk: false, native: Some("stdin".into()), ..line };
        journal.write(&native);
        for detail in ["-", "b", "a", "a"] {
            journal.write(&Line { native: Some("input".into()), detail: Some(detail.into()), ..native.clone() });
        }
        journal.write(&Line { session: "2".into(), miss: Some("a.h".into()), ..Line::default() });
        let all = journal.stats(false).unwrap();
        assert_eq!((all.commands, all.thunks, all.memo_hits, all.executed["local"]), (7, 2, 1, 1));
        assert_eq!((all.native["stdin"], all.model_misses.clone(), all.cpu_s), (1, vec!["a.h".to_owned()], 0.5));
        assert_eq!(journal.stats(true).unwrap().commands, 6);
        // a full disk, or a kill
        let mut torn = std::fs::read(&journal.path).unwrap();
        torn.extend(b"{\"session\":\"2\",\"to");
        std::fs::write(&journal.path, torn).unwrap();
        journal.write(&Line { session: "2".into(), tool: "ld".into(), ..Line::default() });
        assert_eq!(journal.stats(true).unwrap().commands, 7, "the next line stands by itself");
        let details = journal.details(false).unwrap();
        assert_eq!(details.of("input"), [("a", 2), ("-", 1), ("b", 1)]);
        assert_eq!(details.of("stdin"), []);
        journal.reset().unwrap();
        assert_eq!(journal.stats(false).unwrap(), Stats::default());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn seconds_have_six_places() {
        let dir = std::env::temp_dir().join(format!("gg-journal-places-{}", std::process::id()));
        let journal = Journal::open(&dir);
        for us in [100_000, 200_000] {
            journal.write(&Line { session: "1".into(), wall_us: us, cpu_us: us, ..Line::default() });
        }
        let stats = journal.stats(false).unwrap();
        assert_eq!((stats.wall_s, stats.cpu_s), (0.3, 0.3), "not 0.30000000000000004");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn gg_log_says_which_lines_there_are() {
        assert_eq!(Log::parse(b""), Some(Log::Info));
        assert_eq!(Log::parse(b"off"), Some(Log::Off));
        assert_eq!(Log::parse(b"/a/file"), Some(Log::File(Path::new("/a/file"))));
        assert_eq!([Log::parse(b"a/file"), Log::parse(b"verbose")], [None, None]);

        let dir = std::env::temp_dir().join(format!("gg-journal-log-{}", std::process::id()));
        let journal = Journal::open(&dir);
        let other = dir.join("other/file");
        let line = |tool: &str| Line { tool: tool.into(), anew: Some("why".into()), ..Line::default() };
        let lines = |path: &Path| -> Vec<(String, Option<String>)> {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
            lines.map(|line| (line.tool, line.anew)).collect()
        };
        let why = || Some("why".to_owned());
        for (tool, log) in [("o", Log::Off), ("i", Log::Info), ("d", Log::Debug), ("f", Log::File(&other))] {
            journal.write_call(line(tool), log);
        }
        assert_eq!(lines(&journal.path), [("i".into(), None), ("d".into(), why()), ("f".into(), why())]);
        assert_eq!(lines(&other), [("f".into(), why())]);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
