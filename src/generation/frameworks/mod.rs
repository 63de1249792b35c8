//! One file per framework: how it is recognised, and what its preview is made of.
//!
//! To add one: write its file, implement [`Framework`], and name it in [`ALL`].

mod angular;
mod asgi;
mod astro;
pub mod both;
mod bun;
mod chainlit;
mod create_react_app;
mod django;
mod every_address;
mod express;
mod fastify;
mod flask;
mod flask_sockets;
mod golang;
mod gradio;
mod hono;
mod koa;
mod nestjs;
mod next;
mod nicegui;
mod node_build;
mod node_framework;
mod node_script;
mod node_server;
mod node_site;
mod node_start;
mod nuxt;
mod own_addresses;
mod pages_inside;
pub mod pages_server;
mod php;
mod port_in_code;
mod python_listen;
mod python_own_server;
mod python_program;
mod python_run_first;
mod python_script;
mod python_server;
mod remix;
mod ruby;
mod rust;
pub mod server_beside;
mod site_builders;
pub mod static_site;
mod streamlit;
mod sveltekit;
mod vite;

pub use port_in_code::{PortInCode, port_in_code};

use std::collections::BTreeMap;

use super::error::PlanError;
use super::plan::{Language, Notes, Place};
use super::project::Project;
use super::recipe::Recipe;

/// Every framework known, in the order in which equally strong findings win.
pub static ALL: &[&dyn Framework] = &[
    &django::Django,
    &asgi::Asgi,
    &flask::Flask,
    &streamlit::STREAMLIT,
    &gradio::GRADIO,
    &nicegui::NICEGUI,
    &chainlit::CHAINLIT,
    &golang::Go,
    &php::Php,
    &ruby::Ruby,
    &rust::Rust,
    &next::NEXT,
    &nuxt::NUXT,
    &sveltekit::SVELTEKIT,
    &remix::REACT_ROUTER,
    &remix::REMIX,
    &astro::ASTRO,
    &site_builders::NITRO,
    &site_builders::GATSBY,
    &site_builders::DOCUSAURUS,
    &site_builders::VITEPRESS,
    &site_builders::ELEVENTY,
    &angular::ANGULAR,
    &create_react_app::CREATE_REACT_APP,
    &site_builders::VUE_CLI,
    &vite::VITE,
    &site_builders::RSBUILD,
    &site_builders::PARCEL,
    &nestjs::NESTJS,
    &fastify::FASTIFY,
    &koa::KOA,
    &hono::HONO,
    &express::EXPRESS,
    &node_server::NodeServer,
    &static_site::StaticSite,
    &python_script::PythonScript,
    &node_script::NodeScript,
];

/// Those that may leave nothing but pages, which can stand beside a server.
static PAGE_BUILDERS: &[&node_framework::NodeFramework] = &[
    &next::NEXT,
    &nuxt::NUXT,
    &sveltekit::SVELTEKIT,
    &remix::REACT_ROUTER,
    &remix::REMIX,
    &astro::ASTRO,
    &site_builders::GATSBY,
    &angular::ANGULAR,
    &create_react_app::CREATE_REACT_APP,
    &site_builders::VUE_CLI,
    &vite::VITE,
    &site_builders::RSBUILD,
    &site_builders::PARCEL,
];

pub trait Framework: Sync {
    /// What it is called in plans and in `metadata.framework`.
    fn name(&self) -> &'static str;

    fn language(&self) -> Language;

    /// Other names the metadata may call it by.
    fn also_called(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is looked for among the files, in words, for when nothing is found.
    fn looks_for(&self) -> &'static str;

    /// Whether the files look like it.
    fn detect(&self, project: &Project<'_>) -> Option<Finding>;

    /// It makes the pages a visitor is to see on a server of its own, so that a server of another
    /// language beside it is not what the preview is for.
    fn shows_pages_itself(&self, _: &Project<'_>) -> bool {
        false
    }

    /// How it is installed and started. The metadata's entry point wins over what was found.
    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError>;
}

/// That a framework was recognised, by what, and how surely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub strength: Strength,
    /// A more exact name than the framework's own, such as `starlette`.
    pub name: Option<&'static str>,
    pub reason: String,
    pub place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Some file could be started; nothing says that it serves anything.
    Guess,
    /// Pages that a file server can serve.
    Pages,
    /// It serves, on no framework we know.
    Server,
    /// An app object, or the dependency, of the framework itself.
    Certain,
}

/// What a framework decides; the rest of the plan is the same for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// The name shown: the framework's own or a more exact one.
    pub framework: String,
    pub base_image: String,
    pub runtime_version: Option<String>,
    /// The folder of the tree that is the working directory; empty for the top.
    pub folder: String,
    pub start: Option<Vec<String>>,
    pub port: u16,
    pub bind: String,
    pub environment: BTreeMap<String, String>,
    /// The path to ask for its health when nothing says which.
    pub health: Option<&'static str>,
    pub recipe: Recipe,
}
