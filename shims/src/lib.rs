//! What a shim does: it asks the session, does what the reply says, and where there is no session runs the real tool.
//!
//! It knows no tool: whether a call can be served is the session's to say. It says nothing of its own but that the real
//! tool does not exist.

mod called;
mod help;
mod native;
mod output;
mod session;
mod standalone;
mod start;
mod sys;

use gg_protocol::{FdKind, Reply, Request};

use called::Called;
use native::Command;

/// Acts as the tool whose name this process was called by; returns the exit status, where it returns.
#[must_use]
pub fn run() -> i32 {
    let Some(called) = Called::of_this_process() else {
        output::complain(b"usage: gg-shim TOOL [ARG...] (gg-shim --help says more)");
        return 2;
    };
    let said = match &called.tool[..] {
        b"--help" => Some(help::help()),
        b"--man" => Some(help::man()),
        _ => None,
    };
    if let Some(text) = said {
        return i32::from(!output::write(1, text.as_bytes()));
    }
    let disabled = std::env::var_os("GG_DISABLE").is_some_and(|value| !value.is_empty() && value != "0");
    // What a gcc runs for its own work it has found on `PATH`, as it was called by its path: that is no command of the build.
    let internal = std::env::var_os("COLLECT_GCC").is_some();
    match if disabled || internal { None } else { serve(&called) } {
        Some(status) => status,
        None => standalone::run(&called),
    }
}

/// Has the session do it; `None` where that cannot be, and nothing has been done.
fn serve(called: &Called) -> Option<i32> {
    let shim = called.shim.clone()?.into_os_string();
    let request = Request::of_this_process(called.tool.clone(), called.argv.clone(), shim).ok()?;
    // what a tool does without its standard descriptors is its own affair
    if request.fds.iter().any(|fd| fd.kind == FdKind::Closed) {
        return None;
    }
    let mut client = session::connect(&request)?;
    match client.call(&request).ok()? {
        Reply::Done { status, stdout, stderr } => {
            let written = output::write(1, &stdout);
            // gcc fails when it cannot write the rules of `-M`, and says so. An archive would take its members twice.
            if !written && !called.tool.ends_with(b"ar") {
                return None;
            }
            output::write(2, &stderr);
            Some(status)
        }
        Reply::RunReal { exe, argv, env, report } => {
            let command = Command::new(&exe, &argv, &env).ok()?;
            if report {
                native::run_and_report(&command, client).ok()
            } else {
                native::exec(&command);
                None
            }
        }
        Reply::Refused { .. } => None,
    }
}
