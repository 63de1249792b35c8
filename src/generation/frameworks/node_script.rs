//! A JavaScript program that is run as it is.

use super::{Finding, Framework, Outline, Strength, node_start};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place};
use crate::generation::project::Project;

pub struct NodeScript;

impl Framework for NodeScript {
    fn name(&self) -> &'static str {
        "node-script"
    }

    fn language(&self) -> Language {
        Language::Node
    }

    fn looks_for(&self) -> &'static str {
        "server.js, index.js, app.js or main.js"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let file = node_start::likely_file(project)?;
        let reason = "its name is one a program starts by".to_owned();
        Some(Finding { strength: Strength::Guess, name: None, reason, place: Place::file(&file.path) })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        node_start::outline(project, self.name(), 3000, notes)
    }
}
