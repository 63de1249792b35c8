//! What all Python apps behind a server have in common: the app object, the start command, the port.

use std::collections::{BTreeMap, BTreeSet};

use super::flask_sockets::{self, Sockets};
use super::{Finding, Outline, Strength, python_run_first};
use crate::domain::Mode;
use crate::generation::bases::Runtime;
use crate::generation::container;
use crate::generation::entry_point::{Bind, EntryPoint, GUNICORN, Server, Target, UVICORN};
use crate::generation::error::PlanError;
use crate::generation::node;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, folder_of, name_of};
use crate::generation::python::{self, AppObject, Interface, Location, Needs, PyFile};
use crate::generation::recipe::Recipe;

/// An app object and how to reach it.
struct App {
    location: Location,
    name: String,
    framework: &'static str,
    factory: bool,
}

impl App {
    /// `app`, or `create_app()`.
    fn attribute(&self) -> String {
        format!("{}{}", self.name, if self.factory { "()" } else { "" })
    }

    /// As the server is given it; uvicorn is told by an option that it is to call a factory.
    fn target(&self, server: &Server) -> String {
        let attribute = if server.program == "gunicorn" { self.attribute() } else { self.name.clone() };
        format!("{}:{attribute}", self.location.module)
    }
}

pub fn detect(project: &Project<'_>, interface: Interface) -> Option<Finding> {
    let (file, app) = best(project, interface)?;
    let what = if app.factory { "factory" } else { "app object" };
    Some(Finding {
        strength: Strength::Certain,
        name: Some(app.framework),
        reason: format!("{} is a {} {what}", app.name, app.framework),
        place: Place::line(&file.path, app.line),
    })
}

/// The outline of an app behind a server; `label` names it when no app object does.
pub fn outline(
    project: &Project<'_>,
    interface: Interface,
    label: &'static str,
    notes: &mut Notes,
) -> Result<Outline, PlanError> {
    let default = if interface == Interface::Asgi { &UVICORN } else { &GUNICORN };
    let (server, app, given) = match &project.entry {
        Some(EntryPoint::PythonServer { server, argv, target: Some(target) }) => {
            let app = app_of(project, target, label)?;
            let given = server.map(|_| argv.as_slice());
            (server.unwrap_or(default), app, given)
        }
        Some(EntryPoint::PythonServer { server: Some(server), argv, target: None }) => {
            let app = found(project, interface, label)?;
            (*server, app, Some(argv.as_slice()))
        }
        _ => (default, found(project, interface, label)?, None),
    };
    let version = python::choose_version(project, &app.location.folder, notes)?;
    let (port, given_host) = port(project, &app.location, given, server, notes);
    let is_ours = interface == Interface::Wsgi && given.is_none();
    let sockets = is_ours.then(|| flask_sockets::of(project, &app.location)).flatten();
    let mut program = None;
    let start = match given {
        Some(argv) => rebound(argv, server, port, given_host, notes),
        None if sockets == Some(Sockets::Own) => Vec::new(),
        None => {
            program = python_run_first::needed(project, &app.location, &app.attribute(), notes);
            let target = program.as_ref().map(|_| python_run_first::TARGET.to_owned());
            command(
                project,
                server,
                target.unwrap_or_else(|| app.target(server)),
                app.factory && program.is_none(),
                (port, if sockets.is_some() { flask_sockets::THREADS } else { FEW_THREADS }),
            )
        }
    };
    note_start(project, &app, &start, notes);
    if project.entry.is_none() {
        warn_of_others(project, &app, notes);
    }
    let own = sockets == Some(Sockets::Own);
    let needs = Needs { server: (!own).then_some(server.package), websockets: server.program == "uvicorn" };
    let recipe = python::recipe(project, &app.location, needs, notes);
    let (location, attribute) = (app.location.clone(), app.attribute());
    let mut outline = Outline {
        framework: app.framework.to_owned(),
        base_image: project.bases.image(&Runtime::Python { version: version.clone() }),
        runtime_version: Some(version),
        environment: environment(&app.location),
        folder: app.location.folder,
        start: Some(start),
        port,
        bind: "0.0.0.0, by the start command".to_owned(),
        health: None,
        recipe: Recipe::Python(recipe),
    };
    if let Some(program) = program {
        python_run_first::add(&mut outline, program);
    }
    if own {
        flask_sockets::run_itself(project, (&location, &attribute), &mut outline, notes);
    }
    Ok(outline)
}

/// Variables every Python image sets.
pub fn environment(location: &Location) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    // The only way in is the daemon's proxy, which overwrites X-Forwarded-*.
    environment.insert("FORWARDED_ALLOW_IPS".to_owned(), "*".to_owned());
    if let Some(root) = &location.python_path {
        environment.insert("PYTHONPATH".to_owned(), container::dir(root));
    }
    environment
}

/// The app object most likely meant: by file name, by depth, by variable name; another one of the
/// same file, or of the module it names, when that is what it has uvicorn serve.
fn best<'p>(project: &'p Project<'_>, interface: Interface) -> Option<(&'p PyFile, AppObject)> {
    let apps: Vec<(&PyFile, AppObject)> = python::apps_of(project.python());
    let fitting = || apps.iter().filter(|(_, app)| app.interface == interface);
    let likeliest = fitting().min_by_key(|(file, app)| rank(&file.path, app))?;
    let run = likeliest.0.runs.iter().find(|run| run.on == "uvicorn");
    let named = run.and_then(|run| run.target.as_deref()).and_then(|target| {
        let (module, name) = target.split_once(':').map_or((None, target), |(m, name)| (Some(m), name));
        let path = match module {
            Some(module) => python::locate_module(project, module)?.path,
            None => likeliest.0.path.clone(),
        };
        fitting().find(|(file, app)| file.path == path && app.name == name)
    });
    Some(named.unwrap_or(likeliest).clone())
}

fn rank(path: &str, app: &AppObject) -> (bool, usize, usize, usize, usize) {
    const FILES: [&str; 8] =
        ["main.py", "app.py", "asgi.py", "wsgi.py", "server.py", "api.py", "__init__.py", "run.py"];
    const NAMES: [&str; 4] = ["app", "application", "api", "create_app"];
    let place = |list: &[&str], name: &str| list.iter().position(|n| *n == name).unwrap_or(list.len());
    let depth = path.matches('/').count();
    (app.factory, depth.saturating_sub(1), place(&FILES, name_of(path)), depth, place(&NAMES, &app.name))
}

fn found(project: &Project<'_>, interface: Interface, label: &'static str) -> Result<App, PlanError> {
    let nothing = || PlanError::Framework {
        framework: label.to_owned(),
        looked_for: match interface {
            Interface::Asgi => {
                "a variable made by FastAPI(…), Starlette(…) or the like, or a function that returns one"
                    .to_owned()
            }
            Interface::Wsgi => "a variable made by Flask(…), or a function that returns one".to_owned(),
        },
    };
    let (file, app) = best(project, interface).ok_or_else(nothing)?;
    let location = python::locate(project, &file.path).ok_or_else(nothing)?;
    Ok(App { location, name: app.name.clone(), framework: app.framework, factory: app.factory })
}

/// What the metadata's `module:attribute` names.
fn app_of(project: &Project<'_>, target: &Target, label: &'static str) -> Result<App, PlanError> {
    let location = python::locate_module(project, &target.module).ok_or_else(|| {
        let path = target.module.replace('.', "/");
        let message = format!("{path}.py is not among the files, so {} cannot be imported", target.module);
        PlanError::EntryPoint { message }
    })?;
    let apps = python::apps_of(project.python()).into_iter().filter(|(file, _)| file.path == location.path);
    let apps: Vec<AppObject> = apps.map(|(_, app)| app).collect();
    let named = apps.iter().find(|app| app.name == target.attribute).or(apps.first());
    let factory = named.is_some_and(|app| app.factory && app.name == target.attribute);
    let framework = named.map_or(label, |app| app.framework);
    Ok(App { location, name: target.attribute.clone(), framework, factory })
}

/// Of gunicorn, so that a slow request does not stop the only worker.
const FEW_THREADS: &str = "4";

fn command(
    project: &Project<'_>,
    server: &Server,
    target: String,
    factory: bool,
    (port, threads): (u16, &str),
) -> Vec<String> {
    let mut argv: Vec<String> = vec![server.program.to_owned(), target];
    let dev = project.mode() == Mode::Dev;
    match server.program {
        "gunicorn" => {
            // The worker's heartbeat file lies in memory because the root of the container is
            // read-only.
            let options = [
                "--workers",
                "1",
                "--threads",
                threads,
                "--worker-tmp-dir",
                "/dev/shm",
                "--access-logfile",
                "-",
            ];
            argv.extend(["--bind".to_owned(), format!("0.0.0.0:{port}")]);
            argv.extend(options.map(str::to_owned));
        }
        _ => {
            argv.extend(factory.then(|| "--factory".to_owned()));
            argv.extend(["--host", "0.0.0.0", "--port"].map(str::to_owned));
            argv.push(port.to_string());
        }
    }
    argv.extend(dev.then(|| "--reload".to_owned()));
    argv
}

fn note_start(project: &Project<'_>, app: &App, start: &[String], notes: &mut Notes) {
    let (source, reason) = match &project.entry {
        Some(_) => (Source::Metadata, "entryPoint says so".to_owned()),
        None => {
            (Source::Detected, format!("{} is {} in module {}", app.name, app.framework, app.location.module))
        }
    };
    notes.decide("start", start.join(" "), source, reason, Place::file(&app.location.path));
    if let Some(root) = &app.location.python_path {
        let reason = "what the app imports lies there";
        notes.decide(
            "import root",
            format!("/app/{root}"),
            Source::Detected,
            reason,
            Place::file(&app.location.path),
        );
    }
}

/// Apps of folders of their own: one of several services is started, and no more.
fn warn_of_others(project: &Project<'_>, app: &App, notes: &mut Notes) {
    let mut folders = vec![app.location.folder.clone()];
    let (mut others, mut seen) = (python::apps_of(project.python()), BTreeSet::new());
    others.retain(|(file, other)| {
        !other.factory && !node::is_aside(folder_of(&file.path)) && seen.insert(folder_of(&file.path))
    });
    for (file, other) in others.into_iter().take(50) {
        let Some(location) = python::locate(project, &file.path) else { continue };
        if folders.len() > 5 || folders.contains(&location.folder) {
            continue;
        }
        let chosen = &app.location.path;
        let message = format!(
            "a {} app too, and not started: {chosen} is; metadata.entryPoint decides, or a generation of its own",
            other.framework
        );
        notes.warn(message, Place::line(&file.path, other.line));
        folders.push(location.folder);
    }
}

/// The port, and the host the given command names.
fn port(
    project: &Project<'_>,
    location: &Location,
    given: Option<&[String]>,
    server: &Server,
    notes: &mut Notes,
) -> (u16, Option<String>) {
    let (host, in_command) = given.map_or((None, None), |argv| bound(argv, server));
    if let Some(port) = project.metadata.port {
        notes.decide("port", port.to_string(), Source::Metadata, "port says so", None);
        return (port, host);
    }
    if let Some(port) = in_command {
        notes.decide("port", port.to_string(), Source::Metadata, "entryPoint names it", None);
        return (port, host);
    }
    (detected_port(project, Some(&location.path), notes), host)
}

/// The metadata's port, else the framework's own.
pub fn port_or(project: &Project<'_>, usual: u16, reason: &str, notes: &mut Notes) -> u16 {
    let (port, source, reason) = match project.metadata.port {
        Some(port) => (port, Source::Metadata, "port says so"),
        None => (usual, Source::Default, reason),
    };
    notes.decide("port", port.to_string(), source, reason, None);
    port
}

/// The port code runs a server on: the given file's first, else any file's; else 8000.
pub fn detected_port(project: &Project<'_>, first: Option<&str>, notes: &mut Notes) -> u16 {
    let files = project.python();
    let first = files.iter().filter(|file| Some(file.path.as_str()) == first);
    let runs = first.chain(files).flat_map(|file| file.runs.iter().map(move |run| (file, run)));
    for (file, run) in runs {
        if let Some(port) = run.port {
            let reason = format!("{}(…) in the code names it", run.call);
            notes.decide(
                "port",
                port.to_string(),
                Source::Detected,
                reason,
                Place::line(&file.path, run.line),
            );
            return port;
        }
    }
    notes.decide("port", "8000", Source::Default, "nothing names another", None);
    8000
}

/// Host and port a command line names.
fn bound(argv: &[String], server: &Server) -> (Option<String>, Option<u16>) {
    let mut host = None;
    let mut port = None;
    for (option, value) in options_of(argv, server) {
        let value = value.to_owned();
        match kind_of(&option, server) {
            Some(Kind::Host) => host = Some(value),
            Some(Kind::Port) => port = value.parse().ok().filter(|port| *port > 0),
            Some(Kind::Both) => {
                let (h, p) = value.rsplit_once(':').unwrap_or((&value, ""));
                host = Some(h.to_owned());
                port = p.parse().ok().filter(|port| *port > 0);
            }
            None => {}
        }
    }
    (host, port)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Port,
    Both,
}

fn kind_of(option: &str, server: &Server) -> Option<Kind> {
    match (server.bind, option) {
        (Bind::HostPort, "--host" | "-h") => Some(Kind::Host),
        (Bind::HostPort, "--port" | "-p") => Some(Kind::Port),
        (Bind::Address, "--bind" | "-b") | (Bind::Listen, "--listen") => Some(Kind::Both),
        (Bind::Short, "-b" | "--bind") => Some(Kind::Host),
        (Bind::Short, "-p" | "--port") => Some(Kind::Port),
        _ => None,
    }
}

/// Each option that says where to listen, with its value.
fn options_of<'a>(argv: &'a [String], server: &Server) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    for (at, word) in argv.iter().enumerate() {
        match word.split_once('=') {
            Some((option, value)) if kind_of(option, server).is_some() => {
                found.push((option.to_owned(), value))
            }
            _ if kind_of(word, server).is_some() => {
                if let Some(value) = argv.get(at + 1) {
                    found.push((word.clone(), value));
                }
            }
            _ => {}
        }
    }
    found
}

/// The given command, made to listen on every address at the planned port.
fn rebound(
    argv: &[String],
    server: &Server,
    port: u16,
    host: Option<String>,
    notes: &mut Notes,
) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        if kind_of(word, server).is_some() {
            words.next();
        } else if word.split_once('=').is_none_or(|(option, _)| kind_of(option, server).is_none()) {
            out.push(word.clone());
        }
    }
    // `flask run` and `fastapi run` take their options after the subcommand.
    let words: Vec<String> = match server.bind {
        Bind::HostPort => ["--host", "0.0.0.0", "--port", &port.to_string()].map(str::to_owned).to_vec(),
        Bind::Address => vec!["--bind".to_owned(), format!("0.0.0.0:{port}")],
        Bind::Short => ["-b", "0.0.0.0", "-p", &port.to_string()].map(str::to_owned).to_vec(),
        Bind::Listen => vec![format!("--listen=0.0.0.0:{port}")],
    };
    // Options go in front of a `--`, or of the app for servers that take it last.
    let before = out.iter().position(|word| word == "--");
    let at = match server.bind {
        Bind::Listen | Bind::Short => 1,
        _ => before.unwrap_or(out.len()),
    };
    out.splice(at..at, words);
    if let Some(host) = host.filter(|host| !matches!(host.as_str(), "0.0.0.0" | "::" | "[::]" | "*" | "")) {
        notes.warn(
            format!(
                "entryPoint listens on {host}, which nobody outside the container reaches; 0.0.0.0 is used"
            ),
            None,
        );
    }
    out
}
