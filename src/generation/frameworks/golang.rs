//! Go: the program most likely to serve, compiled into one file.

use std::collections::BTreeMap;

use super::{Finding, Framework, Outline, Strength};
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::go::{self, GoFile, Module};
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, folder_of};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{DependencyFile, GoRecipe, Recipe};

pub struct Go;

/// Where the compiled program lies in the image.
const PROGRAM: &str = "/opt/go/program";

impl Framework for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn language(&self) -> Language {
        Language::Go
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["golang", "gin", "echo", "fiber", "chi"]
    }

    fn looks_for(&self) -> &'static str {
        "go.mod, or Go with a main function"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let programs = go::programs(project);
        let file = programs.first()?;
        let name = go::module(project).as_ref().and_then(go::framework);
        let (strength, reason) = match (name, file.listens.first()) {
            (Some(name), _) => (Strength::Certain, format!("a program that builds on {name}")),
            (None, Some(_)) => (Strength::Certain, "a program that opens a port".to_owned()),
            (None, None) => (Strength::Server, "a program".to_owned()),
        };
        let place = match file.listens.first() {
            Some((_, line)) => Place::line(&file.path, *line),
            None => Place::file(&file.path),
        };
        Some(Finding { strength, name, reason, place })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let programs = go::programs(project);
        let file = programs.first().ok_or_else(|| PlanError::Framework {
            framework: self.name().to_owned(),
            looked_for: self.looks_for().to_owned(),
        })?;
        let module = go::module(project);
        let folder = module.as_ref().map(|module| module.folder.clone()).unwrap_or_default();
        let folder = if is_plain_path(&folder) { folder } else { String::new() };
        let package = package(&folder, file);
        notes.decide(
            "program",
            &package,
            Source::Detected,
            "it has a main function and is the likeliest to serve",
            Place::file(&file.path),
        );
        if let Some(other) = programs.get(1) {
            notes.warn("another program, which is not started", Place::file(&other.path));
        }
        warn_of_version(module.as_ref(), notes);
        let port = port(project, file, notes);
        let start = match &project.entry {
            Some(entry) => {
                notes.decide("start", entry.argv().join(" "), Source::Metadata, "entryPoint says so", None);
                entry.argv().to_vec()
            }
            None => vec![PROGRAM.to_owned()],
        };
        let recipe = recipe(project, &folder, module.as_ref(), package, notes);
        Ok(Outline {
            framework: module.as_ref().and_then(go::framework).unwrap_or("go").to_owned(),
            base_image: project.bases.image(&Runtime::Static),
            runtime_version: None,
            folder,
            start: Some(start),
            port,
            bind: "whatever the program listens on; every address, when it names a port alone".to_owned(),
            environment: BTreeMap::from([("GIN_MODE".to_owned(), "release".to_owned())]),
            health: None,
            recipe: Recipe::Go(recipe),
        })
    }
}

/// `./cmd/server` seen from the module.
fn package(folder: &str, file: &GoFile) -> String {
    let at = folder_of(&file.path);
    let inside = at.strip_prefix(folder).unwrap_or(at).trim_start_matches('/');
    if inside.is_empty() { ".".to_owned() } else { format!("./{inside}") }
}

/// The oldest a base image has: that of the distribution, where no other can be had.
const OLDEST: u32 = 19;

fn warn_of_version(module: Option<&Module>, notes: &mut Notes) {
    let Some((asked, place)) = module.and_then(|module| module.go.as_ref()) else { return };
    let minor = asked.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let reason = format!("go.mod asks for {asked}; the base image's is used");
    notes.decide("goVersion", "the base image's", Source::Default, reason, Some(place.clone()));
    if minor.is_some_and(|minor| minor > OLDEST) {
        let message = format!(
            "asks for Go {asked}; a base image made from packages of the distribution may have 1.{OLDEST}, which does not compile what is newer"
        );
        notes.warn(message, Some(place.clone()));
    }
}

/// The port: metadata, else the program's own, else that of any file beside it, else 8080.
fn port(project: &Project<'_>, main: &GoFile, notes: &mut Notes) -> u16 {
    let others = project.go().iter().filter(|file| file.path != main.path && !file.is_main);
    let mut listens = std::iter::once(main)
        .chain(others)
        .flat_map(|file| file.listens.iter().map(move |listen| (file, listen)));
    if let Some(line) = main.loopback {
        let message = "listens on the loopback address only, where nobody reaches it; leave the host out";
        notes.warn(message, Place::line(&main.path, line));
    }
    if let Some(port) = project.metadata.port {
        notes.decide("port", port.to_string(), Source::Metadata, "port says so", None);
        return port;
    }
    if let Some((file, (Some(port), line))) = listens.find(|(_, (port, _))| port.is_some()) {
        notes.decide(
            "port",
            port.to_string(),
            Source::Detected,
            "the code listens on it",
            Place::line(&file.path, *line),
        );
        return *port;
    }
    notes.decide("port", "8080", Source::Default, "nothing names another; the app is told by PORT", None);
    8080
}

fn recipe(
    project: &Project<'_>,
    folder: &str,
    module: Option<&Module>,
    package: String,
    notes: &mut Notes,
) -> GoRecipe {
    let manifests = go::manifests(project, folder);
    let inside = |path: &String| path.strip_prefix(&format!("{folder}/")).unwrap_or(path).to_owned();
    let dependency_files =
        manifests.iter().map(|path| (inside(path), DependencyFile::Copied(path.clone()))).collect();
    let vendored = project.has_folder(&crate::generation::project::join(folder, "vendor"));
    let cgo = module.and_then(go::needs_cgo);
    let (choice, reason) = match cgo {
        Some(name) => ("on", format!("{name} is written in C")),
        None => ("off", "nothing is written in C, so the program needs no libraries".to_owned()),
    };
    notes.decide("cgo", choice, Source::Detected, reason, None);
    if module.is_none() {
        notes.warn("there is no go.mod; one is made when it is built", None);
    }
    let builder = project.bases.image(&Runtime::Go);
    GoRecipe { dependency_files, builder, package, cgo: cgo.is_some(), vendored }
}
