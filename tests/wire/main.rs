//! The contract over the wire: what the API and the command line answer, and that bad input and
//! strangers get a clear refusal. A file for each promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
// Each test program uses its part of what all share.
#![allow(dead_code)]

#[path = "../common/app.rs"]
mod app;
#[path = "../common/http.rs"]
mod http;
#[path = "../common/openapi.rs"]
mod openapi;
#[path = "../common/refusal.rs"]
mod refusal;

mod access;
mod archives;
mod audit;
mod bad_input;
mod bad_metadata;
mod bad_protocol;
mod child;
mod cli;
mod cli_admin;
mod compare;
mod documents;
mod generations;
mod idempotency;
mod jwks;
mod keys;
mod limits;
mod origins;
mod published;
mod sync;
mod tls;
