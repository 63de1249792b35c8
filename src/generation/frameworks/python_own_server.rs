//! Python libraries whose programs start a server of their own: each is one [`OwnServer`].

use super::{Finding, Framework, Outline, Strength, python_program, python_script};
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::Project;
use crate::generation::python::{Needs, PyFile};

pub struct OwnServer {
    /// Of the framework and of the package that is imported.
    pub name: &'static str,
    pub looks_for: &'static str,
    /// Words by which the program itself is told from other files that import the library.
    pub marks: &'static [&'static str],
    /// A file without any of them proves nothing.
    pub must_be_marked: bool,
    pub found: &'static str,
    pub port: fn(&Project<'_>, &str, &mut Notes) -> u16,
    /// The command for a file, named from the working directory, and why it is that one.
    pub start: fn(String, u16) -> Vec<String>,
    pub reason: &'static str,
    pub environment: fn(u16) -> Vec<(&'static str, String)>,
    pub bind: &'static str,
    pub health: &'static str,
}

impl Framework for OwnServer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn language(&self) -> Language {
        Language::Python
    }

    fn looks_for(&self) -> &'static str {
        self.looks_for
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let (file, line) = self.program(project)?;
        let text = project.text(&file.path)?;
        let is_program = !self.must_be_marked || self.marks.iter().any(|mark| text.contains(mark));
        is_program.then(|| Finding {
            strength: Strength::Certain,
            name: None,
            reason: self.found.to_owned(),
            place: Place::line(&file.path, line),
        })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        if project.entry.is_some() {
            return python_script::PythonScript.outline(project, notes);
        }
        let (file, _) = self.program(project).ok_or_else(|| PlanError::Framework {
            framework: self.name.to_owned(),
            looked_for: self.looks_for.to_owned(),
        })?;
        let (location, inside) = python_program::stand(project, &file.path);
        let port = (self.port)(project, &file.path, notes);
        let start = (self.start)(inside, port);
        notes.decide("start", start.join(" "), Source::Detected, self.reason, Place::file(&file.path));
        let needs = Needs { server: Some(self.name), websockets: false };
        let mut outline = python_program::outline(project, location, needs, start, port, notes)?;
        outline.framework = self.name.to_owned();
        outline.bind = self.bind.to_owned();
        outline.health = Some(self.health);
        let variables = (self.environment)(port).into_iter();
        outline.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
        Ok(outline)
    }
}

impl OwnServer {
    fn program<'p>(&self, project: &'p Project<'_>) -> Option<(&'p PyFile, usize)> {
        python_program::importing(project, self.name, self.marks)
    }
}
