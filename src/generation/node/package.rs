//! package.json, read for what it runs and needs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::workspaces;
use crate::generation::plan::Place;
use crate::generation::project::{Project, folder_of, is_under};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// `web/package.json`.
    pub path: String,
    pub scripts: BTreeMap<String, String>,
    pub main: Option<String>,
    /// Names and version ranges.
    pub dependencies: BTreeMap<String, String>,
    pub dev_dependencies: BTreeMap<String, String>,
    /// What whoever uses it has to bring, which installers mostly do by themselves.
    pub peers: Vec<String>,
    /// What workspaces call it by.
    pub name: Option<String>,
    /// `"type": "module"`.
    pub is_module: bool,
    /// `engines.node`.
    pub node_wanted: Option<String>,
    /// `packageManager`, such as `pnpm@9.1.0`.
    pub manager: Option<String>,
    /// Some dependency is a folder of the tree.
    pub has_local: bool,
    /// package.json files of workspaces.
    pub workspaces: Vec<String>,
    /// It says under which address its pages are published.
    pub has_homepage: bool,
    /// It says how Prisma seeds.
    pub prisma_seed: bool,
}

impl Package {
    /// Those that are JSON objects, the nearest to the top first.
    pub fn all(project: &Project<'_>) -> Vec<Self> {
        let mut paths: Vec<&str> = project
            .paths()
            .filter(|path| *path == "package.json" || path.ends_with("/package.json"))
            .filter(|path| !path.split('/').any(|part| part == "node_modules"))
            .collect();
        paths.sort_by_key(|path| (path.matches('/').count(), *path));
        paths.into_iter().take(50).filter_map(|path| Self::read(project, path)).collect()
    }

    /// Listed at all, for whatever time.
    pub fn lists(&self, package: &str) -> bool {
        self.range_of(package).is_some()
    }

    /// The version range it is listed with.
    pub fn range_of(&self, package: &str) -> Option<&str> {
        let range = self.dependencies.get(package).or_else(|| self.dev_dependencies.get(package));
        range.map(String::as_str)
    }

    /// The major version of a package: `^15.1.0` is 15; `None` for `latest` and the like.
    pub fn major_of(&self, package: &str) -> Option<u32> {
        let range = self.range_of(package)?;
        let digits = range.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// Where a name stands in it as a key.
    pub fn place_of(&self, project: &Project<'_>, key: &str) -> Place {
        let quoted = format!("\"{key}\"");
        let is_key = |line: &str| {
            let rest = line.split_once(quoted.as_str()).map(|(_, rest)| rest.trim_start());
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        let text = project.text(&self.path).unwrap_or_default();
        let line = text.lines().position(is_key).map(|index| index + 1);
        Place { file: self.path.clone(), line }
    }

    pub fn script_place(&self, project: &Project<'_>, name: &str) -> Option<Place> {
        Some(self.place_of(project, name))
    }

    pub fn folder(&self) -> &str {
        folder_of(&self.path)
    }

    pub fn needs(&self, package: &str) -> bool {
        self.dependencies.contains_key(package)
    }

    fn read(project: &Project<'_>, path: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(project.text(path)?.trim_start_matches('\u{feff}')).ok()?;
        let object = json.as_object()?;
        let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        let names = |key: &str| -> BTreeMap<String, String> {
            let listed = object.get(key).and_then(Value::as_object).into_iter().flatten();
            listed.map(|(name, range)| (name.clone(), range.as_str().unwrap_or("*").to_owned())).collect()
        };
        let scripts = object.get("scripts").and_then(Value::as_object).map(|scripts| {
            let texts =
                scripts.iter().filter_map(|(name, script)| Some((name.clone(), script.as_str()?.to_owned())));
            texts.collect()
        });
        let mut dependencies = names("dependencies");
        dependencies.extend(names("optionalDependencies"));
        Some(Self {
            path: path.to_owned(),
            scripts: scripts.unwrap_or_default(),
            name: text("name"),
            main: text("main"),
            dependencies,
            dev_dependencies: names("devDependencies"),
            peers: names("peerDependencies").into_keys().collect(),
            is_module: object.get("type").and_then(Value::as_str) == Some("module"),
            node_wanted: json.pointer("/engines/node").and_then(Value::as_str).map(str::to_owned),
            manager: text("packageManager"),
            has_local: ["dependencies", "devDependencies", "optionalDependencies"].iter().any(|key| {
                let versions =
                    object.get(*key).and_then(Value::as_object).into_iter().flat_map(|map| map.values());
                versions.filter_map(Value::as_str).any(|version| {
                    ["file:", "link:", "workspace:", "./", "../"]
                        .iter()
                        .any(|start| version.starts_with(start))
                })
            }),
            workspaces: workspaces::members(project, path, &json),
            has_homepage: object.get("homepage").is_some_and(Value::is_string),
            prisma_seed: json.pointer("/prisma/seed").is_some_and(Value::is_string),
        })
    }
}

/// A file lies under the package, and under none that lies deeper.
pub fn owns(packages: &[Package], package: &Package, path: &str) -> bool {
    let deeper =
        |other: &Package| other.folder().len() > package.folder().len() && is_under(path, other.folder());
    is_under(path, package.folder()) && !packages.iter().any(deeper)
}
