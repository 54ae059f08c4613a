//! Forces what was answered before: placeholders become their outputs, or are removed together with all that depends on
//! them, so that any make can go on.
//!
//! A thunk that fails is run once more over a read-only view of the host. If that passes, its model has missed a file: what
//! that run made is the result, and calls of this flag shape run natively from then on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use gg_force::{Event, ForceOptions, Forced, Outcome, Progress, trace};
use gg_models::Stat;
use gg_store::{Made, Record};
use gg_thunk::{
    Bytes, FileNode, Node, ObjectName, OutputName, Tag, Thunk, ThunkName, TreeBuilder, TreeName, ValueName,
};
use serde::{Deserialize, Serialize};

use super::Session;
use crate::issued::{Issue, Once};
use crate::journal::Line;
use crate::placeholders::{Held, fulfil, held_by};
use crate::shapes::Standing;
use crate::{SessionError, audit};

/// What a thunk made over the host.
pub type OverHost = dyn Fn(&Thunk) -> Result<Unsealed, String> + Send + Sync;

/// What a run over a read-only view of the host came to.
pub struct Unsealed {
    /// Its record, if it made all that it should have.
    pub record: Option<Record>,
    /// What its steps wrote to standard output and standard error.
    pub said: (Vec<u8>, Vec<u8>),
    /// How it ended, in words.
    pub exit: String,
}

/// What forcing placeholders came to.
#[derive(Default)]
pub struct Late {
    /// How many files became their outputs.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What the commands wrote to standard output and to standard error, in the order in which they were answered.
    pub messages: Vec<(Vec<u8>, Vec<u8>)>,
    /// The commands that failed.
    pub failures: Vec<LateFailure>,
    /// Files that were removed: outputs of failed commands, and what depends on them or was not begun.
    pub removed: Vec<PathBuf>,
    /// What models had missed.
    pub misses: Vec<String>,
    /// Whether a command failed because it could not be begun.
    pub could_not_run: bool,
}

/// A command that failed after its call was answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LateFailure {
    /// The command line, as a shell would take it.
    pub command: String,
    /// How it ended, or why it could not be run.
    pub exit: String,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// One thunk of a request, with what is known of it.
struct Wanted {
    issue: Option<Issue>,
    held: Vec<Held>,
}

/// What was seen while thunks were forced.
#[derive(Default)]
struct Seen {
    failed: Vec<(ThunkName, Arc<Forced>)>,
    done: HashSet<ThunkName>,
    spoken: Vec<(ThunkName, Arc<Record>)>,
}

impl Session {
    /// Forces placeholders. All that did not become its output is removed.
    pub fn force_held(
        &self,
        held: &[Held],
        keep_going: bool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<Late, SessionError> {
        self.force_held_and(held, keep_going, None, tell)
    }

    /// The same; somebody has the file `open` open already, and is to read the output.
    pub(super) fn force_held_and(
        &self,
        held: &[Held],
        keep_going: bool,
        open: Option<&Path>,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<Late, SessionError> {
        let mut wanted: HashMap<ThunkName, Wanted> = HashMap::new();
        for one in held {
            let thunk = wanted.entry(one.object.thunk);
            let entry = thunk.or_insert_with(|| Wanted { issue: self.issued.get(&one.object), held: Vec::new() });
            if !entry.held.contains(one) {
                entry.held.push(one.clone());
            }
        }
        let mut order: Vec<ThunkName> = wanted.keys().copied().collect();
        order.sort_by_key(|name| (wanted[name].issue.as_ref().map(|issue| issue.at_ns), *name));
        let mut late = Late::default();
        let mut settled: BTreeMap<ThunkName, Arc<Forced>> = BTreeMap::new();
        let mut seen = Seen::default();
        let mut answers = self.force_late(&order, keep_going, &settled, &mut seen, tell);
        if !keep_going {
            // A make that stops at the first failure has done what came before it.
            let before = self.before_failure(&order, &wanted, &seen);
            let (done, _) = answers.split_at_mut(before);
            done.clone_from_slice(&self.force_late(&order[..before], true, &settled, &mut seen, tell));
        }
        loop {
            let mut passed = false;
            for (name, forced) in std::mem::take(&mut seen.failed) {
                if settled.contains_key(&name) {
                    continue;
                }
                let issue = self.issue_of(&name);
                let outcome = match &issue {
                    // A thunk made by hand has the inputs that its maker wants.
                    None => None,
                    Some(issue) => {
                        self.second_opinion(&name, issue, &forced, &made(&order, &wanted, &answers), &mut late)
                    }
                };
                match outcome {
                    Some(record) => {
                        passed = true;
                        settled.insert(name, done(record, &forced));
                    }
                    None => {
                        let failure = failure(&name, issue.as_ref(), &forced.outcome);
                        if let Some(issue) = &issue {
                            self.note_failed_late(&name, forced.reduced.as_ref(), &issue.call, &failure);
                        }
                        late.failures.push(failure);
                        settled.insert(name, forced);
                    }
                }
            }
            if !passed {
                break;
            }
            answers = self.force_late(&order, keep_going, &settled, &mut seen, tell);
        }
        if self.audit_late(&order, &wanted, &answers, &mut settled, &mut late)? {
            answers = self.force_late(&order, true, &settled, &mut seen, tell);
        }
        for name in settled.keys().filter(|name| !wanted.contains_key(name)) {
            self.remove_outputs(name, &mut late)?;
        }
        let mut unable: HashSet<ThunkName> = HashSet::new();
        for (name, forced) in order.iter().zip(&answers) {
            let Wanted { held, .. } = &wanted[name];
            match &forced.outcome {
                Outcome::Done(record) => {
                    self.check_depfiles(name, wanted[name].issue.as_ref(), record, &mut late);
                    self.become_real(held, record, open, &mut late)?;
                }
                outcome => {
                    let issue = wanted[name].issue.as_ref();
                    match (outcome, forced.failure.as_deref()) {
                        (Outcome::DependencyFailed(other), Some(Outcome::CouldNotRun(why)))
                            if unable.insert(*other) =>
                        {
                            late.failures.push(unable_to(other, self.issue_of(other).as_ref(), why));
                        }
                        (Outcome::CouldNotRun(why), _) if unable.insert(*name) => {
                            // Something of it may have gone from the store.
                            self.contents.forget_presence();
                            late.failures.push(unable_to(name, issue, why));
                        }
                        (Outcome::DependencyFailed(other), _) if issue.is_none() => {
                            late.failures.push(unable_to(name, None, &format!("needs {other}, which failed")));
                        }
                        _ => {}
                    }
                    late.could_not_run |= !unable.is_empty() && !settled.contains_key(name);
                    for one in held {
                        self.remove_held(one, &mut late)?;
                    }
                }
            }
        }
        self.speak(seen.spoken, &|name| wanted.contains_key(name), &mut late)?;
        Ok(late)
    }

    /// How many of these were answered before the first that failed.
    fn before_failure(&self, order: &[ThunkName], wanted: &HashMap<ThunkName, Wanted>, seen: &Seen) -> usize {
        let at_ns = |name: &ThunkName| {
            let known = wanted.get(name).and_then(|wanted| wanted.issue.as_ref()).map(|issue| issue.at_ns);
            known.or_else(|| Some(self.issue_of(name)?.at_ns))
        };
        let failed = seen.failed.iter().filter_map(|(name, _)| at_ns(name)).min();
        failed.map_or(0, |failed| order.partition_point(|name| at_ns(name) < Some(failed)))
    }

    /// Forces thunks, some of which are settled already; notes what became of all that they need.
    fn force_late(
        &self,
        order: &[ThunkName],
        keep_going: bool,
        settled: &BTreeMap<ThunkName, Arc<Forced>>,
        seen: &mut Seen,
        tell: &mut dyn FnMut(&Progress),
    ) -> Vec<Arc<Forced>> {
        let mut options = ForceOptions::default();
        options.keep_going = keep_going;
        options.settled = Arc::new(settled.clone());
        self.coordinator.force_all(order, options, &mut |progress| {
            if let Event::Settled { thunk, forced } = &progress.event {
                match &forced.outcome {
                    Outcome::Failed { .. } if !settled.contains_key(thunk) => {
                        seen.failed.push((*thunk, Arc::clone(forced)));
                    }
                    Outcome::Done(record) if seen.done.insert(*thunk) => {
                        seen.spoken.push((*thunk, Arc::clone(record)));
                        self.settled_late(thunk, forced, record);
                    }
                    _ => {}
                }
            }
            tell(&progress);
        })
    }

    /// Forces a thunk whose call was answered, for the sake of another.
    pub(super) fn force_dependency(&self, thunk: &ThunkName) -> Forced {
        self.coordinator.force_watched(thunk, ForceOptions::default(), &mut |progress| {
            if let Event::Settled { thunk, forced } = &progress.event
                && let Some(record) = forced.record()
            {
                self.settled_late(thunk, forced, record);
            }
        })
    }

    /// A thunk was forced after its call was answered: counts it, once, and notes what is to be dropped from the memo if its
    /// model turns out to be wrong.
    pub(super) fn settled_late(&self, thunk: &ThunkName, forced: &Forced, record: &Record) {
        if let Some(reduced) = forced.reduced.filter(|reduced| reduced != thunk)
            && let Some(issue) = self.issue_of(thunk)
        {
            // Where that cannot be noted, nothing else can be.
            let _ = self.note(&issue.shape, &reduced);
        }
        let new = self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(*thunk);
        if new && self.issued.is_first(Once::Counted, thunk) {
            self.write(Line {
                session: self.name.clone(),
                at_us: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64),
                memo: forced.from_memo,
                engine: Some(forced.engine.to_string()).filter(|engine| !engine.is_empty()),
                cpu_us: if forced.from_memo { 0 } else { record.user_us + record.sys_us },
                ..Line::default()
            });
        }
    }

    /// What is known of a thunk's call, if it was answered before its work was done.
    fn issue_of(&self, name: &ThunkName) -> Option<Issue> {
        let thunk = self.contents.store.get_thunk(name).ok().flatten()?;
        let object = |tag: &Tag| OutputName { thunk: *name, tag: tag.clone() };
        thunk.outputs.iter().find_map(|output| self.issued.get(&object(&output.tag)))
    }

    /// What is made of a thunk that failed, if it was not its command that did: run anew, or over the host. Then its model
    /// has missed something.
    fn second_opinion(
        &self,
        name: &ThunkName,
        issue: &Issue,
        forced: &Forced,
        made: &[(PathBuf, Made)],
        late: &mut Late,
    ) -> Option<Arc<Record>> {
        let anew = || {
            let mut options = ForceOptions::default();
            options.no_memo = true;
            self.coordinator.force(name, options)
        };
        if let Outcome::Failed { exit: trace::Exit::Signal(_), .. } = &forced.outcome {
            // Killed for want of memory, as like as not: that says nothing of the model.
            return anew().record().cloned();
        }
        let Some(Unsealed { record: Some(record), .. }) = self.over_host(name, forced, made) else { return None };
        // Whatever made it fail may have passed: a full disk, a tool that was being installed.
        if let Some(record) = anew().record() {
            return Some(Arc::clone(record));
        }
        let why = format!("the thunk failed where the tool does not: {}", first_line(&forced.outcome));
        late.misses.push(self.missed(issue, &why));
        Some(Arc::new(record))
    }

    /// Runs a thunk over the host; `None` where that cannot be. Beside its own inputs it sees what stands on the host as a
    /// placeholder and was made.
    fn over_host(&self, name: &ThunkName, forced: &Forced, made: &[(PathBuf, Made)]) -> Option<Unsealed> {
        let run = self.over_host.as_ref()?;
        let mut thunk = self.contents.store.get_thunk(name).ok().flatten()?;
        thunk.root = self.with_made(forced.root?, made).ok()?;
        match run(&thunk) {
            Ok(unsealed) => Some(unsealed),
            Err(why) => {
                let detail = Some(format!("not run over the host: {why}"));
                self.write(Line { session: self.name.clone(), detail, ..Line::default() });
                None
            }
        }
    }

    /// The root, and in it what was made, where the root has nothing.
    fn with_made(&self, root: TreeName, made: &[(PathBuf, Made)]) -> Result<TreeName, SessionError> {
        let store = &self.contents.store;
        let mut tree = TreeBuilder::new();
        let at = |path: &Path| -> Vec<Bytes> { path.iter().skip(1).map(|part| part.as_bytes().to_vec()).collect() };
        let inputs = audit::flatten(store, &root)?;
        for (path, made) in made.iter().filter(|(path, _)| !inputs.contains_key(path)) {
            let file = FileNode { object: ObjectName::Value(made.object), mode: made.mode, mtime: None };
            tree.put(&at(path), Node::File(file))?;
        }
        for (path, node) in inputs {
            match node {
                Node::Dir(_) => drop(tree.dir(&at(&path))?),
                node => tree.put(&at(&path), node)?,
            }
        }
        tree.build(&mut |tree| Ok(store.put_tree(tree)?))
    }

    /// Holds the thunks that are to be audited against a run over the host. Says whether a model has been found wrong; then
    /// what the host gave is the result, for all thunks of its flag shape.
    fn audit_late(
        &self,
        order: &[ThunkName],
        wanted: &HashMap<ThunkName, Wanted>,
        answers: &[Arc<Forced>],
        settled: &mut BTreeMap<ThunkName, Arc<Forced>>,
        late: &mut Late,
    ) -> Result<bool, SessionError> {
        let mut wrong = false;
        for (name, forced) in order.iter().zip(answers) {
            let Some(issue) = wanted[name].issue.as_ref().filter(|issue| issue.audit) else { continue };
            let Outcome::Done(record) = &forced.outcome else { continue };
            let disabled = matches!(self.shapes.standing(&issue.shape), Some(Standing::Disabled(_)));
            if settled.contains_key(name) || disabled {
                continue;
            }
            // The host is not any more what the model saw: that says nothing.
            if issue.call.parse().map_or(None, |call| self.has_changed(name, &call)) != Some(false) {
                continue;
            }
            let Some(unsealed_of_audit) = self.over_host(name, forced, &[]) else { continue };
            self.write(Line { session: self.name.clone(), audited: true, ..Line::default() });
            let Some(why) = self.difference(record, &unsealed_of_audit)? else {
                // What cannot be kept is found out again.
                let _ = self.shapes.sound(&issue.shape);
                continue;
            };
            wrong = true;
            late.misses.push(self.missed(issue, &why));
            for (other, theirs) in order.iter().zip(answers) {
                if wanted[other].issue.as_ref().is_none_or(|other| other.shape != issue.shape) {
                    continue;
                }
                let unsealed = if other == name { None } else { self.over_host(other, theirs, &[]) };
                let ended = match unsealed.as_ref().unwrap_or(&unsealed_of_audit) {
                    Unsealed { record: Some(record), .. } => done(Arc::new(record.clone()), theirs),
                    Unsealed { exit, .. } => {
                        let outcome = Outcome::CouldNotRun(format!("its model has missed something: {why}; {exit}"));
                        Arc::new(Forced { outcome, ..(**theirs).clone() })
                    }
                };
                settled.insert(*other, ended);
            }
        }
        Ok(wrong)
    }

    /// Whether the model of a call would see something else by now, but for what it writes, and what stood as a placeholder. None
    /// if what is kept of the call is gone.
    pub(super) fn has_changed(&self, name: &ThunkName, call: &ValueName) -> Option<bool> {
        let thunk = self.contents.store.get_thunk(name).ok().flatten()?;
        let kept = self.calls.get(call)?;
        if kept.call.thunk != name.to_string() {
            return Some(true);
        }
        let outputs = thunk.outputs.iter().map(|output| PathBuf::from(OsStr::from_bytes(&output.path)));
        let made = outputs.chain(self.inputs(&thunk).map(|held| held.path));
        let made: Vec<PathBuf> = made.chain(self.hidden.iter().cloned()).collect();
        let evidence = kept.evidence()?;
        let current = |path: &Path, stat: &Stat| self.contents.current(path, stat);
        let seen = || evidence.appeared_or_changed(&made, &kept.call.source_paths(), &current);
        Some(self.changed_source(&kept.call, &made).is_some() || seen())
    }

    /// How the result of a thunk differs from that of the same steps over the host, if it does.
    fn difference(&self, sealed: &Record, unsealed: &Unsealed) -> Result<Option<String>, SessionError> {
        let Some(record) = &unsealed.record else {
            return Ok(Some(format!("over the host it fails: {}", unsealed.exit)));
        };
        let store = &self.contents.store;
        let said = (audit::text(store, &sealed.stdout)?, audit::text(store, &sealed.stderr)?);
        Ok(if record.outputs != sealed.outputs {
            let differs = |(tag, made): &(&Tag, &Made)| sealed.outputs.get(tag) != Some(made);
            let tag = record.outputs.iter().find(differs).map_or(String::new(), |(tag, _)| format!(" {tag}"));
            Some(format!("over the host its output{tag} differs"))
        } else if said != unsealed.said {
            Some("over the host its messages differ".to_owned())
        } else {
            None
        })
    }

    /// A model is not believed any more; what is told of it.
    fn missed(&self, issue: &Issue, why: &str) -> String {
        let tool = issue.argv.first().map_or_else(String::new, |tool| String::from_utf8_lossy(tool).into_owned());
        self.disable(&issue.shape, why, &tool);
        format!("{}: {why}", command(issue))
    }

    /// Gathers what the tools of these thunks said, in the order in which their calls were answered.
    /// Of thunks made by hand, those that were asked for speak, each time.
    fn speak(
        &self,
        mut spoken: Vec<(ThunkName, Arc<Record>)>,
        is_asked_for: &dyn Fn(&ThunkName) -> bool,
        late: &mut Late,
    ) -> Result<(), SessionError> {
        let store = &self.contents.store;
        spoken.retain(|(_, record)| record.stdout.len() + record.stderr.len() > 0);
        let mut ordered: Vec<_> = spoken
            .into_iter()
            .map(|(name, record)| (self.issue_of(&name).map(|issue| issue.at_ns), name, record))
            .collect();
        ordered.sort_by_key(|(at_ns, name, _)| (*at_ns, *name));
        for (at_ns, name, record) in ordered {
            if at_ns.map_or_else(|| is_asked_for(&name), |_| self.issued.is_first(Once::Said, &name)) {
                late.messages.push((audit::text(store, &record.stdout)?, audit::text(store, &record.stderr)?));
            }
        }
        Ok(())
    }

    /// Holds the depfiles that were written when the call was answered against those that the compiler wrote.
    fn check_depfiles(&self, name: &ThunkName, issue: Option<&Issue>, record: &Record, late: &mut Late) {
        let Some(issue) = issue else { return };
        for (tag, written) in &issue.depfiles {
            let made = record.outputs.iter().find(|(made, _)| made.to_string() == *tag);
            if made.is_none_or(|(_, made)| made.object.to_string() != *written) {
                let why = "its depfile was written before its work was done, and differs from the compiler's";
                late.misses.push(self.missed(issue, why));
                late.failures.push(unable_to(name, Some(issue), why));
            }
        }
    }

    fn become_real(
        &self,
        held: &[Held],
        record: &Record,
        open: Option<&Path>,
        late: &mut Late,
    ) -> Result<(), SessionError> {
        let store = &self.contents.store;
        for one in held {
            let Some(made) = record.outputs.get(&one.object.tag) else {
                self.remove_held(one, late)?;
                continue;
            };
            if fulfil(&self.issued, store, one, &made.object, made.mode, open == Some(one.path.as_path()))? {
                late.files += 1;
                late.bytes += made.object.len();
            }
        }
        Ok(())
    }

    /// Removes a file that still holds its placeholder. One that was made by hand is nobody's to make again, and stays.
    pub(super) fn remove_held(&self, held: &Held, late: &mut Late) -> Result<(), SessionError> {
        if self.issued.get(&held.object).is_none() {
            return Ok(());
        }
        let Ok(stat) = held.path.symlink_metadata() else { return Ok(()) };
        let still = held_by(&self.issued, &held.path, stat.len()).ok().flatten().as_ref() == Some(&held.object);
        if still || self.issued.is_being_written(held) {
            std::fs::remove_file(&held.path).map_err(|e| SessionError::io("removing", &held.path, e))?;
            late.removed.push(held.path.clone());
        }
        Ok(())
    }

    /// Removes what stands for the outputs of a failed thunk at the paths where it was answered.
    fn remove_outputs(&self, name: &ThunkName, late: &mut Late) -> Result<(), SessionError> {
        let Some(thunk) = self.contents.store.get_thunk(name)? else { return Ok(()) };
        for output in &thunk.outputs {
            let path = PathBuf::from(OsStr::from_bytes(&output.path));
            let object = OutputName { thunk: *name, tag: output.tag.clone() };
            self.remove_held(&Held { path, object }, late)?;
        }
        Ok(())
    }
}

/// What was made for the placeholders that stand somewhere, and where.
fn made(order: &[ThunkName], wanted: &HashMap<ThunkName, Wanted>, answers: &[Arc<Forced>]) -> Vec<(PathBuf, Made)> {
    let done = order.iter().zip(answers).filter_map(|(name, forced)| Some((wanted.get(name)?, forced.record()?)));
    done.flat_map(|(wanted, record)| {
        let one = |held: &Held| Some((held.path.clone(), *record.outputs.get(&held.object.tag)?));
        wanted.held.iter().filter_map(one).collect::<Vec<_>>()
    })
    .collect()
}

/// The answer about a thunk that has come to this record in another way.
fn done(record: Arc<Record>, forced: &Forced) -> Arc<Forced> {
    Arc::new(Forced { outcome: Outcome::Done(record), ..forced.clone() })
}

fn first_line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { stderr, .. } => String::from_utf8_lossy(stderr).lines().next().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

fn failure(name: &ThunkName, issue: Option<&Issue>, outcome: &Outcome) -> LateFailure {
    let command = issue.map_or_else(|| name.to_string(), command);
    match outcome {
        Outcome::Failed { exit, stdout, stderr, missing, .. } => {
            let exit = match (exit, missing.is_empty()) {
                (trace::Exit::Code(0), false) => "an output was not made".to_owned(),
                (exit, _) => exit.to_string(),
            };
            LateFailure { command, exit, stdout: stdout.clone(), stderr: stderr.clone() }
        }
        _ => LateFailure { command, exit: String::new(), stdout: Vec::new(), stderr: Vec::new() },
    }
}

/// A thunk that could not be begun, and why.
fn unable_to(name: &ThunkName, issue: Option<&Issue>, why: &str) -> LateFailure {
    let command = issue.map_or_else(|| name.to_string(), command);
    LateFailure { command, exit: why.to_owned(), stdout: Vec::new(), stderr: Vec::new() }
}

/// A command line, as a shell would take it.
fn command(issue: &Issue) -> String {
    let words = issue.argv.iter().map(|word| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+=./,:@%".contains(byte);
        let text = String::from_utf8_lossy(word);
        if !word.is_empty() && word.iter().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
