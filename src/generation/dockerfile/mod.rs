//! A plan written down as a Dockerfile.
//!
//! What the lines refer to is laid out by `context`: `app/` is the source, `deps/` what the
//! dependency layer depends on, `previewd/` this host's settings for steps that reach out. The
//! settings are mounted (or live in a stage that is thrown away), so nothing of them is in the
//! image or its history.
//!
//! Steps that fill a cache shared by all builds run no code of the generation: packages with
//! code to run when installed are dealt with in a step of their own, without the cache, as the
//! app's own user.

mod both;
mod gateway;
mod go;
mod node;
mod node_install;
mod php;
mod python;
mod ruby;
mod rust;
mod static_site;
mod writer;

use super::plan::Plan;
use super::recipe::Recipe;

/// Which builder reads the Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The frontend built into Docker 20.10 and later: mounts, no heredocs.
    BuildKit,
    /// The builder from before: no mounts, so no caches.
    Classic,
}

/// The Dockerfile for a plan. The same plan always gives the same text.
pub fn dockerfile(plan: &Plan, dialect: Dialect) -> String {
    match &plan.recipe {
        Recipe::Python(recipe) => python::write(plan, recipe, dialect),
        Recipe::Node(recipe) => node::write(plan, recipe, dialect),
        Recipe::Site(recipe) => node::site(plan, recipe, dialect),
        Recipe::Go(recipe) => go::write(plan, recipe, dialect),
        Recipe::Rust(recipe) => rust::write(plan, recipe, dialect),
        Recipe::Php(recipe) => php::write(plan, recipe, dialect),
        Recipe::Ruby(recipe) => ruby::write(plan, recipe, dialect),
        Recipe::Both(recipe) => both::write(plan, recipe, dialect),
        Recipe::Static(_) => static_site::write(plan),
        Recipe::Dockerfile(own) => own.text.clone(),
    }
}
