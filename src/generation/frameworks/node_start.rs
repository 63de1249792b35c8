//! What all Node apps have in common: the start command, the build, the port.

use std::collections::BTreeMap;

use super::Outline;
use super::node_build::{self, Build};
use super::{bun, every_address};
use crate::domain::Mode;
use crate::generation::bases::Runtime;
use crate::generation::entry_point::EntryPoint;
use crate::generation::error::PlanError;
use crate::generation::node::{self, JsFile, Listen, Needs, Package};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, folder_of, join, name_of};
use crate::generation::quoting::{is_plain_path, split_words};
use crate::generation::recipe::Recipe;

/// Where a server listens that names no address.
pub const EVERYWHERE: &str = "every address, which is Node's default";

/// What warnings of a server on the loopback address say; nginx in front of it does reach it.
pub const UNREACHED: &str = "where nobody reaches it";

/// How the app is started.
struct Start {
    argv: Vec<String>,
    /// The file Node runs, from the top of the tree; absent when a script hides it.
    file: Option<String>,
    needs: Needs,
}

pub fn outline(
    project: &Project<'_>,
    framework: &str,
    usual_port: u16,
    notes: &mut Notes,
) -> Result<Outline, PlanError> {
    let folder = folder(project, notes);
    let version = node::choose_version(project, &folder, notes)?;
    let mut start = start(project, &folder, notes)?;
    let build = build_for(project, &start.argv, notes);
    start.needs.build = build.commands;
    add_module_flag(project, &version, &mut start, notes);
    let port = port(project, start.file.as_deref(), usual_port, notes);
    add_bun(project, &mut start, notes);
    let by_bun = start.argv.first().is_some_and(|program| program == "bun");
    let takes_modules = !by_bun && every_address::takes_modules(&version);
    let reached = every_address::reach(project, framework, start.file.as_deref(), takes_modules, notes);
    let mut recipe = node::recipe(project, start.needs, notes);
    recipe.build_otherwise = build.otherwise;
    if let Some(package) = project.package() {
        recipe.build_environment = node_build::environment(project, package, notes);
    }
    let mut environment = environment(project.mode());
    environment.extend(reached.environment);
    Ok(Outline {
        framework: framework.to_owned(),
        base_image: project.bases.image(&Runtime::Node { version: version.clone() }),
        runtime_version: Some(version),
        folder,
        start: Some(start.argv),
        port,
        bind: reached.bind.to_owned(),
        environment,
        health: None,
        recipe: Recipe::Node(recipe),
    })
}

fn build_for(project: &Project<'_>, start: &[String], notes: &mut Notes) -> Build {
    let Some(package) = project.package() else { return Build::default() };
    if project.mode() == Mode::Dev {
        return node_build::none(project, package, notes);
    }
    let mut build = node_build::commands(project, package, &[], notes);
    node_build::accept_what_is_started(project, package, start, &mut build, notes);
    build
}

/// Variables every Node image sets.
pub fn environment(mode: Mode) -> BTreeMap<String, String> {
    let value = match mode {
        Mode::Run => "production",
        Mode::Dev => "development",
    };
    BTreeMap::from([("NODE_ENV".to_owned(), value.to_owned())])
}

/// The start script runs a program of the app, not a command of its framework.
pub fn has_own_server(project: &Project<'_>, package: &Package) -> bool {
    let Some(words) = package.scripts.get("start").and_then(|text| split_words(text)) else { return false };
    let mut words = words.iter().skip_while(|word| word.contains('=') || *word == "cross-env");
    let runs = matches!(words.next().map(String::as_str), Some("node" | "tsx" | "ts-node" | "bun"));
    let file = words.find(|word| !word.starts_with('-'));
    runs && file.is_some_and(|file| {
        let file = join(package.folder(), file.trim_start_matches("./"));
        // What the framework's own build makes is not the app's.
        project.contains(&file)
            || !["dist/", "build", ".output/", ".next/"].iter().any(|made| file.contains(made))
    })
}

/// Programs written for bun need it when they run.
fn add_bun(project: &Project<'_>, start: &mut Start, notes: &mut Notes) {
    let by_script = start.argv.first().is_some_and(|program| program == "npm")
        && project.package().is_some_and(|package| {
            let script = start.argv.last().and_then(|name| package.scripts.get(name));
            script.is_some_and(|text| text.split_whitespace().any(|word| word == "bun" || word == "bunx"))
        });
    if by_script || start.argv.first().is_some_and(|program| program == "bun") {
        notes.decide("package", "bun", Source::Detected, "the start command is a program for it", None);
        start.needs.packages.push("bun".to_owned());
    }
}

/// The file a plain Node app is most likely started by.
pub fn likely_file<'p>(project: &'p Project<'_>) -> Option<&'p JsFile> {
    const NAMES: [&str; 4] = ["server", "index", "app", "main"];
    let rank = |file: &&JsFile| {
        let name = name_of(&file.path);
        let stem = name.split('.').next().unwrap_or_default();
        let named = NAMES.iter().position(|name| *name == stem).unwrap_or(NAMES.len());
        (file.listens.is_empty(), named, file.path.matches('/').count())
    };
    let named = |file: &&JsFile| {
        let stem = name_of(&file.path).split('.').next().unwrap_or_default();
        NAMES.contains(&stem) || !file.listens.is_empty()
    };
    let runs = |file: &&JsFile| !file.path.ends_with("x");
    project.node().iter().filter(runs).filter(named).min_by_key(rank)
}

/// The folder with package.json; its odd names cannot be a working directory.
pub fn folder(project: &Project<'_>, notes: &mut Notes) -> String {
    let folder = project.package().map_or("", Package::folder);
    if is_plain_path(folder) {
        return folder.to_owned();
    }
    notes.warn("the folder's name keeps it from being the working directory", Place::file(folder));
    String::new()
}

fn start(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Result<Start, PlanError> {
    if let Some(entry) = &project.entry {
        return from_entry(project, folder, entry, notes);
    }
    if let Some(package) = project.package() {
        let wanted = match project.mode() {
            Mode::Dev => ["dev", "start:dev", "start"],
            Mode::Run => ["start", "start:prod", "prod"],
        };
        for script in wanted {
            if let Some(text) = package.scripts.get(script) {
                if let Some(instead) = instead_of_missing(project, package, script, text, notes) {
                    let reason = "it is the likeliest, where the start script names a file that is not there";
                    let place = Place::file(&instead);
                    return Ok(from_file(project, folder, instead, Source::Detected, reason, place, notes));
                }
                return Ok(from_script(project, package, script, text, notes));
            }
        }
        if let Some(main) = main_file(project, package) {
            let place = Place::file(&package.path);
            return Ok(from_file(
                project,
                folder,
                main,
                Source::Detected,
                "main of package.json names it",
                place,
                notes,
            ));
        }
    }
    if let Some(start) = project.package().and_then(|package| built_main(project, package, notes)) {
        return Ok(start);
    }
    let file = likely_file(project).ok_or_else(|| PlanError::Framework {
        framework: "node".to_owned(),
        looked_for: "scripts.start or main in package.json, server.js, index.js, app.js, main.js".to_owned(),
    })?;
    let reason =
        if file.listens.is_empty() { "its name is one a program starts by" } else { "it opens a port" };
    let place = Place::file(&file.path);
    Ok(from_file(project, folder, file.path.clone(), Source::Detected, reason, place, notes))
}

fn from_entry(
    project: &Project<'_>,
    folder: &str,
    entry: &EntryPoint,
    notes: &mut Notes,
) -> Result<Start, PlanError> {
    let given = |notes: &mut Notes, argv: &[String], file: Option<String>| {
        notes.decide("start", argv.join(" "), Source::Metadata, "entryPoint says so", None);
        Start { argv: argv.to_vec(), file, needs: Needs { dev: true, ..Needs::default() } }
    };
    match entry {
        EntryPoint::NodeFile { path, argv } => {
            let here = join(folder, path);
            let builds = project.package().is_some_and(|package| package.scripts.contains_key("build"));
            if project.contains(&here) || builds {
                return Ok(given(notes, argv, Some(here)));
            }
            Err(PlanError::EntryPoint {
                message: format!("{path} is not among the files, and no build script makes it"),
            })
        }
        EntryPoint::NodeScript { script, argv } => {
            let there = project.package().is_some_and(|package| package.scripts.contains_key(script));
            if there || (script == "start" && project.contains(&join(folder, "server.js"))) {
                return Ok(given(notes, argv, None));
            }
            Err(PlanError::EntryPoint { message: format!("package.json has no script {script}") })
        }
        other => Ok(given(notes, other.argv(), None)),
    }
}

/// The likeliest file, when the script runs one that is neither among the files nor made by a build.
fn instead_of_missing(
    project: &Project<'_>,
    package: &Package,
    script: &str,
    text: &str,
    notes: &mut Notes,
) -> Option<String> {
    let words = split_words(text)?;
    let [program, file] = words.as_slice() else { return None };
    let runs_files = matches!(program.as_str(), "node" | "nodemon" | "tsx" | "ts-node" | "bun");
    let named = join(package.folder(), file.trim_start_matches("./"));
    let forms = ["", ".js", ".mjs", ".cjs", ".ts", "/index.js", "/index.ts", "/package.json"];
    // A folder is started by what its package.json names.
    let is_folder = file.trim_end_matches('/').ends_with('.');
    let there = is_folder || forms.iter().any(|end| project.contains(&format!("{named}{end}")));
    let made =
        ["build", &format!("pre{script}"), "postinstall"].iter().any(|it| package.scripts.contains_key(*it));
    if !runs_files || there || made || file.starts_with('-') {
        return None;
    }
    let instead = likely_file(project)?.path.clone();
    let message = format!("runs {file}, which is not among the files; {instead} is started instead");
    notes.warn(message, package.script_place(project, script));
    Some(instead)
}

/// `scripts.start`: run without npm when it is only `node file`, which starts faster and passes
/// signals on.
fn from_script(
    project: &Project<'_>,
    package: &Package,
    script: &str,
    text: &str,
    notes: &mut Notes,
) -> Start {
    let words = split_words(text)
        .filter(|_| !text.contains(['&', '|', ';', '<', '>', '$', '`', '*', '(', '#', '%', '~']));
    let hooks = package.scripts.contains_key(&format!("pre{script}"))
        || package.scripts.contains_key(&format!("post{script}"));
    let place = Place::file(&package.path);
    let direct = words.as_ref().filter(|words| words[0] == "node" && !hooks);
    if let Some(argv) = direct {
        let file = argv[1..].iter().find(|word| !word.starts_with('-'));
        let file = file.map(|file| join(package.folder(), file.trim_start_matches("./")));
        let reason =
            format!("scripts.{script} is this; without npm in between it starts faster and hears signals");
        notes.decide("start", argv.join(" "), Source::Detected, reason, place);
        return Start { argv: argv.clone(), file, needs: Needs::default() };
    }
    let program = words.as_ref().and_then(|words| words.iter().find(|word| !word.contains('='))).cloned();
    let dev = program.as_deref().is_none_or(|program| program != "node" && !package.needs(program));
    let argv: Vec<String> = ["npm", "run", "--silent", script].map(str::to_owned).to_vec();
    notes.decide("start", argv.join(" "), Source::Detected, format!("scripts.{script} is {text:?}"), place);
    if dev {
        let reason = "the start script may use them";
        notes.decide(
            "development dependencies",
            "installed",
            Source::Detected,
            reason,
            Place::file(&package.path),
        );
    }
    let file = likely_file(project).map(|file| file.path.clone());
    Start { argv, file, needs: Needs { dev, ..Needs::default() } }
}

/// `"main": "dist/index.js"`, which the build makes.
fn built_main(project: &Project<'_>, package: &Package, notes: &mut Notes) -> Option<Start> {
    let main = package.main.as_deref()?.trim_start_matches("./");
    let made = ["dist/", "build/", "lib/", "out/"].iter().any(|folder| main.starts_with(folder));
    if !made || project.mode() == Mode::Dev || !package.scripts.contains_key("build") {
        return None;
    }
    let argv = vec!["node".to_owned(), main.to_owned()];
    let reason = "main of package.json names it, and the build makes it";
    notes.decide("start", argv.join(" "), Source::Detected, reason, Place::file(&package.path));
    Some(Start { argv, file: None, needs: Needs::default() })
}

fn main_file(project: &Project<'_>, package: &Package) -> Option<String> {
    let main = package.main.as_deref()?.trim_start_matches("./");
    let at = join(package.folder(), main);
    [at.clone(), format!("{at}.js"), join(&at, "index.js")].into_iter().find(|path| project.contains(path))
}

fn from_file(
    project: &Project<'_>,
    folder: &str,
    path: String,
    source: Source,
    reason: &str,
    place: Option<Place>,
    notes: &mut Notes,
) -> Start {
    let inside = path.strip_prefix(&format!("{folder}/")).unwrap_or(&path).to_owned();
    let mut needs = Needs::default();
    let mut argv: Vec<String> = vec!["node".to_owned()];
    if project.mode() == Mode::Dev {
        argv.push("--watch".to_owned());
    }
    if bun::runs(project, &path) {
        argv = vec!["bun".to_owned()];
        argv.extend((project.mode() == Mode::Dev).then(|| "--watch".to_owned()));
    } else if [".ts", ".mts", ".cts"].iter().any(|end| path.ends_with(end)) {
        argv = vec!["tsx".to_owned()];
        argv.extend((project.mode() == Mode::Dev).then(|| "watch".to_owned()));
        let listed = project.package().is_some_and(|package| package.lists("tsx"));
        if !listed {
            needs.packages.push("tsx".to_owned());
            notes.decide(
                "package",
                "tsx",
                Source::Default,
                "Node does not run TypeScript by itself",
                Place::file(&path),
            );
        }
        needs.dev = true;
    }
    argv.push(inside);
    notes.decide("start", argv.join(" "), source, reason, place);
    Start { argv, file: Some(path), needs }
}

/// `import` in a `.js` file whose package.json does not say `"type": "module"`. From 22 on Node
/// sees by itself which it is; 20 does when told to.
fn add_module_flag(project: &Project<'_>, version: &str, start: &mut Start, notes: &mut Notes) {
    let says_so = project.package().is_some_and(|package| package.is_module);
    let Some(file) = start.file.as_deref().and_then(|path| project.node_file(path)) else { return };
    if says_so || start.argv[0] != "node" || !file.is_module || !file.path.ends_with(".js") {
        return;
    }
    match version.parse::<u32>() {
        Ok(20 | 21) => {
            start.argv.insert(1, "--experimental-detect-module".to_owned());
            let reason = "the file uses import, and package.json does not say \"type\": \"module\"";
            notes.decide("modules", "ES modules", Source::Detected, reason, Place::file(&file.path));
        }
        Ok(..20) => {
            let message = "uses import, for which package.json has to say \"type\": \"module\"";
            notes.warn(message, Place::file(&file.path));
        }
        _ => {}
    }
}

/// The call that opens the port: that of the started file before those near it and all others.
pub fn first_listen<'p>(project: &'p Project<'_>, started: Option<&str>) -> Option<(&'p JsFile, &'p Listen)> {
    let folder = started.map_or("", folder_of);
    let files = project.node();
    let near = |file: &&JsFile| Some(file.path.as_str()) == started;
    let listens = files
        .iter()
        .filter(near)
        .chain(files.iter().filter(|file| file.path.starts_with(folder)))
        .chain(files);
    listens.flat_map(|file| file.listens.iter().map(move |listen| (file, listen))).next()
}

/// The port: metadata, else what the started file listens on, else what any file does, else the
/// usual one.
pub fn port(project: &Project<'_>, started: Option<&str>, usual: u16, notes: &mut Notes) -> u16 {
    let found = first_listen(project, started);
    if let Some(port) = project.metadata.port {
        notes.decide("port", port.to_string(), Source::Metadata, "port says so", None);
        if let Some((file, listen)) = found
            && !listen.port.from_env
            && listen.port.literal.is_some_and(|literal| literal != port)
        {
            notes.warn(
                "listens on another port than the metadata says, and does not read PORT",
                Place::line(&file.path, listen.line),
            );
        }
        return port;
    }
    if let Some((file, listen)) = found
        && let Some(literal) = listen.port.literal
    {
        let reason = if listen.port.from_env {
            "the code reads PORT and falls back to this"
        } else {
            "the code listens on it"
        };
        notes.decide(
            "port",
            literal.to_string(),
            Source::Detected,
            reason,
            Place::line(&file.path, listen.line),
        );
        return literal;
    }
    let reason = "nothing names another; the app is told by PORT";
    notes.decide("port", usual.to_string(), Source::Default, reason, None);
    usual
}
