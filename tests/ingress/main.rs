//! The way in, over real sockets: real apps behind it, raw clients before it.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail tests")]

mod support;

mod closing;
mod connections;
mod heads;
mod inside;
mod pages;
mod slow;
mod streaming;
mod tunnels;
