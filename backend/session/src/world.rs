//! The live file system as a model sees it, every answer recorded.
//!
//! Within one request a path has one answer: what was seen first stays, so that one inference is made of
//! one view.

mod purposes;
mod seen;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gg_models::{FileKind, Holds, RunOutput, Stat, World};
use gg_thunk::{OutputName, Placeholder, ValueName};
use rustc_hash::FxHashMap;

use crate::by_path::{ByPath, split};
use crate::evidence::{Evidence, Found, Item, Lacked, State, There, names_found};
use crate::issued::Issued;
use crate::listings::{Listings, Names};
use crate::look::{Look, list, look};
use crate::placeholders::held_by;
use crate::recall::Recall;
use purposes::Purposes;
use seen::{For, Looked, Seeing, Seen};

pub use purposes::{Explained, LookedUp};

/// Where the outputs come from that stand as placeholders.
pub(crate) trait Outputs {
    /// The ledger of placeholders.
    fn issued(&self) -> &Issued;

    /// The bytes of an output, which is forced for that.
    fn bytes(&self, object: &OutputName) -> io::Result<Arc<[u8]>>;
}

/// The world of one request.
pub(crate) struct LiveWorld<'a> {
    recall: &'a Recall,
    hidden: &'a [PathBuf],
    /// Where there may be placeholders.
    outputs: Option<&'a dyn Outputs>,
    placeholders: RefCell<HashMap<PathBuf, Option<OutputName>>>,
    /// Nanoseconds since 1970 at which nothing had been looked at yet.
    begun: i128,
    seen: RefCell<Seen>,
    /// What is known of directories over requests, and what of them in this one.
    listings: Option<&'a Listings>,
    dirs: RefCell<ByPath<Dir>>,
    links: RefCell<ByPath<PathBuf>>,
    contents: RefCell<ByPath<ValueName>>,
    /// A file that had two contents within this request, or a directory that was there and then was not.
    torn: RefCell<Option<PathBuf>>,
    lists: RefCell<HashMap<PathBuf, Option<Vec<OsString>>>>,
    denied: RefCell<HashSet<(PathBuf, Look)>>,
    /// What look-ups were for, where somebody wants to know.
    purposes: Option<RefCell<Purposes>>,
}

/// A directory, in one request.
struct Dir {
    known: Known,
    /// Names that it was asked for and does not have.
    lacked: Vec<Lacked>,
}

/// What is known of a directory.
enum Known {
    /// It is none.
    Absent,
    /// In this state it has these names and no others.
    Names(Arc<Names>, Stat),
    /// What is in it has to be looked for.
    There(Stat),
    /// It cannot be looked at.
    Unclear,
}

impl Dir {
    /// Whether its names, or that it is none, prove that there is no such name; then that was asked.
    fn lacks(&mut self, name: &OsStr, look: Look, whom: For) -> bool {
        match &self.known {
            Known::Absent => true,
            Known::Names(names, _) if names.lack(name) => {
                self.lacked.push(Lacked { name: name.to_owned(), look, written: whom == For::Writer });
                true
            }
            Known::Names(..) | Known::There(_) | Known::Unclear => false,
        }
    }
}

/// Of longer paths nothing is concluded from the directories above, one by one.
const LONG: usize = 1024;

impl<'a> LiveWorld<'a> {
    /// A world in which the `hidden` paths, which are without links, are absent.
    pub fn new(recall: &'a Recall, hidden: &'a [PathBuf], outputs: Option<&'a dyn Outputs>) -> LiveWorld<'a> {
        LiveWorld {
            recall,
            hidden,
            outputs: outputs.filter(|outputs| outputs.issued().any()),
            placeholders: RefCell::default(),
            begun: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128),
            seen: RefCell::default(),
            listings: None,
            dirs: RefCell::default(),
            links: RefCell::default(),
            contents: RefCell::default(),
            torn: RefCell::default(),
            lists: RefCell::default(),
            denied: RefCell::default(),
            purposes: None,
        }
    }

    /// The same world, with what is known of directories.
    pub fn with_listings(self, listings: &'a Listings) -> LiveWorld<'a> {
        LiveWorld { listings: Some(listings), ..self }
    }

    /// A world that notes what look-ups are for.
    pub fn listening(recall: &'a Recall, hidden: &'a [PathBuf], outputs: Option<&'a dyn Outputs>) -> LiveWorld<'a> {
        LiveWorld { purposes: Some(RefCell::default()), ..LiveWorld::new(recall, hidden, outputs) }
    }

    /// Why each file was looked up that was there, the first time.
    pub fn explained(&self) -> Vec<LookedUp> {
        self.purposes.as_ref().map(|purposes| purposes.borrow().explained(&self.seen.borrow())).unwrap_or_default()
    }

    /// The output that a file in this state stands for, if it is a placeholder. The request then depends on its being that.
    pub fn placeholder(&self, path: &Path, stat: &Stat) -> io::Result<Option<OutputName>> {
        let Some(outputs) = self.outputs.filter(|_| stat.kind == FileKind::File) else { return Ok(None) };
        if let Some(known) = self.placeholders.borrow().get(path) {
            return Ok(known.clone());
        }
        let object = held_by(outputs.issued(), path, stat.size)?;
        if let Some(object) = &object {
            self.depends_on(path, ValueName::of(&Placeholder { object: object.clone() }.encode()));
        }
        self.placeholders.borrow_mut().insert(path.to_owned(), object.clone());
        Ok(object)
    }

    /// The bytes of an output that stands as a placeholder.
    fn output(&self, path: &Path) -> io::Result<Option<Arc<[u8]>>> {
        let Some(outputs) = self.outputs else { return Ok(None) };
        let Some(stat) = self.ask(path, Look::Followed)? else { return Ok(None) };
        self.placeholder(path, &stat)?.map(|object| outputs.bytes(&object)).transpose()
    }

    /// The files that were looked at, as they were then, of those that are wanted.
    pub fn seen_files(&self, wanted: impl Fn(&Path, &Stat) -> bool) -> Vec<(PathBuf, Stat)> {
        let seen = self.seen.borrow();
        let wanted = seen.there().filter(|(path, stat)| stat.kind == FileKind::File && wanted(path, stat));
        let by_identity: HashMap<_, _> =
            wanted.map(|(path, stat)| ((stat.dev, stat.ino), (path.to_owned(), stat))).collect();
        by_identity.into_values().collect()
    }

    /// The time at which nothing had been looked at yet, in nanoseconds since 1970.
    pub fn begun(&self) -> i128 {
        self.begun
    }

    /// Notes that the request's result depends on this file having these bytes.
    pub fn depends_on(&self, path: &Path, content: ValueName) {
        let before = self.contents.borrow_mut().insert(path.as_os_str().to_owned(), content);
        if before.is_some_and(|before| before != content) {
            *self.torn.borrow_mut() = Some(path.to_owned());
        }
    }

    /// The content of a file on which the request's result depends.
    pub fn content(&self, path: &Path) -> Option<ValueName> {
        self.contents.borrow().get(path.as_os_str()).copied()
    }

    /// A file whose bytes changed between two looks of this request, or a directory that vanished: what was concluded from them
    /// belongs to neither.
    pub fn torn(&self) -> Option<PathBuf> {
        self.torn.borrow().clone()
    }

    /// Whether the file at a path was another when it was looked at than when it was looked at by its path without links.
    pub fn saw_another(&self, path: &Path, physical: &Path) -> bool {
        let (seen, contents) = (self.seen.borrow(), self.contents.borrow());
        let other_file = match (seen.get(path, Look::Followed), seen.get(physical, Look::Own)) {
            (Some(Some(one)), Some(Some(other))) => State::of(&one) != State::of(&other),
            (one, other) => one.is_some() && other.is_some(),
        };
        let other_bytes = match (contents.get(path.as_os_str()), contents.get(physical.as_os_str())) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        other_file || other_bytes
    }

    /// All that was asked, with its answers; what stands where only somebody is to write counts for its kind only. `times`: files'
    /// modification times count too.
    pub fn evidence(&self, times: bool) -> Evidence {
        let (seen, links, contents) = (self.seen.borrow(), self.links.borrow(), self.contents.borrow());
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        // A file has one content, however its path is spelled: `src/../deps/x.h` was taken as `deps/x.h`.
        let taken = |(path, stat): (&Path, Stat)| {
            let content = contents.get(path.as_os_str()).filter(|_| stat.kind == FileKind::File)?;
            Some((State::of(&stat), *content.digest()))
        };
        let taken: FxHashMap<State, [u8; 32]> = seen.there().filter_map(taken).collect();
        let items = seen.all().map(|Looked { path, look, stat, only_written }| {
            let found = match stat {
                None if look == Look::Followed && seen.is_link(path) => Found::Nowhere,
                None if only_written => Found::AnyFileOrNone,
                None => Found::Absent,
                Some(stat) => match stat.kind {
                    FileKind::Dir => Found::Dir,
                    FileKind::Other => Found::Other,
                    FileKind::Symlink => {
                        Found::Link(links.get(path.as_os_str()).map(|to| bytes(to)).unwrap_or_default())
                    }
                    FileKind::File => match taken.get(&State::of(&stat)).copied() {
                        None if only_written => Found::AnyFileOrNone,
                        content => Found::File { mode: stat.mode, state: State::of(&stat), content },
                    },
                },
            };
            Item { path: bytes(path), look, found }
        });
        let listed = self.lists.borrow();
        let lists = listed.iter().map(|(path, names)| Item {
            path: bytes(path),
            look: Look::Listed,
            found: names_found(names.as_deref()),
        });
        let denied = self.denied.borrow();
        let denied = denied.iter().map(|(path, look)| Item { path: bytes(path), look: *look, found: Found::Denied });
        let dirs = self.dirs.borrow();
        let known = |dir: &Path| match dirs.get(dir.as_os_str())?.known {
            Known::Names(_, stat) | Known::There(stat) => Some(There::Dir(stat)),
            // A link that leads to nothing may stand there, or a file.
            Known::Absent | Known::Unclear => None,
        };
        let lacked = dirs.iter().filter(|(_, dir)| !dir.lacked.is_empty());
        let lacked = lacked.map(|(path, dir)| (Path::new(path), dir.lacked.as_slice()));
        Evidence::gather(items.chain(lists).chain(denied), lacked, self.begun, times, &known)
    }

    fn hides(&self, path: &Path) -> bool {
        !self.hidden.is_empty()
            && path.canonicalize().is_ok_and(|real| self.hidden.iter().any(|hidden| real.starts_with(hidden)))
    }

    fn ask(&self, path: &Path, how: Look) -> io::Result<Option<Stat>> {
        self.ask_for(path, how, For::Reader)
    }

    fn ask_for(&self, path: &Path, how: Look, whom: For) -> io::Result<Option<Stat>> {
        if let Some(purposes) = &self.purposes {
            purposes.borrow_mut().looked(path, how);
        }
        if let Some(answer) = self.seen.borrow_mut().answer(path, how, whom) {
            return Ok(answer);
        }
        if self.is_surely_absent(path, how, whom) {
            return Ok(None);
        }
        let mut seeing = match self.look(path, how) {
            Ok(seeing) => seeing,
            Err(e) => {
                if e.kind() == io::ErrorKind::PermissionDenied {
                    self.denied.borrow_mut().insert((path.to_owned(), how));
                }
                return Err(e);
            }
        };
        if of_the_process(path) {
            if seeing.get(how).flatten().is_none() && path.starts_with("/proc") {
                return Err(io::Error::other("may be there for the caller"));
            }
            for stat in [&mut seeing.own, &mut seeing.followed].into_iter().flatten().flatten() {
                if stat.kind != FileKind::Dir {
                    stat.kind = FileKind::Other;
                }
            }
        }
        if matches!(seeing.own, Some(Some(Stat { kind: FileKind::Symlink, .. }))) {
            self.links.borrow_mut().insert(path.as_os_str().to_owned(), std::fs::read_link(path)?);
        }
        self.seen.borrow_mut().insert(path, seeing, whom);
        Ok(seeing.get(how).flatten())
    }

    /// What stands at a path, or where links lead to from there; of a link that leads to nothing the link itself, too.
    fn look(&self, path: &Path, how: Look) -> io::Result<Seeing> {
        let nothing = match how {
            Look::Own => Seeing { own: Some(None), followed: None },
            Look::Followed | Look::Listed => Seeing { own: None, followed: Some(None) },
        };
        if self.hides(path) {
            return Ok(nothing);
        }
        let Some(own) = look(path, Look::Own)? else {
            self.missed(path);
            return Ok(nothing);
        };
        if how == Look::Own {
            return Ok(Seeing { own: Some(Some(own)), followed: None });
        }
        if own.kind != FileKind::Symlink {
            return Ok(Seeing { own: Some(Some(own)), followed: Some(Some(own)) });
        }
        let followed = look(path, how)?;
        Ok(Seeing { own: followed.is_none().then_some(Some(own)), followed: Some(followed) })
    }

    /// Whether the names of the directory, or of one above, prove that nothing is there; then that was asked of them.
    fn is_surely_absent(&self, path: &Path, how: Look, whom: For) -> bool {
        let Some(listings) = self.listings else { return false };
        let Some((dir, name)) = split(path) else { return false };
        if path.as_os_str().len() > LONG {
            return false;
        }
        if let Some(dir) = self.dirs.borrow_mut().get_mut(dir.as_os_str()) {
            return dir.lacks(name, how, whom);
        }
        let mut entry = Dir { known: self.look_at_dir(dir, listings), lacked: Vec::new() };
        let lacks = entry.lacks(name, how, whom);
        self.dirs.borrow_mut().insert(dir.as_os_str().to_owned(), entry);
        lacks
    }

    /// What is known of a directory, without a listing made for it.
    fn look_at_dir(&self, dir: &Path, listings: &Listings) -> Known {
        if self.is_surely_absent(dir, Look::Followed, For::Reader) {
            return Known::Absent;
        }
        match look(dir, Look::Followed) {
            Ok(None) => {
                if matches!(self.seen.borrow().get(dir, Look::Followed), Some(Some(_))) {
                    // It was there when this request looked at it first.
                    *self.torn.borrow_mut() = Some(dir.to_owned());
                }
                match self.ask(dir, Look::Followed) {
                    Ok(None) => Known::Absent,
                    Ok(Some(_)) | Err(_) => Known::Unclear,
                }
            }
            Ok(Some(stat)) if stat.kind != FileKind::Dir || of_the_process(dir) => Known::Unclear,
            Ok(Some(stat)) => match listings.names(dir, &stat) {
                Some(names) => Known::Names(names, stat),
                None => Known::There(stat),
            },
            Err(_) => Known::Unclear,
        }
    }

    /// Nothing stands at this path.
    fn missed(&self, path: &Path) {
        let Some((listings, (dir, _))) = self.listings.zip(split(path)) else { return };
        if let Some(Dir { known: Known::There(stat), .. }) = self.dirs.borrow().get(dir.as_os_str()) {
            listings.missed(dir, stat, self.begun);
        }
    }
}

/// Whether a path may mean another file to this process than to the caller, as `/dev/stdout` does.
fn of_the_process(path: &Path) -> bool {
    // Most paths are told apart by their first letters; a path may begin with `//` or `/./`, too.
    matches!(path.as_os_str().as_bytes().get(1), Some(b'p' | b'd' | b'/' | b'.'))
        && (path.starts_with("/proc") || (path.starts_with("/dev") && !path.starts_with("/dev/shm")))
}

impl World for LiveWorld<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.ask(path, Look::Own)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.ask(path, Look::Followed)
    }

    fn lstat_output(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.ask_for(path, Look::Own, For::Writer)
    }

    fn stat_output(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.ask_for(path, Look::Followed, For::Writer)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.ask(path, Look::Own)?;
        self.links.borrow().get(path.as_os_str()).cloned().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        if self.hides(path) {
            self.ask(path, Look::Followed)?;
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Some(bytes) = self.output(path)? {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = std::fs::read(path)?.into();
        self.ask(path, Look::Followed)?;
        self.depends_on(path, ValueName::of(&bytes));
        Ok(bytes)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.ask(path, Look::Followed)?;
        if self.hides(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Some(bytes) = self.output(path)? {
            let from = usize::try_from(offset).map_or(bytes.len(), |from| from.min(bytes.len()));
            return Ok(bytes[from..from.saturating_add(len).min(bytes.len())].to_vec());
        }
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn promised(&self, path: &Path) -> io::Result<Option<Holds>> {
        let Some(outputs) = self.outputs else { return Ok(None) };
        let Some(stat) = self.ask(path, Look::Followed)? else { return Ok(None) };
        Ok(self.placeholder(path, &stat)?.and_then(|object| outputs.issued().get(&object)).map(|issue| issue.holds))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Option<Vec<OsString>>> {
        if let Some(names) = self.lists.borrow().get(path) {
            return Ok(names.clone());
        }
        let mut names = if self.hides(path) { None } else { list(path)? };
        if let Some(names) = &mut names {
            names.retain(|name| !self.hides(&path.join(name)));
        }
        self.lists.borrow_mut().insert(path.to_owned(), names.clone());
        Ok(names)
    }

    fn run(&self, exe: &Path, argv: &[OsString], env: &[(OsString, OsString)], cwd: &Path) -> io::Result<RunOutput> {
        let mut command = Command::new(exe);
        if let Some((name, rest)) = argv.split_first() {
            command.arg0(name).args(rest);
        }
        command.env_clear().envs(env.iter().map(|(k, v)| (k, v))).current_dir(cwd).stdin(Stdio::null());
        let output = command.output()?;
        Ok(RunOutput { status: output.status.code(), stdout: output.stdout, stderr: output.stderr })
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.recall.get(key)
    }

    fn remember(&self, key: &str, value: &[u8]) {
        // A plan that cannot be kept is asked for again.
        let _ = self.recall.put(key, value);
    }

    fn purpose(&self, purpose: &dyn Fn() -> String) {
        if let Some(purposes) = &self.purposes {
            purposes.borrow_mut().begin(purpose());
        }
    }
}

#[cfg(test)]
mod tests;
