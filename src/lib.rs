//! previewd: a generation goes in, a running, watched, disposable preview comes out.
//!
//! Calls go down the list of modules below, facts come back through return values and channels.
//! `tests/layering.rs` reads the `use` lines and keeps it so.

pub mod cli;

pub mod app;
pub mod config;
mod data_dir;

pub mod api;
pub mod orchestrator;

pub mod databases;
pub mod ingress;
pub mod streams;
pub mod webhooks;

pub mod engine;
pub mod generation;
pub mod store;

pub mod domain;
pub mod faults;
pub mod seal;
