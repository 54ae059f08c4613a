//! Paths into objects, trees and a thunk.
//!
//! Every path of an inference is walked as the kernel would walk it; the links and directories on the way
//! are laid down too, so that in the private root the tool's own spelling of the path leads to the same file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_models::{FileKind, Inference, Input, Stat, World as _};
use gg_store::{DigestCache, Identity, LocalStore, Store as _};
use gg_thunk::{Bytes, FileNode, Node, ObjectName, Output, Tag, Thunk, Timestamp, TreeBuilder, ValueName};

use crate::world::LiveWorld;
use crate::{SessionError, ahead};

/// As many links as Linux follows in one path.
const MAX_LINKS: usize = 40;

const CHANGED: &str = "changed while it was looked at";

/// Reads files into the store, each state of a file once.
pub(crate) struct Contents {
    pub store: LocalStore,
    pub digests: DigestCache,
}

impl Contents {
    /// The value of a file in this state, if that is known or can be read; for comparing only.
    pub fn current(&self, path: &Path, stat: &Stat) -> Option<ValueName> {
        self.digests.get(&identity(stat)).or_else(|| Some(self.digests.ingest(&self.store, path).ok()?.name))
    }

    /// Whether the value of a file in this state is known.
    pub fn knows(&self, stat: &Stat) -> bool {
        self.digests.get(&identity(stat)).is_some()
    }

    /// The value of a file in this state; its bytes are in the store afterwards. A file that is in another state by
    /// now is refused: what the model saw of it says nothing of these bytes.
    fn value(&self, path: &Path, stat: &Stat) -> Result<ValueName, SessionError> {
        if let Some(name) = self.digests.get(&identity(stat))
            && self.store.contains(&name)?
        {
            return Ok(name);
        }
        let ingested = self.digests.ingest(&self.store, path)?;
        if ingested.identity != identity(stat) {
            return Err(SessionError::Input { path: path.to_owned(), why: CHANGED });
        }
        Ok(ingested.name)
    }
}

fn identity(stat: &Stat) -> Identity {
    Identity { dev: stat.dev, ino: stat.ino, size: stat.size, mtime_ns: stat.mtime_ns, ctime_ns: stat.ctime_ns }
}

enum Want {
    File,
    InPlace,
    Dir,
}

pub(crate) struct Ingest<'a> {
    contents: &'a Contents,
    world: &'a LiveWorld<'a>,
    root: TreeBuilder,
    times: bool,
}

impl<'a> Ingest<'a> {
    pub fn new(contents: &'a Contents, world: &'a LiveWorld<'a>) -> Ingest<'a> {
        Ingest { contents, world, root: TreeBuilder::new(), times: false }
    }

    /// The thunk that an inference describes, with all that it needs in the store.
    pub fn thunk(mut self, inference: &Inference) -> Result<Thunk, SessionError> {
        self.times = inference.timestamps;
        let is_input = |path: &Path| inference.inputs.iter().any(|i| matches!(i, Input::File(input) if input == path));
        let large = self.world.seen_files(|path, stat| stat.size >= ahead::LARGE && is_input(path));
        ahead::read_ahead(self.contents, large, self.world.begun());
        for input in &inference.inputs {
            match input {
                Input::File(path) => self.lay(path, Want::File)?,
                Input::InPlace(path) => self.lay(path, Want::InPlace)?,
                Input::Dir(path) => self.lay(path, Want::Dir)?,
            };
        }
        let cwd = self.lay(&inference.cwd, Want::Dir)?;
        let mut outputs = Vec::with_capacity(inference.outputs.len());
        for spec in &inference.outputs {
            let wrong = |why| SessionError::Input { path: spec.path.clone(), why };
            let name = spec.path.file_name().ok_or_else(|| wrong("an output without a name"))?;
            let parent = spec.path.parent().ok_or_else(|| wrong("an output without a directory"))?;
            let path = self.lay(parent, Want::Dir)?.join(name).into_os_string();
            outputs.push(Output {
                tag: Tag::new(&spec.tag)?,
                path: path.as_bytes().to_vec(),
                optional: spec.optional,
                writes: spec.writes,
            });
        }
        if let Some(path) = self.world.torn() {
            return Err(SessionError::Input { path, why: CHANGED });
        }
        let thunk = Thunk {
            steps: inference.steps.clone(),
            env: inference.env.clone(),
            cwd: cwd.into_os_string().as_bytes().to_vec(),
            umask: inference.umask,
            root: self.root.build(&mut |tree| self.contents.store.put_tree(tree).map_err(SessionError::from))?,
            outputs,
        };
        thunk.validate()?;
        Ok(thunk)
    }

    /// Lays one path down and gives its physical spelling.
    fn lay(&mut self, path: &Path, want: Want) -> Result<PathBuf, SessionError> {
        let wrong = |why| SessionError::Input { path: path.to_owned(), why };
        let parts = |path: &Path| -> Vec<Bytes> {
            let mut parts: Vec<Bytes> = path.as_os_str().as_bytes().split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
            parts.reverse();
            parts
        };
        if !path.is_absolute() {
            return Err(wrong("is not absolute"));
        }
        let mut todo = parts(path);
        let mut at: Vec<Bytes> = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    at.pop();
                    continue;
                }
                _ => at.push(part),
            }
            let here = physical(&at);
            let look = |e| SessionError::io("looking at", &here, e);
            let stat = self.world.lstat(&here).map_err(look)?.ok_or_else(|| wrong("has gone"))?;
            let last = todo.iter().all(|part| part.is_empty() || part == b".");
            match stat.kind {
                FileKind::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(wrong("goes through too many symbolic links"));
                    }
                    let to = self.world.read_link(&here).map_err(look)?;
                    self.root.put(&at, Node::Symlink(to.as_os_str().as_bytes().to_vec()))?;
                    at.pop();
                    if to.is_absolute() {
                        at.clear();
                    }
                    todo.extend(parts(&to));
                }
                FileKind::Dir => self.root.dir(&at)?,
                FileKind::File if last && !matches!(want, Want::Dir) => {
                    let node = self.file(&here, &stat, matches!(want, Want::InPlace))?;
                    self.root.put(&at, node)?;
                    return Ok(here);
                }
                FileKind::File => return Err(wrong("is a file where a directory should be")),
                FileKind::Other => return Err(wrong("is neither file nor directory")),
            }
        }
        match want {
            Want::Dir => Ok(physical(&at)),
            Want::File | Want::InPlace => Err(wrong("is a directory where a file should be")),
        }
    }

    fn file(&self, path: &Path, stat: &Stat, exact: bool) -> Result<Node, SessionError> {
        let placeholder = self.world.placeholder(path, stat).map_err(|e| SessionError::io("reading", path, e))?;
        let object = match placeholder {
            Some(object) => ObjectName::Output(object),
            None => {
                let value = self.contents.value(path, stat)?;
                self.world.depends_on(path, value);
                ObjectName::Value(value)
            }
        };
        // Only whether it can be executed matters to a reader; who changes a file in place keeps its mode.
        let mode = if exact {
            stat.mode
        } else if stat.mode & 0o111 == 0 {
            0o644
        } else {
            0o755
        };
        let mtime = self.times.then(|| Timestamp {
            sec: stat.mtime_ns.div_euclid(1_000_000_000) as i64,
            nsec: stat.mtime_ns.rem_euclid(1_000_000_000) as u32,
        });
        Ok(Node::File(FileNode { object, mode, mtime }))
    }
}

fn physical(at: &[Bytes]) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(at.iter().map(|part| OsStr::from_bytes(part)));
    path
}
