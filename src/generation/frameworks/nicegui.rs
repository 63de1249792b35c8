//! NiceGUI: a program that starts a server of its own.

use super::python_own_server::OwnServer;
use super::python_server;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::Project;

pub static NICEGUI: OwnServer = OwnServer {
    name: "nicegui",
    looks_for: "Python that imports nicegui and runs it",
    marks: &["ui.run("],
    must_be_marked: true,
    found: "nicegui is imported and run",
    port,
    start: |inside, _| vec!["python".to_owned(), inside],
    reason: "it runs nicegui",
    environment: |_| Vec::new(),
    bind: "0.0.0.0, as NiceGUI does unless told otherwise",
    health: "/",
};

/// `ui.run(port=…)` in the code, which nothing overrules.
fn port(project: &Project<'_>, path: &str, notes: &mut Notes) -> u16 {
    let runs = project.python_file(path).map_or(&[][..], |file| file.runs.as_slice());
    let Some(run) = runs.iter().find(|run| run.on == "ui") else {
        return python_server::port_or(project, 8080, "the usual one of NiceGUI", notes);
    };
    let port = run.port.unwrap_or(8080);
    let place = Place::line(path, run.line);
    if let Some(given) = project.metadata.port.filter(|given| *given != port) {
        notes.warn(
            format!("port says {given}, and the code listens on {port}; {port} is used"),
            place.clone(),
        );
    }
    notes.decide("port", port.to_string(), Source::Detected, "ui.run(…) in the code listens on it", place);
    port
}
