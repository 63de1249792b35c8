//! Pages and files as they are, served by nginx.

use std::collections::BTreeMap;

use super::{Finding, Framework, Outline, PAGE_BUILDERS, Strength};
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, folder_of, join, name_of};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{Recipe, StaticRecipe};

pub struct StaticSite;

/// Folders a site lies in, the best first; the top before all.
const FOLDERS: [&str; 9] = ["", "public", "dist", "build", "out", "www", "site", "static", "docs"];

const INDEX: &str = "index.html";

impl Framework for StaticSite {
    fn name(&self) -> &'static str {
        "static"
    }

    fn language(&self) -> Language {
        Language::Static
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["html", "static-site", "nginx"]
    }

    fn looks_for(&self) -> &'static str {
        "index.html at the top or in public, dist, build, out, www, site, static, docs, or a single page"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        if let Some(page) = page(project) {
            let reason = "a page to serve".to_owned();
            return Some(Finding {
                strength: Strength::Pages,
                name: None,
                reason,
                place: Place::file(&page),
            });
        }
        let page = only_page(project)?;
        let reason = "the only page there is".to_owned();
        Some(Finding { strength: Strength::Guess, name: None, reason, place: Place::file(&page) })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let page = page(project).or_else(|| only_page(project)).ok_or_else(|| PlanError::Framework {
            framework: self.name().to_owned(),
            looked_for: self.looks_for().to_owned(),
        })?;
        let (folder, name) = (folder_of(&page).to_owned(), name_of(&page));
        let index = if name == INDEX { String::new() } else { name.to_owned() };
        let not_found_page = project.contains(&join(&folder, "404.html"));
        let shown = if folder.is_empty() { "the top of the tree" } else { &folder };
        notes.decide(
            "served folder",
            shown,
            Source::Detected,
            format!("{name} lies there"),
            Place::file(&page),
        );
        if let Some(package) = project.package().filter(|package| package.scripts.contains_key("build")) {
            let message = "has a build script, which is not run for a static site";
            notes.warn(message, Place::file(&package.path));
        }
        let (port, source, reason) = match project.metadata.port {
            Some(port) => (port, Source::Metadata, "port says so"),
            None => (8080, Source::Default, "nothing names another"),
        };
        notes.decide("port", port.to_string(), source, reason, None);
        Ok(Outline {
            framework: self.name().to_owned(),
            base_image: project.bases.image(&Runtime::Static),
            runtime_version: None,
            folder: String::new(),
            start: Some(
                ["nginx", "-e", "stderr", "-c", "/etc/previewd/nginx.conf"].map(str::to_owned).to_vec(),
            ),
            port,
            bind: "0.0.0.0 and ::, by the server's configuration".to_owned(),
            environment: BTreeMap::new(),
            health: Some("/"),
            recipe: Recipe::Static(StaticRecipe { folder, index, not_found_page, single_page: false }),
        })
    }
}

fn page(project: &Project<'_>) -> Option<String> {
    FOLDERS.iter().map(|folder| join(folder, INDEX)).find(|path| project.contains(path))
}

/// The page is what a builder starts from, so that nobody is to be served it as it is.
pub fn is_of_a_builder(project: &Project<'_>, finding: &Finding) -> bool {
    let Some(page) = finding.place.as_ref().map(|place| place.file.as_str()) else { return false };
    project.packages().iter().any(|package| {
        let starts =
            ["index.html", "public/index.html"].iter().any(|name| join(package.folder(), name) == page);
        starts && PAGE_BUILDERS.iter().any(|builder| builder.packages.iter().any(|name| package.lists(name)))
    })
}

/// Endings of files that are no page's: of a tree that has them, its one page may be a template.
const SOURCES: [&str; 18] = [
    "py", "go", "java", "kt", "scala", "cs", "fs", "ex", "exs", "rb", "php", "rs", "ts", "tsx", "jsx", "vue",
    "svelte", "ipynb",
];

/// The one page of a tree that holds no program, whatever it is called.
fn only_page(project: &Project<'_>) -> Option<String> {
    let is_page = |path: &&str| path.ends_with(".html") && !path.contains("node_modules/");
    let mut pages = project.paths().filter(is_page);
    let (page, more) = (pages.next()?, pages.next());
    let is_source = |path: &str| path.rsplit_once('.').is_some_and(|(_, end)| SOURCES.contains(&end));
    let is_program = project.package().is_some() || project.paths().any(is_source);
    (more.is_none() && !is_program && is_plain_path(page)).then(|| page.to_owned())
}
