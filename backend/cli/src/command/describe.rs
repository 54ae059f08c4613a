//! `gg describe`: a thunk, for people or for programs, and how the model of a command came to it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use gg_protocol::real_tool::{DEFAULT_PATH, Finder};
use gg_session::{Explained, Issued, LookedUp};
use gg_store::LocalStore;
use gg_thunk::{Node, OutputName, Thunk, ThunkName, TreeName, Writes};
use serde_json::{Value, json};

use super::force::placeholder;
use crate::args::Describe;
use crate::workplace::Workplace;

pub(crate) fn run(args: &Describe) -> Result<()> {
    let place = Workplace::here()?;
    let what = what(args)?;
    let store = place.store()?;
    let mut why = Why::default();
    let (name, thunk) = match what {
        What::Command(command) => {
            let request = super::audit::request(command)?;
            let session = place.session(None)?;
            let described = session.describe(&request);
            let described = described.map_err(|reason| anyhow!("the real tool would run natively: {reason}"))?;
            why = Why::of(session.explain(&request));
            (described.name, described.thunk)
        }
        What::Thunk(name) => {
            let thunk = store.get_thunk(&name)?.with_context(|| format!("{name} is not in this GG_DIR"))?;
            (name, thunk)
        }
        What::File(file) => {
            let object = placeholder(file, &Issued::open(&place.gg_dir));
            let hint = "the thunk of a command is told by: gg describe -- COMMAND...";
            let name = object.map_err(|e| anyhow!("{}; {hint}", crate::said(&e)))?.thunk;
            let thunk = store.get_thunk(&name)?.with_context(|| format!("{name} is not in this GG_DIR"))?;
            (name, thunk)
        }
    };
    let inputs = inputs(&store, &thunk.root)?;
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", as_json(&name, &thunk, &inputs, &why))?,
        false => print(&mut out, &name, &thunk, &inputs, &why)?,
    }
    Ok(())
}

/// How a command's model came to its files; nothing of a thunk whose command is not known.
#[derive(Default)]
struct Why {
    /// By device and inode: the root spells paths in its own way.
    found: HashMap<(u64, u64), LookedUp>,
    unsure: Vec<&'static str>,
}

impl Why {
    fn of(explained: Explained) -> Why {
        let mut found = HashMap::new();
        for looked_up in explained.found {
            found.entry(looked_up.identity).or_insert(looked_up);
        }
        Why { found, unsure: explained.unsure }
    }

    fn get(&self, path: &Path) -> Option<&LookedUp> {
        if self.found.is_empty() {
            return None;
        }
        let meta = path.metadata().ok()?;
        self.found.get(&(meta.dev(), meta.ino()))
    }
}

/// What is to be described.
enum What<'a> {
    Thunk(ThunkName),
    File(&'a Path),
    Command(&'a [OsString]),
}

/// A command needs its `--` only where it could be a file or a name.
fn what(args: &Describe) -> Result<What<'_>> {
    let Some((first, rest)) = args.target.split_first() else { return Ok(What::Command(&args.command)) };
    let file = Path::new(first);
    let what = match name(first) {
        Some(name) => What::Thunk(name),
        None if file.exists() => What::File(file),
        None if on_path(first)? => return Ok(What::Command(&args.target)),
        None => bail!("{}: no such file, and no such command on PATH", file.display()),
    };
    if let Some(more) = rest.first() {
        let (first, more) = (file.display(), more.display());
        bail!("{first} is described alone, without {more}; if it is a command: gg describe -- {first} {more} ...");
    }
    Ok(what)
}

fn on_path(command: &OsStr) -> Result<bool> {
    let cwd = std::env::current_dir().context("the current directory")?;
    let path = std::env::var_os("PATH");
    let path = path.as_ref().map_or(DEFAULT_PATH, |path| path.as_bytes());
    let bytes = command.as_bytes();
    let tool = bytes.strip_prefix(b"gg-").unwrap_or(bytes);
    Ok(Finder::new(&cwd, None).find(tool, path).is_some())
}

/// The thunk that is named, by itself or by an output of it.
fn name(text: &OsStr) -> Option<ThunkName> {
    let text = text.to_str().filter(|text| text.starts_with('T'))?;
    text.parse::<OutputName>().map(|object| object.thunk).ok().or_else(|| text.parse().ok())
}

/// The tree flattened, sorted by path; a directory only where it is empty.
fn inputs(store: &LocalStore, root: &TreeName) -> Result<Vec<(PathBuf, Option<Node>)>> {
    let mut all = Vec::new();
    let mut todo = vec![(PathBuf::from("/"), *root)];
    while let Some((at, name)) = todo.pop() {
        let tree = store.get_tree(&name)?.with_context(|| format!("{name} of {} is gone", at.display()))?;
        if tree.is_empty() {
            all.push((at.clone(), None));
        }
        for (entry, node) in tree.iter() {
            let path = at.join(OsStr::from_bytes(entry));
            match node {
                Node::Dir(inner) => todo.push((path, *inner)),
                leaf => all.push((path, Some(leaf.clone()))),
            }
        }
    }
    all.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
    Ok(all)
}

/// As in the encoding of thunks: text where it is UTF-8.
fn text(bytes: &[u8]) -> Value {
    gg_thunk::bytes_to_json(bytes)
}

fn as_json(name: &ThunkName, thunk: &Thunk, inputs: &[(PathBuf, Option<Node>)], why: &Why) -> Value {
    let list = |all: &[Vec<u8>]| -> Vec<Value> { all.iter().map(|bytes| text(bytes)).collect() };
    let steps = thunk.steps.iter().map(|step| json!({"exe": text(&step.exe), "argv": list(&step.argv)}));
    let inputs = inputs.iter().map(|(path, node)| {
        let looked_up = why.get(path);
        let path = text(path.as_os_str().as_bytes());
        match node {
            Some(Node::Symlink(to)) => json!({"path": path, "symlink": text(to)}),
            Some(Node::File(file)) => {
                let mut input =
                    json!({"path": path, "object": file.object.to_string(), "mode": format!("{:o}", file.mode)});
                if let Some(looked_up) = looked_up {
                    let tried = looked_up.tried.iter().map(|path| text(path.as_os_str().as_bytes()));
                    input["why"] = json!({"for": looked_up.purpose, "not_at": tried.collect::<Vec<_>>()});
                }
                input
            }
            Some(Node::Dir(_)) | None => json!({"path": path, "dir": true}),
        }
    });
    let outputs = thunk.outputs.iter().map(|output| {
        json!({
            "tag": output.tag.as_str(), "path": text(&output.path), "optional": output.optional,
            "writes": if output.writes == Writes::Through { "through" } else { "replace" },
        })
    });
    // Names of variables that are not UTF-8 need pairs; no tool has such, so an object serves here.
    let env = thunk.env.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), text(value)));
    json!({
        "name": name.to_string(),
        "steps": steps.collect::<Vec<_>>(),
        "env": env.collect::<serde_json::Map<_, _>>(),
        "cwd": text(&thunk.cwd),
        "umask": format!("{:o}", thunk.umask),
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "unsure": why.unsure,
    })
}

fn print(
    out: &mut impl std::io::Write,
    name: &ThunkName,
    thunk: &Thunk,
    inputs: &[(PathBuf, Option<Node>)],
    why: &Why,
) -> Result<()> {
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    writeln!(out, "{name}\ncwd {}", show(&thunk.cwd))?;
    for (name, value) in &thunk.env {
        writeln!(out, "env {}={}", show(name), show(value))?;
    }
    for step in &thunk.steps {
        let words: Vec<String> = step.argv.iter().map(|arg| show(arg)).collect();
        writeln!(out, "step {}\n     {}", show(&step.exe), words.join(" "))?;
    }
    for (path, node) in inputs {
        match node {
            Some(Node::File(file)) => {
                writeln!(out, "input {} {} {:o}", path.display(), file.object, file.mode)?;
                if let Some(looked_up) = why.get(path) {
                    writeln!(out, "      for {}", looked_up.purpose)?;
                    for tried in &looked_up.tried {
                        writeln!(out, "      not at {}", tried.display())?;
                    }
                }
            }
            Some(Node::Symlink(to)) => writeln!(out, "link {} -> {}", path.display(), show(to))?,
            Some(Node::Dir(_)) | None => writeln!(out, "directory {}", path.display())?,
        }
    }
    for output in &thunk.outputs {
        writeln!(out, "output {} {}", output.tag, show(&output.path))?;
    }
    for unsure in &why.unsure {
        writeln!(out, "more headers than are read, because of: {unsure}")?;
    }
    Ok(())
}
