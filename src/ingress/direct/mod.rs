//! Requests without a body, spoken to the app straight over a socket.
//!
//! Almost every request has no body, and all that is left to do for one is to write a head, read a
//! head and pass on what follows. Done in the task of the visitor's connection it takes no second
//! task, no channel and no copy of the request: what a general client needs for everything else.
//! Requests with a body, upgrades, and those whose visitor takes trailers go the general way, in
//! [`super::upstream`].
//!
//! ```text
//! request ─► encoded ─► socket ─► head: what was said ─► framing: how the body ends ─► body
//!                          ▲                                                            │
//!                          └───────────── kept, when exactly one answer came ◄──────────┘
//! ```

mod body;
mod connection;
mod exchange;
mod framing;
mod head;

pub(super) use body::DirectBody;
pub(super) use connection::DirectConnection;
pub(super) use exchange::exchange;
#[cfg(fuzzing)]
pub use framing::unchunk;
