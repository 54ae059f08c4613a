//! Measures inference by itself: `infer N COMMAND…` asks the models N times about one command, each time as a new
//! request, and prints the mean of the processor time and of the wall time, the look-ups, and the runs of tools; and beside
//! it what the compiler takes to list the headers (`-M`), if the command is a compilation.

#[path = "../tests/support/live.rs"]
mod live;

use std::time::Instant;

use gg_models::Verdict;
use live::Bench;

fn main() {
    let mut args = std::env::args().skip(1);
    let rounds: u32 = args.next().and_then(|count| count.parse().ok()).expect("a count");
    let command = shlex::try_join(args.collect::<Vec<_>>().iter().map(String::as_str)).expect("a command");
    let mut bench = Bench::new(&[]);
    bench.cwd = std::env::current_dir().expect("a working directory");
    for round in [1, 1, rounds] {
        bench.world.looked_up.borrow_mut().clear();
        let runs = bench.world.runs.borrow().len();
        let begin = (Instant::now(), ticks());
        let (mut inputs, mut unsure) = (0, Vec::new());
        for _ in 0..round {
            match bench.infer(&command) {
                Verdict::Thunk(inference) => (inputs, unsure) = (inference.inputs.len(), inference.unsure),
                Verdict::RunReal(reason) => panic!("{reason}"),
            }
        }
        let (wall, cpu) = (begin.0.elapsed() / round, (ticks() - begin.1) * 1e4 / f64::from(round));
        let (looked_up, runs) = (bench.world.looked_up.borrow().len(), bench.world.runs.borrow().len() - runs);
        println!("{round} rounds: {wall:?} wall, {cpu:.0} us cpu, {inputs} inputs, {looked_up} look-ups, {runs} runs");
        if !unsure.is_empty() {
            println!("no exact list: {}", unsure.join(", "));
        }
    }
    let listing = bench.request(&format!("{command} -M -MF /dev/null -o /dev/null"));
    let begin = (Instant::now(), children());
    let listed = (0..LISTINGS).all(|_| {
        let mut compiler = std::process::Command::new(&listing.exe);
        let output = compiler.args(listing.args()).current_dir(&bench.cwd).output().expect("run the compiler");
        output.status.success()
    });
    if listed {
        let (wall, cpu) = (begin.0.elapsed() / LISTINGS, (children() - begin.1) * 1e4 / f64::from(LISTINGS));
        println!("the compiler's -M, {LISTINGS} rounds: {wall:?} wall, {cpu:.0} us cpu");
    }
}

/// How often the compiler lists headers.
const LISTINGS: u32 = 20;

/// Processor time of this process so far, in hundredths of a second.
fn ticks() -> f64 {
    times([11, 12])
}

/// That of the processes that it has waited for.
fn children() -> f64 {
    times([13, 14])
}

fn times(fields_of: [usize; 2]) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the process's state");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields_of.iter().filter_map(|index| fields.get(*index)?.parse::<f64>().ok()).sum()
}
