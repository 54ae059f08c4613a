//! The model of the compiler driver: its plan, asked from itself, and the footprints of the plan's commands.
//!
//! Knows no command's options; what the driver would do with its own it does not guess.

mod assemble;
mod beside;
mod builder;
mod clock;
mod compile;
mod environment;
pub(crate) mod inventory;
mod link;
pub(crate) mod locale;
mod lto;
pub(crate) mod option;
mod plan;
pub(crate) use plan::find_program;
mod predefined;
mod prefixes;
mod programs;
pub(crate) mod response;
mod specs;
mod split;
mod template;

use std::ffi::OsStr;
use std::path::Path;

use crate::models::base_name;
use crate::request::Request;
use crate::scan::Headers;
use crate::verdict::{Inference, Input, Reason, ReasonKind};
use crate::world::{FileKind, World};
use builder::Builder;

/// A call of `gcc`, `g++`, `cc`, `c++` or `cpp`.
pub(crate) fn infer(req: &Request, world: &dyn World, headers: &Headers) -> Result<Inference, Reason> {
    environment::check(req)?;
    let response::Expanded { args, files } = response::expand(req.args(), &req.cwd, world)?;
    let parsed = option::parse(&args, &|arg| inventory::has(req, world, arg))?;
    if parsed.operands.is_empty() {
        return Err(Reason::new(ReasonKind::Usage, "no input"));
    }
    world.purpose(&|| "the command's own program".to_owned());
    look(world, &req.exe)?;
    let specs = specs::files(&args, world)?;
    for operand in &parsed.operands {
        world.purpose(&|| format!("{}, an operand of the command", operand.display()));
        look(world, &req.cwd.join(operand))?;
    }
    // What the driver's plan rests on.
    world.purpose(&String::new);
    let plan = template::plan(req, &args, world)?;
    specs::look_again(&plan, &args, req, world)?;
    for file in &plan.specs {
        world.purpose(&|| format!("{}, which the driver reads", file.display()));
        let path = req.cwd.join(file);
        // The driver has read them, too.
        world.read(&path).map_err(|error| Reason::io(&path, &error))?;
    }
    let is = |name: &'static str| {
        move |command: &&plan::Command| command.argv.first().is_some_and(|exe| base_name(exe) == name.as_bytes())
    };
    let links = plan.commands.iter().any(|command| is("collect2")(&command));
    let mut builder = Builder::new(req, world, environment::of(req, links, world)?);
    builder.read_by_others = parsed.operands.len() != 1 || links || !files.is_empty() || !specs.is_empty();
    builder.piped = args.iter().any(|arg| arg == "-pipe");
    // The driver has read them: they are none of the steps' files, but of the call's.
    builder.add(files.into_iter().chain(specs).map(Input::File));
    builder.add(plan.specs.iter().map(|file| Input::File(req.cwd.join(file))));
    let mut locale = false;
    let mut compiled = compile::Compiled::default();
    for command in &plan.commands {
        let name = command.argv.first().ok_or_else(|| Reason::new(ReasonKind::Plan, "an empty command"))?;
        let path = req.var("PATH");
        world.purpose(&|| format!("{}, which the driver runs", name.display()));
        let exe = plan::find_program(name, plan.var("COMPILER_PATH"), path, &req.cwd, world)?;
        if !locale {
            locale = true;
            let mut inputs = Vec::new();
            locale::add(req, &version_of(&plan), world, &mut builder.env, &mut inputs)?;
            builder.add(inputs);
        }
        match base_name(name) {
            b"cc1" | b"cc1plus" => {
                if look(world, &exe.with_file_name("specs"))?.is_some() {
                    return Err(Reason::new(ReasonKind::Plan, "a specs file beside the compiler"));
                }
                let before = std::mem::take(&mut compiled);
                compiled = before.then(compile::add(&mut builder, headers, &exe, &command.argv)?);
                lto::tell_options(&mut builder, plan.var(lto::ASSEMBLER_OPTIONS));
            }
            b"as" => assemble::add(&mut builder, headers, &exe, &command.argv, std::mem::take(&mut compiled))?,
            b"objcopy" => split::add(&mut builder, &exe, &command.argv)?,
            b"collect2" => link::add(&mut builder, &exe, command, &plan, &args)?,
            other => return Err(Reason::new(ReasonKind::Language, String::from_utf8_lossy(other))),
        }
    }
    builder.finish(&parsed.shape)
}

/// A direct call of `cc1`, `cc1plus` or `as`.
pub(crate) fn infer_step(req: &Request, world: &dyn World, headers: &Headers) -> Result<Inference, Reason> {
    environment::check(req)?;
    let response::Expanded { args: mut argv, files } = response::expand(req.args(), &req.cwd, world)?;
    let mut builder = Builder::new(req, world, environment::of(req, false, world)?);
    builder.read_by_others = !files.is_empty();
    builder.add(files.into_iter().map(Input::File));
    let mut inputs = Vec::new();
    locale::add(req, version_beside(&req.exe).as_deref().unwrap_or_default(), world, &mut builder.env, &mut inputs)?;
    builder.add(inputs);
    argv.insert(0, req.argv.first().cloned().unwrap_or_else(|| req.tool.clone()));
    if base_name(&req.tool) == b"as" {
        assemble::add(&mut builder, headers, &req.exe, &argv, compile::Compiled::default())?;
    } else {
        compile::add(&mut builder, headers, &req.exe, &argv)?;
        lto::tell_options(&mut builder, None);
    }
    let shape: Vec<_> = argv.iter().skip(1).filter(|arg| arg.as_encoded_bytes().starts_with(b"-")).cloned().collect();
    builder.finish(&shape)
}

fn look(world: &dyn World, path: &Path) -> Result<Option<FileKind>, Reason> {
    let stat = world.stat(path).map_err(|error| Reason::io(path, &error))?;
    Ok(stat.map(|stat| stat.kind))
}

/// gcc's version, as its message catalogs carry it: the last component of the directory of its programs.
fn version_of(plan: &plan::Plan) -> String {
    let dirs = plan.var("COMPILER_PATH").unwrap_or_default().as_encoded_bytes();
    let first = dirs.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = first.strip_suffix(b"/").unwrap_or(first).rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

fn version_beside(exe: &Path) -> Option<String> {
    exe.parent()?.file_name().and_then(OsStr::to_str).map(str::to_owned)
}
