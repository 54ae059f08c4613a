//! Outputs that stand for outputs of other thunks, as the crate's documentation has it. Knows not how
//! those are forced.

use gg_store::{LocalStore, Record, Store as _};
use gg_thunk::{MAX_THUNK_BYTES, OutputName, Placeholder, Tag, Thunk};

/// More than any placeholder has, so that other outputs need not be read.
const MAX_PLACEHOLDER: u64 = 256;
/// Less than any placeholder has: its first line and a name.
const MIN_PLACEHOLDER: u64 = 80;

/// The outputs of a record that are placeholders, with what they stand for. If there are any, the
/// thunks among the record's outputs are kept under their own names.
pub(crate) fn redirects(store: &LocalStore, record: &Record) -> Result<Vec<(Tag, OutputName)>, String> {
    let mut found = Vec::new();
    for (tag, made) in &record.outputs {
        if !(MIN_PLACEHOLDER..=MAX_PLACEHOLDER).contains(&made.object.len()) {
            continue;
        }
        let Some(bytes) = store.get(&made.object).map_err(|e| e.to_string())? else {
            return Err(format!("the output {tag} ({}) is not in the store", made.object));
        };
        if Placeholder::looks_like(&bytes) {
            let placeholder = Placeholder::decode(&bytes)
                .map_err(|error| format!("the output {tag} begins as a placeholder does: {error}"))?;
            found.push((tag.clone(), placeholder.object));
        }
    }
    if !found.is_empty() {
        keep_thunks(store, record)?;
    }
    Ok(found)
}

fn keep_thunks(store: &LocalStore, record: &Record) -> Result<(), String> {
    for made in record.outputs.values() {
        if made.object.len() > MAX_THUNK_BYTES as u64 {
            continue;
        }
        let Some(bytes) = store.get(&made.object).map_err(|e| e.to_string())? else {
            continue;
        };
        if bytes.starts_with(b"{\"cwd\":")
            && let Ok(thunk) = Thunk::decode(&bytes)
        {
            store.put_thunk(&thunk).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}
