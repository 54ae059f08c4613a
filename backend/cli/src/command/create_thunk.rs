//! `gg create-thunk`: a thunk written by hand.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use gg_session::Issued;
use gg_store::{LocalStore, Store as _};
use gg_thunk::{
    Bytes, FileNode, Node, ObjectName, Output, OutputName, Placeholder, Step, Tag, Thunk, Tree, TreeBuilder, Writes,
};

use crate::args::CreateThunk;
use crate::workplace::Workplace;

pub(crate) fn run(args: &CreateThunk) -> Result<()> {
    let place = Workplace::here()?;
    let store = place.store()?;
    let mut builder = TreeBuilder::new();
    for (inputs, executable) in [(&args.inputs, false), (&args.executables, true)] {
        for input in inputs {
            lay(&store, &mut builder, input, executable).with_context(|| format!("the input {input:?}"))?;
        }
    }
    builder.dir(&parts(args.cwd.as_os_str())?)?;
    let mut outputs = Vec::new();
    for (specs, optional) in [(&args.outputs, false), (&args.optional_outputs, true)] {
        for spec in specs {
            let output = output(spec, optional).with_context(|| format!("the output {spec:?}"))?;
            let path = parts(OsStr::from_bytes(&output.path))?;
            builder.dir(&path[..path.len().saturating_sub(1)])?;
            outputs.push(output);
        }
    }
    let env = args.env.iter().map(|pair| split(pair).with_context(|| format!("the variable {pair:?}")));
    let argv: Vec<Bytes> = args.command.iter().map(|arg| arg.clone().into_vec()).collect();
    let thunk = Thunk {
        steps: vec![Step { exe: argv.first().cloned().unwrap_or_default(), argv }],
        env: env.collect::<Result<BTreeMap<_, _>>>()?,
        cwd: args.cwd.as_os_str().as_bytes().to_vec(),
        umask: 0o022,
        root: builder.build(&mut |tree: &Tree| -> Result<_> { Ok(store.put_tree(tree)?) })?,
        outputs,
    };
    thunk.validate()?;
    let name = store.put_thunk(&thunk)?;
    if let Some(path) = &args.placeholder {
        let first = thunk.outputs.first().context("a placeholder needs an output")?;
        let object = OutputName { thunk: name, tag: first.tag.clone() };
        Issued::open(&place.gg_dir).note(&object).context("noting the placeholder")?;
        write(path, &Placeholder { object }.encode()).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{name}");
    Ok(())
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o777).open(path)?;
    file.write_all(text)
}

/// `NAME=REST`.
fn split(pair: &OsStr) -> Result<(Bytes, Bytes)> {
    let bytes = pair.as_bytes();
    let at = bytes.iter().position(|b| *b == b'=').ok_or_else(|| anyhow!("it holds no '='"))?;
    Ok((bytes[..at].to_vec(), bytes[at + 1..].to_vec()))
}

fn parts(path: &OsStr) -> Result<Vec<Bytes>> {
    if !Path::new(path).is_absolute() {
        bail!("{path:?} is not absolute");
    }
    Ok(path.as_bytes().split(|b| *b == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect())
}

fn output(spec: &OsStr, optional: bool) -> Result<Output> {
    let (tag, path) = split(spec)?;
    let tag = Tag::new(std::str::from_utf8(&tag).context("its tag is not text")?)?;
    Ok(Output { tag, path, optional, writes: Writes::Replace })
}

fn lay(store: &LocalStore, builder: &mut TreeBuilder, input: &OsString, executable: bool) -> Result<()> {
    let (at, source) = match split(input) {
        Ok((at, source)) => (OsString::from_vec(at), OsString::from_vec(source)),
        Err(_) => (input.clone(), input.clone()),
    };
    let path = parts(&at)?;
    let leaf = |object, mode| Node::File(FileNode { object, mode, mtime: None });
    let named: Option<ObjectName> = source.to_str().and_then(|text| text.parse().ok());
    if let Some(object) = named {
        if let ObjectName::Value(value) = &object
            && !store.contains(value)?
        {
            bail!("{value} is not in the store");
        }
        builder.put(&path, leaf(object, if executable { 0o755 } else { 0o644 }))?;
        return Ok(());
    }
    let mut todo = vec![(path, PathBuf::from(&source))];
    while let Some((at, from)) = todo.pop() {
        let meta = std::fs::metadata(&from).with_context(|| format!("looking at {}", from.display()))?;
        if meta.is_dir() {
            builder.dir(&at)?;
            for entry in std::fs::read_dir(&from)? {
                let entry = entry?;
                let mut below = at.clone();
                below.push(entry.file_name().into_vec());
                todo.push((below, entry.path()));
            }
            continue;
        }
        let value = store.put_file(&from)?;
        let mode = if executable || meta.permissions().mode() & 0o111 != 0 { 0o755 } else { 0o644 };
        builder.put(&at, leaf(ObjectName::Value(value), mode))?;
    }
    Ok(())
}
