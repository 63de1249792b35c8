//! PHP: nginx in front of PHP's FastCGI server, which reads its files anew at each request, so
//! that development needs no server of its own.

use std::collections::BTreeMap;

use super::node_framework::words;
use super::{Finding, Framework, Outline, Strength, node_build};
use crate::domain::Mode;
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::node::{self, Needs};
use crate::generation::php::{self, Composer, Served};
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, join, name_of};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{DependencyFile, PhpAssets, PhpRecipe, Recipe};

pub struct Php;

/// Where PHP's server listens, on the loopback address.
const FASTCGI_PORT: &str = "9000";
/// What a base image made from packages of the distribution has at least.
const OLDEST: u32 = 2;

impl Framework for Php {
    fn name(&self) -> &'static str {
        "php"
    }

    fn language(&self) -> Language {
        Language::Php
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["laravel", "symfony", "slim", "lumen", "codeigniter", "cakephp", "composer"]
    }

    fn looks_for(&self) -> &'static str {
        "index.php at the top or in public, web, www, htdocs"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let served = php::served(project)?;
        let composer = Composer::read(project, &served.folder);
        let found = composer.as_ref().and_then(|composer| Some((composer, composer.framework()?)));
        Some(match found {
            Some((composer, (name, package))) => Finding {
                strength: Strength::Certain,
                name: Some(name),
                reason: format!("composer.json lists {package}"),
                place: composer.place(project, package),
            },
            None => Finding {
                strength: Strength::Server,
                name: None,
                reason: "a page that PHP makes".to_owned(),
                place: Place::file(&served.index),
            },
        })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let missing = || PlanError::Framework {
            framework: self.name().to_owned(),
            looked_for: self.looks_for().to_owned(),
        };
        let served = php::served(project)
            .filter(|served| is_plain_path(&served.root) && is_plain_path(name_of(&served.index)))
            .ok_or_else(missing)?;
        let composer = Composer::read(project, &served.folder);
        let framework = composer.as_ref().and_then(Composer::framework).map_or(self.name(), |(name, _)| name);
        let shown = if served.root.is_empty() { "the top of the tree" } else { &served.root };
        let reason = "index.php lies there, and answers every path that is no file";
        notes.decide("served folder", shown, Source::Detected, reason, Place::file(&served.index));
        if project.entry.is_some() {
            notes.warn("entryPoint is not used: PHP answers through index.php", None);
        }
        warn(project, composer.as_ref(), notes);
        let port = project.metadata.port.unwrap_or(8080);
        let source = if project.metadata.port.is_some() { Source::Metadata } else { Source::Default };
        notes.decide("port", port.to_string(), source, "nginx listens here, PHP's server behind it", None);
        let start =
            words(&["bash", "/etc/previewd/both.sh", "php-fpm", "-F", "-y", "/etc/previewd/php-fpm.conf"]);
        let reason = "starts PHP's FastCGI server and nginx in front of it, and ends when either does";
        notes.decide("start", start.join(" "), Source::Default, reason, None);
        let recipe = recipe(project, &served, composer.as_ref(), framework, notes)?;
        Ok(Outline {
            framework: framework.to_owned(),
            base_image: project.bases.image(&Runtime::Php),
            runtime_version: None,
            environment: environment(project.mode(), framework),
            folder: served.folder,
            start: Some(start),
            port,
            bind: "0.0.0.0 and ::, by nginx's configuration".to_owned(),
            health: Some("/"),
            recipe: Recipe::Php(recipe),
        })
    }
}

fn warn(project: &Project<'_>, composer: Option<&Composer>, notes: &mut Notes) {
    let Some(composer) = composer else { return };
    if let Some(minor) = composer.minor().filter(|minor| *minor > OLDEST) {
        let message = format!(
            "asks for PHP 8.{minor}; a base image made from packages of the distribution may have 8.{OLDEST}"
        );
        notes.warn(message, composer.place(project, "php"));
    }
    for extension in composer.lacking() {
        let message = format!(
            "asks for the extension {extension}, which the base image does not have; systemPackages may name php-{extension}"
        );
        notes.warn(message, composer.place(project, &format!("ext-{extension}")));
    }
}

fn recipe(
    project: &Project<'_>,
    served: &Served,
    composer: Option<&Composer>,
    framework: &str,
    notes: &mut Notes,
) -> Result<PhpRecipe, PlanError> {
    let vendored = project.contains(&join(&served.folder, "vendor/autoload.php"));
    let installs = composer.is_some_and(Composer::installs) && !vendored;
    let mut dependency_files = BTreeMap::new();
    if installs {
        for name in ["composer.json", "composer.lock"] {
            let path = join(&served.folder, name);
            if project.contains(&path) {
                dependency_files.insert(name.to_owned(), DependencyFile::Copied(path));
            }
        }
        let lock = dependency_files.contains_key("composer.lock");
        let reason = if lock { "what composer.lock names" } else { "there is no composer.lock" };
        let place = composer.and_then(|composer| Place::file(&composer.path));
        notes.decide("packages", "composer install", Source::Detected, reason, place);
    }
    Ok(PhpRecipe {
        dependency_files,
        installs,
        dev_packages: project.mode() == Mode::Dev,
        root: served.root.clone(),
        index: name_of(&served.index).to_owned(),
        prepare: prepare(project, &served.folder, framework),
        fresh: project.mode() == Mode::Dev,
        assets: assets(project, served, notes)?,
        static_image: project.bases.image(&Runtime::Static),
    })
}

/// Commands after installation; one that fails is passed over.
fn prepare(project: &Project<'_>, folder: &str, framework: &str) -> Vec<Vec<String>> {
    let has = |name: &str| project.contains(&join(folder, name));
    let mut commands = Vec::new();
    match framework {
        "laravel" => {
            let example = if has(".env.example") { ".env.example" } else { "/dev/null" };
            commands.push(words(&["cp", "-n", example, ".env"]));
            commands.push(words(&["sh", "-c", "grep -q ^APP_KEY= .env || echo APP_KEY= >> .env"]));
            commands.push(words(&["php", "artisan", "key:generate", "--force"]));
            commands.push(words(&[
                "mkdir",
                "-p",
                "database",
                "storage/framework/views",
                "storage/framework/cache",
                "storage/framework/sessions",
                "storage/logs",
                "bootstrap/cache",
            ]));
            commands.push(words(&["touch", "database/database.sqlite"]));
            commands.push(words(&["php", "artisan", "migrate", "--force"]));
        }
        // Its loader of .env gives up where there is none.
        "symfony" => commands.push(words(&["touch", ".env"])),
        _ => {}
    }
    commands
}

fn environment(mode: Mode, framework: &str) -> BTreeMap<String, String> {
    let mut variables = vec![("SERVER_PORT", FASTCGI_PORT)];
    match (framework, mode) {
        ("symfony", Mode::Run) => variables.extend([("APP_ENV", "prod"), ("APP_DEBUG", "0")]),
        ("symfony", Mode::Dev) => variables.extend([("APP_ENV", "dev"), ("APP_DEBUG", "1")]),
        ("laravel", _) => variables.extend([("LOG_CHANNEL", "stderr")]),
        _ => {}
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What Node builds into the served folder: Laravel's and Symfony's styles and scripts.
fn assets(project: &Project<'_>, served: &Served, notes: &mut Notes) -> Result<Option<PhpAssets>, PlanError> {
    let path = join(&served.folder, "package.json");
    let found = project.packages().iter().find(|package| package.path == path);
    let Some(package) = found.filter(|package| package.scripts.contains_key("build")) else {
        return Ok(None);
    };
    let version = node::choose_version(project, &served.folder, notes)?;
    let build = node_build::commands(project, package, &[], notes);
    let needs = Needs { dev: true, build: build.commands, only_pages: true, ..Needs::default() };
    let node = node::recipe_of(project, package, needs, notes);
    let inside = served.root.strip_prefix(served.folder.as_str()).unwrap_or(&served.root);
    let folder = join(inside.trim_start_matches('/'), "build");
    notes.decide(
        "styles and scripts",
        &folder,
        Source::Detected,
        "its build leaves them there, in the served folder",
        package.script_place(project, "build"),
    );
    Ok(Some(PhpAssets { node, folder, node_image: project.bases.image(&Runtime::Node { version }) }))
}
