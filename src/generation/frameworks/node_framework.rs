//! What all frameworks on Node have in common: each is one [`NodeFramework`] that says how it is
//! recognised, built, served and developed.

use std::collections::BTreeMap;

use super::every_address::{self, Reached};
use super::node_site::{self, Built};
use super::{Finding, Framework, Outline, Strength, node_build, node_start};
use crate::domain::Mode;
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::node::{self, Needs, Package, Role};
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, join};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::Recipe;

pub struct NodeFramework {
    pub name: &'static str,
    pub also_called: &'static [&'static str],
    /// Any of these among the dependencies proves it.
    pub packages: &'static [&'static str],
    pub looks_for: &'static str,
    pub role: Role,
    pub port: u16,
    /// What builds when package.json has no build script.
    pub build: &'static [&'static str],
    /// How the production build is served.
    pub run: fn(&App<'_, '_>) -> Serve,
    /// The development server; without one the scripts decide.
    pub dev: fn(&App<'_, '_>, &mut Notes) -> Option<Vec<String>>,
    pub environment: &'static [(&'static str, &'static str)],
}

/// How what was built is served.
pub enum Serve {
    /// By scripts.start, else main, else the likeliest file.
    Itself,
    /// By a command of the framework; why.
    Command(Vec<String>, &'static str),
    /// By a tool of development, whose packages have to stay; why.
    Tool(Vec<String>, &'static str),
    /// As files.
    Pages(Built),
}

/// The package that is planned.
pub struct App<'a, 'p> {
    pub project: &'a Project<'p>,
    pub package: &'a Package,
    pub port: u16,
}

impl<'p> App<'_, 'p> {
    pub fn lists(&self, package: &str) -> bool {
        self.package.lists(package)
    }

    /// `vite.config.ts` and its like, beside package.json.
    pub fn config(&self, stem: &str) -> Option<&'p str> {
        let folder = self.package.folder();
        ["js", "mjs", "cjs", "ts", "mts", "cts", "json"]
            .iter()
            .find_map(|end| self.project.text(&join(folder, &format!("{stem}.{end}"))))
    }

    /// The configuration holds one of these.
    pub fn config_says(&self, stem: &str, any: &[&str]) -> bool {
        self.config(stem).is_some_and(|text| {
            let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            any.iter().any(|needle| squeezed.contains(needle))
        })
    }

    /// `key: "value"` of the configuration.
    pub fn setting(&self, stem: &str, key: &str) -> Option<String> {
        values_of(self.config(stem)?, key).find_map(|value| {
            let value = only_part(value).unwrap_or(value);
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
            let value = value[1..].split(quote).next()?;
            (value.len() <= 200).then(|| value.trim_start_matches("./").trim_end_matches('/').to_owned())
        })
    }

    /// The path pages are built to lie under: `base: "/notes/"`, and of `isProd ? "/notes" : ""` what
    /// holds for a build that nothing else is told.
    pub fn base(&self, stem: &str, key: &str) -> Option<String> {
        values_of(self.config(stem)?, key).find_map(|value| {
            let value = value.split([',', '}', '\n']).next()?;
            let value = match value.split_once('?') {
                Some((condition, choice)) if !choice.starts_with(['?', '.']) => chosen(condition, choice)?,
                _ => value,
            };
            let path = value.split(['"', '\'', '`']).nth(1)?.trim_end_matches('/');
            (path.starts_with('/') && is_plain_path(path)).then(|| path.to_owned())
        })
    }

    pub fn port_text(&self) -> String {
        self.port.to_string()
    }
}

/// What comes after a key and its colon, wherever it stands.
fn values_of<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(key).filter_map(move |(at, _)| {
        let is_inside = text[..at].ends_with(|c: char| c.is_alphanumeric() || "_.@-/".contains(c));
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        rest.strip_prefix(':').filter(|_| !is_inside).map(str::trim_start)
    })
}

/// The part of `condition ? … : …` that holds where production is built, in which no other variable
/// is set.
fn chosen<'t>(condition: &str, choice: &'t str) -> Option<&'t str> {
    let (yes, no) = choice.split_once(':')?;
    let is_negated = condition.contains("!=") || condition.trim_start().starts_with('!');
    let is_of_production = condition.to_ascii_lowercase().contains("prod");
    Some(if is_of_production == is_negated { no } else { yes })
}

/// `"dist"` of `path.resolve(import.meta.dirname, "dist")`, where nothing else is said.
fn only_part(value: &str) -> Option<&str> {
    let calls = ["path.resolve(", "path.join(", "resolve(", "join("];
    let inside = calls.iter().find_map(|call| value.strip_prefix(call))?.split(')').next()?;
    let quotes = || inside.match_indices(['"', '\'']);
    (quotes().count() == 2).then(|| quotes().next().map(|(at, _)| &inside[at..]))?
}

/// A command of plain words.
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Nothing of its own for development: scripts.dev, else as it is run.
pub fn by_script(_: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    None
}

impl Framework for NodeFramework {
    fn name(&self) -> &'static str {
        self.name
    }

    fn language(&self) -> Language {
        Language::Node
    }

    fn also_called(&self) -> &'static [&'static str] {
        self.also_called
    }

    fn looks_for(&self) -> &'static str {
        self.looks_for
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let certain = |reason, place| Finding { strength: Strength::Certain, name: None, reason, place };
        if let Some(package) = project.package() {
            if self.role == Role::Pages && node::role_of(project, package) != Role::Pages {
                return None;
            }
            if let Some(name) = self.packages.iter().find(|name| package.lists(name)) {
                let place = package.place_of(project, name);
                return Some(certain(format!("package.json lists {name}"), Some(place)));
            }
        }
        if self.role != Role::Server {
            return None;
        }
        let (file, name, line) = project.node().iter().find_map(|file| {
            let (name, line) =
                file.imports.iter().find(|(module, _)| self.packages.contains(&module.as_str()))?;
            Some((file, name, *line))
        })?;
        Some(certain(format!("{name} is imported"), Place::line(&file.path, line)))
    }

    fn shows_pages_itself(&self, project: &Project<'_>) -> bool {
        project.package().filter(|package| !node::is_aside(package.folder())).is_some_and(|package| {
            let app = App { project, package, port: self.port };
            self.role == Role::Whole && !matches!((self.run)(&app), Serve::Pages(_))
        })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let package = match (project.package(), &project.entry) {
            (Some(package), None) => package,
            // The metadata's command, or files without a package.json.
            _ => return node_start::outline(project, self.name, self.port, notes),
        };
        if self.role != Role::Server && !self.packages.iter().any(|name| package.lists(name)) {
            let (framework, looked_for) = (self.name.to_owned(), self.looks_for.to_owned());
            return Err(PlanError::Framework { framework, looked_for });
        }
        let port = project.metadata.port.unwrap_or(self.port);
        let app = App { project, package, port };
        match self.serve(&app, notes) {
            Serve::Itself => {
                let mut outline = node_start::outline(project, self.name, self.port, notes)?;
                outline.environment.extend(self.variables(project.mode()));
                Ok(outline)
            }
            Serve::Pages(built) => node_site::outline(&app, self, built, notes),
            Serve::Command(argv, reason) => {
                let dev = argv.first().is_some_and(|program| program != "node" && !ships(package, program));
                self.by_command(&app, argv, dev, reason, notes)
            }
            Serve::Tool(argv, reason) => self.by_command(&app, argv, true, reason, notes),
        }
    }
}

impl NodeFramework {
    fn serve(&self, app: &App<'_, '_>, notes: &mut Notes) -> Serve {
        if app.project.mode() == Mode::Dev {
            return match (self.dev)(app, notes) {
                Some(argv) => {
                    Serve::Tool(argv, "the framework's own development server, reached from anywhere")
                }
                None => Serve::Itself,
            };
        }
        // A server the app wrote around the framework.
        if self.role != Role::Pages && node_start::has_own_server(app.project, app.package) {
            return Serve::Itself;
        }
        let serve = (self.run)(app);
        if let (Serve::Pages(_), Some(script)) = (&serve, app.package.scripts.get("start")) {
            let place = app.package.script_place(app.project, "start");
            let reason = format!(
                "scripts.start is {script:?}; what is built is served instead, as it would be in production"
            );
            notes.decide("start script", "not used", Source::Detected, reason, place);
        }
        serve
    }

    /// Says that its own server answers below a path alone.
    pub fn warn_of_base(&self, app: &App<'_, '_>, notes: &mut Notes) {
        const BASES: [(&str, &str, &str); 3] = [
            ("next", "next.config", "basePath"),
            ("sveltekit", "svelte.config", "base"),
            ("astro", "astro.config", "base"),
        ];
        let Some((_, stem, key)) = BASES.iter().find(|(name, ..)| *name == self.name) else { return };
        if let Some(base) = app.base(stem, key) {
            let message =
                format!("its pages lie below {base}/, and nothing is at /: {key} of {stem} says so");
            notes.warn(message, Place::file(&app.package.path));
        }
    }

    /// Node runs the framework's own server.
    fn by_command(
        &self,
        app: &App<'_, '_>,
        argv: Vec<String>,
        dev: bool,
        reason: &str,
        notes: &mut Notes,
    ) -> Result<Outline, PlanError> {
        let (project, package) = (app.project, app.package);
        let folder = node_start::folder(project, notes);
        let version = node::choose_version(project, &folder, notes)?;
        let mode = project.mode();
        let place =
            self.packages.iter().find(|name| package.lists(name)).map(|name| package.place_of(project, name));
        notes.decide("start", argv.join(" "), Source::Default, reason, place);
        let (port, reached) = self.opened_port(app, &argv, &version, notes);
        self.warn_of_base(app, notes);
        let mut build = match mode {
            Mode::Run => node_build::commands(project, package, self.build, notes),
            Mode::Dev => node_build::none(project, package, notes),
        };
        if self.role == Role::Server && mode == Mode::Run {
            node_build::accept_what_is_started(project, package, &argv, &mut build, notes);
        }
        let needs = Needs { dev, build: build.commands, ..Needs::default() };
        let mut recipe = node::recipe(project, needs, notes);
        recipe.build_otherwise = build.otherwise;
        recipe.build_environment = node_build::environment(project, package, notes);
        let mut environment = self.variables(mode);
        environment.extend(reached.environment);
        if mode == Mode::Dev {
            environment.extend(node_build::for_old_builders(project, package, &mut Notes::default()));
        }
        Ok(Outline {
            framework: self.name.to_owned(),
            base_image: project.bases.image(&Runtime::Node { version: version.clone() }),
            runtime_version: Some(version),
            folder,
            start: Some(argv),
            port,
            bind: reached.bind.to_owned(),
            environment,
            health: Some("/"),
            recipe: Recipe::Node(recipe),
        })
    }

    /// The port, and on which address it is opened. A server whose command names no port is code of
    /// the app that was compiled, and what that listens on is what counts.
    fn opened_port(
        &self,
        app: &App<'_, '_>,
        argv: &[String],
        version: &str,
        notes: &mut Notes,
    ) -> (u16, Reached) {
        let is_told = argv.contains(&app.port_text());
        if self.role == Role::Server && !is_told {
            let main = join(app.package.folder(), "src/main.ts");
            let port = node_start::port(app.project, Some(&main), self.port, notes);
            let takes_modules = every_address::takes_modules(version);
            return (port, every_address::reach(app.project, self.name, Some(&main), takes_modules, notes));
        }
        decide_port(app.project, app.port, self.name, notes);
        let bind = "0.0.0.0, by the start command or HOST";
        (app.port, Reached { bind, environment: BTreeMap::new() })
    }

    pub fn variables(&self, mode: Mode) -> BTreeMap<String, String> {
        let mut variables = node_start::environment(mode);
        variables
            .extend(self.environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        variables
    }
}

/// The program comes with a package that is there in production too.
fn ships(package: &Package, program: &str) -> bool {
    let of = match program {
        "react-router-serve" => "@react-router/serve",
        "remix-serve" => "@remix-run/serve",
        program => program,
    };
    package.needs(of)
}

pub fn decide_port(project: &Project<'_>, port: u16, framework: &str, notes: &mut Notes) {
    match project.metadata.port {
        Some(_) => notes.decide("port", port.to_string(), Source::Metadata, "port says so", None),
        None => {
            let reason = format!("the usual one of {framework}; it is told by PORT and the start command");
            notes.decide("port", port.to_string(), Source::Default, reason, None);
        }
    }
}
