//! Django: its WSGI or ASGI application behind a server, with its static files.
//!
//! Django serves static files only while it is developed, and answers only to names its settings
//! list. A small module of ours stands around the application: it lets Django's own handler serve
//! the static files, and any name through, because the daemon in front has checked it.

use std::collections::BTreeMap;

use super::{Finding, Framework, Outline, Strength, python_program, python_server};
use crate::domain::Mode;
use crate::generation::container;
use crate::generation::entry_point::EntryPoint;
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, folder_of, join, name_of};
use crate::generation::python::{Interface, Location, Needs};
use crate::generation::quoting::is_plain_path;

pub struct Django;

/// The module of ours, in the image beside nothing of the app.
pub const AROUND: &str = include_str!("django_around.py");

impl Framework for Django {
    fn name(&self) -> &'static str {
        "django"
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["drf", "django-rest-framework", "wagtail"]
    }

    fn looks_for(&self) -> &'static str {
        "manage.py of Django"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let site = site(project)?;
        let reason = format!("manage.py uses the settings {}", site.settings);
        Some(Finding { strength: Strength::Certain, name: None, reason, place: Some(site.place) })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        match &project.entry {
            Some(EntryPoint::PythonServer { server, .. }) => {
                let asgi = server.is_some_and(|server| server.asgi);
                let interface = if asgi { Interface::Asgi } else { Interface::Wsgi };
                return python_server::outline(project, interface, "django", notes);
            }
            Some(_) => return super::python_script::PythonScript.outline(project, notes),
            None => {}
        }
        let site = site(project).ok_or_else(|| PlanError::Framework {
            framework: self.name().to_owned(),
            looked_for: self.looks_for().to_owned(),
        })?;
        let port = python_server::port_or(project, 8000, "the usual one of Django", notes);
        notes.decide(
            "settings",
            &site.settings,
            Source::Detected,
            "manage.py names them",
            Some(site.place.clone()),
        );
        let asgi = uses_asgi(project, &site, notes);
        let start = start(project.mode(), asgi, port);
        let (what, reason) = match (project.mode(), asgi) {
            (Mode::Dev, _) => ("start", "Django's development server, which starts again with each change"),
            (Mode::Run, true) => {
                ("start", "the ASGI application, in the module that serves static files too")
            }
            (Mode::Run, false) => {
                ("start", "the WSGI application, in the module that serves static files too")
            }
        };
        notes.decide(what, start.join(" "), Source::Detected, reason, Place::file(&site.manage));
        let whitenoise = static_files(project, &site, notes);
        hosts(project, &site, notes);
        let server = match (project.mode(), asgi) {
            (Mode::Dev, _) => None,
            // With what WebSockets need.
            (Mode::Run, true) => Some("uvicorn[standard]"),
            (Mode::Run, false) => Some("gunicorn"),
        };
        let folder = site.folder().to_owned();
        let location = Location {
            folder: folder.clone(),
            python_path: None,
            module: String::new(),
            path: site.manage.clone(),
        };
        let needs = Needs { server, websockets: asgi };
        let mut environment = BTreeMap::new();
        environment.insert("DJANGO_SETTINGS_MODULE".to_owned(), site.settings.clone());
        let around = container::dir(&folder);
        environment.insert("PYTHONPATH".to_owned(), format!("{around}:/opt/previewd"));
        let mut outline = python_program::outline(project, location, needs, start, port, notes)?;
        outline.framework = "django".to_owned();
        outline.bind = "0.0.0.0, by the start command".to_owned();
        outline.environment.extend(environment);
        if let crate::generation::recipe::Recipe::Python(recipe) = &mut outline.recipe {
            recipe.support = BTreeMap::from([("previewd_django.py".to_owned(), AROUND.to_owned())]);
            if whitenoise {
                let collect = ["python", "manage.py", "collectstatic", "--noinput", "--verbosity", "0"];
                recipe.prepare.push(collect.map(str::to_owned).to_vec());
            }
        }
        Ok(outline)
    }
}

/// A project of Django in the tree.
struct Site {
    manage: String,
    /// `shop.settings`.
    settings: String,
    place: Place,
}

impl Site {
    fn folder(&self) -> &str {
        let folder = folder_of(&self.manage);
        if is_plain_path(folder) { folder } else { "" }
    }

    /// The files of the settings: one module, or a package of several.
    fn settings_files<'p>(&self, project: &Project<'p>) -> Vec<(&'p str, &'p str)> {
        let module = join(folder_of(&self.manage), &self.settings.replace('.', "/"));
        let whole = format!("{module}.py");
        let parts = format!("{}/", folder_of(&module));
        let is_part = |path: &str| {
            path == whole
                || path.starts_with(&format!("{module}/"))
                || (path.starts_with(&parts) && parts.ends_with("settings/") && path.ends_with(".py"))
        };
        project
            .paths()
            .filter(|path| is_part(path))
            .filter_map(|path| Some((path, project.text(path)?)))
            .collect()
    }
}

/// By the manage.py nearest to the top.
fn site(project: &Project<'_>) -> Option<Site> {
    let mut manages: Vec<&str> = project.paths().filter(|path| name_of(path) == "manage.py").collect();
    manages.sort_by_key(|path| path.matches('/').count());
    manages.into_iter().find_map(|path| {
        let text = project.text(path)?;
        let (line, rest) = text.lines().enumerate().find_map(|(index, line)| {
            let (_, rest) = line.split_once("DJANGO_SETTINGS_MODULE")?;
            Some((index + 1, rest))
        })?;
        let value = rest.get(1..)?.split(['"', '\'']).find(|part| {
            part.contains(|c: char| c.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c))
        })?;
        let place = Place { file: path.to_owned(), line: Some(line) };
        Some(Site { manage: path.to_owned(), settings: value.to_owned(), place })
    })
}

/// Only what needs ASGI gets it: threads suit Django's database layer better.
fn uses_asgi(project: &Project<'_>, site: &Site, notes: &mut Notes) -> bool {
    let packages = project.python_packages();
    let package = ["channels", "daphne", "django-channels", "strawberry-graphql-django"]
        .iter()
        .find_map(|name| packages.get(*name).map(|place| (format!("{name} is used"), place.clone())));
    let setting = || {
        line_with(project, site, "ASGI_APPLICATION")
            .map(|place| ("ASGI_APPLICATION is set".to_owned(), place))
    };
    match package.or_else(setting) {
        Some((reason, place)) => {
            notes.decide("interface", "ASGI", Source::Detected, reason, Some(place));
            true
        }
        None => {
            notes.decide("interface", "WSGI", Source::Default, "nothing in it needs ASGI", None);
            false
        }
    }
}

fn start(mode: Mode, asgi: bool, port: u16) -> Vec<String> {
    let bind = format!("0.0.0.0:{port}");
    let port = port.to_string();
    let words: Vec<&str> = match (mode, asgi) {
        (Mode::Dev, _) => vec!["python", "-m", "previewd_django", "runserver", &bind],
        (Mode::Run, true) => vec!["uvicorn", "previewd_django:asgi", "--host", "0.0.0.0", "--port", &port],
        (Mode::Run, false) => vec![
            "gunicorn",
            "previewd_django:wsgi",
            "--bind",
            &bind,
            "--workers",
            "1",
            "--threads",
            "4",
            "--worker-tmp-dir",
            "/dev/shm",
            "--access-logfile",
            "-",
        ],
    };
    words.into_iter().map(str::to_owned).collect()
}

/// Whether the app's own whitenoise serves what has to be collected first.
fn static_files(project: &Project<'_>, site: &Site, notes: &mut Notes) -> bool {
    let whitenoise = line_with(project, site, "whitenoise.middleware");
    let (choice, reason) = match whitenoise {
        Some(_) => ("collected when it is built", "the settings have whitenoise serve them"),
        None => ("served by Django's own handler", "nothing else in the settings serves them"),
    };
    let collects = whitenoise.is_some();
    notes.decide("static files", choice, Source::Detected, reason, whitenoise);
    collects
}

fn hosts(project: &Project<'_>, site: &Site, notes: &mut Notes) {
    let place = line_with(project, site, "ALLOWED_HOSTS");
    let reason = "the daemon in front has checked the name already; ALLOWED_HOSTS of the settings is widened, and X-Forwarded-Proto believed, so that forms are accepted";
    notes.decide("allowed hosts", "any", Source::Default, reason, place);
}

fn line_with(project: &Project<'_>, site: &Site, needle: &str) -> Option<Place> {
    site.settings_files(project).into_iter().find_map(|(path, text)| {
        let says = |line: &str| line.contains(needle) && !line.trim_start().starts_with('#');
        let index = text.lines().position(says)?;
        Some(Place { file: path.to_owned(), line: Some(index + 1) })
    })
}
