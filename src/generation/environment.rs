//! What generations with the same dependencies have in common: all of an image but the source.
//!
//! Where nothing but copying the source comes after the dependency layer, a container of that
//! environment with the source put into it is the same as one of the whole image.

use std::collections::BTreeMap;

use super::context::{self, Entry};
use super::dockerfile::{Dialect, environment_path, of_environment};
use super::plan::Plan;
use super::recipe::{NodeRecipe, PythonRecipe, Recipe};
use super::tag::name;
use crate::domain::FileSet;

/// What the whole image says of a start and its environment does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// After the image's entry point.
    pub arguments: Option<Vec<String>>,
    pub variables: BTreeMap<String, String>,
    pub working_dir: String,
}

/// Whether a recipe's image is its environment and the source; else why it is not.
pub fn shared(recipe: &Recipe) -> Result<(), &'static str> {
    match recipe {
        Recipe::Python(recipe) => python(recipe),
        Recipe::Node(recipe) => node(recipe),
        Recipe::Static(_) => Ok(()),
        Recipe::Site(_) => Err("its pages are built from the source"),
        Recipe::Go(_) | Recipe::Rust(_) => Err("its program is compiled from the source"),
        Recipe::Php(_) | Recipe::Ruby(_) => Err("what its image does once the source is there is not shared"),
        Recipe::Both(_) => Err("pages and a server are put together in its image"),
        Recipe::Dockerfile(_) => Err("what its own Dockerfile does with the source is not known"),
    }
}

fn python(recipe: &PythonRecipe) -> Result<(), &'static str> {
    if !recipe.prepare.is_empty() {
        return Err("commands are run in its image once the source is there");
    }
    if recipe.compile_source {
        return Err("its source is so large that its image holds it compiled");
    }
    Ok(())
}

fn node(recipe: &NodeRecipe) -> Result<(), &'static str> {
    if recipe.builds() {
        return Err("it is built from the source");
    }
    if recipe.in_place {
        return Err("its packages lie among the source");
    }
    if recipe.writes_beside_packages() {
        return Err("a folder of links to its packages is made in its image");
    }
    Ok(())
}

/// What the names of environments begin with, up to the colon.
const REPOSITORY: &str = "previewd/env";

/// Whether an image of that name is an environment.
pub fn is_environment(image: &str) -> bool {
    image.strip_prefix(REPOSITORY).is_some_and(|rest| rest.starts_with(':'))
}

/// `previewd/env:` and a hash of everything the environment is made of; nothing where the plan
/// shares none.
pub fn environment_tag(plan: &Plan, files: &FileSet, base_digests: &[String]) -> Option<String> {
    let text = of_environment(plan, Dialect::BuildKit)?;
    Some(name(REPOSITORY, &text, &context::below_source(plan, files), base_digests))
}

/// The start of a plan that shares its environment.
pub fn start(plan: &Plan) -> Start {
    let mut variables = plan.environment.clone();
    if let Some(path) = environment_path(plan) {
        variables.insert("PATH".to_owned(), path);
    }
    Start { arguments: plan.start.clone(), variables, working_dir: plan.working_dir.clone() }
}

/// The source as the image has it in `/app`, by paths relative to that.
pub fn source(plan: &Plan, files: &FileSet) -> BTreeMap<String, Entry> {
    let all = context::content(plan, files).into_iter();
    all.filter_map(|(path, entry)| Some((path.strip_prefix("app/")?.to_owned(), entry))).collect()
}
