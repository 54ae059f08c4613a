//! The `gg` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    gg_cli::main()
}
