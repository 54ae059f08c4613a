//! Checks everything that is stored against its name. Knows nothing of use and eviction.

use std::path::PathBuf;

use gg_thunk::{NameHasher, ThunkName, ValueName};

use crate::error::AtPath;
use crate::layout::{self, Key};
use crate::local::{open_object, read_pieces};
use crate::{LocalStore, Result, memo};

/// What was checked, and what was not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Objects that are whole.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Memo records that are whole.
    pub records: u64,
    /// Objects and records that were corrupt and are set aside now.
    pub corrupt: Vec<PathBuf>,
    /// Files that no store puts there. They are left alone.
    pub foreign: Vec<PathBuf>,
}

impl LocalStore {
    /// Reads every object and every memo record. What is corrupt is set aside.
    pub fn verify(&self) -> Result<VerifyReport> {
        let layout = self.layout();
        let mut report = VerifyReport::default();
        for path in layout::files_in_shards(&layout.objects).at(&layout.objects)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let key = if let Ok(name) = name.parse::<ValueName>() {
                Key::of_value(layout, &name)
            } else if let Ok(name) = name.parse::<ThunkName>() {
                Key::of_thunk(layout, &name)
            } else {
                report.foreign.push(path);
                continue;
            };
            if key.path != path || !path.is_file() {
                report.foreign.push(path);
                continue;
            }
            let Some(file) = open_object(&path)? else {
                continue;
            };
            let mut hasher = NameHasher::new();
            read_pieces(&file, &path, key.len, |piece| {
                hasher.update(piece);
                Ok(())
            })?;
            if key.is(&hasher.value_name()) {
                report.objects += 1;
                report.bytes += key.len;
            } else {
                self.set_aside(&path, &file)?;
                report.corrupt.push(path);
            }
        }
        self.packs().verify(&mut report)?;
        for path in layout::files_in_shards(&layout.memo).at(&layout.memo)? {
            if memo::read_quietly(&path)?.is_some() {
                report.records += 1;
            } else if path.exists() {
                self.move_aside(&path)?;
                report.corrupt.push(path);
            }
        }
        Ok(report)
    }
}
