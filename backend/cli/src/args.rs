//! The definition of the command line: parser, help, man pages and completions all come from it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;

use crate::pages;

/// Runs C and C++ builds from memory, or in private roots, without changing the build.
///
/// For a build with make use gg-make: gg-make -j8.
///
/// For other build systems, name the stand-ins as the tools: CC=gg-cc CXX=gg-c++ ./configure, or
/// cmake -DCMAKE_C_COMPILER=gg-cc -DCMAKE_CXX_COMPILER=gg-c++.
///
/// gg infer and gg force do a build of plain makefiles in two steps: first its graph, then all its work. The other commands
/// look after what is kept, and work with single thunks.
#[derive(Parser)]
#[command(name = "gg", version, max_term_width = 100, after_long_help = pages::GG)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Cmd,
}

#[derive(Subcommand)]
pub(crate) enum Cmd {
    /// Make .gg/ here: builds at and below this directory keep store and memo in it
    Init,
    /// Print a thunk: of a placeholder, of a thunk's name, or of a compiler command
    Describe(Describe),
    /// Print the names of files' contents
    Hash {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Write a thunk by hand and print its name
    CreateThunk(CreateThunk),
    /// Run a build and answer what can be answered before the work is done: gg force does the work
    ///
    /// The build is run as it is, with the tools' own names leading to gg. A call of the toolchain is answered before its work
    /// is done where nobody but make looks at its status, its messages go where the build's own go, and it makes objects,
    /// archives, libraries and programs only. What it would have made stands as a placeholder until gg force. Everything else
    /// is done as it comes; what needs a placeholder's bytes has them made first.
    ///
    /// This suits plain makefiles. Where calls write depfiles (-MD: automake, CMake and many others) they are answered after
    /// their work, and there is little to gain: use gg-make.
    #[command(after_long_help = pages::INFER)]
    Infer {
        /// The build, as in: gg infer make -j8
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Force placeholders, which then hold the result, or thunks by name, whose outputs are printed
    ///
    /// Does the work that gg infer has left, as wide as there is room, and puts the results in the placeholders' places: after
    /// that the tree is what plain make leaves. The commands' own messages are printed in the order of the build.
    #[command(after_long_help = pages::FORCE)]
    Force {
        /// Files that hold placeholders, directories with such files in them, or names of thunks (T…) or of their outputs
        /// (T…#tag) [default: the current directory]
        targets: Vec<OsString>,
        /// How many thunks run at once [default: the number of processors]
        #[arg(long, short)]
        jobs: Option<usize>,
        /// Where thunks run
        #[arg(long, default_value = "local", value_parser = ["local"])]
        engine: String,
        /// After a failure, go on with what does not depend on it
        #[arg(long, short)]
        keep_going: bool,
    },
    /// Run a compiler command both ways, as a thunk and natively under a tracer, and compare
    ///
    /// The exit status is the command's if nothing differs, 1 if something does, 2 if the command has no thunk.
    ///
    /// Calls are audited too, as GG_AUDIT says. After a difference, calls with the same flags run natively in this
    /// GG_DIR, until its verdicts are forgotten.
    Audit {
        /// Forget the verdicts of all audits in this GG_DIR: calls become thunks again, and are audited again
        #[arg(long, conflicts_with = "command")]
        forget: bool,
        /// The command, as in: gg audit gcc -c a.c
        #[arg(required_unless_present = "forget", trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// What became of the calls since the last reset
    Stats {
        /// For programs
        #[arg(long)]
        json: bool,
        /// The last session only
        #[arg(long)]
        last: bool,
        /// Start again from zero
        #[arg(long)]
        reset: bool,
    },
    /// Remove least recently used objects from the store, never what a running session holds
    Gc {
        /// What may remain: a number of bytes, with K, M, G or T
        #[arg(long, default_value = "10G", value_parser = size)]
        max_size: u64,
    },
    /// The toolchains found, the private root this machine allows, the store; what would go wrong
    Doctor,
    /// The background process of this GG_DIR
    Session(Session),
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the man pages
    Man {
        /// The directory they go to
        dir: PathBuf,
    },
}

#[derive(ClapArgs)]
#[command(override_usage = "gg describe [--json] FILE|NAME\n       gg describe [--json] [--] COMMAND...")]
pub(crate) struct Describe {
    /// For programs
    #[arg(long)]
    pub json: bool,
    /// A file that holds a placeholder, the name of a thunk (T…), or a command whose thunk is meant
    #[arg(value_name = "FILE|NAME|COMMAND", required_unless_present = "command", allow_hyphen_values = true)]
    pub target: Vec<OsString>,
    /// A command, whatever it looks like
    #[arg(last = true, conflicts_with = "target")]
    pub command: Vec<OsString>,
}

#[derive(ClapArgs)]
pub(crate) struct CreateThunk {
    /// A file of the thunk's root, or a directory with all in it, as AT=SOURCE or PATH for both; SOURCE may also
    /// be the name of a value (V…) or of a thunk's output (T…#tag)
    #[arg(long = "input", short, value_name = "AT[=SOURCE]")]
    pub inputs: Vec<OsString>,
    /// An input that can be executed
    #[arg(long = "executable", short = 'x', value_name = "AT[=SOURCE]")]
    pub executables: Vec<OsString>,
    /// An output: what it is called, and the absolute path at which the command leaves it
    #[arg(long = "output", short, value_name = "TAG=PATH", required = true)]
    pub outputs: Vec<OsString>,
    /// An output that need not be made
    #[arg(long = "optional-output", value_name = "TAG=PATH")]
    pub optional_outputs: Vec<OsString>,
    /// A variable of the environment, which is empty otherwise
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub env: Vec<OsString>,
    /// The directory the command starts in
    #[arg(long, default_value = "/")]
    pub cwd: PathBuf,
    /// Write a placeholder for the first output to this file
    #[arg(long, short, value_name = "FILE")]
    pub placeholder: Option<PathBuf>,
    /// The command: the absolute path of the executable in the root, and its arguments
    #[arg(required = true, last = true)]
    pub command: Vec<OsString>,
}

#[derive(ClapArgs)]
pub(crate) struct Session {
    #[command(subcommand)]
    pub command: SessionCmd,
}

#[derive(Subcommand)]
pub(crate) enum SessionCmd {
    /// Serve shims until idle; shims start this by themselves
    Serve {
        /// The GG_DIR to serve
        #[arg(long)]
        gg_dir: PathBuf,
        /// Seconds without a call after which it ends
        #[arg(long, default_value_t = gg_session::server::IDLE.as_secs())]
        idle: u64,
    },
    /// End the running one, if there is one, when its calls are done
    Stop,
}

fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size such as 500M or 10G");
    let (number, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("10G"), Ok(10 << 30));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        for bad in ["", "G", "-1", "10X", "99999999999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
