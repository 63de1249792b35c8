//! Whole stories on the real engine: a generation goes in, a preview comes out, and nothing is
//! left when it ends. Each test has a daemon of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
// Each test program uses its part of what all share.
#![allow(dead_code)]

#[path = "../common/app.rs"]
mod app;
#[path = "../common/base.rs"]
mod base;
mod browser;
mod clerk;
mod dockerd;
#[path = "../common/http.rs"]
mod http;
#[cfg(feature = "mongodb")]
mod mongo_server;
#[path = "../common/openapi.rs"]
mod openapi;
mod outside;
#[path = "../common/refusal.rs"]
mod refusal;
mod scene;
mod slow_filter;
mod socket;
mod sse;

mod absent_engine;
mod attacks;
mod builds;
mod churn;
mod clock;
mod crash;
mod database_crash;
mod database_examples;
mod database_files;
mod databases;
mod drain;
mod earlier_run;
mod egress;
mod engine_trouble;
mod examples;
mod failures;
mod frames;
mod frameworks;
mod gc_crash;
mod hundred;
mod idle;
mod interleavings;
mod isolation;
mod kills;
mod lifecycle;
mod limits;
mod log_crash;
mod logs;
mod many_databases;
mod memory;
mod mongodb;
mod mysql;
mod new_code;
mod numbers;
mod own_engine;
mod parked;
mod parked_kills;
mod postgres;
mod private;
mod prometheus;
mod reload;
mod secrets;
mod sly_databases;
mod store_trouble;
mod tenants;
mod upkeep;
mod v1;
mod versions;
mod warm;
mod warm_node;
mod watched;
mod ways_in;
mod webhooks;
