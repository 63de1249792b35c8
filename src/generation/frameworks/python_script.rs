//! A Python program that is run as it is.

use super::python_server::{detected_port, environment};
use super::{Finding, Framework, Outline, Strength, python_listen};
use crate::generation::bases::Runtime;
use crate::generation::entry_point::EntryPoint;
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, name_of};
use crate::generation::python::{self, Location, Needs, PyFile};
use crate::generation::recipe::Recipe;

pub struct PythonScript;

impl Framework for PythonScript {
    fn name(&self) -> &'static str {
        "python"
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn looks_for(&self) -> &'static str {
        "main.py, app.py, server.py or another Python file that runs by itself"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let file = best(project)?;
        let serves = !file.runs.is_empty() || file.serves;
        let strength = if serves { Strength::Server } else { Strength::Guess };
        let reason = if serves { "it runs a server" } else { "it can be run by itself" };
        Some(Finding { strength, name: None, reason: reason.to_owned(), place: Place::file(&file.path) })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let (location, start) = start(project, notes)?;
        let version = python::choose_version(project, &location.folder, notes)?;
        let port = match project.metadata.port {
            Some(port) => {
                notes.decide("port", port.to_string(), Source::Metadata, "port says so", None);
                port
            }
            None => detected_port(project, Some(&location.path), notes),
        };
        let runs_uvicorn =
            project.python().iter().any(|file| file.runs.iter().any(|run| run.on == "uvicorn"));
        let needs = Needs { server: runs_uvicorn.then_some("uvicorn"), websockets: runs_uvicorn };
        let recipe = python::recipe(project, &location, needs, notes);
        let file = project.python_file(&location.path);
        let app = file.and_then(|file| file.apps.first());
        let mut outline = Outline {
            framework: app.map_or("python", |app| app.framework).to_owned(),
            base_image: project.bases.image(&Runtime::Python { version: version.clone() }),
            runtime_version: Some(version),
            environment: environment(&location),
            folder: location.folder,
            start: Some(start),
            port,
            bind: "whatever the program listens on; it has to be 0.0.0.0".to_owned(),
            health: None,
            recipe: Recipe::Python(recipe),
        };
        if let Some(file) = file {
            python_listen::put_right(file, &mut outline, notes);
        }
        Ok(outline)
    }
}

/// Where the program stands and how it is run.
fn start(project: &Project<'_>, notes: &mut Notes) -> Result<(Location, Vec<String>), PlanError> {
    let (path, argv) = match &project.entry {
        Some(EntryPoint::PythonFile { path, argv }) if project.contains(path) => (path.clone(), argv.clone()),
        Some(EntryPoint::PythonFile { path, .. }) => {
            return Err(PlanError::EntryPoint { message: format!("{path} is not among the files") });
        }
        Some(EntryPoint::PythonModule { module, argv }) => {
            let of_tree = python::locate_module(project, module)
                .or_else(|| python::locate_module(project, &format!("{module}.__main__")));
            return match of_tree {
                Some(location) => {
                    Ok((location, noted(argv.clone(), Source::Metadata, "entryPoint says so", notes)))
                }
                // A module of some package, such as http.server.
                None => Ok((top(), noted(argv.clone(), Source::Metadata, "entryPoint says so", notes))),
            };
        }
        Some(entry) => {
            return Ok((top(), noted(entry.argv().to_vec(), Source::Metadata, "entryPoint says so", notes)));
        }
        None => {
            let file = best(project).ok_or_else(|| PlanError::Framework {
                framework: "python".to_owned(),
                looked_for: PythonScript.looks_for().to_owned(),
            })?;
            (file.path.clone(), Vec::new())
        }
    };
    let mut location = python::locate(project, &path).unwrap_or_else(top);
    if argv.is_empty() && is_of_a_package(project, &path) && !location.module.is_empty() {
        let module = location.module.strip_suffix(".__main__").unwrap_or(&location.module);
        let argv = vec!["python".to_owned(), "-m".to_owned(), module.to_owned()];
        let reason = format!("{path} is the most likely program, and imports from the package it is in");
        location.path = path;
        return Ok((location, noted(argv, Source::Detected, &reason, notes)));
    }
    // Python puts the folder of the program on its path by itself.
    location.python_path =
        location.python_path.filter(|root| root != crate::generation::project::folder_of(&path));
    location.path = path.clone();
    if !argv.is_empty() {
        // The metadata's command names files from the top.
        location.folder = String::new();
        return Ok((location, noted(argv, Source::Metadata, "entryPoint says so", notes)));
    }
    let inside = path.strip_prefix(&format!("{}/", location.folder)).unwrap_or(&path).to_owned();
    let argv = vec!["python".to_owned(), inside];
    Ok((location, noted(argv, Source::Detected, &format!("{path} is the most likely program"), notes)))
}

/// With `from . import x`, which works in a module of a package and in no file that is run by its path.
fn is_of_a_package(project: &Project<'_>, path: &str) -> bool {
    project.python_file(path).is_some_and(|file| file.imports.iter().any(|import| import.level > 0))
}

fn noted(argv: Vec<String>, source: Source, reason: &str, notes: &mut Notes) -> Vec<String> {
    notes.decide("start", argv.join(" "), source, reason, None);
    argv
}

fn top() -> Location {
    Location { folder: String::new(), python_path: None, module: String::new(), path: String::new() }
}

/// The file most likely meant to be run.
fn best<'p>(project: &'p Project<'_>) -> Option<&'p PyFile> {
    const NAMES: [&str; 6] = ["main.py", "app.py", "server.py", "run.py", "__main__.py", "index.py"];
    let rank = |file: &&PyFile| {
        let name = NAMES.iter().position(|name| *name == name_of(&file.path)).unwrap_or(NAMES.len());
        (file.runs.is_empty(), name, !file.main_guard, file.path.matches('/').count())
    };
    let named =
        |file: &&PyFile| NAMES.contains(&name_of(&file.path)) || file.main_guard || !file.runs.is_empty();
    let only = || match project.python() {
        [file] => Some(file),
        _ => None,
    };
    project.python().iter().filter(named).min_by_key(rank).or_else(only)
}
