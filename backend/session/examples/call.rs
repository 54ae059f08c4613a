//! Measures what a call costs and where: `call SHIM ROUNDS ARGUMENT…` calls a tool by its shim, over and over, its result
//! remembered, and prints the medians of the parts, as `name TAB seconds`.
//!
//! The whole is a process of the shim from its start to its end. The start of a shim is one that prints its help. The round
//! trip is a call made from here, without the time that the session says it took; the parts of that are in its log.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use gg_protocol::{Client, Reply, Request, gg_dir, socket_path};
use serde::Deserialize;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A line of the session's log.
#[derive(Deserialize)]
struct Line {
    wall_us: u64,
    #[serde(default)]
    memo: bool,
    #[serde(default)]
    known_us: u64,
    #[serde(default)]
    memo_us: u64,
    #[serde(default)]
    placed_us: u64,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let shim = PathBuf::from(args.next().ok_or("the shim?")?);
    let rounds: usize = args.next().ok_or("how often?")?.parse()?;
    let args: Vec<String> = args.collect();
    let log = std::env::temp_dir().join(format!("gg-call-{}", std::process::id()));
    let measured = measure(&shim, rounds, &args, &log);
    // There may be none.
    let _ = std::fs::remove_file(&log);
    for (name, mut times) in measured? {
        times.sort_unstable_by(f64::total_cmp);
        println!("{name}\t{:.6}", times[times.len() / 2]);
    }
    Ok(())
}

fn measure(shim: &Path, rounds: usize, args: &[String], log: &Path) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let called = |args: &[String]| -> Result<f64> {
        let mut command = Command::new(shim);
        command.args(args).env("GG_LOG", log).stdin(Stdio::null()).stdout(Stdio::null());
        let begun = Instant::now();
        let status = command.status()?;
        let seconds = begun.elapsed().as_secs_f64();
        if status.success() { Ok(seconds) } else { Err(format!("{} ended with {status}", shim.display()).into()) }
    };
    let request = request(shim, args, log)?;
    let socket = socket_path(&gg_dir(&std::env::current_dir()?, |name| std::env::var_os(name))?);
    let started = shim.with_file_name("gg-shim");
    // The first starts the session and runs the tool.
    for _ in 0..3 {
        called(args)?;
        Client::connect(&socket)?.call(&request)?;
    }
    let (mut whole, mut start, mut trip) = (Vec::new(), Vec::new(), Vec::new());
    let [mut known, mut memo, mut placed] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        whole.push(called(args)?);
        let mut help = Command::new(&started);
        let begun = Instant::now();
        help.arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        start.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let reply = Client::connect(&socket).and_then(|mut client| client.call(&request));
        let seconds = begun.elapsed().as_secs_f64();
        if !matches!(reply?, Reply::Done { status: 0, .. }) {
            return Err("the session does not answer the call".into());
        }
        let line = last(log)?;
        if !line.memo {
            return Err("the call is not answered from the memo".into());
        }
        let us = |us: u64| us as f64 / 1e6;
        trip.push((seconds - us(line.wall_us)).max(0.0));
        known.push(us(line.known_us));
        memo.push(us(line.memo_us - line.known_us));
        placed.push(us(line.placed_us - line.memo_us));
    }
    Ok(vec![
        ("whole", whole),
        ("start and end of a shim", start),
        ("protocol and log", trip),
        ("look-ups", known),
        ("memo", memo),
        ("outputs placed", placed),
    ])
}

/// The request that the shim would send.
fn request(shim: &Path, args: &[String], log: &Path) -> Result<Request> {
    let name = shim.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let tool = name.strip_prefix("gg-").unwrap_or(name).as_bytes().to_vec();
    let argv = std::iter::once(tool.clone()).chain(args.iter().map(|arg| arg.clone().into_bytes())).collect();
    let mut request = Request::of_this_process(tool, argv, shim.canonicalize()?.into_os_string())?;
    request.env.push((b"GG_LOG".to_vec(), log.as_os_str().as_encoded_bytes().to_vec()));
    request.fds[1] = request.fds[0];
    Ok(request)
}

fn last(log: &Path) -> Result<Line> {
    let text = std::fs::read_to_string(log)?;
    Ok(serde_json::from_str(text.lines().last().ok_or("the session has no log")?)?)
}
