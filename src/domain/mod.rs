//! Plain types and pure rules. No I/O, and nothing of ours is imported from here.

mod block;
mod bounded;
mod database;
mod egress;
mod event;
mod failure;
mod generation;
mod history;
mod ids;
mod invalid;
mod latencies;
mod limits;
mod log_line;
mod metadata;
mod notice;
mod preview;
mod progress;
mod sample;

pub use block::Block;
pub use database::{DatabaseMode, DatabaseRecord, MigrationStatus};
pub use egress::{CLOSED, Egress, Target};
pub use event::{Event, EventType};
pub use failure::{Failure, Stage};
pub use generation::{ContentHash, FilePath, FileSet, Generation, SourceFile};
pub use history::{MetricPoint, coarser, step_of};
pub use ids::{GenerationId, InstanceId, PreviewId, UserId};
pub use invalid::Invalid;
pub use latencies::Latencies;
pub use limits::{ResourceLimits, ResourceTier, TierTable, UserTier};
pub use log_line::{LogEntry, LogLevel, LogLine, LogSource};
pub use metadata::{CacheType, DatabaseType, Metadata, Mode};
pub use notice::{HealthChange, MetricName, Notice, NoticeContent, ResourceUsage};
pub use preview::{HealthStatus, PausedBy, Preview, Status, V1Status};
pub use progress::{BuildEvent, BuildStep};
pub use sample::{BlockCounters, Counters, ErrorCounts, ErrorKind, NetworkCounters, Sample, TrafficTotals};
