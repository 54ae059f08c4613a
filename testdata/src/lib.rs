//! Fixtures and oracles for gg's own tests.
