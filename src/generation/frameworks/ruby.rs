//! Ruby: Rails, Sinatra and whatever else speaks Rack.

use std::collections::BTreeMap;

use super::node_framework::words;
use super::{Finding, Framework, Outline, Strength};
use crate::domain::Mode;
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, join, name_of};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{DependencyFile, Recipe, RubyRecipe};
use crate::generation::ruby::{self, Gemfile, Program};

pub struct Ruby;

/// Gems that say what an app builds on, and what that is called here.
const FRAMEWORKS: [(&str, &str); 6] = [
    ("rails", "rails"),
    ("sinatra", "sinatra"),
    ("hanami", "hanami"),
    ("grape", "grape"),
    ("roda", "roda"),
    ("rack", "rack"),
];
/// Servers that speak Rack.
const SERVERS: [&str; 5] = ["puma", "falcon", "thin", "unicorn", "webrick"];

impl Framework for Ruby {
    fn name(&self) -> &'static str {
        "ruby"
    }

    fn language(&self) -> Language {
        Language::Ruby
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["rails", "ruby-on-rails", "sinatra", "rack", "hanami", "grape", "roda"]
    }

    fn looks_for(&self) -> &'static str {
        "config.ru, or Ruby that requires sinatra"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let program = ruby::program(project)?;
        let gemfile = Gemfile::read(project, program.folder());
        let known = gemfile.as_ref().and_then(|gemfile| {
            let (gem, name) = FRAMEWORKS.iter().find(|(gem, _)| gemfile.lists(gem))?;
            Some((*name, format!("the Gemfile lists {gem}"), gemfile.place(gem)))
        });
        let (name, reason, place) = match known {
            Some((name, reason, place)) => (Some(name), reason, place),
            None => (None, "Ruby that serves".to_owned(), program.place()),
        };
        Some(Finding { strength: Strength::Certain, name, reason, place })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let program =
            ruby::program(project).filter(|program| is_plain_path(program.path())).ok_or_else(|| {
                PlanError::Framework {
                    framework: self.name().to_owned(),
                    looked_for: self.looks_for().to_owned(),
                }
            })?;
        let folder = program.folder().to_owned();
        let gemfile = Gemfile::read(project, &folder);
        let rails = ruby::is_rails(project, &folder, gemfile.as_ref());
        let usual = if rails { 3000 } else { 9292 };
        let port = project.metadata.port.unwrap_or(usual);
        let source = if project.metadata.port.is_some() { Source::Metadata } else { Source::Default };
        notes.decide("port", port.to_string(), source, "it is told by the start command", None);
        let recipe = recipe(project, &folder, gemfile.as_ref(), rails, notes);
        let start = start(project, &program, gemfile.as_ref(), rails, port, notes);
        let listed = |(gem, _): &&(&str, &str)| gemfile.as_ref().is_some_and(|gemfile| gemfile.lists(gem));
        let framework = FRAMEWORKS.iter().find(listed).map_or(self.name(), |(_, name)| *name);
        Ok(Outline {
            framework: framework.to_owned(),
            base_image: project.bases.image(&Runtime::Ruby),
            runtime_version: None,
            environment: environment(project.mode(), &recipe, rails),
            folder,
            start: Some(start),
            port,
            bind: "0.0.0.0, by the start command".to_owned(),
            health: rails.then_some("/up"),
            recipe: Recipe::Ruby(recipe),
        })
    }
}

fn start(
    project: &Project<'_>,
    program: &Program,
    gemfile: Option<&Gemfile>,
    rails: bool,
    port: u16,
    notes: &mut Notes,
) -> Vec<String> {
    if let Some(entry) = &project.entry {
        notes.decide("start", entry.argv().join(" "), Source::Metadata, "entryPoint says so", None);
        return entry.argv().to_vec();
    }
    let file = name_of(program.path());
    let port = port.to_string();
    let mut argv = if gemfile.is_some() { words(&["bundle", "exec"]) } else { Vec::new() };
    let address = format!("tcp://0.0.0.0:{port}");
    let other = gemfile.and_then(|gemfile| SERVERS[1..].iter().find(|server| gemfile.lists(server)));
    let puma = gemfile.is_some_and(|gemfile| gemfile.lists("puma"));
    let (rest, reason) = match program {
        // Its file of the process would outlive it in the tree.
        _ if rails => (
            words(&["rails", "server", "-b", "0.0.0.0", "-p", &port, "-P", "/tmp/server.pid"]),
            "Rails's own command, on every address",
        ),
        Program::Rack(_) if other.is_some() && !puma => (
            words(&["rackup", "-o", "0.0.0.0", "-p", &port, file]),
            "the Gemfile's server, by Rack's command",
        ),
        Program::Rack(_) => (words(&["puma", "-b", &address, file]), "Puma starts what config.ru describes"),
        Program::Script(_, _) => (
            words(&["ruby", file, "-o", "0.0.0.0", "-p", &port]),
            "the script serves by itself, and is told where",
        ),
    };
    argv.extend(rest);
    notes.decide("start", argv.join(" "), Source::Default, reason, program.place());
    argv
}

fn recipe(
    project: &Project<'_>,
    folder: &str,
    gemfile: Option<&Gemfile>,
    rails: bool,
    notes: &mut Notes,
) -> RubyRecipe {
    let mut dependency_files = BTreeMap::new();
    let Some(gemfile) = gemfile else {
        notes.warn("there is no Gemfile, so no gems are installed", None);
        return RubyRecipe { dependency_files, installs: false, without: String::new(), prepare: Vec::new() };
    };
    if let Some((asked, line)) = &gemfile.ruby {
        let place = Place::line(&gemfile.path, *line);
        let reason = format!("the Gemfile asks for {asked}; the base image's is used in its place");
        notes.decide("rubyVersion", "the base image's", Source::Default, reason, place);
    }
    if gemfile.is_local {
        notes.warn(
            "refers to files beside it, which are not there when gems are installed",
            Place::file(&gemfile.path),
        );
    }
    let served = rails || SERVERS.iter().any(|server| gemfile.lists(server));
    let lock = join(folder, "Gemfile.lock");
    let locked = project.contains(&lock);
    let mut more = Vec::new();
    if !served && !locked {
        more.extend(["puma", "rackup"].into_iter().filter(|gem| !gemfile.lists(gem)));
        let reason = "the Gemfile names no server";
        notes.decide("package", more.join(" "), Source::Default, reason, Place::file(&gemfile.path));
    }
    dependency_files.insert("Gemfile".to_owned(), DependencyFile::Written(gemfile.fitted(&more)));
    if locked {
        dependency_files.insert("Gemfile.lock".to_owned(), DependencyFile::Copied(lock));
    }
    if rails && project.mode() == Mode::Run {
        warn_of_forced_tls(project, folder, notes);
    }
    let assets = rails && project.mode() == Mode::Run;
    let prepare = assets.then(|| words(&["bundle", "exec", "rails", "assets:precompile"]));
    let without = if project.mode() == Mode::Dev { "test" } else { "development:test" };
    RubyRecipe {
        dependency_files,
        installs: true,
        without: without.to_owned(),
        prepare: prepare.into_iter().collect(),
    }
}

/// A production Rails that insists on https sends every visitor of a preview on and on.
fn warn_of_forced_tls(project: &Project<'_>, folder: &str, notes: &mut Notes) {
    let path = join(folder, "config/environments/production.rb");
    let Some(text) = project.text(&path) else { return };
    let on =
        |name: &str| text.lines().position(|line| line.trim().starts_with(name) && line.contains("true"));
    if let (Some(index), None) = (on("config.force_ssl"), on("config.assume_ssl")) {
        let message = "insists on https, which a preview may not have; config.assume_ssl lets it be";
        notes.warn(message, Place::line(&path, index + 1));
    }
}

fn environment(mode: Mode, recipe: &RubyRecipe, rails: bool) -> BTreeMap<String, String> {
    let kind = if mode == Mode::Dev { "development" } else { "production" };
    let mut variables = vec![("APP_ENV", kind), ("RACK_ENV", kind)];
    if rails {
        variables.extend([
            ("RAILS_ENV", kind),
            ("RAILS_LOG_TO_STDOUT", "1"),
            ("RAILS_SERVE_STATIC_FILES", "1"),
            // A key made at each start, where none is given.
            ("SECRET_KEY_BASE_DUMMY", "1"),
        ]);
    }
    if recipe.installs {
        variables.extend([
            ("BUNDLE_GEMFILE", "/opt/ruby/Gemfile"),
            ("BUNDLE_PATH", "/opt/bundle"),
            ("BUNDLE_WITHOUT", recipe.without.as_str()),
            ("BUNDLE_APP_CONFIG", "/tmp/bundle"),
        ]);
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
