//! Where a Python app says what it needs, and what that is.

use std::collections::BTreeSet;

use super::lockfiles::{self, Project as Toml};
use super::requirements::{self, names_in};
use super::version;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, folder_of, join};

/// The source of an app's dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    pub kind: Kind,
    /// Normalised names and `name[extra]` of what is asked for by name.
    pub names: BTreeSet<String>,
    /// The file that decided, when there is one.
    pub file: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A requirement file and those it includes.
    Files { files: Vec<String> },
    /// pyproject.toml by PEP 621.
    Pyproject,
    /// uv.lock beside its pyproject.toml.
    UvLock { pyproject: String },
    /// Requirements the plan writes down: from the files of Poetry, PDM or Pipenv.
    Written { requirements: Vec<String> },
    /// Nothing says; imports have to.
    Undeclared,
}

/// Names a requirement file goes by, the best first.
const REQUIREMENT_FILES: [&str; 5] = [
    "requirements.txt",
    "requirements/prod.txt",
    "requirements/production.txt",
    "requirements/base.txt",
    "requirements.prod.txt",
];

impl Dependencies {
    /// Looks in the app's folder, then at the top.
    pub fn find(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Self {
        let mut folders = vec![folder];
        if !folder.is_empty() {
            folders.push("");
        }
        for folder in folders {
            if let Some(found) = uv_lock(project, folder, notes)
                .or_else(|| pdm_lock(project, folder, notes))
                .or_else(|| requirement_file(project, folder, notes))
                .or_else(|| pyproject(project, folder, notes))
                .or_else(|| pipfile(project, folder, notes))
            {
                return found;
            }
        }
        Self { kind: Kind::Undeclared, names: BTreeSet::new(), file: None }
    }
}

fn uv_lock(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Option<Dependencies> {
    let (lock, pyproject) = (join(folder, "uv.lock"), join(folder, "pyproject.toml"));
    let text = project.text(&lock)?;
    let Some(Toml::Standard { requirements }) = project.text(&pyproject).and_then(lockfiles::read_project)
    else {
        notes.warn("not used: no pyproject.toml with dependencies lies beside it", Place::file(&lock));
        return None;
    };
    if text.parse::<toml::Table>().is_err() {
        notes.warn("not used: it is no TOML", Place::file(&lock));
        return None;
    }
    let wanted = project.text(&pyproject).and_then(lockfiles::python_wanted);
    let ours = project.metadata.python_version.as_deref().unwrap_or(project.bases.default_python());
    if let Some(wanted) = wanted.filter(|wanted| !version::allows(wanted, ours)) {
        let message = format!("not used: it is locked for Python {wanted}, and {ours} is what there is");
        notes.warn(message, Place::file(&lock));
        return None;
    }
    let reason = "exact versions are locked; pyproject.toml lies beside it";
    notes.decide("dependencies", &lock, Source::Detected, reason, Place::file(&lock));
    let names = requirements.iter().flat_map(|requirement| names_in(requirement)).collect();
    Some(Dependencies { kind: Kind::UvLock { pyproject }, names, file: Some(lock) })
}

fn pdm_lock(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Option<Dependencies> {
    let lock = join(folder, "pdm.lock");
    let requirements = lockfiles::read_poetry_lock(project.text(&lock)?);
    let Some(requirements) = requirements.filter(|pinned| !pinned.is_empty()) else {
        notes.warn("not used: something in it is no plain package of an index", Place::file(&lock));
        return None;
    };
    notes.decide("dependencies", &lock, Source::Detected, "PDM locked exact versions", Place::file(&lock));
    let names = requirements.iter().flat_map(|requirement| names_in(requirement)).collect();
    Some(Dependencies { kind: Kind::Written { requirements }, names, file: Some(lock) })
}

fn pipfile(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Option<Dependencies> {
    let (path, lock) = (join(folder, "Pipfile"), join(folder, "Pipfile.lock"));
    let pinned = project.text(&lock).and_then(lockfiles::read_pipfile_lock);
    let (chosen, requirements, reason) = match pinned {
        Some(pinned) => (lock, pinned, "Pipenv locked exact versions"),
        None => {
            let listed = lockfiles::read_pipfile(project.text(&path)?)?;
            (path, listed, "Pipenv lists the packages")
        }
    };
    notes.decide("dependencies", &chosen, Source::Detected, reason, Place::file(&chosen));
    let names = requirements.iter().flat_map(|requirement| names_in(requirement)).collect();
    Some(Dependencies { kind: Kind::Written { requirements }, names, file: Some(chosen) })
}

fn requirement_file(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Option<Dependencies> {
    let path = REQUIREMENT_FILES.iter().map(|name| join(folder, name)).find(|path| project.contains(path))?;
    if project.text(&path).is_none() {
        notes.warn("not used: it is not UTF-8 text", Place::file(&path));
        return None;
    }
    let read = requirements::read(project, &path);
    notes.decide("dependencies", &path, Source::Detected, "it lists the packages", Place::file(&path));
    for (file, line) in &read.local {
        notes.warn(
            "a package from the tree itself is not installed; its folder is importable",
            Place::line(file, *line),
        );
    }
    for (file, line, name) in &read.absent {
        notes.warn(format!("{name} is not among the files"), Place::line(file, *line));
    }
    Some(Dependencies { kind: Kind::Files { files: read.files }, names: read.names, file: Some(path) })
}

fn pyproject(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Option<Dependencies> {
    let path = join(folder, "pyproject.toml");
    let text = project.text(&path)?;
    if text.parse::<toml::Table>().is_err() {
        notes.warn("not used: it is no TOML", Place::file(&path));
        return None;
    }
    let found = lockfiles::read_project(text)?;
    let named = |requirements: &[String]| requirements.iter().flat_map(|r| names_in(r)).collect();
    match found {
        Toml::Standard { requirements } => {
            let reason = "[project] lists the packages; the project itself is run from its source";
            notes.decide("dependencies", &path, Source::Detected, reason, Place::file(&path));
            Some(Dependencies { kind: Kind::Pyproject, names: named(&requirements), file: Some(path) })
        }
        Toml::Poetry { requirements } => {
            let lock = join(folder_of(&path), "poetry.lock");
            let pinned = project.text(&lock).and_then(lockfiles::read_poetry_lock);
            let names = named(&requirements);
            let (chosen, requirements, reason) = match pinned {
                Some(pinned) => (lock, pinned, "Poetry locked exact versions"),
                None => {
                    (path, requirements, "Poetry lists the packages; its ranges are written as ordinary ones")
                }
            };
            notes.decide("dependencies", &chosen, Source::Detected, reason, Place::file(&chosen));
            Some(Dependencies { kind: Kind::Written { requirements }, names, file: Some(chosen) })
        }
    }
}
