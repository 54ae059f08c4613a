//! Puts outputs where the tool would have put them, the way it would have.
//!
//! `replace`: a new file takes the name, whatever link or file had it. `through`: the bytes go into the
//! file that is there, through links, and its mode stays. Knows nothing of how the bytes were made.

use std::ffi::OsStr;
use std::fs::{File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gg_store::{LocalStore, Record};
use gg_thunk::{Output, Writes};

use crate::{SessionError, sys};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Places every output that the record has, in the order of the thunk's outputs, so that times keep the
/// order of the work.
pub(crate) fn place(store: &LocalStore, outputs: &[Output], record: &Record) -> Result<(), SessionError> {
    // Nothing is touched before all of it is known to be there, and whole.
    let mut ready = Vec::with_capacity(outputs.len());
    for output in outputs {
        let Some(made) = record.outputs.get(&output.tag) else { continue };
        let Some(object) = store.checked_path(&made.object)? else {
            let path = store.object_path(&made.object);
            return Err(SessionError::Input { path, why: "has gone from the store, or was corrupt" });
        };
        ready.push((output, object, made.mode));
    }
    for (output, object, mode) in ready {
        let path = Path::new(OsStr::from_bytes(&output.path));
        let object = File::open(&object).map(Content::Object);
        let placed = object.and_then(|mut object| put(&mut object, path, output.writes, mode));
        placed.map_err(|e| SessionError::io("writing", path, e))?;
    }
    Ok(())
}

/// What goes into a file.
pub(crate) enum Content<'a> {
    /// All of an object of the store.
    Object(File),
    /// These bytes.
    Text(&'a [u8]),
}

impl Content<'_> {
    /// Its length in bytes.
    pub fn len(&self) -> io::Result<u64> {
        match self {
            Content::Object(object) => Ok(object.metadata()?.len()),
            Content::Text(text) => Ok(text.len() as u64),
        }
    }

    /// All of it into the file, sharing blocks where the file system can.
    fn fill(&mut self, file: &mut File) -> io::Result<()> {
        match self {
            Content::Object(object) => {
                object.rewind()?;
                io::copy(object, file).map(drop)
            }
            Content::Text(text) => file.write_all(text),
        }
    }
}

/// Puts something where a tool that writes in this way would have put it.
pub(crate) fn put(content: &mut Content<'_>, path: &Path, writes: Writes, mode: u32) -> io::Result<()> {
    match writes {
        Writes::Replace => replace(content, path, mode),
        Writes::Through => through(content, path, mode),
    }
}

/// A whole file with these times takes the name in one step, whatever file had it.
pub(crate) fn put_beside(content: &mut Content<'_>, path: &Path, mode: u32, times: FileTimes) -> io::Result<()> {
    if let Some(new) = Unnamed::make(content, path, mode)? {
        new.0.set_times(times)?;
        let beside = beside(path)?;
        new.link(&beside)?;
        return supplant(&beside, path);
    }
    let beside = beside(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let filled = content.fill(&mut file);
    let whole =
        filled.and_then(|()| file.set_permissions(Permissions::from_mode(mode))).and_then(|()| file.set_times(times));
    match whole {
        Ok(()) => supplant(&beside, path),
        Err(e) => {
            let _ = std::fs::remove_file(&beside);
            Err(e)
        }
    }
}

/// Whether this user may not put an output there, or only otherwise than the tool does: what is to be said of it the tool has to
/// say. `in_place`: the call changes a file that it reads, by way of one beside it.
pub(crate) fn is_denied(output: &Output, in_place: bool) -> bool {
    let path = Path::new(OsStr::from_bytes(&output.path));
    let closed = || path.parent().is_some_and(|dir| !sys::permits(dir, libc::W_OK | libc::X_OK));
    match output.writes {
        Writes::Through if path.exists() => {
            !sys::permits(path, libc::W_OK) || in_place && (closed() || runs_as_another(path))
        }
        _ => closed(),
    }
}

/// Whether a program is set-user-ID or set-group-ID: the system takes that from it when others than root write, and some tools give
/// it back.
fn runs_as_another(path: &Path) -> bool {
    path.metadata().is_ok_and(|stat| stat.permissions().mode() & (libc::S_ISUID | libc::S_ISGID) != 0)
}

/// A new file, then its name: who looks sees the old file or all of the new one.
fn replace(object: &mut Content<'_>, path: &Path, mode: u32) -> io::Result<()> {
    let Some(new) = Unnamed::make(object, path, mode)? else { return replace_by_rename(object, path, mode) };
    match new.link(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let beside = beside(path)?;
            new.link(&beside)?;
            supplant(&beside, path)
        }
        linked => linked,
    }
}

/// Where a file cannot be made without a name.
fn replace_by_rename(object: &mut Content<'_>, path: &Path, mode: u32) -> io::Result<()> {
    let beside = beside(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let filled = object.fill(&mut file).and_then(|()| file.set_permissions(Permissions::from_mode(mode)));
    match filled {
        Ok(()) => rename(&beside, path),
        Err(e) => {
            let _ = std::fs::remove_file(&beside);
            Err(e)
        }
    }
}

/// Takes the name of another file. The two change their names and the old one goes, as ext4 waits for the disk when a file is
/// renamed over another one.
fn supplant(new: &Path, path: &Path) -> io::Result<()> {
    let is_dir = path.symlink_metadata().is_ok_and(|old| old.is_dir());
    if is_dir || sys::exchange(new, path).is_err() {
        return rename(new, path);
    }
    match std::fs::remove_file(new) {
        // Something else stood there by then.
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            sys::exchange(new, path)?;
            rename(new, path)
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to).inspect_err(|_| {
        let _ = std::fs::remove_file(from);
    })
}

/// A name in the same directory that nobody else takes.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = dir.join(format!(".gg-{}-{number}", std::process::id()));
        // A process of this number, in another container or before, may have left one.
        if name.symlink_metadata().is_err() {
            return Ok(name);
        }
    }
}

/// Into the file that is there; if there is none, a new one with all its bytes.
fn through(object: &mut Content<'_>, path: &Path, mode: u32) -> io::Result<()> {
    if !path.exists()
        && !path.is_symlink()
        && let Some(new) = Unnamed::make(object, path, mode)?
    {
        match new.link(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            linked => return linked,
        }
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let filled = object.fill(&mut file).and_then(|()| file.set_permissions(Permissions::from_mode(mode)));
            filled.inspect_err(|_| {
                let _ = std::fs::remove_file(path);
            })
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            // A link that leads nowhere: what is made where it points to has no mode yet.
            let made = !path.exists();
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
            if made {
                file.set_permissions(Permissions::from_mode(mode))?;
            }
            let length = object.len()?;
            // A full disk is noticed while the old bytes are still there.
            sys::reserve(&file, length)?;
            object.fill(&mut file)?;
            file.set_len(length)
        }
        Err(e) => Err(e),
    }
}

/// A whole file that has no name yet: nothing of it is left behind if this process is killed.
struct Unnamed(File);

impl Unnamed {
    /// Makes one in the directory of the path; `None` where the file system cannot.
    fn make(object: &mut Content<'_>, path: &Path, mode: u32) -> io::Result<Option<Unnamed>> {
        let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let Some(mut file) = sys::unnamed_file(dir)? else { return Ok(None) };
        object.fill(&mut file)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(Some(Unnamed(file)))
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        sys::link_unnamed(&self.0, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    /// A directory with an object in it, and the object open.
    fn directory(name: &str) -> (PathBuf, Content<'static>) {
        let dir = std::env::temp_dir().join(format!("gg-place-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("object"), "new bytes").unwrap();
        let object = Content::Object(File::open(dir.join("object")).unwrap());
        (dir, object)
    }

    fn state(path: &Path) -> (String, u32) {
        (fs::read_to_string(path).unwrap(), fs::symlink_metadata(path).unwrap().mode() & 0o7777)
    }

    #[test]
    fn replacing_takes_the_name_from_whatever_had_it() {
        let (dir, mut object) = directory("replace");
        let out = dir.join("out");
        for way in [replace, replace_by_rename] {
            way(&mut object, &out, 0o640).unwrap();
            assert_eq!(state(&out), ("new bytes".to_owned(), 0o640));
            fs::write(dir.join("other"), "old").unwrap();
            fs::remove_file(&out).unwrap();
            std::os::unix::fs::symlink("other", &out).unwrap();
            way(&mut object, &out, 0o755).unwrap();
            assert_eq!(state(&out), ("new bytes".to_owned(), 0o755));
            assert_eq!(fs::read_to_string(dir.join("other")).unwrap(), "old", "what it pointed to is as it was");
            fs::hard_link(&out, dir.join("second")).unwrap();
            way(&mut object, &out, 0o600).unwrap();
            assert_eq!(state(&dir.join("second")).1, 0o755, "another name of the old file keeps it");
            fs::remove_file(dir.join("second")).unwrap();
            fs::remove_file(&out).unwrap();
            assert!(way(&mut object, &dir.join("absent/out"), 0o644).is_err());
            fs::create_dir(&out).unwrap();
            assert!(way(&mut object, &out, 0o644).is_err());
            fs::remove_dir(&out).unwrap();
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing is left but object and other");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn writing_through_keeps_the_file() {
        let (dir, mut object) = directory("through");
        let out = dir.join("out");
        through(&mut object, &out, 0o640).unwrap();
        assert_eq!(state(&out), ("new bytes".to_owned(), 0o640));
        fs::write(&out, "old bytes that are longer").unwrap();
        fs::set_permissions(&out, Permissions::from_mode(0o751)).unwrap();
        std::os::unix::fs::symlink("out", dir.join("link")).unwrap();
        let before = fs::metadata(&out).unwrap().ino();
        through(&mut object, &dir.join("link"), 0o644).unwrap();
        assert_eq!(state(&out), ("new bytes".to_owned(), 0o751));
        assert_eq!(fs::metadata(&out).unwrap().ino(), before);
        // A link that leads nowhere: the file is made where it points to.
        std::os::unix::fs::symlink("made", dir.join("dangling")).unwrap();
        through(&mut object, &dir.join("dangling"), 0o604).unwrap();
        assert_eq!(state(&dir.join("made")), ("new bytes".to_owned(), 0o604));
        fs::remove_dir_all(dir).unwrap();
    }
}
