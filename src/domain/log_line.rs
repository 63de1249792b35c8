//! One line of a preview's story.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Invalid;

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// What the container printed.
    App,
    /// What previewd did with the preview.
    System,
    /// Steps of the image build.
    Build,
    /// From a created container to its first answer.
    Startup,
    /// Requests through the proxy.
    Request,
    /// The preview's own database.
    Database,
    /// What went wrong with the preview itself: a failed start, an exit, a lost line.
    Error,
}

/// `seq` counts from 1 per preview, without holes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    pub seq: u64,
    pub timestamp: DateTime<Utc>,
    pub level: LogLevel,
    pub source: LogSource,
    /// At most 2,000 characters, perhaps several lines: a traceback is one message. What was
    /// longer goes on in the next message; such pieces end, or begin, or both, with `…`.
    pub message: String,
    /// What there is to say of it: method, path, statusCode and duration (ms) of a request, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<Map<String, Value>>>,
    /// The trace it belongs to, when the request or the app named one.
    #[serde(default, rename = "traceId", skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// A line before it has its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub timestamp: DateTime<Utc>,
    pub level: LogLevel,
    pub source: LogSource,
    pub message: String,
    pub metadata: Option<Box<Map<String, Value>>>,
    pub trace_id: Option<String>,
}

impl LogEntry {
    /// One without metadata.
    pub const fn new(timestamp: DateTime<Utc>, level: LogLevel, source: LogSource, message: String) -> Self {
        Self { timestamp, level, source, message, metadata: None, trace_id: None }
    }

    pub fn numbered(self, seq: u64) -> LogLine {
        let Self { timestamp, level, source, message, metadata, trace_id } = self;
        LogLine { seq, timestamp, level, source, message, metadata, trace_id }
    }
}

impl LogLevel {
    /// The word stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

impl LogSource {
    pub const ALL: [Self; 7] =
        [Self::App, Self::System, Self::Build, Self::Startup, Self::Request, Self::Database, Self::Error];

    /// The word stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::System => "system",
            Self::Build => "build",
            Self::Startup => "startup",
            Self::Request => "request",
            Self::Database => "database",
            Self::Error => "error",
        }
    }
}

impl std::str::FromStr for LogSource {
    type Err = Invalid;

    /// `subprocess` is what the first API calls the app.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let word = if text == "subprocess" { "app" } else { text };
        Self::ALL.into_iter().find(|source| source.as_str() == word).ok_or_else(|| {
            Invalid::new("source", "expected app, system, build, startup, request, database or error")
        })
    }
}

impl std::str::FromStr for LogLevel {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.to_ascii_uppercase().as_str() {
            "DEBUG" => Ok(Self::Debug),
            "INFO" => Ok(Self::Info),
            "WARNING" | "WARN" => Ok(Self::Warning),
            "ERROR" => Ok(Self::Error),
            _ => Err(Invalid::new("level", "expected DEBUG, INFO, WARNING or ERROR")),
        }
    }
}
