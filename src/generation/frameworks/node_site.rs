//! Pages a Node build makes, served by nginx: smaller, quicker and steadier than any server of
//! the framework for files that do not change.

use std::collections::BTreeMap;

use super::node_framework::{App, NodeFramework, decide_port};
use super::{Outline, node_build, node_start};
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::node::{self, Needs};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{BuiltPages, NodeRecipe, Recipe, SiteRecipe};

/// Where a framework leaves its pages.
pub struct Built {
    /// The likeliest first.
    pub folders: Vec<String>,
    pub single_page: bool,
    /// The path they are built to lie under; empty for the top.
    pub base: String,
}

impl Built {
    pub fn single_page(folders: &[&str]) -> Self {
        Self {
            folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
            single_page: true,
            base: String::new(),
        }
    }

    pub fn pages(folders: &[&str]) -> Self {
        Self { single_page: false, ..Self::single_page(folders) }
    }

    /// The path the configuration says they lie under where they are published.
    pub fn under(mut self, base: Option<String>) -> Self {
        self.base = base
            .filter(|base| base.len() > 1 && base.starts_with('/') && !base.starts_with("//"))
            .filter(|base| is_plain_path(base))
            .unwrap_or_default();
        self
    }

    /// A folder the configuration names, before those that are usual.
    pub fn first(mut self, folder: Option<String>) -> Self {
        let usable =
            |folder: &String| !folder.is_empty() && is_plain_path(folder) && !folder.starts_with('/');
        if let Some(folder) = folder.filter(usable).filter(|folder| self.folders.first() != Some(folder)) {
            self.folders.insert(0, folder);
        }
        self
    }
}

pub fn outline(
    app: &App<'_, '_>,
    framework: &NodeFramework,
    built: Built,
    notes: &mut Notes,
) -> Result<Outline, PlanError> {
    let project = app.project;
    let folder = node_start::folder(project, notes);
    let version = node::choose_version(project, &folder, notes)?;
    let port = project.metadata.port.unwrap_or(8080);
    decide_port(project, port, "pages", notes);
    let (node, pages) = recipe(app, framework, built, notes);
    let node_image = project.bases.image(&Runtime::Node { version: version.clone() });
    Ok(Outline {
        framework: framework.name.to_owned(),
        base_image: project.bases.image(&Runtime::Static),
        runtime_version: Some(version),
        folder,
        start: Some(nginx()),
        port,
        bind: "0.0.0.0 and ::, by nginx's configuration".to_owned(),
        environment: BTreeMap::new(),
        health: Some("/"),
        recipe: Recipe::Site(SiteRecipe { node, pages, node_image }),
    })
}

/// How the pages are built, and where they will be.
pub fn recipe(
    app: &App<'_, '_>,
    framework: &NodeFramework,
    built: Built,
    notes: &mut Notes,
) -> (NodeRecipe, BuiltPages) {
    let (project, package) = (app.project, app.package);
    let place = Place::file(&package.path);
    let build = node_build::commands(project, package, framework.build, notes);
    notes.decide(
        "served folder",
        built.folders.join(" or "),
        Source::Detected,
        "the build leaves its pages there",
        place.clone(),
    );
    let (choice, reason) = match built.single_page {
        true => ("index.html", "one page whose script knows the paths"),
        false => ("404", "every page is a file"),
    };
    notes.decide("unknown paths", choice, Source::Default, reason, place);
    let needs = Needs { dev: true, build: build.commands, only_pages: true, ..Needs::default() };
    let mut node = node::recipe_of(project, package, needs, notes);
    node.build_otherwise = build.otherwise;
    node.build_environment = node_build::environment(project, package, notes);
    (node, BuiltPages { folders: built.folders, single_page: built.single_page, base: built.base })
}

pub fn nginx() -> Vec<String> {
    ["nginx", "-e", "stderr", "-c", "/etc/previewd/nginx.conf"].map(str::to_owned).to_vec()
}
