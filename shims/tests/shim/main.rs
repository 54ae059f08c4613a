//! The real shim against a session that lives in the test, and against none.

mod alone;
mod place;
mod served;
mod started;
