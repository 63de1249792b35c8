//! previewd: a generation goes in, a running, watched, disposable preview comes out.
//!
//! Calls go down the list of modules below, facts come back through return values and channels.
//! `tests/layering.rs` reads the `use` lines and keeps it so.

pub mod cli;
pub mod domain;
pub mod engine;
pub mod ingress;
pub mod store;
pub mod streams;
