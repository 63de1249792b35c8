//! What would be built for a generation, and under which tag; remembered while it stays true.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ImageError;
use super::job::scope;
use crate::domain::{ContentHash, Generation, UserId};
use crate::engine::Engine;
use crate::generation::{self, BaseImages, Plan};

/// A plan with everything that decides the image's content.
#[derive(Debug)]
pub struct Recipe {
    pub plan: Plan,
    pub tag: String,
    /// What the image of its environment is called, but for whose it is; none where the plan
    /// shares none.
    environment: Option<String>,
    /// Content ids of the base images, in the plan's order.
    base_ids: Vec<String>,
}

impl Recipe {
    /// The image of its environment, which an owner's generations of the same dependencies share.
    /// Nobody's builds end up in what another one runs.
    pub fn environment_of(&self, owner: &UserId) -> Option<String> {
        self.environment.as_ref().map(|name| format!("{name}-{}", scope(owner)))
    }
}

/// Recipes by content. A recipe holds while its bases keep their content ids.
#[derive(Debug, Default)]
pub(super) struct Cache {
    recipes: Mutex<HashMap<ContentHash, Arc<Recipe>>>,
}

/// A recipe is some kilobytes.
const KEPT: usize = 256;

impl Cache {
    /// The remembered recipe, when its bases are what they were.
    pub(super) async fn known(
        &self,
        engine: &Engine,
        hash: &ContentHash,
    ) -> Result<Option<Arc<Recipe>>, ImageError> {
        let recipe = self.recipes().get(hash).cloned();
        let Some(recipe) = recipe else { return Ok(None) };
        let still_true = base_ids(engine, &recipe.plan).await? == recipe.base_ids;
        Ok(still_true.then_some(recipe))
    }

    pub(super) async fn make(
        &self,
        engine: &Engine,
        bases: &BaseImages,
        generation: &Generation,
    ) -> Result<Arc<Recipe>, ImageError> {
        let plan = generation::plan(&generation.metadata, &generation.files, bases)?;
        let base_ids = base_ids(engine, &plan).await?;
        let tag = generation::image_tag(&plan, &generation.files, &base_ids);
        let environment = generation::environment_tag(&plan, &generation.files, &base_ids);
        let recipe = Arc::new(Recipe { plan, tag, environment, base_ids });
        let mut recipes = self.recipes();
        if recipes.len() >= KEPT {
            recipes.clear();
        }
        recipes.insert(generation.content_hash.clone(), Arc::clone(&recipe));
        Ok(recipe)
    }

    fn recipes(&self) -> std::sync::MutexGuard<'_, HashMap<ContentHash, Arc<Recipe>>> {
        self.recipes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn base_ids(engine: &Engine, plan: &Plan) -> Result<Vec<String>, ImageError> {
    let mut ids = Vec::new();
    for image in plan.base_images() {
        match engine.image_id(&image).await? {
            Some(id) => ids.push(id),
            None => return Err(ImageError::BaseMissing { image }),
        }
    }
    Ok(ids)
}
