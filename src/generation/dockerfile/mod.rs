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

use super::environment;
use super::plan::Plan;
use super::recipe::Recipe;
pub(super) use node::MODULES as NODE_MODULES;
pub use writer::BUILD_MARK;
use writer::Writer;

/// Which builder reads the Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The frontend built into Docker 20.10 and later: mounts, no heredocs.
    BuildKit,
    /// The builder from before: no mounts, so no caches.
    Classic,
}

/// The stage that all generations with the same dependencies have in common.
const ENVIRONMENT: &str = "environment";

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

/// The Dockerfile of the environment alone; nothing where the plan shares none.
pub fn of_environment(plan: &Plan, dialect: Dialect) -> Option<String> {
    environment::shared(&plan.recipe).ok()?;
    let mut out = Writer::new(dialect);
    write_environment(&mut out, plan, dialect);
    Some(out.text())
}

/// The Dockerfile of the source onto an image of the environment: with that image it says the
/// same as the whole one. Nothing where the plan shares none.
pub fn onto_environment(plan: &Plan, image: &str, dialect: Dialect) -> Option<String> {
    environment::shared(&plan.recipe).ok()?;
    let mut out = Writer::new(dialect);
    write_source(&mut out, plan, image);
    Some(out.finish(plan))
}

/// `PATH` as the whole image sets it, where it does.
pub fn environment_path(plan: &Plan) -> Option<String> {
    let first = match &plan.recipe {
        Recipe::Python(recipe) => python::path(recipe).to_owned(),
        Recipe::Node(recipe) => node::path(recipe, &plan.working_dir),
        _ => String::new(),
    };
    (!first.is_empty()).then(|| writer::path_behind(&first))
}

fn write_environment(out: &mut Writer, plan: &Plan, dialect: Dialect) {
    match &plan.recipe {
        Recipe::Python(recipe) => {
            let base = out.base(plan);
            python::environment(out, recipe, &base, dialect);
        }
        Recipe::Node(recipe) => {
            let base = out.base(plan);
            node::environment(out, recipe, &base);
        }
        Recipe::Static(_) => static_site::environment(out, plan),
        _ => {}
    }
}

fn write_source(out: &mut Writer, plan: &Plan, environment: &str) {
    match &plan.recipe {
        Recipe::Python(recipe) => python::source(out, plan, recipe, environment),
        Recipe::Node(recipe) => node::source_onto(out, plan, recipe, environment),
        Recipe::Static(_) => static_site::source(out, environment),
        _ => {}
    }
}
