//! What would be built for a generation, and under which tag; remembered while it stays true.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ImageError;
use super::job::scope;
use crate::domain::{ContentHash, Generation, UserId};
use crate::engine::{Engine, ImageFacts};
use crate::generation::{self, BaseImages, Plan};

/// A plan with everything that decides the image's content.
#[derive(Debug)]
pub struct Recipe {
    pub plan: Plan,
    /// What the image is called: by its content, and whose it is. Nobody's builds end up in what
    /// another one runs, whatever the two have in common.
    pub tag: String,
    /// The same for the image of its environment, which an owner's generations of the same
    /// dependencies share; none where the plan shares none.
    pub environment: Option<String>,
    /// Whether what starts the app is given to a program of its base image.
    pub has_entry_point: bool,
    /// Content ids of the base images, in the plan's order.
    base_ids: Vec<String>,
}

/// Recipes by owner and content. A recipe holds while its bases keep their content ids.
#[derive(Debug, Default)]
pub(super) struct Cache {
    recipes: Mutex<Recipes>,
}

type Recipes = HashMap<(UserId, ContentHash), Arc<Recipe>>;

/// A recipe is some kilobytes.
const KEPT: usize = 256;

impl Cache {
    /// The remembered recipe, when its bases are what they were.
    pub(super) async fn known(
        &self,
        engine: &Engine,
        owner: &UserId,
        hash: &ContentHash,
    ) -> Result<Option<Arc<Recipe>>, ImageError> {
        let recipe = self.recipes().get(&(owner.clone(), hash.clone())).cloned();
        let Some(recipe) = recipe else { return Ok(None) };
        let bases = bases_of(engine, &recipe.plan).await?;
        let still_true = bases.iter().map(|base| &base.id).eq(&recipe.base_ids);
        Ok(still_true.then_some(recipe))
    }

    pub(super) async fn make(
        &self,
        engine: &Engine,
        bases: &BaseImages,
        generation: &Generation,
    ) -> Result<Arc<Recipe>, ImageError> {
        let plan = generation::plan(&generation.metadata, &generation.files, bases)?;
        let bases = bases_of(engine, &plan).await?;
        let has_entry_point = bases.first().is_some_and(|base| !base.entry_point.is_empty());
        let base_ids: Vec<String> = bases.into_iter().map(|base| base.id).collect();
        let of_owner = |name: String| format!("{name}-{}", scope(&generation.owner));
        let tag = of_owner(generation::image_tag(&plan, &generation.files, &base_ids));
        let environment = generation::environment_tag(&plan, &generation.files, &base_ids).map(of_owner);
        let recipe = Arc::new(Recipe { plan, tag, environment, has_entry_point, base_ids });
        let mut recipes = self.recipes();
        if recipes.len() >= KEPT {
            recipes.clear();
        }
        let key = (generation.owner.clone(), generation.content_hash.clone());
        recipes.insert(key, Arc::clone(&recipe));
        Ok(recipe)
    }

    fn recipes(&self) -> std::sync::MutexGuard<'_, Recipes> {
        self.recipes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one its last stage starts from is the first.
async fn bases_of(engine: &Engine, plan: &Plan) -> Result<Vec<ImageFacts>, ImageError> {
    let mut found = Vec::new();
    for image in plan.base_images() {
        match engine.image_facts(&image).await? {
            Some(facts) => found.push(facts),
            None => return Err(ImageError::BaseMissing { image }),
        }
    }
    Ok(found)
}
