//! Streamlit: a script that its own server runs.

use super::{Finding, Framework, Outline, Strength, python_program, python_script, python_server};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::Project;
use crate::generation::python::Needs;

pub struct Streamlit;

impl Framework for Streamlit {
    fn name(&self) -> &'static str {
        "streamlit"
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn looks_for(&self) -> &'static str {
        "Python that imports streamlit"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let (file, line) = python_program::importing(project, "streamlit", MARKS)?;
        let reason = "streamlit is imported".to_owned();
        Some(Finding {
            strength: Strength::Certain,
            name: None,
            reason,
            place: Place::line(&file.path, line),
        })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        if project.entry.is_some() {
            return python_script::PythonScript.outline(project, notes);
        }
        let (file, _) =
            python_program::importing(project, "streamlit", MARKS).ok_or_else(|| PlanError::Framework {
                framework: self.name().to_owned(),
                looked_for: self.looks_for().to_owned(),
            })?;
        let (location, inside) = python_program::stand(project, &file.path);
        let port = python_server::port_or(project, 8501, "the usual one of Streamlit", notes);
        let start: Vec<String> = [
            "streamlit".to_owned(),
            "run".to_owned(),
            inside,
            "--server.address=0.0.0.0".to_owned(),
            format!("--server.port={port}"),
            "--server.headless=true".to_owned(),
            // The proxy in front has checked who asks.
            "--server.enableCORS=false".to_owned(),
            "--server.enableXsrfProtection=false".to_owned(),
            "--browser.gatherUsageStats=false".to_owned(),
        ]
        .to_vec();
        let reason = "it imports streamlit and is the likeliest to be the first page";
        notes.decide("start", start.join(" "), Source::Detected, reason, Place::file(&file.path));
        let needs = Needs { server: Some("streamlit"), websockets: false };
        let mut outline = python_program::outline(project, location, needs, start, port, notes)?;
        outline.framework = self.name().to_owned();
        outline.bind = "0.0.0.0, by the start command".to_owned();
        outline.health = Some("/_stcore/health");
        Ok(outline)
    }
}

const MARKS: &[&str] = &["set_page_config", "st.title", "st.sidebar"];
