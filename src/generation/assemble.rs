//! From what a framework decided to the whole plan: everything that is found the same way for
//! every framework.

use std::collections::{BTreeMap, BTreeSet};

use super::frameworks::Outline;
use super::needs::{self, CacheNeed, DatabaseKind, DatabaseNeed, DatabaseTask};
use super::plan::{self, EnvRead, Language, Notes, Place, Plan, Source};
use super::project::{Project, join};
use super::{broken, container, context, dotenv, environment, examples, health, warm};
use crate::domain::{FileSet, Metadata};

pub fn assemble(
    project: &Project<'_>,
    files: &FileSet,
    language: Language,
    outline: Outline,
    mut notes: Notes,
) -> Plan {
    let notes = &mut notes;
    let own = language == Language::Docker;
    let (health_path, health_path_given) = health::choose(project, outline.health, notes);
    let mut dotenv = if own { BTreeMap::new() } else { dotenv_of(files, &outline, notes) };
    if !own {
        examples::add(project, &outline.folder, &mut dotenv, notes);
    }
    let system_packages = if own { Vec::new() } else { system_packages(project, language, notes) };
    let environment_read = project.environment_read();
    let working_dir = container::dir(&outline.folder);
    let expected = Expected::find(project, own, &environment_read, &working_dir, notes);
    let set_by =
        Setters { metadata: project.metadata, dotenv: &dotenv, outline: &outline, expected: &expected };
    let environment_missing = missing(&set_by, &environment_read, notes);
    if !own {
        broken::warn(project, notes);
    }
    let (choice, reason) = match environment::shared(&outline.recipe) {
        Ok(()) => ("shared", "new source over the same dependencies starts without a build"),
        Err(reason) => ("its own", reason),
    };
    notes.decide("environment", choice, Source::Default, reason, None);
    let preload = warm::worth_loading(project, &outline, expected.database.as_ref());
    let notes = std::mem::take(notes);
    Plan {
        language,
        framework: outline.framework,
        mode: project.mode(),
        base_image: outline.base_image,
        runtime_version: outline.runtime_version,
        working_dir,
        start: outline.start,
        port: outline.port,
        bind: outline.bind,
        health_path,
        health_path_given,
        environment: outline.environment,
        environment_read,
        environment_missing,
        database: expected.database,
        cache: expected.cache,
        migration: expected.migration,
        seed: expected.seed,
        dotenv,
        preload,
        system_packages,
        recipe: outline.recipe,
        decisions: notes.decisions,
        warnings: notes.warnings,
    }
}

/// What the app expects around it, with a decision for each.
struct Expected {
    database: Option<DatabaseNeed>,
    cache: Option<CacheNeed>,
    migration: Option<DatabaseTask>,
    seed: Option<DatabaseTask>,
}

impl Expected {
    fn find(
        project: &Project<'_>,
        own: bool,
        reads: &[EnvRead],
        working_dir: &str,
        notes: &mut Notes,
    ) -> Self {
        let database = needs::database(project, reads);
        let cache = needs::cache(project, reads);
        // What an own Dockerfile puts where, and does by itself, nobody knows.
        let known = |task: &DatabaseTask| !own || task.source == Source::Metadata;
        let migration = needs::migration(project, working_dir).filter(known);
        let seed = needs::seed(project, working_dir).filter(known);
        if let Some(need) = &database {
            let choice = format!("{}, {}", need.kind.name(), need.url_form);
            decide(notes, "database", choice, &need.reason, (&need.file, need.line));
            if !own {
                needs::warn_of_written(project, need, notes);
            }
        }
        if let Some(need) = &cache {
            let choice = format!("{}, {}", need.kind.name(), need.url_form);
            decide(notes, "cache", choice, &need.reason, (&need.file, need.line));
        }
        for (what, task) in [("migration", &migration), ("seed", &seed)] {
            if let Some(task) = task {
                let choice = match task.command.as_slice() {
                    [] => task.files.join(" "),
                    command => command.join(" "),
                };
                let place = task.file.clone().map(|file| Place { file, line: task.line });
                notes.decide(what, choice, task.source, &task.reason, place);
            }
        }
        Self { database, cache, migration, seed }
    }

    /// A variable that the database or the cache of the preview is told in. Not every daemon
    /// gives MongoDB, so what an app needs of that stays missing here.
    fn gives(&self, name: &str) -> bool {
        let database = self.database.iter().filter(|need| need.kind != DatabaseKind::Mongodb);
        let variables = database.flat_map(|need| &need.variables);
        variables.chain(self.cache.iter().flat_map(|need| &need.variables)).any(|known| known.name == name)
    }
}

fn decide(notes: &mut Notes, what: &str, choice: String, reason: &str, at: (&Option<String>, Option<usize>)) {
    let place = at.0.clone().map(|file| Place { file, line: at.1 });
    notes.decide(what, choice, Source::Detected, reason, place);
}

/// The metadata's and those that known dependencies need.
fn system_packages(project: &Project<'_>, language: Language, notes: &mut Notes) -> Vec<String> {
    let mut packages = project.metadata.system_packages.clone();
    packages.sort();
    packages.dedup();
    if !packages.is_empty() {
        let reason = "systemPackages says so";
        notes.decide("system packages", packages.join(" "), Source::Metadata, reason, None);
    }
    for needed in needs::system_packages(project, language) {
        if !packages.iter().any(|package| package == needed.name) {
            notes.decide("system package", needed.name, Source::Detected, needed.reason, needed.place);
            packages.push(needed.name.to_owned());
        }
    }
    packages.sort();
    packages
}

/// A `.env` at the top, and one in the folder the app is started in, become run-time environment.
fn dotenv_of(files: &FileSet, outline: &Outline, notes: &mut Notes) -> BTreeMap<String, String> {
    for (path, _) in files.iter().filter(|(path, _)| context::holds_secrets(path.as_str())) {
        let message = "kept out of the image, as it may hold secrets";
        notes.warn(message, Place::file(path.as_str()));
    }
    // The nearer one wins, as it does where the app reads them itself.
    let mut paths = vec![".env".to_owned(), join(&outline.folder, ".env")];
    paths.dedup();
    let mut variables = BTreeMap::new();
    for path in paths {
        let read = files.text(&path).map(dotenv::read).unwrap_or_default();
        if !read.is_empty() {
            let names: Vec<&str> = read.keys().map(String::as_str).collect();
            let reason = "set when the container starts, unless the metadata sets them";
            notes.decide("variables of .env", names.join(" "), Source::Detected, reason, Place::file(&path));
        }
        variables.extend(read);
    }
    // The start depends on what the plan sets.
    plan::add_to(&outline.environment, &mut variables);
    // Meant for the machine of whoever wrote it, and reached by nobody here.
    variables
        .retain(|name, value| name != "HOST" || !["localhost", "127.0.0.1", "::1"].contains(&value.as_str()));
    variables
}

/// Where a variable of the container may come from.
struct Setters<'a> {
    metadata: &'a Metadata,
    dotenv: &'a BTreeMap<String, String>,
    outline: &'a Outline,
    expected: &'a Expected,
}

impl Setters<'_> {
    fn set(&self, name: &str) -> bool {
        const ALWAYS: [&str; 8] =
            ["PORT", "LOG_LEVEL", "PYTHONUNBUFFERED", "PATH", "HOME", "NODE_ENV", "HOSTNAME", "DATABASE_URL"];
        ALWAYS.contains(&name)
            || self.metadata.environment.contains_key(name)
            || self.metadata.secrets.iter().any(|secret| secret == name)
            || self.dotenv.contains_key(name)
            || self.outline.environment.contains_key(name)
            || self.outline.recipe.is_built_with(name)
            || self.expected.gives(name)
    }
}

/// Variables the code needs and nobody has set.
fn missing(set_by: &Setters<'_>, reads: &[EnvRead], notes: &mut Notes) -> Vec<String> {
    let with_default: BTreeSet<&String> =
        reads.iter().filter(|read| read.has_default).map(|read| &read.name).collect();
    let mut missing: Vec<String> = Vec::new();
    for read in reads.iter().filter(|read| !read.has_default) {
        let set = set_by.set(&read.name) || with_default.contains(&read.name);
        if set || missing.contains(&read.name) || missing.len() >= 200 {
            continue;
        }
        if missing.len() < 20 {
            let place = Place::line(&read.file, read.line);
            notes.warn(format!("reads {}, which nothing sets", read.name), place);
        }
        missing.push(read.name.clone());
    }
    missing
}
