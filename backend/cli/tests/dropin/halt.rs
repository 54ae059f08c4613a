//! A compiler that is halted in the middle of its work, so that the world can change under it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::Bench;

/// C++ that is compiled for some tenths of a second, and gives another object for each `value`.
pub fn slow(value: &str) -> String {
    format!(
        "\
constexpr long turn(long turns) {{ long sum = 0; for (long at = 0; at < turns; ++at) sum += at % 7; return sum; }}
constexpr long sum = turn(200000);
int slow() {{ return sum > 3 ? {value} : 0; }}
"
    )
}

/// What lets the compiler work so long.
pub const PATIENCE: [&str; 2] = ["-fconstexpr-loop-limit=2147483647", "-fconstexpr-ops-limit=999999999999"];

pub fn until<T>(what: &str, mut happens: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = happens() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::yield_now();
    }
}

/// The processes that have this argument, with their names.
pub fn processes_with(arg: &[u8]) -> Vec<(PathBuf, String)> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let named = processes.filter(|pid| {
        fs::read(pid.join("cmdline")).is_ok_and(|args| args.split(|byte| *byte == 0).any(|part| part == arg))
    });
    named
        .map(|pid| (fs::read_to_string(pid.join("comm")).unwrap_or_default().trim().to_owned(), pid))
        .map(|(name, pid)| (pid, name))
        .collect()
}

pub fn kill(process: &Path, signal: &str) {
    let pid = process.file_name().unwrap();
    // It may have ended meanwhile.
    Command::new("kill").arg(format!("-{signal}")).arg(pid).stderr(Stdio::null()).status().unwrap();
}

/// Waits for the compiler of this source, other than these, and halts it.
pub fn halted(source: &str, other: &[PathBuf], build: &mut Child) -> Option<PathBuf> {
    let compiler = until("the compiler", || {
        let found = processes_with(source.as_bytes())
            .into_iter()
            .find(|(pid, name)| name == "cc1plus" && !other.contains(pid))
            .map(|(pid, _)| pid);
        match (found, build.try_wait().unwrap()) {
            (None, None) => None,
            (found, _) => Some(found),
        }
    })?;
    kill(&compiler, "STOP");
    Some(compiler)
}

/// What the real compiler makes of what is there.
pub fn native_object(bench: &Bench, args: &[&str]) -> Vec<u8> {
    assert!(bench.command("cc").args(args).args(["-o", "native.o"]).status().unwrap().success());
    let object = fs::read(bench.file("native.o")).unwrap();
    fs::remove_file(bench.file("native.o")).unwrap();
    object
}

/// What gg makes of it, with no word.
pub fn gg_object(bench: &Bench, args: &[&str]) -> Vec<u8> {
    let output = bench.command(bench.at("bin/gg-cc")).args(args).args(["-o", "gg.o"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let object = fs::read(bench.file("gg.o")).unwrap();
    fs::remove_file(bench.file("gg.o")).unwrap();
    object
}
