//! The memo index: from a reduced thunk's name to what forcing it gave. Does not know whether the objects
//! of a record are still in the store; who gets a record asks that.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use gg_thunk::ThunkName;

use crate::error::AtPath;
use crate::local::{is_absence, open_object, read_whole};
use crate::record::Record;
use crate::temp::Temp;
use crate::{LocalStore, Result, StoreError};

/// The memo index of a store. Clones share it.
#[derive(Clone, Debug)]
pub struct Memo {
    store: LocalStore,
}

impl Memo {
    /// The memo index that lies beside this store's objects.
    pub fn open(store: &LocalStore) -> Result<Memo> {
        Ok(Memo { store: store.clone() })
    }

    /// What forcing this reduced thunk gave, if that is known. A record that is damaged is set aside and counts as
    /// unknown. The objects may have been evicted: see [`Record::objects`].
    pub fn get(&self, thunk: &ThunkName) -> Result<Option<Record>> {
        let path = self.store.layout().memo_file(thunk);
        let Some(file) = open_object(&path)? else {
            return Ok(None);
        };
        let meta = file.metadata().at(&path)?;
        if !meta.is_file() {
            self.store.move_aside(&path)?;
            return Ok(None);
        }
        let record = Record::decode(&read_whole(&file, meta.len()).at(&path)?, thunk);
        if record.is_none() {
            self.store.set_aside(&path, &file)?;
        } else {
            // That gc was quicker takes nothing from what was read.
            let _ = self.store.keep_in_use(&path, &meta);
        }
        Ok(record)
    }

    /// Remembers what forcing this reduced thunk gave, in place of what was known.
    pub fn put(&self, thunk: &ThunkName, record: &Record) -> Result<()> {
        let path = self.store.layout().memo_file(thunk);
        let text =
            record.encode(thunk).map_err(|e| StoreError::Io { path: path.clone(), source: io::Error::from(e) })?;
        let mut temp = Temp::create(&self.store.layout().tmp, 0o644)?;
        temp.file.write_all(&text).at(&temp.path)?;
        temp.place(&path)
    }

    /// Forgets what forcing this reduced thunk gave.
    pub fn remove(&self, thunk: &ThunkName) -> Result<()> {
        remove(&self.store.layout().memo_file(thunk))
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if is_absence(&e) => Ok(()),
        removed => removed.at(path),
    }
}

/// The record in a file of the memo, read without counting as a use; `None` if it is none.
pub(crate) fn read_quietly(path: &Path) -> Result<Option<Record>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Ok(thunk) = name.parse::<ThunkName>() else {
        return Ok(None);
    };
    let Some(mut file) = open_object(path)? else {
        return Ok(None);
    };
    let mut text = Vec::new();
    file.read_to_end(&mut text).at(path)?;
    Ok(Record::decode(&text, &thunk))
}
