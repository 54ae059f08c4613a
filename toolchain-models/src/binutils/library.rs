//! What stands where a call names an archive, and the files that a thin one leads to.
//!
//! Knows no tool's options.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive;
use crate::binutils::Call;
use crate::verdict::{Holds, Input, Reason, ReasonKind};
use crate::world::FileKind;

/// As deep as thin archives may lie in one another.
const MAX_DEPTH: usize = 16;

/// What stands at a path.
pub(super) enum Standing {
    Nothing,
    /// A file that is no archive.
    Other,
    /// An archive that holds its members; whether it has been made.
    Plain(bool),
    /// An archive of names.
    Thin(Arc<[u8]>),
}

impl Call<'_> {
    pub(super) fn standing(&self, path: &Path) -> Result<Standing, Reason> {
        match self.kind(path)? {
            None => return Ok(Standing::Nothing),
            Some(FileKind::File) => {}
            Some(_) => return Err(Reason::new(ReasonKind::OutputKind, path.to_string_lossy())),
        }
        match self.promised(path)? {
            Some(Holds::Object) => return Ok(Standing::Other),
            // A model made it, and so no thin one.
            Some(Holds::Archive) => return Ok(Standing::Plain(false)),
            _ => {}
        }
        let magic = self.world.read_at(path, 0, archive::MAGIC.len()).map_err(|error| Reason::io(path, &error))?;
        Ok(match &magic[..] {
            archive::MAGIC => Standing::Plain(true),
            archive::THIN_MAGIC => Standing::Thin(self.content(path)?),
            _ => Standing::Other,
        })
    }

    /// The bytes of a file.
    pub(super) fn content(&self, path: &Path) -> Result<Arc<[u8]>, Reason> {
        self.world.read(path).map_err(|error| Reason::io(path, &error))
    }

    /// The files of a thin archive's members, those that they lead to in turn, too.
    pub(super) fn reads_members(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Reason> {
        let mut pending: Vec<(PathBuf, usize)> = members(path, bytes, 0)?;
        let mut seen = BTreeSet::new();
        while let Some((member, depth)) = pending.pop() {
            if !seen.insert(member.clone()) {
                continue;
            }
            let standing = self.standing(&member)?;
            if let Standing::Thin(bytes) = &standing {
                pending.extend(members(&member, bytes, depth + 1)?);
            }
            if matches!(standing, Standing::Nothing) {
                return Err(Reason::new(ReasonKind::Input, format!("{} not found", member.display())));
            }
            self.inputs.insert(Input::File(member));
        }
        Ok(())
    }
}

fn members(path: &Path, bytes: &[u8], depth: usize) -> Result<Vec<(PathBuf, usize)>, Reason> {
    let refuse = |what: &str| Reason::new(ReasonKind::Footprint, format!("{}: {what}", path.display()));
    if depth > MAX_DEPTH {
        return Err(refuse("thin archives in one another"));
    }
    let entries = archive::entries(bytes).ok_or_else(|| refuse("an archive of another kind"))?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    Ok(entries.iter().map(|entry| (dir.join(OsStr::from_bytes(entry.name)), depth)).collect())
}
