//! Flask and other WSGI app objects and factories, on gunicorn.

use super::{Finding, Framework, Outline, python_server};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes};
use crate::generation::project::Project;
use crate::generation::python::Interface;

pub struct Flask;

impl Framework for Flask {
    fn name(&self) -> &'static str {
        "flask"
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["wsgi", "bottle", "dash"]
    }

    fn looks_for(&self) -> &'static str {
        "a Flask() app object or a function that returns one"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        python_server::detect(project, Interface::Wsgi)
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        python_server::outline(project, Interface::Wsgi, "wsgi", notes)
    }
}
