//! A preview's database, as far as it is written down.

use serde::{Deserialize, Serialize};

use super::DatabaseType;

/// Whose server a database lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseMode {
    /// A server of ours that all previews share, or a volume of the preview's.
    #[default]
    Managed,
    /// A server of ours for this preview alone.
    Dedicated,
    /// A server the operator names.
    External,
}

/// How far the schema has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MigrationStatus {
    /// Nothing to run, or nothing was to be run.
    #[default]
    None,
    Pending,
    Running,
    /// Migrated, by running migrations or by copying what they once made.
    Completed,
    Failed,
}

/// What was promised to a preview, and what of it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseRecord {
    pub kind: DatabaseType,
    pub mode: DatabaseMode,
    /// Major version of the server; empty where there is none.
    pub version: String,
    /// Of the database and of its one role, or of the volume that holds the file.
    pub name: String,
    /// Run the generation's migrations and seeds.
    pub migrate: bool,
    /// MiB it may grow to.
    pub limit_mb: u64,
    /// It can be used: made, migrated, seeded.
    pub ready: bool,
    pub migration: MigrationStatus,
    /// The template it was copied from, or that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

impl DatabaseType {
    /// The word stored, sent and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
            Self::Mongodb => "mongodb",
        }
    }
}

impl MigrationStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}
