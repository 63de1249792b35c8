//! An app whose file does something only when it is run: it makes tables, loads first data, or
//! makes the app itself. A server that imports the file would do without, so a module of ours runs
//! it up to where it starts its own server, and the planned server serves what that would have.

use std::collections::BTreeMap;

use super::Outline;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::Project;
use crate::generation::python::Location;
use crate::generation::recipe::Recipe;

/// The module of ours, in the image beside nothing of the app.
pub const AROUND: &str = include_str!("program_around.py");

/// What the server is to serve in place of the app itself.
pub const TARGET: &str = "previewd_program:app";

/// The app as `module:attribute`, when its file has to be run first.
pub fn needed(project: &Project<'_>, location: &Location, app: &str, notes: &mut Notes) -> Option<String> {
    let file = project.python_file(&location.path)?;
    let program = &file.program;
    let why = match (program.serves_on_import, program.work) {
        _ if app.contains('.') => {
            let reason =
                "what a server can be given is a part of the app, and gunicorn takes only whole ones";
            notes.decide("program", &location.module, Source::Detected, reason, Place::file(&file.path));
            return Some(format!("{}:{app}", location.module));
        }
        (Some(line), _) => (line, "importing it starts a server, which is kept from starting"),
        (None, Some(line)) if program.serves => {
            (line, "what it does before it starts a server is done first")
        }
        (None, Some(line)) if program.prepares => {
            warn(&file.path, line, notes);
            return None;
        }
        _ => return None,
    };
    let (line, reason) = why;
    if program.finally {
        warn(&file.path, line, notes);
        return None;
    }
    notes.decide("program", &location.module, Source::Detected, reason, Place::line(&file.path, line));
    Some(format!("{}:{app}", location.module))
}

fn warn(file: &str, line: usize, notes: &mut Notes) {
    let message = "not run: the server imports this file, and what is here happens only when it is run by itself; do it where the app is made, or give an entryPoint";
    notes.warn(message, Place::line(file, line));
}

pub fn add(outline: &mut Outline, program: String) {
    let path = outline.environment.remove("PYTHONPATH");
    let path = path.map_or_else(|| "/opt/previewd".to_owned(), |path| format!("{path}:/opt/previewd"));
    outline.environment.insert("PYTHONPATH".to_owned(), path);
    outline.environment.insert("PREVIEWD_PROGRAM".to_owned(), program);
    if let Recipe::Python(recipe) = &mut outline.recipe {
        recipe.support = BTreeMap::from([("previewd_program.py".to_owned(), AROUND.to_owned())]);
    }
}
