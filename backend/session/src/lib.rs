//! Serves shims: request, model, thunk, coordinator, outputs.
