//! Owns the lines of log of every preview, and hands them to any number of subscribers.
//!
//! ```text
//! container ─► reader ─┐                        ┌─► journal, written first
//! build, proxy, driver ┴► cleaned, masked, ─────┼─► ring of shared lines ◄── a place per subscriber
//!                         numbered              │       │ bounded in lines and bytes
//!                                               │    keeper ─► archive, in batches
//!                     end ──► no more lines     └─► kept after the end, searched, exported
//! ```
//!
//! A subscriber holds no lines, only its place in the ring. So a slow one costs nothing and slows
//! nobody; when the ring, or the bound on how far behind it may be, has passed its place, it is
//! told exactly which lines it missed. Numbers count from 1 for each preview, without holes, and
//! go on after a restart of the container or of the daemon: a line is in the [`journal`] before
//! anybody sees it.

mod answers;
mod archive;
mod clean;
mod container;
mod filter;
mod hub;
mod journal;
mod keeper;
mod level;
mod line;
mod mask;
mod notices;
mod pace;
mod place;
mod query;
mod requests;
mod ring;
pub mod samples;
mod stream;
mod subscription;
mod totals;
mod values;

pub use answers::{LastAnswer, LastAnswers};
pub use archive::{Archive, ArchiveError, DatabaseArchive, Done, FileArchive, Knows};
pub use clean::CONTINUED;
#[cfg(fuzzing)]
pub use container::read_output;
pub use container::{ContainerReader, Flood};
pub use filter::{LogFilter, Search, Sources};
pub use hub::{Backend, Config, LogHub};
pub use level::level_of;
pub use line::StreamLine;
pub use mask::{Masker, is_secret_name};
pub use notices::{NoticeReader, Notices};
pub use place::{Cut, Finder, Mark, Place};
pub use requests::{LineWriter, RequestLog, SeenRequest};
pub use subscription::{LogEvent, Start, Subscription};
pub use totals::Totals;
pub use values::MASKED;
