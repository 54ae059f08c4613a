//! Placeholders as files: which file is one, how one is written where a tool would have written its output, how it becomes
//! that output. Knows nothing of forcing.
//!
//! A placeholder becomes its output in one step, and keeps its modification time, so that the order of the work is that in
//! which make saw it done. One with several names is written within its inode, so that all of them get the output; that takes
//! several steps, and the ledger knows of it until they are done.

use std::ffi::OsStr;
use std::fs::{File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt as _, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gg_store::LocalStore;
use gg_thunk::{Output, OutputName, Placeholder, ValueName};

use crate::issued::Issued;
use crate::place::{Content, put, put_beside};
use crate::{SessionError, sys};

/// More than any placeholder has.
const LONGEST: u64 = 256;

/// A file that holds a placeholder of this `GG_DIR`'s.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Held {
    /// Where it stands.
    pub path: PathBuf,
    /// What it stands for.
    pub object: OutputName,
}

/// The output that a file of this size stands for, if it is a placeholder that was issued here.
pub(crate) fn held_by(issued: &Issued, path: &Path, size: u64) -> io::Result<Option<OutputName>> {
    if size > LONGEST { Ok(None) } else { read(issued, &File::open(path)?) }
}

fn read(issued: &Issued, file: &File) -> io::Result<Option<OutputName>> {
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    let object = Placeholder::decode(&text).ok().map(|placeholder| placeholder.object);
    Ok(object.filter(|object| issued.has(object)))
}

/// Whether a file of this size is a placeholder that was not issued here.
pub(crate) fn is_foreign(issued: &Issued, path: &Path, size: u64) -> bool {
    let read = || -> io::Result<Vec<u8>> { std::fs::read(path) };
    size <= LONGEST
        && read().is_ok_and(|text| Placeholder::decode(&text).is_ok_and(|placeholder| !issued.has(&placeholder.object)))
}

/// Whether a file begins as a placeholder that was issued here does, and goes on: something was made of what was not there.
pub(crate) fn holds_remains(issued: &Issued, path: &Path) -> io::Result<bool> {
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut text)?;
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum();
    text.truncate(lines);
    Ok(Placeholder::decode(&text).is_ok_and(|placeholder| issued.has(&placeholder.object)))
}

/// Writes a placeholder for an output to its path, in the way in which the tool writes the output.
pub(crate) fn stand_in(output: &Output, object: &OutputName, mode: u32) -> Result<(), SessionError> {
    let path = Path::new(OsStr::from_bytes(&output.path));
    let text = Placeholder { object: object.clone() }.encode();
    put(&mut Content::Text(&text), path, output.writes, mode).map_err(|e| SessionError::io("writing", path, e))
}

/// Makes a placeholder the output it stands for; says whether it still was one. `mode` is the output's; `within_inode`: also
/// for who has it open already.
pub(crate) fn fulfil(
    issued: &Issued,
    store: &LocalStore,
    held: &Held,
    value: &ValueName,
    mode: u32,
    within_inode: bool,
) -> Result<bool, SessionError> {
    let path = &held.path;
    let at = |e| SessionError::io("writing", path, e);
    let Some(object) = store.checked_path(value)? else {
        let path = store.object_path(value);
        return Err(SessionError::Input { path, why: "has gone from the store, or was corrupt" });
    };
    let mut object = Content::Object(File::open(object).map_err(at)?);
    // Who comes second finds the output.
    let _lock = issued.lock(&held.object).map_err(at)?;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(at(e)),
    };
    let torn = issued.is_being_written(held);
    if torn && !holds_remains(issued, path).map_err(at)? {
        // Its head is the output's already, or it was written anew: whatever it is, it is no placeholder.
        issued.note_written(held).map_err(at)?;
        return Ok(false);
    }
    if !torn && read(issued, &file).map_err(at)?.as_ref() != Some(&held.object) {
        return Ok(false);
    }
    let before = file.metadata().map_err(at)?;
    // Whoever has changed the placeholder's mode has meant the output's.
    let changed = issued.get(&held.object).is_some_and(|issue| issue.mode != before.mode() & 0o7777);
    let mode = if changed { before.mode() & 0o7777 } else { mode };
    let times = FileTimes::new().set_modified(before.modified().map_err(at)?);
    if before.nlink() == 1 && !torn && !within_inode {
        match beside(&mut object, path, mode, times) {
            // Where no name can be made there may be room in the file itself.
            Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {}
            put => return put.map(|()| true).map_err(at),
        }
    }
    let file = to_write(path, &before).map_err(at)?;
    issued.note_writing(held).map_err(at)?;
    within(&file, &mut object, mode, times).map_err(at)?;
    issued.note_written(held).map_err(at)?;
    Ok(true)
}

/// A new file takes the name, and its directory keeps its time.
fn beside(object: &mut Content<'_>, path: &Path, mode: u32, times: FileTimes) -> io::Result<()> {
    let dir = File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    let dir_times = FileTimes::new().set_modified(dir.metadata()?.modified()?);
    put_beside(object, path, mode, times)?;
    // A directory of somebody else's keeps the new time.
    let _ = dir.set_times(dir_times);
    Ok(())
}

/// A placeholder's file, also where the build has made it read-only.
fn to_write(path: &Path, before: &Metadata) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).write(true).open(path);
    match open() {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            std::fs::set_permissions(path, Permissions::from_mode(before.mode() & 0o7777 | 0o200))?;
            open()
        }
        opened => opened,
    }
}

/// The bytes of the object into the file, those that stand where the placeholder's lines do last.
fn within(mut file: &File, object: &mut Content<'_>, mode: u32, times: FileTimes) -> io::Result<()> {
    let length = object.len()?;
    sys::reserve(file, length)?;
    let Content::Object(object) = object else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut head = vec![0; usize::try_from(length.min(LONGEST)).unwrap_or(0)];
    object.read_exact(&mut head)?;
    file.seek(SeekFrom::Start(LONGEST))?;
    io::copy(object, &mut file)?;
    file.write_all_at(&head, 0)?;
    file.set_len(length)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.set_times(times)
}
