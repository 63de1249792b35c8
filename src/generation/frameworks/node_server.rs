//! Any other Node server: a start script, or code that opens a port.

use super::{Finding, Framework, Outline, Strength, node_start};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place};
use crate::generation::project::Project;

pub struct NodeServer;

impl Framework for NodeServer {
    fn name(&self) -> &'static str {
        "node"
    }

    fn language(&self) -> Language {
        Language::Node
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["nodejs", "hapi", "adonis", "feathers", "polka", "restify", "elysia", "bun"]
    }

    fn looks_for(&self) -> &'static str {
        "scripts.start in package.json, or JavaScript that listens on a port"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let server = |reason: &str, place| Finding {
            strength: Strength::Server,
            name: None,
            reason: reason.to_owned(),
            place,
        };
        if let Some(package) = project.package().filter(|package| package.scripts.contains_key("start")) {
            return Some(server("package.json has a start script", Place::file(&package.path)));
        }
        let file = node_start::likely_file(project).filter(|file| !file.listens.is_empty())?;
        Some(server("it opens a port", Place::line(&file.path, file.listens[0].line)))
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        node_start::outline(project, self.name(), 3000, notes)
    }
}
