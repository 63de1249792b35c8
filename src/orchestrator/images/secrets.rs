//! What a build says, without the secrets it was given.

use crate::domain::{BuildEvent, Generation};
use crate::orchestrator::images::{ImageError, Recipe};
use crate::streams::Masker;

/// Knows what the generation's environment and its `.env` hold.
pub(super) struct Secrets(Masker);

impl Secrets {
    pub(super) fn of(generation: &Generation, recipe: &Recipe) -> Self {
        let own = generation.metadata.environment.clone();
        let environment = recipe.plan.dotenv.clone().into_iter().chain(own).collect();
        Self(Masker::new(&environment, []))
    }

    pub(super) fn hide(&self, event: BuildEvent) -> BuildEvent {
        event.with_texts(|text| self.masked(text))
    }

    pub(super) fn hide_in(&self, error: ImageError) -> ImageError {
        match error {
            ImageError::Build { step, reason, tail } => ImageError::Build {
                step: step.map(|step| self.masked(&step)),
                reason: self.masked(&reason),
                tail: tail.iter().map(|line| self.masked(line)).collect(),
            },
            other => other,
        }
    }

    fn masked(&self, text: &str) -> String {
        self.0.mask(text).into_owned()
    }
}
