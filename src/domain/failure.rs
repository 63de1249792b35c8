//! Why a preview failed, in words its owner can act on.

use serde::{Deserialize, Serialize};

/// Where on the way from files to a healthy preview it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Planning: the files do not make an app we can start.
    Plan,
    /// A step of the image build failed, timed out or was refused.
    Build,
    /// Network, port, container could not be made.
    Prepare,
    /// A migration or seed failed.
    Database,
    /// The container started but never answered, or exited first.
    Startup,
    /// It was running and then was not.
    Run,
}

/// What `status` says of a failed preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub stage: Stage,
    /// One sentence: exit code, out of memory, never listened, which build step.
    pub reason: String,
    /// The last lines printed, oldest first, at most [`Failure::TAIL_LINES`].
    pub log_tail: Vec<String>,
}

impl Failure {
    pub const TAIL_LINES: usize = 40;

    pub fn new(stage: Stage, reason: impl Into<String>, log_tail: Vec<String>) -> Self {
        let skip = log_tail.len().saturating_sub(Self::TAIL_LINES);
        Self { stage, reason: reason.into(), log_tail: log_tail.into_iter().skip(skip).collect() }
    }
}

impl std::fmt::Display for Stage {
    /// The word that is used in JSON too.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Build => "build",
            Self::Prepare => "prepare",
            Self::Database => "database",
            Self::Startup => "startup",
            Self::Run => "run",
        })
    }
}

impl Stage {
    /// The `type` label of `preview_errors_total`.
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Build => "build",
            Self::Prepare => "engine",
            Self::Database => "database",
            Self::Startup => "startup_timeout",
            Self::Run => "exit",
        }
    }
}
