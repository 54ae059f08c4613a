//! The programs that a command calls in turn: beside the compiler, then on `PATH`, of which the step sees no more than it needs.
//!
//! Knows nothing of what they do.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::builder::Builder;
use super::plan::{Plan, find_program};
use crate::request::Request;
use crate::verdict::{Reason, ReasonKind};
use crate::world::World;

pub(super) struct Programs<'a> {
    req: &'a Request,
    world: &'a dyn World,
    compiler_path: Option<OsString>,
    found: BTreeSet<PathBuf>,
    /// The directories of `PATH` in which some were found.
    dirs: BTreeSet<PathBuf>,
}

impl<'a> Programs<'a> {
    pub(super) fn new(builder: &Builder<'a>, plan: &Plan) -> Self {
        let compiler_path = plan.var("COMPILER_PATH").map(OsStr::to_owned);
        Self {
            req: builder.req,
            world: builder.world,
            compiler_path,
            found: BTreeSet::default(),
            dirs: BTreeSet::default(),
        }
    }

    /// One beside the compiler, if it is there.
    pub(super) fn beside(&mut self, name: &OsStr) -> Result<Option<PathBuf>, Reason> {
        match find_program(name, self.compiler_path.as_deref(), None, &self.req.cwd, self.world) {
            Ok(program) => {
                self.found.insert(program.clone());
                Ok(Some(program))
            }
            Err(reason) if reason.kind == ReasonKind::Plan => Ok(None),
            Err(reason) => Err(reason),
        }
    }

    /// One on `PATH`; a name with a slash is the path.
    pub(super) fn on_path(&mut self, name: &OsStr) -> Result<PathBuf, Reason> {
        self.world.purpose(&|| format!("{}, which the link runs", name.display()));
        let program = find_program(name, None, self.req.var("PATH"), &self.req.cwd, self.world)?;
        if !name.as_bytes().contains(&b'/') {
            self.dirs.extend(program.parent().map(PathBuf::from));
        }
        self.found.insert(program.clone());
        Ok(program)
    }

    /// Gives the step all that was found, and its `PATH`.
    pub(super) fn add_to(self, builder: &mut Builder<'_>) -> Result<(), Reason> {
        let mut path = Vec::new();
        let all = self.req.var("PATH").unwrap_or_default().as_bytes();
        for dir in all.split(|byte| *byte == b':').map(|dir| self.req.cwd.join(OsStr::from_bytes(dir))) {
            if self.dirs.contains(&dir) && !path.contains(&dir) {
                path.push(dir);
            }
        }
        if !path.is_empty() {
            let path: Vec<&[u8]> = path.iter().map(|dir| dir.as_os_str().as_bytes()).collect();
            builder.env.insert(b"PATH".to_vec(), path.join(&b':'));
        }
        self.found.iter().try_for_each(|program| builder.tool(program))
    }
}
