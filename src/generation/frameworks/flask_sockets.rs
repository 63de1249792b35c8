//! Flask apps whose visitors each hold a connection for as long as they look at a page: Flask-SocketIO
//! and its kin. A server of a few threads is full with a few of them, and where the library works
//! with eventlet or gevent, no server but its own serves it.

use super::Outline;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, is_under};
use crate::generation::python::{self, Location, PyFile};
use crate::generation::recipe::{Recipe, SUPPORT};

/// The module of ours, in the image beside nothing of the app.
const AROUND: &str = include_str!("socketio_around.py");

/// Threads of gunicorn, which makes each when it is needed first: the library's own advice.
pub const THREADS: &str = "100";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sockets {
    /// A thread for each of them.
    Threads,
    /// The library's own server.
    Own,
}

/// Nothing for apps without such connections.
pub fn of(project: &Project<'_>, app: &Location) -> Option<Sockets> {
    // In the folder of the app, and no other service's.
    let files = || project.python().iter().filter(|file| is_under(&file.path, &app.folder));
    if !files().any(|file| imports(file, "flask_socketio")) {
        return files().any(|file| imports(file, "flask_sock")).then_some(Sockets::Threads);
    }
    let named = files().find_map(|file| mode_in(project.text(&file.path)?));
    let is_green = |mode: &str| mode.contains("eventlet") || mode.contains("gevent");
    let listed = || ["eventlet", "gevent"].iter().any(|name| project.python_packages().contains_key(*name));
    // Left to itself, the library takes either of the two where it is installed.
    Some(if named.map_or_else(listed, is_green) { Sockets::Own } else { Sockets::Threads })
}

fn imports(file: &PyFile, name: &str) -> bool {
    file.imports.iter().any(|import| import.top() == name)
}

/// `async_mode="eventlet"`.
fn mode_in(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("async_mode")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// By the library's own server in place of the planned one: the module that starts it, or else the app's.
pub fn run_itself(project: &Project<'_>, app: (&Location, &str), outline: &mut Outline, notes: &mut Notes) {
    let Recipe::Python(recipe) = &mut outline.recipe else { return };
    recipe.support.insert("previewd_socketio.py".to_owned(), AROUND.to_owned());
    let starter = starter(project, app.0);
    let module = starter.as_ref().unwrap_or(app.0);
    let program = format!("{SUPPORT}previewd_socketio.py");
    let port = outline.port.to_string();
    let words = ["python", &program, &port, &module.module, app.1];
    let start = words.into_iter().chain(starter.as_ref().map(|_| "run")).map(str::to_owned);
    let start: Vec<String> = start.collect();
    notes.decisions.retain(|decision| decision.what != "start");
    let reason = "with eventlet or gevent, Flask-SocketIO is served by its own server alone";
    notes.decide("start", start.join(" "), Source::Detected, reason, Place::file(&module.path));
    outline.start = Some(start);
    outline.bind = "0.0.0.0, by the module that runs the program".to_owned();
}

/// The file with `socketio.run(app)`: the app's own, or one beside it.
fn starter(project: &Project<'_>, app: &Location) -> Option<Location> {
    let starts = |file: &PyFile| {
        let runs = |on: &str| on.ends_with("socketio") || on.ends_with("sio") || on == "app";
        file.runs.iter().any(|run| run.call.ends_with(".run") && runs(&run.on))
    };
    let own = project.python_file(&app.path).filter(|file| starts(file));
    let beside = || project.python().iter().filter(|file| is_under(&file.path, &app.folder) && starts(file));
    let file = own.or_else(|| beside().find(|file| file.runs.iter().any(|run| run.on != "app")))?;
    let found = python::locate(project, &file.path)?;
    let is_beside = found.folder == app.folder && found.python_path == app.python_path;
    (is_beside && !found.module.is_empty()).then_some(found)
}
