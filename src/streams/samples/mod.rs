//! Owns the numbers of every running preview: how they are read, what was read last, and their
//! history.
//!
//! ```text
//! container's files, kept open ─┐               ┌─► the newest sample: status, /metrics, viewers
//! engine's statistics ──────────┴─► one source ─┤
//!   (where there are no files)      a container └─► steps of some seconds ──► the store, in batches
//! proxy's counters ──────────────────────────────────►┘                      │ older ones coarser,
//!                                                                            ▼ the oldest go
//! ```
//!
//! Samples are read when somebody asks, and every few seconds for the history. Reading is some ten
//! microseconds a container and blocks on nothing but the kernel's memory. What the disk holds is
//! measured much more rarely, because that costs.

mod config;
mod history;
mod rates;
mod series;
mod source;
mod watched;

pub use config::{Age, Config, SourceChoice};
pub use series::Recent;
pub use watched::{Samples, SourceCounts};
