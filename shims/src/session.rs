//! Finds the session of this call: the one of its build, else that of its `GG_DIR`, which is started where there is none.
//!
//! Knows nothing of what a session does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use gg_protocol::{Client, Error, Request, SOCKET_VARIABLE, gg_dir, socket_path};

use crate::start::Starter;

/// A connection, or `None` where the call has to do without.
pub(crate) fn connect(request: &Request) -> Option<Client> {
    let env = |name: &str| request.var(name.as_bytes()).map(|value| OsString::from_vec(value.to_vec()));
    // who led the build may have gone, and left what it had begun to finish by itself
    if let Some(own) = env(SOCKET_VARIABLE).filter(|path| path.as_bytes().starts_with(b"/"))
        && let Ok(client) = Client::connect(Path::new(&own))
    {
        return Some(client);
    }
    let dir = gg_dir(Path::new(OsStr::from_bytes(&request.cwd)), env).ok()?;
    match Client::connect(&socket_path(&dir)) {
        Ok(client) => return Some(client),
        // starting another session would not make the place ours
        Err(Error::NotOurs) => return None,
        Err(_) => {}
    }
    let starter = Starter::new(&dir, Path::new(OsStr::from_bytes(&request.shim)), env("GG_PROGRAM").as_deref())?;
    // asked again under the lock: another shim may have started it meanwhile
    if let Ok(client) = Client::connect(&socket_path(&dir)) {
        return Some(client);
    }
    starter.start().then(|| Client::connect(&socket_path(&dir)).ok())?
}
