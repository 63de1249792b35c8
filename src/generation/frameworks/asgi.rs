//! FastAPI, Starlette and every other ASGI app object, on uvicorn.

use super::{Finding, Framework, Outline, python_server};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes};
use crate::generation::project::Project;
use crate::generation::python::Interface;

pub struct Asgi;

impl Framework for Asgi {
    fn name(&self) -> &'static str {
        "fastapi"
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["asgi", "starlette", "quart", "litestar", "socketio"]
    }

    fn looks_for(&self) -> &'static str {
        "a FastAPI(), Starlette() or other ASGI app object"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        python_server::detect(project, Interface::Asgi)
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        python_server::outline(project, Interface::Asgi, "asgi", notes)
    }
}
