//! The `GG_DIR` of this process and what is opened in it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use gg_force::{Coordinator, Ground};
use gg_session::{Opening, Session};
use gg_store::{LocalStore, Memo};

/// A `GG_DIR`.
pub(crate) struct Workplace {
    pub gg_dir: PathBuf,
}

impl Workplace {
    /// The one that this process's directory and environment name, whatever is there.
    pub fn named() -> Result<Workplace> {
        let cwd = std::env::current_dir().context("the current directory")?;
        Ok(Workplace { gg_dir: gg_protocol::gg_dir(&cwd, |name| std::env::var_os(name))? })
    }

    /// The same, if something can be kept there.
    pub fn here() -> Result<Workplace> {
        let place = Workplace::named()?;
        place.check()?;
        Ok(place)
    }

    /// Whether it can be a directory.
    pub fn check(&self) -> Result<()> {
        let gg_dir = &self.gg_dir;
        if gg_dir.metadata().is_ok_and(|meta| !meta.is_dir()) {
            bail!("GG_DIR is {}, which is not a directory: set it to one, or remove that file", gg_dir.display());
        }
        Ok(())
    }

    pub fn store(&self) -> Result<LocalStore> {
        LocalStore::open(&self.gg_dir).with_context(|| format!("opening the store in {}", self.gg_dir.display()))
    }

    /// What a session is opened with.
    pub fn opening(&self, jobs: Option<usize>) -> Result<Opening> {
        // By its link in /proc it is found even when the file has been replaced meanwhile.
        let program = std::env::current_exe().context("finding gg's own executable")?;
        // gg-force-and-run has gg beside it.
        let program = program.with_file_name("gg");
        let user_dir = gg_session::user_dir(|name| std::env::var_os(name));
        Ok(Opening { gg_dir: self.gg_dir.clone(), program, jobs, user_dir, lazy: None })
    }

    /// Tries which kind of private root can be made here.
    pub fn ground(&self, store: &LocalStore) -> Result<Ground> {
        self.opening(None)?.site().survey(store).context("starting a slot")
    }

    /// A coordinator with the local engine.
    pub fn coordinator(&self, store: &LocalStore, memo: &Memo, jobs: Option<usize>) -> Result<Coordinator> {
        Ok(self.opening(jobs)?.coordinator(store, memo)?.0)
    }

    /// A session.
    pub fn session(&self, jobs: Option<usize>) -> Result<Session> {
        Ok(self.opening(jobs)?.session()?)
    }
}
