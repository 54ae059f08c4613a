//! Object names, trees, thunks and placeholders of gg, with their canonical encoding.
