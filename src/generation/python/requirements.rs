//! Requirement files, read far enough to know what they install.

use std::collections::BTreeSet;

use super::normalized;
use crate::generation::project::{Project, folder_of, join};

/// What one requirement file, with those it includes, asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Normalised names, and `name[extra]` for each extra.
    pub names: BTreeSet<String>,
    /// The file itself and every file it includes, in order of inclusion.
    pub files: Vec<String>,
    /// Lines that install from the tree: `-e .`, `./lib`. (file, line)
    pub local: Vec<(String, usize)>,
    /// Included files that are not there. (file, line, name)
    pub absent: Vec<(String, usize, String)>,
}

const MAX_FILES: usize = 20;

/// Reads `path` and what it includes by `-r` and `-c`.
pub fn read(project: &Project<'_>, path: &str) -> Requirements {
    let mut requirements = Requirements::default();
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        if requirements.files.contains(&path) || requirements.files.len() >= MAX_FILES {
            continue;
        }
        let Some(text) = project.text(&path) else { continue };
        requirements.files.push(path.clone());
        for (number, line) in lines(text) {
            match included(line) {
                Some(name) => match resolve(folder_of(&path), name).filter(|at| project.contains(at)) {
                    Some(at) => waiting.push(at),
                    None => requirements.absent.push((path.clone(), number, name.to_owned())),
                },
                None if is_local(line) => requirements.local.push((path.clone(), number)),
                None => requirements.names.extend(names_in(line)),
            }
        }
    }
    requirements
}

/// The name a requirement starts with, normalised, and `name[extra]` for each of its extras.
pub fn names_in(requirement: &str) -> Vec<String> {
    let end = requirement
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Vec::new();
    }
    let name = normalized(name);
    let extras = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let mut names = vec![name.clone()];
    for extra in extras.map_or("", |(extras, _)| extras).split(',').filter(|extra| !extra.trim().is_empty()) {
        names.push(format!("{name}[{}]", normalized(extra.trim())));
    }
    names
}

/// It can be given to the installer as one requirement and is nothing else.
pub fn is_requirement(text: &str) -> bool {
    text.len() <= 500
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.chars().any(char::is_control)
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.trim_start_matches('\u{feff}').lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim_end_matches('\\');
        let line = if line.trim_start().starts_with('#') { "" } else { line };
        let line = line.split(" #").next().unwrap_or_default().trim();
        (!line.is_empty()).then_some((index + 1, line))
    })
}

/// The file of `-r file`, `--requirement=file`, `-c file`.
fn included(line: &str) -> Option<&str> {
    ["--requirement", "--constraint", "-r", "-c"].iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        let name = rest.strip_prefix(['=', ' ']).or_else(|| (option.len() == 2).then_some(rest))?;
        Some(name.trim())
    })
}

fn is_local(line: &str) -> bool {
    let target = line
        .strip_prefix("-e")
        .or_else(|| line.strip_prefix("--editable"))
        .map_or(line, |rest| rest.trim_start_matches(['=', ' ']));
    target == "." || target.starts_with("./") || target.starts_with("../") || target.starts_with(".[")
}

/// `name` seen from `folder`; `None` when that leaves the tree.
fn resolve(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let (name, folders) = parts.split_last()?;
    Some(join(&folders.join("/"), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn names_extras_and_includes_are_read() {
        let files = tree(&[
            (
                "api/requirements.txt",
                "# x\nFast_API[standard]>=0.1 # y\n-r ../base.txt\n-c c.txt\n-e .\n--hash=1\n-r ../../etc/passwd",
            ),
            ("base.txt", "SQLAlchemy==2\n-r api/requirements.txt\n"),
        ]);
        let read = project_of(&files, |project| read(project, "api/requirements.txt"));
        let names: Vec<_> = read.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["fast-api", "fast-api[standard]", "sqlalchemy"]);
        assert_eq!(read.files, ["api/requirements.txt", "base.txt"]);
        assert_eq!(read.local, [("api/requirements.txt".to_owned(), 5)]);
        assert_eq!(read.absent.len(), 2);
    }

    #[test]
    fn options_are_no_requirements() {
        assert!(!is_requirement("--index-url=x"));
        assert!(!is_requirement("a\nb"));
        assert!(is_requirement("uvicorn[standard]>=0.30; python_version > '3'"));
    }
}
