//! What a preview's container is made from: its image, or what its image will be made from.

use std::sync::Arc;

use super::Life;
use crate::domain::Generation;
use crate::engine::{ContainerProcess, Engine, EngineError};
use crate::generation::{self, Start};
use crate::orchestrator::images::{BuiltImage, Recipe, source_archive};
use crate::orchestrator::retry::retry;

/// Where the source is in every container.
pub(super) const SOURCE: &str = "/app";

#[derive(Debug)]
pub(super) struct Origin {
    pub image: String,
    /// What is put into the container, where the image is only its environment.
    pub source: Option<Source>,
    /// The whole image is there.
    pub is_built: bool,
}

#[derive(Debug)]
pub(super) struct Source {
    generation: Arc<Generation>,
    recipe: Arc<Recipe>,
}

impl Origin {
    pub fn whole(image: BuiltImage) -> Self {
        Self { image: image.tag, source: None, is_built: true }
    }

    pub fn environment(
        image: String,
        generation: Arc<Generation>,
        recipe: &Arc<Recipe>,
        is_built: bool,
    ) -> Self {
        let source = Source { generation, recipe: Arc::clone(recipe) };
        Self { image, source: Some(source), is_built }
    }
}

impl Life {
    /// It runs, or is about to run, from its environment.
    pub(super) fn is_in_environment(&self) -> bool {
        let recipe = self.recipe.as_ref();
        let environment = recipe.and_then(|recipe| recipe.environment.clone());
        environment.is_some() && environment == self.preview.image
    }

    /// What its image would say of the start, where its environment stands for the image.
    pub(super) fn image_start(&self) -> Option<Start> {
        let recipe = self.recipe.as_ref().filter(|_| self.is_in_environment())?;
        Some(generation::start(&recipe.plan))
    }

    /// The folders given, and that of the source where it is put in.
    pub(super) fn writable(&self, mut folders: Vec<String>) -> Vec<String> {
        if self.is_in_environment() && folders.iter().all(|folder| folder != SOURCE) {
            folders.push(SOURCE.to_owned());
        }
        folders
    }
}

/// Puts the source into a container of the environment, and beside it what one that waits is told;
/// nothing to do for one of the image. `process` is that of one that runs.
pub(super) async fn put_source(
    engine: &Engine,
    origin: Option<&Origin>,
    order: Option<Vec<u8>>,
    (container, process): (&str, Option<&ContainerProcess>),
) -> Result<(), EngineError> {
    match origin.and_then(|origin| origin.source.as_ref()) {
        Some(Source { generation, recipe }) => {
            let archive = source_archive(generation, recipe, order);
            retry(|| engine.put((container, process), &archive, SOURCE)).await
        }
        None => Ok(()),
    }
}
