//! Plain types and pure rules. No I/O, and nothing of ours is imported from here.

mod bounded;
mod database;
mod event;
mod failure;
mod generation;
mod ids;
mod invalid;
mod limits;
mod log_line;
mod metadata;
mod preview;
mod progress;

pub use database::{DatabaseMode, DatabaseRecord, MigrationStatus};
pub use event::{Event, EventType};
pub use failure::{Failure, Stage};
pub use generation::{ContentHash, FilePath, FileSet, Generation, SourceFile};
pub use ids::{GenerationId, InstanceId, PreviewId, UserId};
pub use invalid::Invalid;
pub use limits::{ResourceLimits, ResourceTier, TierTable, UserTier};
pub use log_line::{LogLevel, LogLine, LogSource};
pub use metadata::{DatabaseType, Metadata, Mode};
pub use preview::{HealthStatus, Preview, Status, V1Status};
pub use progress::{BuildEvent, BuildStep};
