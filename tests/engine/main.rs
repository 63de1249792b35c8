//! The engine module on a real engine.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/base.rs"]
mod base;
mod builds;
mod containers;
mod hardening;
mod logs;
mod networks;
mod pulls;
mod refusing_engine;
mod scene;
mod unreachable;
mod uploads;
