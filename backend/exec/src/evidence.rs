//! What running a thunk has shown: how it ended, what it said, made and used. It judges nothing.

use std::collections::BTreeMap;
use std::fmt;

use gg_thunk::{Tag, ValueName};

use crate::status::Exit;

/// How a root is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// User, mount, network, ipc and pid namespaces.
    Namespaces,
    /// A laid-out tree on disk and chroot(2).
    Chroot,
    /// None: the steps run in the live tree.
    Native,
    /// Namespaces as well, but what the tree lacks is seen as it is on the host. Only where it is asked for.
    OverHost,
}

impl RootKind {
    /// Whether steps see their inputs and nothing else of the file system; only then does an equal
    /// thunk mean an equal result.
    pub fn sealed(self) -> bool {
        matches!(self, RootKind::Namespaces | RootKind::Chroot)
    }
}

impl fmt::Display for RootKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RootKind::Namespaces => "namespaces",
            RootKind::Chroot => "chroot",
            RootKind::Native => "native",
            RootKind::OverHost => "over-host",
        })
    }
}

/// What the steps used, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in user mode, in microseconds.
    pub user_us: u64,
    /// Time in the kernel, in microseconds.
    pub sys_us: u64,
    /// Time that passed, in microseconds, without that of laying out and collecting.
    pub wall_us: u64,
    /// The most memory that one of them held, in KiB.
    pub max_rss_kb: u64,
    /// Time that passed while the root was laid out, in microseconds.
    pub layout_us: u64,
    /// Time that passed while outputs were put into the store, in microseconds.
    pub collect_us: u64,
}

/// An output that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its bytes, which are in the store.
    pub name: ValueName,
    /// Its permission bits.
    pub mode: u32,
}

/// All that a run has shown. It is there whether the run succeeded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// How the last step that ran ended; an error says why the thunk could not be run to an end.
    pub exit: Result<Exit, String>,
    /// The step that ended with something else than 0, or could not be started.
    pub failed_step: Option<usize>,
    /// What the steps wrote to standard output.
    pub stdout: Vec<u8>,
    /// What the steps wrote to standard error.
    pub stderr: Vec<u8>,
    /// What they used.
    pub usage: Usage,
    /// The declared outputs that are there; empty unless every step exited with 0.
    pub outputs: BTreeMap<Tag, Made>,
    /// The declared outputs, not optional, that are not there although every step exited with 0.
    pub missing: Vec<Tag>,
    /// The root it ran in.
    pub kind: RootKind,
    /// What of the host should have been seen and was not, each with the reason; only over the host.
    pub left_out: Vec<String>,
}

impl Evidence {
    /// The evidence of a thunk that did not come to run.
    pub fn not_run(kind: RootKind, why: impl fmt::Display) -> Evidence {
        Evidence {
            exit: Err(why.to_string()),
            failed_step: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            usage: Usage::default(),
            outputs: BTreeMap::new(),
            missing: Vec::new(),
            kind,
            left_out: Vec::new(),
        }
    }

    /// Whether every step exited with 0 and every output that must be there is.
    pub fn succeeded(&self) -> bool {
        self.exit == Ok(Exit::Code(0)) && self.missing.is_empty()
    }
}
