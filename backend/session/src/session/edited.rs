//! A compilation whose source was edited where no directive stands: its thunk is the one that is kept, with other bytes in one file.
//! Knows nothing of what directives are: a model says whether a source still has those that it had.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gg_models::{Directives, FileKind, Stat, World as _};
use gg_thunk::{Bytes, FileNode, Node, ObjectName, Thunk, TreeName, ValueName};
use serde::{Deserialize, Serialize};

use super::Session;
use super::known::Holding;
use crate::SessionError;
use crate::calls::Call;
use crate::look::{Look, look};
use crate::world::LiveWorld;

/// A source, and what of it a thunk's footprint rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Source {
    /// What counts of it.
    pub directives: Directives,
    /// Its path without links, by which it stands in the thunk's tree.
    pub physical: Bytes,
    /// Its permission bits.
    pub mode: u32,
    /// The digest of its bytes.
    pub content: [u8; 32],
}

/// A source's text, beside what it was.
pub(crate) enum Text {
    Same,
    /// Where no directive stands it is another: this one.
    Edited(ValueName),
    /// It is another, and what of it counts may be.
    Other,
}

impl Source {
    /// A source whose bytes were taken from a path without links.
    pub fn new(directives: Directives, physical: PathBuf, world: &LiveWorld<'_>) -> Option<Source> {
        let content = *world.content(&physical)?.digest();
        let mode = world.lstat(&physical).ok()??.mode;
        Some(Source { directives, physical: physical.into_os_string().into_vec(), mode, content })
    }

    /// Its path as the compiler opens it.
    pub fn spelled(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.directives.source))
    }

    /// Its path without links.
    pub fn physical(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.physical))
    }

    /// The paths by which it may be looked up: what the model saw there does not count, its text does.
    pub fn paths(&self) -> [&Path; 2] {
        [self.spelled(), self.physical()]
    }
}

impl Session {
    /// What has become of a source's text. Of one that cannot be read the model says what there is to say.
    pub(super) fn text(&self, source: &Source) -> Text {
        let path = source.physical();
        let plain = |stat: &Stat| stat.kind == FileKind::File && stat.mode == source.mode;
        let Some(stat) = look(path, Look::Own).ok().flatten().filter(plain) else { return Text::Other };
        let is_same = |value: &ValueName| *value.digest() == source.content;
        if self.contents.known(&stat).as_ref().is_some_and(is_same) {
            return Text::Same;
        }
        let Ok((value, bytes)) = self.contents.read(path, &stat) else { return Text::Other };
        if is_same(&value) {
            return Text::Same;
        }
        // A source that somebody is still to make has no bytes.
        if self.issued.any() || !self.models.has_directives(&source.directives, &bytes) {
            return Text::Other;
        }
        Text::Edited(value)
    }

    /// The source of a call, if it is another than it was when the call was kept, and none of these files.
    pub(super) fn changed_source<'c>(&self, call: &'c Call, besides: &[PathBuf]) -> Option<&'c Path> {
        let source = call.source.as_ref()?;
        let path = source.physical();
        let is_same = |stat: Stat| {
            let value = self.contents.current(path, &stat);
            stat.mode == source.mode && value.is_some_and(|value| *value.digest() == source.content)
        };
        let same = look(path, Look::Own).ok().flatten().filter(|stat| stat.kind == FileKind::File).is_some_and(is_same);
        (!same && !besides.iter().any(|known| source.paths().contains(&known.as_path()))).then(|| source.spelled())
    }

    /// A call and its thunk, which hold but for the source's text, as they are with this text, if that is sure.
    pub(super) fn edited(
        &self,
        call: &Call,
        thunk: &Thunk,
        source: &Source,
        text: ValueName,
    ) -> Result<Option<Holding>, SessionError> {
        if call.in_place {
            return Ok(None);
        }
        // Before the first slash there is nothing.
        let parts = source.physical.split(|byte| *byte == b'/').skip(1);
        let Some(root) = self.with_file(&thunk.root, parts, text)? else { return Ok(None) };
        let thunk = Thunk { root, ..thunk.clone() };
        let name = self.contents.store.put_thunk(&thunk)?;
        let source = Source { content: *text.digest(), ..source.clone() };
        let call = Call { thunk: name.to_string(), fails: false, source: Some(source), ..call.clone() };
        Ok(Some(Holding { call, name, thunk, edited: true }))
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
