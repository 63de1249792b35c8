//! Owns the lines of log of every preview while the daemon runs, and hands them to any number of
//! subscribers.
//!
//! ```text
//! append ──► cleaned, split ──► one ring of shared lines per preview ◄── a cursor per subscriber
//!                                 │ bounded in lines and bytes
//!                     end ──► ended: kept until enough later previews have ended
//! ```
//!
//! A subscriber holds no lines, only its place in the ring. So a slow one costs nothing and slows
//! nobody; when the ring, or the bound on how far behind it may be, has passed its place, it is
//! told exactly which lines it missed.

mod clean;
mod filter;
mod hub;
mod level;
mod notices;
mod ring;
pub mod samples;
mod subscription;

pub use filter::LogFilter;
pub use hub::{Config, LogHub};
pub use level::level_of;
pub use notices::{NoticeReader, Notices};
pub use subscription::{LogEvent, Start, Subscription};
