//! What one request was told of paths. Knows nothing of where the answers come from.

use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;

use gg_models::{FileKind, Stat};
use rustc_hash::FxHashMap;

use crate::look::Look;

/// The answers of one request, in the order of the look-ups.
#[derive(Default)]
pub(super) struct Seen {
    answers: Vec<Answer>,
    by_path: FxHashMap<Rc<OsStr>, usize>,
}

/// What was seen of a path: of itself, and of where links lead to from there.
#[derive(Clone, Copy, Default)]
pub(super) struct Seeing {
    pub own: Option<Option<Stat>>,
    pub followed: Option<Option<Stat>>,
}

/// Whom a look-up is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Somebody who reads or searches: what is there counts.
    Reader,
    /// Somebody who is about to write there.
    Writer,
}

struct Answer {
    path: Rc<OsStr>,
    seeing: Seeing,
    /// Only those asked who are to write there.
    only_written: bool,
}

/// One look-up, and its answer.
pub(super) struct Looked<'a> {
    pub path: &'a Path,
    pub look: Look,
    pub stat: Option<Stat>,
    /// Only those asked who are to write there.
    pub only_written: bool,
}

impl Seeing {
    /// The answer to one of both looks, if that was asked.
    pub fn get(&self, how: Look) -> Option<Option<Stat>> {
        if how == Look::Own { self.own } else { self.followed }
    }
}

impl Seen {
    pub fn get(&self, path: &Path, how: Look) -> Option<Option<Stat>> {
        self.answers[*self.by_path.get(path.as_os_str())?].seeing.get(how)
    }

    /// The same, for somebody.
    pub fn answer(&mut self, path: &Path, how: Look, whom: For) -> Option<Option<Stat>> {
        let answer = &mut self.answers[*self.by_path.get(path.as_os_str())?];
        let found = answer.seeing.get(how)?;
        answer.only_written &= whom == For::Writer;
        Some(found)
    }

    /// Whether a link was seen at a path.
    pub fn is_link(&self, path: &Path) -> bool {
        matches!(self.get(path, Look::Own), Some(Some(Stat { kind: FileKind::Symlink, .. })))
    }

    /// What stands at a path; what was seen first stays.
    pub fn insert(&mut self, path: &Path, answer: Seeing, whom: For) {
        let number = match self.by_path.get(path.as_os_str()) {
            Some(number) => *number,
            None => {
                let path: Rc<OsStr> = path.as_os_str().into();
                self.by_path.insert(Rc::clone(&path), self.answers.len());
                self.answers.push(Answer { path, seeing: Seeing::default(), only_written: true });
                self.answers.len() - 1
            }
        };
        self.answers[number].only_written &= whom == For::Writer;
        let known = &mut self.answers[number].seeing;
        known.own = known.own.or(answer.own);
        known.followed = known.followed.or(answer.followed);
    }

    /// All answers, but for those that say nothing more: what the links lead to from a file is the file itself.
    pub fn all(&self) -> impl Iterator<Item = Looked<'_>> {
        let looks = [Look::Followed, Look::Own];
        self.answers.iter().flat_map(move |answer| {
            let plain = matches!(answer.seeing.own, Some(Some(Stat { kind: FileKind::File | FileKind::Dir, .. })));
            let looks = looks.into_iter().filter(move |how| *how == Look::Own || !plain);
            looks.filter_map(move |look| {
                let stat = answer.seeing.get(look)?;
                Some(Looked { path: Path::new(&*answer.path), look, stat, only_written: answer.only_written })
            })
        })
    }

    /// What was there.
    pub fn there(&self) -> impl Iterator<Item = (&Path, Stat)> {
        self.all().filter_map(|looked| Some((looked.path, looked.stat?)))
    }
}
