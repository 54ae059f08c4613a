//! The wire format between a shim and the session, and its client.
