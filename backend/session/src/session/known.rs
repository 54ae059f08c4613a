//! From a request to its thunk: by what is kept of the call while it holds, else by the model. Knows nothing of forcing.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gg_models::{Holds, Inference, Input, Verdict};
use gg_protocol::real_tool::{DEFAULT_PATH, Finder};
use gg_protocol::{FdKind, Request, SOCKET_VARIABLE};
use gg_store::StoreError;
use gg_thunk::{Bytes, Thunk, ThunkName, ValueName};

use super::edited::{Source, Text};
use super::{Session, Stop, native};
use crate::calls::{Call, Kept};
use crate::ingest::Ingest;
use crate::world::{Explained, LiveWorld};
use crate::{SessionError, sys};

/// Variables that say how make or the shell was called and that no tool of a toolchain reads. They are
/// kept from the models, so that they cannot tell one call from another.
const UNSEEN: &[&[u8]] = &[
    b"MAKEFLAGS",
    b"MFLAGS",
    b"MAKELEVEL",
    b"MAKEOVERRIDES",
    b"MAKE_TERMOUT",
    b"MAKE_TERMERR",
    b"SHLVL",
    b"_",
    b"OLDPWD",
];

/// A call whose thunk is known.
pub(super) struct Known {
    pub(super) request: gg_models::Request,
    pub(super) thunk: Thunk,
    /// The thunk's name.
    pub(super) name: ThunkName,
    pub(super) shape: String,
    /// What each of its outputs will be.
    pub(super) holds: Vec<Holds>,
    /// What those outputs hold that are depfiles, by their place, where that is sure.
    pub(super) depfiles: Vec<(usize, Bytes)>,
    /// Whether it changes a file that it reads.
    pub(super) in_place: bool,
    /// Whether it has the time of the request.
    pub(super) momentary: bool,
    /// What is kept of it is kept under this name.
    pub(super) key: ValueName,
    pub(super) fails: bool,
    /// Why what is kept of it did not serve; none if it did.
    pub(super) anew: Option<String>,
    /// How long its model took, if it was asked.
    pub(super) inferred: Option<Duration>,
}

/// What is kept of a call and holds.
pub(super) struct Holding {
    pub(super) call: Call,
    pub(super) name: ThunkName,
    pub(super) thunk: Thunk,
    /// Whether the source has another text than what is kept has.
    pub(super) edited: bool,
}

impl Session {
    /// A call as models see it.
    fn seen(&self, request: &Request, caller: Option<&UnixStream>) -> Result<gg_models::Request, Stop> {
        let wrong_place = || native("other-root", "the caller sees another file system");
        let id = |path: &Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
        let cwd = PathBuf::from(OsStr::from_bytes(&request.cwd));
        if id(Path::new("/")) != Some(request.root) || id(&cwd) != Some(request.cwd_id) {
            return Err(wrong_place());
        }
        if caller.is_some_and(|socket| !sys::has_our_mounts(socket)) {
            return Err(wrong_place());
        }
        let finder = finder(request, &cwd);
        let exe = finder.find(&request.tool, path_of(request)).ok_or(Stop::NoTool)?;
        let os = |bytes: &Vec<u8>| OsString::from_vec(bytes.clone());
        let seen = |name: &[u8]| !UNSEEN.contains(&name) && !name.starts_with(b"GG_");
        // The PATH of a native run: a model must not find a shim where it looks for `as`.
        let without_shims = |path: &[u8]| self.paths.without_shims(&finder, path, &cwd, &request.shim);
        let env = with_path(request, without_shims);
        Ok(gg_models::Request {
            tool: Path::new(OsStr::from_bytes(&request.tool)).file_name().unwrap_or_default().to_owned(),
            exe,
            argv: request.argv.iter().map(os).collect(),
            cwd,
            env: env.iter().filter(|(k, _)| seen(k)).map(|(k, v)| (os(k), os(v))).collect(),
            umask: request.umask,
            stderr_is_tty: request.fds[2].kind == FdKind::Tty,
        })
    }

    /// From request to thunk: by what is kept of the call while it holds, else by the model.
    /// `anew`: by the model in any case.
    pub(super) fn known(&self, request: &Request, caller: Option<&UnixStream>, anew: bool) -> Result<Known, Stop> {
        // Who leads a build stands in for its archiver too.
        let led = request.var(SOCKET_VARIABLE.as_bytes()).is_some() && self.hidden.is_empty();
        let request = self.seen(request, caller)?;
        let key = self.calls.key(&request);
        let mut why = "not known".to_owned();
        if !anew && let Some(kept) = self.calls.get(&key) {
            match self.holding(&kept)? {
                Ok(Holding { call, name, thunk, edited }) => {
                    let mut anew = None;
                    if let Some(source) = call.source.as_ref().filter(|_| edited) {
                        self.calls.update(&key, &call, &kept).map_err(|e| self.calls_error(e))?;
                        anew = Some(format!("edited: {}", source.spelled().display()));
                    }
                    return Ok(known(request, key, call, name, thunk, anew));
                }
                Err(changed) => why = changed,
            }
        }
        if anew {
            self.contents.forget_presence();
        }
        let world = LiveWorld::new(&self.recall, &self.hidden, Some(self)).with_listings(&self.listings);
        let begun = Instant::now();
        let inference: Inference = match self.models.infer(&request, &world) {
            Verdict::Thunk(inference) => *inference,
            Verdict::RunReal(reason) => return Err(native(reason.kind.name(), reason.detail)),
        };
        let inferred = Some(begun.elapsed());
        if led {
            self.foresight.compiling(&request, &self.contents, self.contents.store.root());
        }
        let (thunk, physical) = Ingest::new(&self.contents, &world).thunk(&inference)?;
        let name = self.contents.store.put_thunk(&thunk).map_err(SessionError::from)?;
        let evidence = world.evidence(inference.timestamps);
        let call = Call {
            thunk: name.to_string(),
            shape: inference.shape,
            holds: inference.outputs.iter().map(|output| output.holds).collect(),
            depfiles: inference.depfiles,
            in_place: inference.inputs.iter().any(|input| matches!(input, Input::InPlace(_))),
            fails: false,
            source: inference
                .directives
                .zip(physical)
                .and_then(|(directives, path)| Source::new(directives, path, &world)),
        };
        // A second later it is another thunk.
        if !inference.momentary {
            self.calls.put(&key, &call, &evidence).map_err(|e| self.calls_error(e))?;
        }
        Ok(Known { momentary: inference.momentary, inferred, ..known(request, key, call, name, thunk, Some(why)) })
    }

    /// What is kept of a call, if it holds; else why not.
    fn holding(&self, kept: &Kept) -> Result<Result<Holding, String>, SessionError> {
        let changed = |path: &Path| Ok(Err(format!("changed: {}", path.display())));
        let Kept { call, .. } = kept;
        // A source that has other directives needs no other look.
        let edit = match &call.source {
            Some(source) => match self.text(source) {
                Text::Same => None,
                Text::Edited(text) => Some((source, text)),
                Text::Other => return changed(source.spelled()),
            },
            None => None,
        };
        let Some((name, evidence)) = call.thunk.parse::<ThunkName>().ok().zip(kept.evidence()) else {
            return Ok(Err("what is kept of it cannot be read".to_owned()));
        };
        if let Some(path) = evidence.change(&call.source_paths(), &|path, stat| self.contents.current(path, stat)) {
            return changed(&path);
        }
        let Some(thunk) = self.contents.store.get_thunk(&name)? else {
            self.contents.forget_presence();
            return Ok(Err("its thunk is gone".to_owned()));
        };
        let Some((source, text)) = edit else {
            return Ok(Ok(Holding { call: call.clone(), name, thunk, edited: false }));
        };
        match self.edited(call, &thunk, source, text)? {
            Some(holding) => Ok(Ok(holding)),
            None => changed(source.spelled()),
        }
    }

    fn calls_error(&self, e: io::Error) -> SessionError {
        SessionError::from(StoreError::at(&self.contents.store.root().join("calls"), e))
    }

    /// What its model looked a call's files up for.
    pub(super) fn explained(&self, request: &Request) -> Result<Explained, Stop> {
        let request = self.seen(request, None)?;
        let world = LiveWorld::listening(&self.recall, &self.hidden, Some(self));
        let unsure = match self.models.infer(&request, &world) {
            Verdict::Thunk(inference) => inference.unsure,
            Verdict::RunReal(_) => Vec::new(),
        };
        Ok(Explained { found: world.explained(), unsure })
    }
}

/// A call, by what is kept of it. `anew`: why that did not serve, if it did not.
fn known(
    request: gg_models::Request,
    key: ValueName,
    call: Call,
    name: ThunkName,
    thunk: Thunk,
    anew: Option<String>,
) -> Known {
    let Call { shape, holds, depfiles, in_place, fails, .. } = call;
    Known { request, thunk, name, shape, holds, depfiles, in_place, momentary: false, key, fails, anew, inferred: None }
}

pub(super) fn finder<'a>(request: &Request, cwd: &'a Path) -> Finder<'a> {
    Finder::new(cwd, Some(Path::new(OsStr::from_bytes(&request.shim))))
}

pub(super) fn path_of(request: &Request) -> &[u8] {
    request.var(b"PATH").unwrap_or(DEFAULT_PATH)
}

/// The caller's environment, but for a `PATH` on which gcc finds the real `as`.
pub(super) fn real_env(request: &Request, cwd: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let finder = finder(request, cwd);
    with_path(request, |path| finder.without_shims(path))
}

fn with_path(request: &Request, path: impl Fn(&[u8]) -> Vec<u8>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let real = |(name, value): &(Vec<u8>, Vec<u8>)| match name.as_slice() {
        b"PATH" => (name.clone(), path(value)),
        _ => (name.clone(), value.clone()),
    };
    request.env.iter().map(real).collect()
}
