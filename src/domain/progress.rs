//! What a build says while it runs; the same shape from either builder.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One instruction of the Dockerfile (a vertex of BuildKit, a step of the classic builder).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildStep {
    /// Stable within one build.
    pub id: String,
    /// `[deps 3/5] RUN uv pip install -r requirements.txt`.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum BuildEvent {
    /// Waiting for a free build slot; `ahead` builds are before this one.
    Queued {
        ahead: usize,
    },
    /// The builder in use, and why when it is not BuildKit.
    Builder {
        name: String,
        note: Option<String>,
    },
    Started {
        step: BuildStep,
        at: DateTime<Utc>,
    },
    Finished {
        step: BuildStep,
        cached: bool,
        #[serde(rename = "elapsedMs")]
        elapsed_ms: u64,
        error: Option<String>,
    },
    /// One line a step printed.
    Output {
        step: String,
        line: String,
    },
    /// Last event of a build that made an image.
    Done {
        image: String,
        cached: bool,
    },
    /// Last event of a build that did not.
    Failed {
        step: Option<String>,
        reason: String,
    },
    /// Last event of a build nobody waited for any more.
    Cancelled,
}

impl BuildEvent {
    /// The event with every text that comes from a step, or names one, run through `change`.
    #[must_use]
    pub fn with_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        let one = |text: &mut String| *text = change(text);
        match &mut self {
            Self::Started { step, .. } => one(&mut step.name),
            Self::Finished { step, error, .. } => {
                one(&mut step.name);
                error.iter_mut().for_each(one);
            }
            Self::Output { line, .. } => one(line),
            Self::Failed { step, reason } => {
                step.iter_mut().for_each(one);
                one(reason);
            }
            Self::Queued { .. } | Self::Builder { .. } | Self::Done { .. } | Self::Cancelled => {}
        }
        self
    }
}
