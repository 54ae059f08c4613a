//! Runs one thunk in a private root and collects what it wrote.

pub mod trace;
