//! The image of a preview that runs from its environment: made while it serves, compared with what
//! it runs from, and used from its next start on.
//!
//! Nothing waits for it. A restart before it is there uses the environment again; when so many others
//! are built that it is refused, it is asked for again; when it cannot be built or is not the same, the
//! preview goes on as it is. It is given up when the preview ends
//! or starts again, and made by the next run of the daemon when this one goes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Life, Message};
use crate::domain::{EventType, Generation, LogLevel, LogSource, Preview};
use crate::engine::{ContainerSpec, Kind};
use crate::generation;
use crate::orchestrator::Parts;
use crate::orchestrator::images::{ImageError, Recipe, Unproven};

/// Before a build that was refused is asked for again.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The task that makes it.
#[derive(Debug)]
pub(in crate::orchestrator) struct Behind {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// What the task needs of its preview.
struct Making {
    parts: Arc<Parts>,
    preview: Preview,
    recipe: Arc<Recipe>,
    environment: String,
    /// Of the container that is made to look into the image.
    spec: ContainerSpec,
}

impl Life {
    /// Once the app answers, so that the two do not get into each other's way.
    pub(super) fn make_image_behind(&mut self) {
        if !self.is_in_environment() {
            return;
        }
        let (Some(recipe), Some(environment)) = (self.recipe.clone(), self.preview.image.clone()) else {
            return;
        };
        let cancel = CancellationToken::new();
        let making = Making {
            parts: Arc::clone(&self.parts),
            preview: self.preview.clone(),
            spec: self.look_spec(&recipe.tag),
            recipe,
            environment,
        };
        let (given_up, outbox) = (cancel.clone(), self.outbox.clone());
        let task = self.parts.tasks.spawn(async move {
            if let Some(outcome) = making.make(&given_up).await {
                // A full inbox loses a line of the story; the next start looks for itself.
                let _ = outbox.try_send(Message::Imaged(outcome));
            }
        });
        self.behind = Some(Behind { cancel, task });
    }

    /// A preview that an earlier run of the daemon left in its environment.
    pub(super) async fn take_up_image(&mut self) {
        if !self.preview.image.as_deref().is_some_and(generation::is_environment) {
            return;
        }
        if let Ok((recipe, _)) = self.recipe().await {
            self.recipe = Some(recipe);
            self.make_image_behind();
        }
    }

    /// Gives the image up, and waits until nothing of its making is left.
    pub(super) async fn leave_image(&mut self) {
        let Some(mut behind) = self.behind.take() else { return };
        behind.cancel.cancel();
        // It ends by itself: a build at once, a look within the deadlines of its calls.
        let _ = (&mut behind.task).await;
    }

    pub(super) async fn imaged(&mut self, outcome: Result<bool, String>) {
        self.behind = None;
        let image = self.recipe.as_ref().map(|recipe| recipe.tag.clone());
        match outcome {
            Ok(verified) => {
                self.record(EventType::Built, json!({ "image": image, "verified": verified })).await;
            }
            Err(reason) => {
                let said = format!("goes on in its environment without an image of its own: {reason}");
                self.say(LogLevel::Warning, LogSource::Build, &said);
            }
        }
    }

    fn look_spec(&self, image: &str) -> ContainerSpec {
        let base = self.container_spec();
        let mut spec = ContainerSpec {
            name: format!("{}-look", base.name),
            image: image.to_owned(),
            network: "none".to_owned(),
            arguments: None,
            publish: None,
            working_dir: None,
            writable: Vec::new(),
            volumes: Vec::new(),
            environment: Default::default(),
            ..base
        };
        spec.ownership.kind = Kind::Task;
        spec
    }
}

impl Making {
    /// None when it was given up.
    async fn make(self, given_up: &CancellationToken) -> Option<Result<bool, String>> {
        let generation = match self.parts.source(&self.preview).await {
            Ok(Some(generation)) => Arc::new(generation),
            Ok(None) => return Some(Err("its generation was deleted".to_owned())),
            Err(error) => return Some(Err(error.to_string())),
        };
        match given_up.run_until_cancelled(self.build(&generation)).await? {
            Ok(true) => {}
            // A build of its own, asked for meanwhile, stands for itself.
            Ok(false) => return Some(Ok(false)),
            Err(error) => return Some(Err(error.to_string())),
        }
        if given_up.is_cancelled() {
            return None;
        }
        // Not to be cancelled: what is made to look is taken away again.
        let proof = self.parts.images.prove(&generation, &self.recipe, &self.environment, &self.spec).await;
        if let Err(Unproven::Differs(reason)) = &proof {
            tracing::error!(
                image = self.recipe.tag,
                reason,
                "an image is not what its environment and source make"
            );
            if let Err(error) = self.parts.engine.remove_image(&self.recipe.tag).await {
                tracing::warn!(%error, image = self.recipe.tag, "an image that differs is still there");
            }
        }
        Some(proof.map(|()| true).map_err(|error| error.to_string()))
    }

    /// Later, when too many wait for others. Nobody waits for this one.
    async fn build(&self, generation: &Arc<Generation>) -> Result<bool, ImageError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.parts.images.settle(generation, &self.recipe, &self.environment).await {
                Err(error @ ImageError::QueueFull { .. }) => {
                    tracing::debug!(%error, image = self.recipe.tag, "an image is built later");
                }
                other => return other,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
