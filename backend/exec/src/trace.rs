//! Runs a real tool under a tracer.
