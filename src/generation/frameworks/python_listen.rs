//! A program whose server listens where nobody reaches it: on the loopback address of its container,
//! or at a port that nothing tells. A module of ours runs it and puts that right.

use super::Outline;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::python::PyFile;
use crate::generation::recipe::{Recipe, SUPPORT};

/// The module of ours, in the image beside nothing of the app.
const AROUND: &str = include_str!("listen_around.py");

/// `python main.py`, with that module between the two, where the file's server needs it.
pub fn put_right(file: &PyFile, outline: &mut Outline, notes: &mut Notes) {
    let Some(run) = file.runs.iter().find(|run| is_loopback(run.host.as_deref())) else { return };
    let place = Place::line(&file.path, run.line);
    // Their sockets are their own.
    let brings_sockets = file.imports.iter().any(|import| matches!(import.top(), "gevent" | "eventlet"));
    match (outline.start.as_deref(), &mut outline.recipe) {
        (Some([python, path]), Recipe::Python(recipe)) if python == "python" && !brings_sockets => {
            let module = format!("{SUPPORT}previewd_listen.py");
            outline.start = Some(vec![python.clone(), module, outline.port.to_string(), path.clone()]);
            recipe.support.insert("previewd_listen.py".to_owned(), AROUND.to_owned());
            outline.bind = "0.0.0.0, by the module that runs the program".to_owned();
            let reason = "it listens on the loopback address only, where nobody reaches it; a module of ours runs it and has it listen on every address";
            notes.decide("address", "0.0.0.0", Source::Default, reason, place);
        }
        _ => {
            let message =
                "listens on the loopback address only, where nobody reaches it; give host=\"0.0.0.0\"";
            notes.warn(message, place);
        }
    }
}

/// Most libraries listen there unless told otherwise; those that do not have said so.
fn is_loopback(host: Option<&str>) -> bool {
    matches!(host, None | Some("127.0.0.1" | "localhost" | "::1"))
}
