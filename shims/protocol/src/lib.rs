//! The wire format between a shim and the session, and its client.
//!
//! A shim stands in the place of a tool. It sends one [`Request`] over a Unix stream socket and gets one [`Reply`]; when
//! the reply asks it to run the real tool and to report, it sends one [`Ran`]. Then the connection ends. This crate
//! knows nothing of what a call means: that is for the models.
//!
//! # Format, version 1
//!
//! Numbers are little-endian. `bytes` is a `u32` length and so many bytes; `list` is a `u32` count and so many items.
//! No `bytes` that becomes an argument, a variable or a path holds NUL.
//!
//! Every frame begins with twelve bytes, which keep their meaning in all versions:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 3 | `gg-` |
//! | 3 | 1 | kind: `Q` request, `A` reply, `R` what a native run came to |
//! | 4 | 4 | `u32`: version of the format, [`VERSION`] |
//! | 8 | 4 | `u32`: length of the body that follows, at most [`MAX_REQUEST`], [`MAX_REPLY`], [`MAX_RAN`] |
//!
//! Bodies, fields in order, nothing after the last:
//!
//! - **request**: `bytes` tool, `list` of `bytes` argv, `bytes` cwd, `list` of (`bytes` name, `bytes` value) env, `u32`
//!   umask, three descriptors of (`u8` kind, `u64` dev, `u64` ino), `u64` dev and `u64` ino of `/`, the same of the working
//!   directory, `bytes` path of the shim, `u32` pid. Kinds: 0 closed, 1 terminal, 2 pipe, 3 regular file, 4 the null
//!   device, 5 anything else.
//! - **reply**: `u8` 0: `i32` status (0 to 255), `bytes` stdout, `bytes` stderr. `u8` 1: `bytes` exe, `list` of `bytes` argv
//!   (not empty), `list` of (`bytes`, `bytes`) env, `u8` report (0 or 1). `u8` 2: `bytes` message, UTF-8.
//! - **ran**: `u8` 0: `i32` exit status (0 to 255). `u8` 1: `i32` signal (1 to 64).
//!
//! A side that meets another version in the header reads no further: a session answers [`Reply::Refused`] in its own
//! version, a shim runs the real tool. Frames that are cut short, too long, or do not hold what is written above are
//! refused with an [`Error`]; no length is believed before its bytes have arrived.

mod client;
mod error;
mod field;
mod frame;
mod gg_dir;
mod ran;
pub mod real_tool;
mod reply;
mod request;
mod socket;
mod sys;

pub use client::Client;
pub use error::Error;
pub use gg_dir::{NoGgDir, gg_dir, user_dir};
pub use ran::{Ran, RanStatus, read_ran};
pub use reply::{Reply, write_reply};
pub use request::{FdInfo, FdKind, Request, read_request, standard_descriptors};
pub use socket::{SOCKET_VARIABLE, make_own_socket_dir, make_socket_dir, own_socket_path, private_tmp, socket_path};

/// The version of the format; part of every frame and of the socket's name.
pub const VERSION: u32 = 1;
/// The longest body of a request: twice what Linux lets a process's arguments and environment be.
pub const MAX_REQUEST: u32 = 16 << 20;
/// The longest body of a reply; a session whose answer is longer answers [`Reply::RunReal`].
pub const MAX_REPLY: u32 = 256 << 20;
/// The longest body of a [`Ran`].
pub const MAX_RAN: u32 = 64;
