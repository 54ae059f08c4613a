//! What the memo knows of a reduced thunk, if it can still be used. Knows not who asks.

use gg_store::{LocalStore, Memo, Record, Store as _};
use gg_thunk::{OutputName, Tag, Thunk, ThunkName};

use crate::redirect::redirects;

/// A record with the outputs that stand for others.
pub(crate) type Remembered = (Record, Vec<(Tag, OutputName)>);

/// The record, if it holds every output that must be there and all its objects are in the store.
/// Anything wrong with it makes it unknown: the thunk is run again.
pub(crate) fn recall(store: &LocalStore, memo: &Memo, name: &ThunkName, thunk: &Thunk) -> Option<Remembered> {
    let record = memo.get(name).ok().flatten()?;
    let made = |tag: &Tag| record.outputs.contains_key(tag);
    if thunk.outputs.iter().any(|o| !o.optional && !made(&o.tag)) {
        return None;
    }
    let objects = record.outputs.values().map(|made| &made.object);
    for object in objects.chain([&record.stdout, &record.stderr]) {
        if !store.contains(object).unwrap_or(false) {
            return None;
        }
    }
    let redirects = redirects(store, &record).ok()?;
    Some((record, redirects))
}
