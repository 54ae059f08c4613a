//! The names in directories where much was looked for and not found. While a directory is as it was when it was listed, a name
//! that it did not have needs no look-up of its own: a search path of ten directories costs ten looks, not ten for each header.
//!
//! Knows nothing of requests. A listing is used only in file systems of which it is known that a directory's times change with
//! its names, and for names whose spelling cannot be taken for another's.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gg_models::{FileKind, Stat};

use crate::by_path::ByPath;
use crate::evidence::{SETTLED_NS, State};
use crate::look::{Look, list, look};
use crate::{by_path, sys};

/// So many look-ups that find nothing cost as much as a listing.
const WORTH: u32 = 12;

/// When so many names are kept, all are forgotten.
const MOST_NAMES: usize = 1 << 20;

/// What is known of directories, over requests.
#[derive(Default)]
pub(crate) struct Listings {
    dirs: Mutex<ByPath<Listing>>,
}

struct Listing {
    state: State,
    missed: u32,
    names: Option<Arc<Names>>,
}

/// The names of one directory, in small letters.
pub(crate) struct Names(by_path::Names);

impl Names {
    fn of(names: Vec<OsString>) -> Option<Names> {
        // Where letters of other alphabets are, what is equal to what is for the file system to say.
        names
            .iter()
            .all(|name| is_plain(name))
            .then(|| Names(names.iter().map(|name| name.to_ascii_lowercase()).collect()))
    }

    /// Whether there is no such name, in whatever letters.
    pub fn lack(&self, name: &OsStr) -> bool {
        is_plain(name)
            && if name.as_bytes().iter().any(u8::is_ascii_uppercase) {
                !self.0.contains(&name.to_ascii_lowercase())
            } else {
                !self.0.contains(name)
            }
    }
}

/// Neither letters that have several spellings, nor a short name of a longer one.
fn is_plain(name: &OsStr) -> bool {
    name.as_bytes().iter().all(|byte| byte.is_ascii() && *byte != b'~')
}

impl Listings {
    /// The names of a directory, if they are known and it has not changed.
    pub fn names(&self, dir: &Path, stat: &Stat) -> Option<Arc<Names>> {
        let dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = dirs.get(dir.as_os_str()).filter(|known| known.state == State::of(stat))?;
        known.names.clone()
    }

    /// Something was not there. `stat`: of the directory, before that look; `now`: nanoseconds since 1970, before that.
    pub fn missed(&self, dir: &Path, stat: &Stat, now: i128) {
        let state = State::of(stat);
        let count = {
            let mut dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
            let listing = dirs.entry(dir.as_os_str().to_owned()).or_insert(Listing { state, missed: 0, names: None });
            if listing.state != state {
                *listing = Listing { state, missed: 0, names: None };
            }
            listing.missed += 1;
            listing.missed
        };
        if count != WORTH {
            return;
        }
        let settled = now - stat.mtime_ns.max(stat.ctime_ns) > SETTLED_NS;
        let names = settled.then(|| listed(dir, stat)).flatten();
        let mut dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = dirs.values().filter_map(|listing| Some(listing.names.as_ref()?.0.len())).sum();
        if kept > MOST_NAMES {
            dirs.clear();
        }
        // One that was too young is looked at again when it has missed as much once more.
        let missed = if settled { count } else { 0 };
        dirs.insert(dir.as_os_str().to_owned(), Listing { state, missed, names });
    }
}

/// The names, if the directory is in the same state before and after, and if its names prove what is not there.
fn listed(dir: &Path, stat: &Stat) -> Option<Arc<Names>> {
    if !sys::names_are_timed(dir) {
        return None;
    }
    let names = list(dir).ok()??;
    // Who may not look below it is told so, whatever is there.
    look(&dir.join("."), Look::Followed).ok()??;
    let after = look(dir, Look::Followed).ok()??;
    (after.kind == FileKind::Dir && State::of(&after) == State::of(stat))
        .then(|| Names::of(names))
        .flatten()
        .map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_when_it_is_worth_it_and_forgotten_with_the_state() {
        let dir = gg_testkit::temp_dir();
        std::fs::write(dir.path().join("There.h"), "").unwrap();
        let stat = look(dir.path(), Look::Followed).unwrap().unwrap();
        let later = stat.mtime_ns + 2 * SETTLED_NS;
        let listings = Listings::default();
        for _ in 1..WORTH {
            listings.missed(dir.path(), &stat, later);
        }
        assert!(listings.names(dir.path(), &stat).is_none());
        listings.missed(dir.path(), &stat, later);
        let names = listings.names(dir.path(), &stat).unwrap();
        assert!(names.lack(OsStr::new("not.h")));
        for there in ["There.h", "there.h", "THERE~1.H", "thére.h"] {
            assert!(!names.lack(OsStr::new(there)), "{there}");
        }
        std::fs::write(dir.path().join("not.h"), "").unwrap();
        let changed = look(dir.path(), Look::Followed).unwrap().unwrap();
        assert!(listings.names(dir.path(), &changed).is_none());
    }

    #[test]
    fn a_directory_that_has_just_changed_is_not_listed() {
        let dir = gg_testkit::temp_dir();
        let stat = look(dir.path(), Look::Followed).unwrap().unwrap();
        let listings = Listings::default();
        for _ in 0..3 * WORTH {
            listings.missed(dir.path(), &stat, stat.mtime_ns + 1);
        }
        assert!(listings.names(dir.path(), &stat).is_none());
        for _ in 0..WORTH {
            listings.missed(dir.path(), &stat, stat.mtime_ns + 2 * SETTLED_NS);
        }
        assert!(listings.names(dir.path(), &stat).is_some());
    }

    #[test]
    fn strange_letters_say_nothing() {
        assert!(Names::of(vec!["a.h".into(), "ä.h".into()]).is_none());
    }
}
