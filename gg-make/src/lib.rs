//! `gg-make`: make, with the toolchain's commands as thunks.
//!
//! It opens a session that serves this build, puts a directory of shims first on `PATH`, runs make, and ends as make ended.
//! Everything that make does stays make's; where no session can be, plain make takes this process's place.
//!
//! | module | its job |
//! |---|---|
//! | `options` | which arguments are gg's, and what they say |
//! | `man` | the manual page, which `scripts/install` writes |
//! | `make_args` | what little of make's own arguments matters here |
//! | `build` | session, environment, make, summary: in this order |
//! | `progress` | the line on a terminal, meanwhile |
//! | `cmake` | a build tree whose tools gg does not see |
//! | `summary` | the lines at the end |

mod build;
mod cmake;
mod make_args;
mod man;
mod options;
mod progress;
mod summary;

use std::ffi::OsString;
use std::io::Write as _;

use gg_session::lead::{End, die_by};
use options::Asked;

/// Status of a call that is wrong in itself, as make's own is.
const MISUSED: i32 = 2;

/// Acts on this process's arguments and environment; returns the exit status, where it returns.
#[must_use]
pub fn run() -> i32 {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match options::read(args, |name| std::env::var_os(name)) {
        Ok(Asked::Help) => answer(&options::help()),
        Ok(Asked::Man) => answer(&man::page()),
        Ok(Asked::Version) => answer(&format!("gg-make {}\n", env!("CARGO_PKG_VERSION"))),
        Err(wrong) => {
            say(&format!("gg-make: {wrong}\n"));
            MISUSED
        }
        Ok(Asked::Build(options, args)) => match build::run(&options, &args) {
            End::Exit(status) => status,
            End::Signal(signal) => die_by(signal),
        },
    }
}

/// Writes what was asked for.
fn answer(text: &str) -> i32 {
    i32::from(std::io::stdout().write_all(text.as_bytes()).is_err())
}

/// Says something of gg's own; that nobody can read it changes nothing about a build.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
