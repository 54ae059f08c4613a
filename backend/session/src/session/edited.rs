//! A compilation whose source was edited where no directive stands: its thunk is the one that is kept, with other bytes in one file.
//! Knows nothing of what directives are: a model says whether a source still has those that it had.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gg_models::{Directives, FileKind};
use gg_thunk::{Bytes, FileNode, Node, ObjectName, Thunk, TreeName, ValueName};
use serde::{Deserialize, Serialize};

use super::Session;
use crate::SessionError;
use crate::calls::Call;
use crate::evidence::{Look, look};

/// A source, and what of it a thunk's footprint rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Source {
    /// What counts of it.
    pub directives: Directives,
    /// Its path without links, by which it stands in the thunk's tree.
    pub physical: Bytes,
}

impl Source {
    /// Its path as the compiler opens it.
    pub fn spelled(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.directives.source))
    }

    /// Its path without links.
    pub fn physical(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.physical))
    }

    /// The paths by which it may be looked up.
    pub fn paths(&self) -> [&Path; 2] {
        [self.spelled(), self.physical()]
    }
}

impl Session {
    /// The call and its thunk as they are with the source as it is now, if nothing else has changed and if that is sure.
    pub(super) fn edited(&self, call: &Call, thunk: &Thunk) -> Result<Option<(Call, Thunk)>, SessionError> {
        // A source that somebody is still to make has no bytes.
        let Some(source) = call.source.as_ref().filter(|_| !call.in_place && !self.issued.any()) else {
            return Ok(None);
        };
        let path = source.physical();
        // Of a source that cannot be read the model says what there is to say.
        let stat = look(path, Look::Own).ok().flatten().filter(|stat| stat.kind == FileKind::File);
        let (Some(stat), Ok(bytes)) = (stat, std::fs::read(path)) else { return Ok(None) };
        let Ok(value) = self.contents.value(path, &stat) else { return Ok(None) };
        if value != ValueName::of(&bytes) || !self.models.has_directives(&source.directives, &bytes) {
            return Ok(None);
        }
        let Some(evidence) = call.evidence.with_other_bytes(&source.paths(), &stat, &value) else { return Ok(None) };
        // Before the first slash there is nothing.
        let parts = source.physical.split(|byte| *byte == b'/').skip(1);
        let Some(root) = self.with_file(&thunk.root, parts, value)? else { return Ok(None) };
        let thunk = Thunk { root, ..thunk.clone() };
        let name = self.contents.store.put_thunk(&thunk)?;
        Ok(Some((Call { thunk: name.to_string(), fails: false, evidence, ..call.clone() }, thunk)))
    }

    /// A tree in which the file at a path has this value.
    fn with_file<'a>(
        &self,
        tree: &TreeName,
        mut path: impl Iterator<Item = &'a [u8]>,
        value: ValueName,
    ) -> Result<Option<TreeName>, SessionError> {
        let (Some(mut dir), Some(name)) = (self.contents.store.get_tree(tree)?, path.next()) else { return Ok(None) };
        let node = match dir.get(name) {
            Some(Node::Dir(below)) => {
                let Some(below) = self.with_file(below, path, value)? else { return Ok(None) };
                Node::Dir(below)
            }
            Some(Node::File(file)) if file.mtime.is_none() && matches!(file.object, ObjectName::Value(_)) => {
                Node::File(FileNode { object: ObjectName::Value(value), ..file.clone() })
            }
            _ => return Ok(None),
        };
        dir.insert(name, node)?;
        Ok(Some(self.contents.put_tree(&dir)?))
    }
}
