//! package.json, read for what it runs and needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::generation::project::{Project, folder_of, join};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// `web/package.json`.
    pub path: String,
    pub scripts: BTreeMap<String, String>,
    pub main: Option<String>,
    pub dependencies: BTreeSet<String>,
    pub dev_dependencies: BTreeSet<String>,
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
}

impl Package {
    /// The one nearest to the top that is a JSON object.
    pub fn find(project: &Project<'_>) -> Option<Self> {
        let mut paths: Vec<&str> = project
            .paths()
            .filter(|path| *path == "package.json" || path.ends_with("/package.json"))
            .collect();
        paths.sort_by_key(|path| (path.matches('/').count(), *path));
        paths.into_iter().take(20).find_map(|path| Self::read(project, path))
    }

    pub fn folder(&self) -> &str {
        folder_of(&self.path)
    }

    pub fn needs(&self, package: &str) -> bool {
        self.dependencies.contains(package)
    }

    fn read(project: &Project<'_>, path: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(project.text(path)?.trim_start_matches('\u{feff}')).ok()?;
        let object = json.as_object()?;
        let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        let names = |key: &str| -> BTreeSet<String> {
            object
                .get(key)
                .and_then(Value::as_object)
                .map(|map| map.keys().cloned().collect())
                .unwrap_or_default()
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
            main: text("main"),
            dependencies,
            dev_dependencies: names("devDependencies"),
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
            workspaces: workspaces(project, path, object.get("workspaces").is_some()),
        })
    }
}

/// With workspaces, every package.json under the folder takes part in the installation.
fn workspaces(project: &Project<'_>, path: &str, declared: bool) -> Vec<String> {
    let folder = folder_of(path);
    if !declared && !project.contains(&join(folder, "pnpm-workspace.yaml")) {
        return Vec::new();
    }
    let under = |other: &&str| {
        *other != path
            && other.ends_with("/package.json")
            && (folder.is_empty() || other.starts_with(&format!("{folder}/")))
    };
    project.paths().filter(under).take(200).map(str::to_owned).collect()
}
