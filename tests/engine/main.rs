//! The engine module on a real engine.

#[path = "../common/base.rs"]
mod base;
mod builds;
mod containers;
mod hardening;
mod logs;
mod networks;
mod refusing_engine;
mod scene;
mod unreachable;
