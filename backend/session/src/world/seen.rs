//! What one request was told of paths. Knows nothing of where the answers come from.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::hash::BuildHasherDefault;
use std::path::Path;
use std::rc::Rc;

use gg_models::Stat;

use crate::by_path::PathHasher;
use crate::evidence::Look;

/// The answers of one request, in the order of the look-ups.
#[derive(Default)]
pub(super) struct Seen {
    answers: Vec<Answer>,
    by_path: HashMap<Rc<OsStr>, usize, BuildHasherDefault<PathHasher>>,
}

/// What stands at a path: itself, and where links lead to from there.
struct Answer {
    path: Rc<OsStr>,
    own: Option<Option<Stat>>,
    followed: Option<Option<Stat>>,
}

impl Answer {
    fn get(&self, how: Look) -> Option<Option<Stat>> {
        if how == Look::Own { self.own } else { self.followed }
    }
}

impl Seen {
    pub fn get(&self, path: &Path, how: Look) -> Option<Option<Stat>> {
        self.answers[*self.by_path.get(path.as_os_str())?].get(how)
    }

    pub fn insert(&mut self, path: &Path, how: Look, answer: Option<Stat>) {
        let number = match self.by_path.get(path.as_os_str()) {
            Some(number) => *number,
            None => {
                let path: Rc<OsStr> = path.as_os_str().into();
                self.by_path.insert(Rc::clone(&path), self.answers.len());
                self.answers.push(Answer { path, own: None, followed: None });
                self.answers.len() - 1
            }
        };
        let known = &mut self.answers[number];
        *(if how == Look::Own { &mut known.own } else { &mut known.followed }) = Some(answer);
    }

    pub fn all(&self) -> impl Iterator<Item = (&Path, Look, Option<Stat>)> {
        let looks = [Look::Followed, Look::Own];
        self.answers.iter().flat_map(move |answer| {
            looks.into_iter().filter_map(move |how| Some((Path::new(&*answer.path), how, answer.get(how)?)))
        })
    }

    /// What was there.
    pub fn there(&self) -> impl Iterator<Item = (&Path, Stat)> {
        self.all().filter_map(|(path, _, stat)| Some((path, stat?)))
    }
}
