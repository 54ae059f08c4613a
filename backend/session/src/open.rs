//! Opens what a session stands on: store, memo, engines by name. Knows no call.

use std::path::PathBuf;
use std::sync::Arc;

use gg_force::{Cancel, Coordinator, CoordinatorOptions, Engine, Ground, Outcome, RootKind, Site, judge};
use gg_store::{LocalStore, Memo};

use crate::SessionError;
use crate::session::{Early, Options, OverHost, Session, Unsealed};

/// Where and with what a session is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The `GG_DIR`.
    pub gg_dir: PathBuf,
    /// The `gg` that slots are started with.
    pub program: PathBuf,
    /// How many thunks run at once; as many as there are processors if nothing is said.
    pub jobs: Option<usize>,
    /// The user's own directory, whose stores share what they know of the system's files.
    pub user_dir: Option<PathBuf>,
    /// The build whose calls are to be answered before their work is done, if they are.
    pub lazy: Option<Early>,
}

impl Opening {
    /// Where slots work.
    #[must_use]
    pub fn site(&self) -> Site {
        Site { program: self.program.clone(), scratch: self.gg_dir.join("roots") }
    }

    /// The store.
    pub fn store(&self) -> Result<LocalStore, SessionError> {
        Ok(LocalStore::open(&self.gg_dir)?)
    }

    /// A coordinator with the local engine, and what it stands on.
    pub fn coordinator(&self, store: &LocalStore, memo: &Memo) -> Result<(Coordinator, Ground), SessionError> {
        let slots = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let starting = |e| SessionError::io("starting the engine in", &self.gg_dir, e);
        let (engine, ground) = self.site().engine(store, slots)?;
        let engines: Vec<Arc<dyn Engine>> = vec![Arc::new(engine)];
        let coordinator = Coordinator::new(store.clone(), memo.clone(), engines, CoordinatorOptions::default());
        Ok((coordinator.map_err(starting)?, ground))
    }

    /// A session.
    pub fn session(&self) -> Result<Session, SessionError> {
        Session::new(self.options()?)
    }

    /// What a session is made of.
    pub fn options(&self) -> Result<Options, SessionError> {
        let store = self.store()?;
        let memo = Memo::open(&store)?;
        let (coordinator, ground) = self.coordinator(&store, &memo)?;
        let over_host =
            (ground.kind == RootKind::Namespaces).then(|| over_host(self.site(), ground.clone(), store.clone()));
        Ok(Options {
            gg_dir: self.gg_dir.clone(),
            user_dir: self.user_dir.clone(),
            coordinator,
            store,
            memo,
            unsealed: ground.unsealed(),
            over_host,
            lazy: self.lazy.clone(),
            hidden: Vec::new(),
        })
    }
}

/// Runs thunks over a read-only view of this host.
fn over_host(site: Site, ground: Ground, store: LocalStore) -> Box<OverHost> {
    Box::new(move |thunk| {
        let evidence = site.run_over_host(&store, &ground, thunk, &Cancel::new()).map_err(|e| e.to_string())?;
        let said = (evidence.stdout.clone(), evidence.stderr.clone());
        match judge(&store, "the host", thunk, evidence)? {
            Outcome::Done(record) => Ok(Unsealed { record: Some((*record).clone()), said, exit: String::new() }),
            Outcome::Failed { exit, .. } => Ok(Unsealed { record: None, said, exit: exit.to_string() }),
            other => Err(format!("{other:?}")),
        }
    })
}
