//! From a build context to an image.
//!
//! BuildKit where the engine has it, else its classic builder, which the first event says.
//! Dropping the future closes the connection, and with it the engine stops the build.

mod cache;
mod classic;
mod kit;
mod progress;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::sync::mpsc;

use super::info::has_buildkit;
use super::{Archive, Engine, EngineError, Ownership};
use crate::domain::{BuildEvent, Invalid};
use crate::faults::{self, Side};
pub use cache::CachedStep;
use progress::Progress;

/// Which builder to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builder {
    /// BuildKit, else the classic one.
    #[default]
    Auto,
    BuildKit,
    Classic,
}

/// An image to be built.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The name the image gets, `name:tag`.
    pub tag: String,
    pub context: Archive,
    /// Its path inside the context.
    pub dockerfile: String,
    /// One for the classic builder, which knows no `RUN --mount`; the same one otherwise.
    pub classic_dockerfile: Option<String>,
    pub build_args: BTreeMap<String, String>,
    pub ownership: Ownership,
    /// Labels of the image besides those of its ownership.
    pub labels: BTreeMap<String, String>,
    /// The engine configuration's otherwise.
    pub timeout: Option<Duration>,
    /// Of each step, swap included; only the classic builder heeds it.
    pub memory_bytes: Option<u64>,
    /// Network of the steps, such as `host` or `none`; the engine's default otherwise.
    pub network: Option<String>,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// `tail` holds the last lines the step printed, oldest first.
    #[error("build step {step} failed: {reason}")]
    StepFailed { step: String, exit_code: Option<i64>, reason: String, tail: Vec<String> },
    #[error("the build took longer than {after:?}{}", during(step.as_deref()))]
    Timeout { step: Option<String>, after: Duration },
    /// The image named by a FROM is not there and could not be fetched.
    #[error("base image {image} is missing: {reason}")]
    BaseMissing { image: String, reason: String },
    /// The Dockerfile or the context is not what the builder expects.
    #[error("the builder refused: {message}")]
    Rejected { message: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// The content id of the image. Events never hold the build up for long: to a reader that
    /// does not keep up, some are lost.
    pub async fn build(
        &self,
        request: BuildRequest,
        events: &mpsc::Sender<BuildEvent>,
    ) -> Result<String, BuildError> {
        let after = request.timeout.unwrap_or(self.config().build_timeout);
        let mut progress = Progress::new(events);
        faults::pass("build image", Side::Before);
        let outcome = tokio::time::timeout(after, self.build_with_some(&request, &mut progress)).await;
        faults::pass("build image", Side::After);
        outcome.unwrap_or_else(|_| Err(BuildError::Timeout { step: progress.running(), after }))
    }

    async fn build_with_some(
        &self,
        request: &BuildRequest,
        progress: &mut Progress<'_>,
    ) -> Result<String, BuildError> {
        let built = match self.config().builder {
            Builder::BuildKit => {
                progress.builder(kit::NAME, None).await;
                kit::build(self, request, progress).await?
            }
            Builder::Classic => {
                let note = "the classic builder is set".to_owned();
                progress.builder(classic::NAME, Some(note)).await;
                classic::build(self, request, progress).await?
            }
            Builder::Auto => self.build_with_the_best(request, progress).await?,
        };
        if let Some(id) = built {
            return Ok(id);
        }
        // The builder finished without telling the id.
        let found = self.image_id(&request.tag).await?;
        let reason = || "the build ended and left no image".to_owned();
        Ok(found.ok_or_else(|| EngineError::Protocol { call: "build image", reason: reason() })?)
    }

    async fn build_with_the_best(
        &self,
        request: &BuildRequest,
        progress: &mut Progress<'_>,
    ) -> Result<Option<String>, BuildError> {
        let why_not = if has_buildkit(&self.version().await?) {
            progress.builder(kit::NAME, None).await;
            match kit::build(self, request, progress).await {
                Err(error) if !progress.any_step() && kit::is_refusal(&error) => error.to_string(),
                outcome => return outcome,
            }
        } else {
            "the engine has no BuildKit".to_owned()
        };
        progress.builder(classic::NAME, Some(why_not)).await;
        classic::build(self, request, progress).await
    }
}

impl BuildRequest {
    fn all_labels(&self) -> HashMap<String, String> {
        let extra = self.labels.iter().map(|(name, value)| (name.clone(), value.clone()));
        // Ours last: nothing else can take their names.
        extra.chain(self.ownership.to_labels()).collect()
    }

    fn all_build_args(&self) -> HashMap<String, String> {
        self.build_args.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl std::str::FromStr for Builder {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "auto" => Ok(Self::Auto),
            "buildkit" => Ok(Self::BuildKit),
            "classic" => Ok(Self::Classic),
            _ => Err(Invalid::new("builder", "expected auto, buildkit or classic")),
        }
    }
}

fn during(step: Option<&str>) -> String {
    step.map(|step| format!(", during {step}")).unwrap_or_default()
}

/// The number at the end of `… exit code: 7` or `… returned a non-zero code: 7`. Builders tell
/// it in no other way.
fn exit_code(error: &str) -> Option<i64> {
    let (_, after) = error.rsplit_once("code: ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).map_or(after, |end| &after[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_found_in_either_builders_words() {
        assert_eq!(exit_code("executor failed running [/bin/sh -c exit 7]: exit code: 7"), Some(7));
        assert_eq!(exit_code("process \"x\" did not complete successfully: exit code: 137: oom"), Some(137));
        assert_eq!(exit_code("The command 'exit code: 3' returned a non-zero code: 2"), Some(2));
        assert_eq!(exit_code("failed to compute cache key: \"/x\" not found"), None);
    }
}
