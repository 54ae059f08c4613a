//! Paths into objects, trees and a thunk.
//!
//! Every path of an inference is walked as the kernel would walk it; the links and directories on the way
//! are laid down too, so that in the private root the tool's own spelling of the path leads to the same file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gg_models::{FileKind, Inference, Input, Stat, World as _};
use gg_store::{DigestCache, Identity, LocalStore, Store as _};
use gg_thunk::{
    FileNode, NewDir, Node, ObjectName, Output, Tag, Thunk, Timestamp, Tree, TreeBuilder, TreeName, ValueName,
};
use rustc_hash::FxHashSet;

use crate::by_path::{ByPath, split};
use crate::world::LiveWorld;
use crate::{SessionError, ahead};

/// As many links as Linux follows in one path.
const MAX_LINKS: usize = 40;

const CHANGED: &str = "changed while it was looked at";

/// Reads files into the store, each state of a file once.
pub(crate) struct Contents {
    pub store: LocalStore,
    pub digests: DigestCache,
    /// What was seen in the store since this session leases it: nothing of that is evicted.
    present: Mutex<FxHashSet<ValueName>>,
}

impl Contents {
    pub fn new(digests: DigestCache, store: LocalStore) -> Contents {
        Contents { store, digests, present: Mutex::default() }
    }

    /// Something that was in the store is not: all is looked for again.
    pub fn forget_presence(&self) {
        self.present().clear();
    }

    fn present(&self) -> MutexGuard<'_, FxHashSet<ValueName>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store has it.
    fn holds(&self, name: &ValueName) -> Result<bool, SessionError> {
        if self.present().contains(name) {
            return Ok(true);
        }
        let holds = self.store.contains(name)?;
        if holds {
            self.present().insert(*name);
        }
        Ok(holds)
    }

    /// Puts a directory into the store.
    pub fn put_tree(&self, tree: &Tree) -> Result<TreeName, SessionError> {
        let name = tree.name();
        if self.present().contains(&name.value()) {
            return Ok(name);
        }
        self.store.put_tree(tree)?;
        self.present().insert(name.value());
        Ok(name)
    }

    /// The value of a file in this state, if that is known or can be read; for comparing only.
    pub fn current(&self, path: &Path, stat: &Stat) -> Option<ValueName> {
        self.known(stat).or_else(|| Some(self.digests.ingest(&self.store, path).ok()?.name))
    }

    /// The value of a file in this state, if that is known.
    pub fn known(&self, stat: &Stat) -> Option<ValueName> {
        self.digests.get(&identity(stat))
    }

    /// The value of a file in this state, and its bytes, which are in the store afterwards.
    pub fn read(&self, path: &Path, stat: &Stat) -> Result<(ValueName, Vec<u8>), SessionError> {
        let (ingested, bytes) = self.digests.read(&self.store, path)?;
        if ingested.identity != identity(stat) {
            return Err(SessionError::Input { path: path.to_owned(), why: CHANGED });
        }
        self.present().insert(ingested.name);
        Ok((ingested.name, bytes))
    }

    /// The value of a file in this state; its bytes are in the store afterwards. A file that is in another state by
    /// now is refused: what the model saw of it says nothing of these bytes.
    pub fn value(&self, path: &Path, stat: &Stat) -> Result<ValueName, SessionError> {
        if let Some(name) = self.known(stat)
            && self.holds(&name)?
        {
            return Ok(name);
        }
        let ingested = self.digests.ingest(&self.store, path)?;
        if ingested.identity != identity(stat) {
            return Err(SessionError::Input { path: path.to_owned(), why: CHANGED });
        }
        self.present().insert(ingested.name);
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
    /// Directories that are laid down, as they were spelled.
    laid: ByPath<Laid>,
}

/// A directory that is laid down: its physical path, and where it stands in the tree.
#[derive(Clone)]
struct Laid {
    path: Rc<Path>,
    dir: NewDir,
}

impl<'a> Ingest<'a> {
    pub fn new(contents: &'a Contents, world: &'a LiveWorld<'a>) -> Ingest<'a> {
        Ingest { contents, world, root: TreeBuilder::new(), times: false, laid: ByPath::default() }
    }

    /// The thunk that an inference describes, with all that it needs in the store; and the path without links of the source whose
    /// directives it has.
    pub fn thunk(mut self, inference: &Inference) -> Result<(Thunk, Option<PathBuf>), SessionError> {
        self.times = inference.timestamps;
        let is_input = |path: &Path| inference.inputs.iter().any(|i| matches!(i, Input::File(input) if input == path));
        let large = self.world.seen_files(|path, stat| stat.size >= ahead::LARGE && is_input(path));
        ahead::read_ahead(self.contents, large, self.world.begun());
        let source = inference.directives.as_ref().map(|directives| directives.source.as_slice());
        let mut physical = None;
        for input in &inference.inputs {
            match input {
                Input::File(path) => {
                    let laid = self.lay(path, Want::File)?;
                    if laid != *path && self.world.saw_another(path, &laid) {
                        return Err(wrong(path, CHANGED));
                    }
                    if source == Some(path.as_os_str().as_bytes()) {
                        physical = Some(laid);
                    }
                }
                Input::InPlace(path) => drop(self.lay(path, Want::InPlace)?),
                Input::Dir(path) => drop(self.lay(path, Want::Dir)?),
            }
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
            root: self.root.build(&mut |tree| self.contents.put_tree(tree))?,
            outputs,
        };
        thunk.validate()?;
        Ok((thunk, physical))
    }

    /// Lays one path down and gives its physical spelling.
    fn lay(&mut self, path: &Path, want: Want) -> Result<PathBuf, SessionError> {
        if !path.is_absolute() {
            return Err(wrong(path, "is not absolute"));
        }
        self.walk(path, want, &mut 0)
    }

    /// The same. `links`: how many were followed.
    fn walk(&mut self, path: &Path, want: Want, links: &mut usize) -> Result<PathBuf, SessionError> {
        if let Want::Dir = want {
            return Ok(self.dir(path, links)?.path.to_path_buf());
        }
        let Some((above, name)) = split(path) else {
            return Err(wrong(path, "is a directory where a file should be"));
        };
        let above = self.dir(above, links)?;
        let here = above.path.join(name);
        let stat = self.look(path, &here)?;
        match stat.kind {
            FileKind::Symlink => {
                let to = self.follow(path, &above, name, links)?;
                self.walk(&to, want, links)
            }
            FileKind::File => {
                let node = self.file(&here, &stat, matches!(want, Want::InPlace))?;
                self.root.place(above.dir, name.as_bytes(), node)?;
                Ok(here)
            }
            FileKind::Dir => Err(wrong(path, "is a directory where a file should be")),
            FileKind::Other => Err(wrong(path, "is neither file nor directory")),
        }
    }

    /// Lays a directory down.
    fn dir(&mut self, path: &Path, links: &mut usize) -> Result<Laid, SessionError> {
        if let Some(known) = self.laid.get(path.as_os_str()) {
            return Ok(known.clone());
        }
        let laid = match (split(path), path.parent()) {
            (Some((above, name)), _) => {
                let above = self.dir(above, links)?;
                let here = above.path.join(name);
                match self.look(path, &here)?.kind {
                    FileKind::Symlink => {
                        let to = self.follow(path, &above, name, links)?;
                        self.dir(&to, links)?
                    }
                    FileKind::Dir => Laid { dir: self.root.enter(above.dir, name.as_bytes())?, path: here.into() },
                    FileKind::File => return Err(wrong(path, "is a file where a directory should be")),
                    FileKind::Other => return Err(wrong(path, "is neither file nor directory")),
                }
            }
            // Its last part is `..`.
            (None, Some(above)) => {
                let Laid { path, dir } = self.dir(above, links)?;
                Laid { path: path.parent().unwrap_or(&path).into(), dir: self.root.above(dir) }
            }
            (None, None) => Laid { path: Path::new("/").into(), dir: TreeBuilder::ROOT },
        };
        self.laid.insert(path.as_os_str().to_owned(), laid.clone());
        Ok(laid)
    }

    fn look(&self, path: &Path, here: &Path) -> Result<Stat, SessionError> {
        let stat = self.world.lstat(here).map_err(|e| SessionError::io("looking at", here, e))?;
        stat.ok_or_else(|| wrong(path, "has gone"))
    }

    /// Lays a link down and gives the path that it leads to.
    fn follow(&mut self, path: &Path, above: &Laid, name: &OsStr, links: &mut usize) -> Result<PathBuf, SessionError> {
        *links += 1;
        if *links > MAX_LINKS {
            return Err(wrong(path, "goes through too many symbolic links"));
        }
        let here = above.path.join(name);
        let to = self.world.read_link(&here).map_err(|e| SessionError::io("looking at", &here, e))?;
        self.root.place(above.dir, name.as_bytes(), Node::Symlink(to.as_os_str().as_bytes().to_vec()))?;
        Ok(above.path.join(to))
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

fn wrong(path: &Path, why: &'static str) -> SessionError {
    SessionError::Input { path: path.to_owned(), why }
}
