//! Gradio: a program that starts a server of its own.

use super::{Finding, Framework, Outline, Strength, python_program, python_script, python_server};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::Project;
use crate::generation::python::Needs;

pub struct Gradio;

impl Framework for Gradio {
    fn name(&self) -> &'static str {
        "gradio"
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn looks_for(&self) -> &'static str {
        "Python that imports gradio and launches it"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let (file, line) = python_program::importing(project, "gradio", &[LAUNCH])?;
        let launches = project.text(&file.path)?.contains(LAUNCH);
        let reason = "gradio is imported and launched".to_owned();
        launches.then(|| Finding {
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
            python_program::importing(project, "gradio", &[LAUNCH]).ok_or_else(|| PlanError::Framework {
                framework: self.name().to_owned(),
                looked_for: self.looks_for().to_owned(),
            })?;
        let (location, inside) = python_program::stand(project, &file.path);
        let port = port(project, &file.path, notes);
        let start = vec!["python".to_owned(), inside];
        notes.decide(
            "start",
            start.join(" "),
            Source::Detected,
            "it launches gradio",
            Place::file(&file.path),
        );
        let needs = Needs { server: Some("gradio"), websockets: false };
        let mut outline = python_program::outline(project, location, needs, start, port, notes)?;
        outline.framework = self.name().to_owned();
        outline.bind = "0.0.0.0, by GRADIO_SERVER_NAME".to_owned();
        outline.health = Some("/");
        let settings = [
            ("GRADIO_SERVER_NAME", "0.0.0.0".to_owned()),
            ("GRADIO_SERVER_PORT", port.to_string()),
            ("GRADIO_ANALYTICS_ENABLED", "False".to_owned()),
        ];
        outline.environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        Ok(outline)
    }
}

const LAUNCH: &str = ".launch(";

/// `launch(server_port=…)` in the code wins over the variable.
fn port(project: &Project<'_>, path: &str, notes: &mut Notes) -> u16 {
    let text = project.text(path).unwrap_or_default();
    for (index, line) in text.lines().enumerate() {
        if line.contains("server_name=\"127.0.0.1\"") || line.contains("server_name='127.0.0.1'") {
            let message =
                "listens on the loopback address only, where nobody reaches it; leave server_name out";
            notes.warn(message, Place::line(path, index + 1));
        }
        let literal = line.split_once("server_port=").map(|(_, rest)| rest);
        let digits = literal.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        if let Some(port) = digits.and_then(|digits| digits.parse::<u16>().ok())
            && project.metadata.port.is_none()
        {
            notes.decide(
                "port",
                port.to_string(),
                Source::Detected,
                "launch() names it",
                Place::line(path, index + 1),
            );
            return port;
        }
    }
    python_server::port_or(project, 7860, "the usual one of Gradio", notes)
}
