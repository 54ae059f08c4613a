//! The coordinator: reduces a graph of thunks, schedules it on engines, remembers results.
