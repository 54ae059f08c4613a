//! The `GG_DIR` of this process and what is opened in it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use gg_exec::RootKind;
use gg_exec::slot::{Slot, SlotOptions};
use gg_force::{Coordinator, CoordinatorOptions, LocalEngine};
use gg_session::{Options, Session};
use gg_store::{LocalStore, Memo};

/// A `GG_DIR`.
pub(crate) struct Workplace {
    pub gg_dir: PathBuf,
}

/// What this machine lets a slot make.
pub(crate) struct Root {
    pub kind: RootKind,
    pub refusals: Vec<String>,
}

impl Workplace {
    /// The one that this process's directory and environment name.
    pub fn here() -> Result<Workplace> {
        let cwd = std::env::current_dir().context("the current directory")?;
        let gg_dir = gg_protocol::gg_dir(&cwd, |name| std::env::var_os(name))
            .context("no place to work: set GG_DIR, or HOME, or run gg init")?;
        Ok(Workplace { gg_dir })
    }

    pub fn store(&self) -> Result<LocalStore> {
        LocalStore::open(&self.gg_dir).with_context(|| format!("opening the store in {}", self.gg_dir.display()))
    }

    fn slots(&self, kind: Option<RootKind>) -> Result<SlotOptions> {
        // By its link in /proc it is found even when the file has been replaced meanwhile.
        let program = std::env::current_exe().context("finding gg's own executable")?;
        // gg-force-and-run has gg beside it.
        let program = program.with_file_name("gg");
        Ok(SlotOptions { program, force_kind: kind, scratch: self.gg_dir.join("roots") })
    }

    /// Tries which kind of private root can be made here.
    pub fn root(&self, store: &LocalStore) -> Result<Root> {
        let slot = Slot::start(store, &self.slots(None)?).context("starting a slot")?;
        Ok(Root { kind: slot.kind(), refusals: slot.refusals().to_vec() })
    }

    /// A coordinator with the local engine.
    pub fn coordinator(&self, store: &LocalStore, memo: &Memo, jobs: Option<usize>) -> Result<(Coordinator, Root)> {
        let root = self.root(store)?;
        let jobs = jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let engine = LocalEngine::new(store.clone(), jobs, self.slots(Some(root.kind))?)?;
        let engines: Vec<Arc<dyn gg_force::Engine>> = vec![Arc::new(engine)];
        let coordinator = Coordinator::new(store.clone(), memo.clone(), engines, CoordinatorOptions::default())?;
        Ok((coordinator, root))
    }

    /// A session.
    pub fn session(&self) -> Result<Session> {
        let store = self.store()?;
        let memo = Memo::open(&store)?;
        let (coordinator, root) = self.coordinator(&store, &memo, None)?;
        let unsealed = (!root.kind.sealed()).then(|| root.refusals.join("; "));
        Ok(Session::new(Options {
            gg_dir: self.gg_dir.clone(),
            coordinator,
            store,
            memo,
            unsealed,
            hidden: Vec::new(),
        })?)
    }
}
