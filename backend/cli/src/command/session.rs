//! `gg session`: the background process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use gg_session::server;

use crate::args::SessionCmd;
use crate::workplace::Workplace;

pub(crate) fn run(command: SessionCmd) -> Result<()> {
    match command {
        SessionCmd::Serve { gg_dir, idle } => serve(&gg_dir, Duration::from_secs(idle)),
        SessionCmd::Stop => {
            let place = Workplace::here()?;
            server::stop(&place.gg_dir).with_context(|| format!("ending the session of {}", place.gg_dir.display()))?;
            Ok(())
        }
    }
}

fn serve(gg_dir: &Path, idle: Duration) -> Result<()> {
    let Some(place) = server::Place::take(gg_dir)? else {
        // Another process serves it already.
        server::ready();
        return Ok(());
    };
    let session = Arc::new(Workplace { gg_dir: gg_dir.to_owned() }.session(None)?);
    server::ready();
    server::serve(&place, &session, idle)?;
    Ok(())
}
