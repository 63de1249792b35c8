//! The outline of a Python program that is started as it is, by whatever command.

use super::{Outline, python_server};
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::plan::Notes;
use crate::generation::project::{Project, name_of};
use crate::generation::python::{self, Location, Needs, PyFile};
use crate::generation::recipe::Recipe;

pub fn outline(
    project: &Project<'_>,
    location: Location,
    needs: Needs,
    start: Vec<String>,
    port: u16,
    notes: &mut Notes,
) -> Result<Outline, PlanError> {
    let version = python::choose_version(project, &location.folder, notes)?;
    let recipe = python::recipe(project, &location, needs, notes);
    Ok(Outline {
        framework: "python".to_owned(),
        base_image: project.bases.image(&Runtime::Python { version: version.clone() }),
        runtime_version: Some(version),
        environment: python_server::environment(&location),
        folder: location.folder,
        start: Some(start),
        port,
        bind: "whatever the program listens on; it has to be 0.0.0.0".to_owned(),
        health: None,
        recipe: Recipe::Python(recipe),
    })
}

/// The file that imports a package and is most likely the program itself.
pub fn importing<'p>(project: &'p Project<'_>, package: &str, marks: &[&str]) -> Option<(&'p PyFile, usize)> {
    const NAMES: [&str; 8] = [
        "app.py",
        "streamlit_app.py",
        "main.py",
        "Home.py",
        "home.py",
        "gradio_app.py",
        "demo.py",
        "index.py",
    ];
    let importers = project.python().iter().filter_map(|file| {
        let import = file.imports.iter().find(|import| import.top() == package)?;
        Some((file, import.line))
    });
    importers.min_by_key(|(file, _)| {
        let name = NAMES.iter().position(|name| *name == name_of(&file.path)).unwrap_or(NAMES.len());
        let text = project.text(&file.path).unwrap_or_default();
        let marked = marks.iter().any(|mark| text.contains(mark));
        (!marked, file.path.split('/').any(|part| part == "pages"), file.path.matches('/').count(), name)
    })
}

/// Where such a file stands, for a command that names it from the working directory.
pub fn stand(project: &Project<'_>, path: &str) -> (Location, String) {
    let mut location = python::locate(project, path).unwrap_or_else(|| Location {
        folder: String::new(),
        python_path: None,
        module: String::new(),
        path: path.to_owned(),
    });
    // Python puts the folder of the program on its path by itself.
    let own = crate::generation::project::folder_of(path).to_owned();
    location.python_path = location.python_path.filter(|root| *root != own);
    let inside = path.strip_prefix(&format!("{}/", location.folder)).unwrap_or(path).to_owned();
    (location, inside)
}
