//! Express, by dependency or by import.

use super::{Finding, Framework, Outline, Strength, node_start};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place};
use crate::generation::project::Project;

pub struct Express;

impl Framework for Express {
    fn name(&self) -> &'static str {
        "express"
    }

    fn language(&self) -> Language {
        Language::Node
    }

    fn looks_for(&self) -> &'static str {
        "express among the dependencies of package.json, or imported"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let certain = |reason: &str, place| Finding {
            strength: Strength::Certain,
            name: None,
            reason: reason.to_owned(),
            place,
        };
        if let Some(package) = project.package().filter(|package| package.needs("express")) {
            return Some(certain("package.json depends on express", Place::file(&package.path)));
        }
        let imported = project.node().iter().find_map(|file| {
            let (_, line) = file.imports.iter().find(|(module, _)| module == "express")?;
            Some((file, *line))
        });
        let (file, line) = imported?;
        Some(certain("express is imported", Place::line(&file.path, line)))
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        node_start::outline(project, self.name(), notes)
    }
}
