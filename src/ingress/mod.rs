//! The way in to a preview: owns the preview ports, and carries every request between a visitor and
//! the container.
//!
//! ```text
//!   visitor ──▶ listener ──▶ visit ──▶ headers ──▶ exchange ──▶ upstream (pool) ──▶ container
//!                 │                                │  direct: without a body   ▲
//!                 │                                └───────────────────────────┘
//!                 │ a port of        host check,     │ stale connections
//!                 │ the range        hop-by-hop      │ are tried again
//!                 ▼                                  ▼
//!            client_stream: deadlines          pages: what a visitor is told
//!            and unambiguous framing           when there is no answer
//! ```
//!
//! Containers publish no port. A preview that is `open` has a listener of its own, and an `Upstream`
//! that says where its requests go: nowhere yet (a page that waits with the visitor), to one recorded
//! address, or nowhere any more. Bodies are streamed both ways and never held; connections to the
//! container are kept and used again; upgrades (WebSockets) become tunnels. Requests are counted in
//! [`Traffic`], and each finished one is shown to the [`Observer`].
//!
//! What comes from outside is never trusted: a request that two parsers could read differently is
//! refused, a foreign `Host` is refused, what the visitor says about itself in `X-Forwarded-*` is
//! replaced, and previewd's own credentials stay out of the container.

mod alarm;
mod answer;
mod body;
mod client_stream;
mod config;
mod direct;
mod door;
mod exchange;
mod fault;
mod framing;
mod gate;
mod headers;
mod hooks;
mod host;
mod idle;
mod judged;
mod listener;
mod live;
mod pages;
mod ports;
mod probe;
mod record;
mod request;
mod service;
mod trace;
mod traffic;
mod tunnel;
mod upstream;
mod visit;

pub use body::{Body, BodyError};
pub use config::Config;
#[cfg(fuzzing)]
pub use direct::unchunk;
pub use door::Doorkeeper;
pub use fault::{IngressError, RequestError};
#[cfg(fuzzing)]
pub use framing::follow_requests;
pub use hooks::{Diagnose, Diagnosis, Finished, Guestbook, Hooks, Observer, Visited};
pub use judged::Judged;
pub use probe::ProbeResult;
pub use request::{ProxiedRequest, ProxiedResponse};
pub use service::{Ingress, PortsInUse};
pub use traffic::Traffic;
pub use upstream::Upstream;
pub use visit::Encrypted;
