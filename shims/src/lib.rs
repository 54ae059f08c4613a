//! What a shim does: it asks the session, does what the reply says, and where there is no session runs the real tool.
//!
//! It knows no tool: whether a call can be served is the session's to say. It says nothing of its own but that the real
//! tool does not exist.

mod called;
mod native;
mod output;
mod session;
mod standalone;
mod start;
mod sys;

use gg_protocol::{FdKind, Reply, Request};

use called::Called;
use native::Command;

const HELP: &str = "\
usage: gg-shim TOOL [ARG...]    the same as gg-TOOL [ARG...]

Stands in for a compiler or one of its tools: gg-cc, gg-c++, gg-ar and the like are links to it, and so may be any
gg-NAME that you make, such as gg-gcc-12. A call is answered by the background process of GG_DIR, which is started
where there is none; what that does not understand is run by the real NAME on PATH.

    make CC=gg-cc CXX=gg-c++ AR=gg-ar RANLIB=gg-ranlib
    gg stats      what became of the calls
    gg doctor     what would go wrong here
    GG_DISABLE=1  every call runs the real tool at once
";

/// Acts as the tool whose name this process was called by; returns the exit status, where it returns.
#[must_use]
pub fn run() -> i32 {
    let Some(called) = Called::of_this_process() else {
        output::complain(b"usage: gg-shim TOOL [ARG...] (gg-shim --help says more)");
        return 2;
    };
    if called.tool == b"--help" {
        output::write(1, HELP.as_bytes());
        return 0;
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
