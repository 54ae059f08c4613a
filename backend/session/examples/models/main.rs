//! Measures what a session takes to make a thunk of a call: `models SHIM NOTHING EVERY [ROUNDS]` reads lines `DIRECTORY<tab>COMMAND`
//! (compilations, words as in the shell), describes all of them, and then each EVERYth twice more with a source that has changed
//! meanwhile: in its directives, so that nothing answers it but the model (what is known then is headers, plans, tools and
//! contents), and in its text only. Prints lines `name<tab>seconds of processor time<tab>inputs<tab>units`:
//!
//! - `new`, `edited`: from call to thunk; `same`: that of a call that is asked once more with nothing changed.
//! - `C models`, `C++ models`: of `new` the model alone, by the clock; `C scan`, `C++ scan`: of that the scan of the headers;
//!   `C -M`, `C++ -M`: the compiler that lists the headers of the same units.
//! - `shim`: the process of a shim itself, of a call that a session in the background answers from the memo; `nothing`: that of a
//!   program that does nothing, by which one machine's figures can be held beside another's.
//! - `all anew`: all calls, the first time.
//!
//! The sources are changed: lines are appended.

mod clock;

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gg_protocol::{Request, gg_dir};
use gg_session::Opening;
use gg_store::LocalStore;
use gg_thunk::{Node, TreeName};

use clock::{childrens_time, own_time};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Unit {
    request: Request,
    source: Option<PathBuf>,
}

/// The units of a language: seconds of the model and of its scan, and each one's inputs and request.
#[derive(Default)]
struct Listed<'a> {
    models: f64,
    scan: f64,
    inputs: Vec<usize>,
    units: Vec<&'a Request>,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let shim = PathBuf::from(args.next().ok_or("the shim?")?).canonicalize()?;
    let nothing = PathBuf::from(args.next().ok_or("a program that does nothing?")?).canonicalize()?;
    let every: usize = args.next().ok_or("every how-manieth?")?.parse()?;
    let rounds: usize = args.next().map_or(Ok(1), |rounds| rounds.parse())?;
    let units = units(&shim)?;
    let gg_dir = gg_dir(&std::env::current_dir()?, |name| std::env::var_os(name))?;
    let program = shim.with_file_name("gg");
    let session = Opening { gg_dir: gg_dir.clone(), program, jobs: Some(1), lazy: None, user_dir: None }.session()?;

    let begun = own_time()?;
    let mut thunks = 0;
    for unit in &units {
        thunks += usize::from(session.describe(&unit.request).is_ok());
    }
    println!("nothing\t{:.6}", process_time(&nothing)?);
    println!("shim\t{:.6}", process_time(&shim)?);
    println!("all anew\t{:.6}\t{thunks}", own_time()? - begun);

    let store = LocalStore::open(&gg_dir)?;
    let (mut new, mut edited) = (Vec::new(), Vec::new());
    // C, C++
    let mut listed: [Listed<'_>; 2] = Default::default();
    for (round, unit) in (0..rounds).flat_map(|round| units.iter().step_by(every).map(move |unit| (round, unit))) {
        let Some(source) = &unit.source else { continue };
        for (samples, line) in [(&mut new, format!("\n#define GG_ROUND_{round}\n")), (&mut edited, "\n".to_owned())] {
            OpenOptions::new().append(true).open(source)?.write_all(line.as_bytes())?;
            let scanned = session.scanned();
            let begun = own_time()?;
            let described = session.describe(&unit.request);
            let seconds = own_time()? - begun;
            let Ok(described) = described else { continue };
            let inputs = files(&store, &described.thunk.root)?;
            samples.push((inputs, seconds));
            if let Some(inferred) = described.inferred
                && round == 0
            {
                let language = &mut listed[usize::from(unit.request.argv[0].ends_with(b"++"))];
                language.models += inferred.as_secs_f64();
                language.scan += (session.scanned() - scanned).as_secs_f64();
                language.inputs.push(inputs);
                language.units.push(&unit.request);
            }
        }
    }
    let mut same = Vec::new();
    for unit in units.iter().step_by(every) {
        let begun = own_time()?;
        let described = session.describe(&unit.request);
        let seconds = own_time()? - begun;
        if let Ok(described) = described {
            same.push((files(&store, &described.thunk.root)?, seconds));
        }
    }
    for (name, mut language) in ["C", "C++"].into_iter().zip(listed).filter(|(_, language)| !language.inputs.is_empty())
    {
        language.inputs.sort_unstable();
        let (units, median) = (language.inputs.len(), language.inputs[language.inputs.len() / 2]);
        let compiler = language.units.iter().map(|request| listing_time(request)).sum::<Result<f64>>()?;
        for (who, seconds) in [("models", language.models), ("scan", language.scan), ("-M", compiler)] {
            println!("{name} {who}\t{:.6}\t{median}\t{units}", seconds / units as f64);
        }
    }
    for (name, samples) in [("same", same), ("new", new), ("edited", edited)] {
        print(name, &samples);
    }
    Ok(())
}

/// The means of the samples, by how many inputs they have.
fn print(name: &str, samples: &[(usize, f64)]) {
    for (from, to) in [(0, 200), (200, 300), (300, 500), (500, 1000), (1000, usize::MAX)] {
        let within: Vec<&(usize, f64)> = samples.iter().filter(|(inputs, _)| (from..to).contains(inputs)).collect();
        if within.is_empty() {
            continue;
        }
        let count = within.len() as f64;
        let seconds = within.iter().map(|(_, seconds)| seconds).sum::<f64>() / count;
        let inputs = within.iter().map(|(inputs, _)| *inputs as f64).sum::<f64>() / count;
        println!("{name}\t{seconds:.6}\t{inputs:.0}\t{}", within.len());
    }
}

fn units(shim: &Path) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (dir, command) = line.split_once('\t').ok_or("a directory and a command?")?;
        let dir = Path::new(dir).canonicalize()?;
        let words = shlex::split(command).ok_or("a command?")?;
        let argv: Vec<Vec<u8>> = words.into_iter().map(String::into_bytes).collect();
        let tool = argv.first().ok_or("a command?")?.clone();
        let mut request = Request::of_this_process(tool, argv, shim.as_os_str().to_owned())?;
        let stat = std::fs::metadata(&dir)?;
        request.cwd_id = (stat.dev(), stat.ino());
        request.cwd = dir.as_os_str().as_bytes().to_vec();
        let is_source = |word: &&Vec<u8>| [&b".c"[..], b".cc", b".cpp"].iter().any(|suffix| word.ends_with(suffix));
        let paths = request.argv.iter().skip(1).filter(is_source).map(|word| dir.join(OsStr::from_bytes(word)));
        let source = paths.rev().find(|path| path.is_file());
        units.push(Unit { request, source });
    }
    Ok(units)
}

/// Seconds of processor time in which the compiler lists the headers of a call's unit.
fn listing_time(request: &Request) -> Result<f64> {
    let mut words = request.argv.iter().map(|word| OsStr::from_bytes(word));
    let mut compiler = Command::new(words.next().ok_or("a command?")?);
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"-o" | b"-MF" | b"-MT" | b"-MQ" => drop(words.next()),
            b"-c" | b"-MD" | b"-MMD" | b"-MP" => {}
            _ => drop(compiler.arg(word)),
        }
    }
    let begun = childrens_time()?;
    compiler
        .arg("-M")
        .current_dir(OsStr::from_bytes(&request.cwd))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    Ok(childrens_time()? - begun)
}

/// How many files a tree holds.
fn files(store: &LocalStore, tree: &TreeName) -> Result<usize> {
    let mut count = 0;
    for (_, node) in store.get_tree(tree)?.ok_or("a tree is gone")?.iter() {
        count += match node {
            Node::File(_) => 1,
            Node::Symlink(_) => 0,
            Node::Dir(tree) => files(store, tree)?,
        };
    }
    Ok(count)
}

/// Seconds of processor time that a process takes which is called as a compiler would be; a shim answers from the memo.
fn process_time(program: &Path) -> Result<f64> {
    const CALLS: u32 = 500;
    let dir = std::env::temp_dir().join(format!("gg-models-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("a.c"), "int a;\n")?;
    let call = || -> Result<()> {
        let mut command = Command::new(program);
        command.args(["gcc", "-c", "a.c", "-o", "a.o"]).current_dir(&dir).stdin(Stdio::null());
        if command.status()?.success() { Ok(()) } else { Err(format!("{} fails", program.display()).into()) }
    };
    for _ in 0..3 {
        call()?;
    }
    let begun = childrens_time()?;
    for _ in 0..CALLS {
        call()?;
    }
    let seconds = (childrens_time()? - begun) / f64::from(CALLS);
    std::fs::remove_dir_all(&dir)?;
    Ok(seconds)
}
