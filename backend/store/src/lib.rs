//! Content-addressed store, memo index and digest cache of gg.
