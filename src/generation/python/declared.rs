//! Every package the tree's Python asks for, wherever it says so: what an app expects of its
//! surroundings is told from it.

use std::collections::BTreeMap;

use super::packages::package_of;
use super::{normalized, requirements};
use crate::generation::plan::Place;
use crate::generation::project::{Project, folder_of, name_of};

/// Normalised names and `name[extra]`, with where each stands first: in requirement files, else in
/// pyproject.toml or a Pipfile, else where it is imported.
pub fn declared(project: &Project<'_>) -> BTreeMap<String, Place> {
    let mut found = BTreeMap::new();
    let mut add = |name: String, file: &str, line: usize| {
        found.entry(name).or_insert_with(|| Place { file: file.to_owned(), line: Some(line) });
    };
    for path in project.paths().filter(|path| is_requirement_file(path)).take(50) {
        let Some(text) = project.text(path) else { continue };
        for (index, line) in text.lines().enumerate().take(5000) {
            requirements::names_in(line.trim()).into_iter().for_each(|name| add(name, path, index + 1));
        }
    }
    for path in project.paths().filter(|path| matches!(name_of(path), "pyproject.toml" | "Pipfile")).take(50)
    {
        let Some(text) = project.text(path) else { continue };
        for name in super::lockfiles::named(text) {
            let line = text.lines().position(|line| mentions(line, &name)).unwrap_or(0);
            add(name, path, line + 1);
        }
    }
    for file in project.python() {
        for import in file.imports.iter().filter(|import| import.level == 0) {
            let local = project.contains(&format!("{}.py", import.top())) || project.has_folder(import.top());
            let Some(package) = package_of(&import.module).filter(|_| !local) else { continue };
            requirements::names_in(&package).into_iter().for_each(|name| add(name, &file.path, import.line));
        }
    }
    found
}

fn is_requirement_file(path: &str) -> bool {
    let name = name_of(path);
    name.ends_with(".txt")
        && (name.starts_with("requirements") || folder_of(path).rsplit('/').next() == Some("requirements"))
}

fn mentions(line: &str, name: &str) -> bool {
    let line = normalized(line);
    let name = name.split('[').next().unwrap_or(name);
    line.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn every_way_to_name_a_package_counts() {
        let files = tree(&[
            ("api/requirements.txt", "# x\nFastAPI[standard]>=0.1\n"),
            ("pyproject.toml", "[project]\nname='x'\ndependencies = [\n  'SQLAlchemy>=2',\n]\n"),
            ("Pipfile", "[packages]\nredis = '*'\n"),
            ("main.py", "import yaml\nimport local.x\nimport os\n"),
            ("local/x.py", ""),
        ]);
        let found = project_of(&files, declared);
        let names: Vec<(&str, &str, Option<usize>)> =
            found.iter().map(|(name, place)| (name.as_str(), place.file.as_str(), place.line)).collect();
        assert_eq!(
            names,
            [
                ("fastapi", "api/requirements.txt", Some(2)),
                ("fastapi[standard]", "api/requirements.txt", Some(2)),
                ("pyyaml", "main.py", Some(1)),
                ("redis", "Pipfile", Some(2)),
                ("sqlalchemy", "pyproject.toml", Some(4)),
            ]
        );
    }
}
