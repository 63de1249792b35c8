//! What can go wrong with the store: which operation, and why.

use std::io;
use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::domain::PreviewId;

/// A failed operation of the store. Its text holds no password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `DATABASE_URL` is none.
    #[error("DATABASE_URL: {0}")]
    Address(String),
    #[error("opening the store {place}: {fault}")]
    Open { place: String, fault: Fault },
    #[error("another previewd works on this database; give each daemon its own")]
    Claimed,
    #[error("migrating the store: {0}")]
    Migrate(Fault),
    #[error("the store does not answer: {0}")]
    Check(Fault),
    #[error("storing a generation: {0}")]
    PutGeneration(Fault),
    #[error("reading a generation: {0}")]
    ReadGeneration(Fault),
    #[error("listing generations: {0}")]
    ListGenerations(Fault),
    #[error("deleting a generation: {0}")]
    DeleteGeneration(Fault),
    #[error("storing a preview: {0}")]
    InsertPreview(Fault),
    #[error("updating a preview: {0}")]
    UpdatePreview(Fault),
    #[error("reading a preview: {0}")]
    ReadPreview(Fault),
    #[error("listing previews: {0}")]
    ListPreviews(Fault),
    #[error("recording an event: {0}")]
    AppendEvent(Fault),
    #[error("listing events: {0}")]
    ListEvents(Fault),
    #[error("recording metrics: {0}")]
    RecordMetrics(Fault),
    #[error("reading metrics: {0}")]
    ReadMetrics(Fault),
    #[error("thinning out metrics: {0}")]
    AgeMetrics(Fault),
    #[error("reading a setting: {0}")]
    ReadSetting(Fault),
    #[error("storing a setting: {0}")]
    PutSetting(Fault),
    #[error("removing old previews: {0}")]
    Prune(Fault),
    #[error("storing log lines: {0}")]
    AppendLogs(Fault),
    #[error("reading log lines: {0}")]
    ReadLogs(Fault),
    #[error("removing log lines: {0}")]
    TrimLogs(Fault),
    #[error("storing what is known of a preview's database: {0}")]
    PutDatabase(Fault),
    #[error("reading what is known of previews' databases: {0}")]
    ReadDatabases(Fault),
    #[error("storing a preview's changed files: {0}")]
    PutOverlay(Fault),
    #[error("reading a preview's changed files: {0}")]
    ReadOverlay(Fault),
    #[error("storing a webhook or its deliveries: {0}")]
    PutWebhook(Fault),
    #[error("reading webhooks or their deliveries: {0}")]
    ReadWebhooks(Fault),
    #[error("keeping answers to calls with a key: {0}")]
    KeepAnswer(Fault),
    #[error("storing an API key: {0}")]
    PutApiKey(Fault),
    #[error("reading API keys: {0}")]
    ReadApiKeys(Fault),
    #[error("storing who gets into a private preview: {0}")]
    PutShare(Fault),
    #[error("reading who gets into private previews: {0}")]
    ReadShares(Fault),
    #[error("encrypting what is stored: {0}")]
    Reseal(Fault),
    #[error("writing the audit trail: {0}")]
    AppendAudit(Fault),
    #[error("reading the audit trail: {0}")]
    ReadAudit(Fault),
    /// The caller's mistake: a cursor that no page of this list gave.
    #[error("cursor: expected one that an earlier page of this list gave")]
    Cursor,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Migration(MigrateError),
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// A stored value is not what was written there.
    #[error("{table} {id:?}: column {column}: {reason}")]
    Row { table: &'static str, id: String, column: String, reason: String },
    /// The SQLite file cannot be made or opened.
    #[error(transparent)]
    File(io::Error),
    /// Files that could not be packed.
    #[error("packing files: {0}")]
    Pack(io::Error),
    /// A value that has no form in a column.
    #[error("encoding {column}: {reason}")]
    Encode { column: &'static str, reason: String },
    #[error("there is no preview {0}")]
    NoPreview(PreviewId),
}

impl StoreError {
    /// Worth trying again: the database is locked, full, starting, stopping or out of reach.
    /// The API answers 503.
    pub fn is_busy(&self) -> bool {
        self.fault().is_some_and(Fault::is_busy)
    }

    /// What lies below the operation.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Address(_) | Self::Claimed | Self::Cursor => None,
            Self::Open { fault, .. }
            | Self::Migrate(fault)
            | Self::Check(fault)
            | Self::PutGeneration(fault)
            | Self::ReadGeneration(fault)
            | Self::ListGenerations(fault)
            | Self::DeleteGeneration(fault)
            | Self::InsertPreview(fault)
            | Self::UpdatePreview(fault)
            | Self::ReadPreview(fault)
            | Self::ListPreviews(fault)
            | Self::AppendEvent(fault)
            | Self::ListEvents(fault)
            | Self::RecordMetrics(fault)
            | Self::ReadMetrics(fault)
            | Self::AgeMetrics(fault)
            | Self::ReadSetting(fault)
            | Self::PutSetting(fault)
            | Self::Prune(fault)
            | Self::AppendLogs(fault)
            | Self::ReadLogs(fault)
            | Self::TrimLogs(fault)
            | Self::PutDatabase(fault)
            | Self::PutOverlay(fault)
            | Self::ReadOverlay(fault)
            | Self::PutWebhook(fault)
            | Self::ReadWebhooks(fault)
            | Self::KeepAnswer(fault)
            | Self::AppendAudit(fault)
            | Self::ReadAudit(fault)
            | Self::Reseal(fault)
            | Self::PutShare(fault)
            | Self::ReadShares(fault)
            | Self::PutApiKey(fault)
            | Self::ReadApiKeys(fault)
            | Self::ReadDatabases(fault) => Some(fault),
        }
    }
}

impl Fault {
    fn is_busy(&self) -> bool {
        match self {
            Self::Deadline(_) => true,
            Self::Database(error) | Self::Migration(MigrateError::Execute(error)) => database_is_busy(error),
            Self::Migration(MigrateError::ExecuteMigration(error, _)) => database_is_busy(error),
            _ => false,
        }
    }
}

fn database_is_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
        // A connection that lost its transaction to a full disk, before it makes way for another.
        sqlx::Error::InvalidSavePointStatement => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code_is_busy(&code)),
        _ => false,
    }
}

/// SQLite's codes are numbers, PostgreSQL's are five characters.
fn code_is_busy(code: &str) -> bool {
    if code.len() == 5 {
        // Classes: connection exception, insufficient resources. Then: serialization failure,
        // deadlock, lock timeout, statement timeout, shutdown, crash, start-up.
        return code.starts_with("08")
            || code.starts_with("53")
            || matches!(code, "40001" | "40P01" | "55P03" | "57014" | "57P01" | "57P02" | "57P03");
    }
    // The low byte of an extended code is the plain one: BUSY, LOCKED, IOERR, FULL, CANTOPEN. A full
    // disk is any of the last three, by what first had no room.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_full_and_unreachable_are_busy_and_mistakes_are_not() {
        for code in
            ["5", "261", "517", "6", "778", "4874", "13", "14", "08006", "53100", "53300", "57P01", "55P03"]
        {
            assert!(code_is_busy(code), "{code}");
        }
        for code in ["1", "19", "2067", "11", "23505", "42601", "28P01", ""] {
            assert!(!code_is_busy(code), "{code}");
        }
        assert!(StoreError::Check(Fault::Deadline(Duration::from_secs(1))).is_busy());
        let lost = sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
        assert!(StoreError::ReadPreview(lost.into()).is_busy());
        assert!(!StoreError::Cursor.is_busy());
    }
}
