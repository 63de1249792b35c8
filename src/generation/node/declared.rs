//! Every package the tree's JavaScript asks for, wherever it says so.

use std::collections::BTreeMap;

use super::install::package_of;
use crate::generation::plan::Place;
use crate::generation::project::Project;

/// Names with where each stands first: in a package.json, else, without any, where it is imported.
pub fn declared(project: &Project<'_>) -> BTreeMap<String, Place> {
    let mut found = BTreeMap::new();
    for package in project.packages() {
        for name in package.dependencies.keys().chain(package.dev_dependencies.keys()) {
            found.entry(name.clone()).or_insert_with(|| package.place_of(project, name));
        }
    }
    if project.packages().is_empty() {
        for file in project.node() {
            for (module, line) in &file.imports {
                if let Some(name) = package_of(module) {
                    let place = Place { file: file.path.clone(), line: Some(*line) };
                    found.entry(name).or_insert(place);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn lists_count_before_imports() {
        let listed = tree(&[
            ("web/package.json", "{\n \"dependencies\": {\n  \"pg\": \"8\"\n }\n}"),
            ("a.js", "require('x')"),
        ]);
        let found = project_of(&listed, declared);
        assert_eq!(found.get("pg"), Some(&Place { file: "web/package.json".into(), line: Some(3) }));
        assert_eq!(found.len(), 1);
        let imported = tree(&[("a.js", "const x = require('pg');\n")]);
        assert!(project_of(&imported, declared).contains_key("pg"));
    }
}
