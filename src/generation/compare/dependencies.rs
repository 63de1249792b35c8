//! Packages of two versions, as their manifests ask for them. Locked versions are left out: they
//! follow from what is asked for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::domain::FileSet;
use crate::generation::endpoints::sources::is_skipped;

const MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct DependencyChanges {
    pub added: Vec<Dependency>,
    pub removed: Vec<Dependency>,
    pub modified: Vec<ModifiedDependency>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Dependency {
    pub name: String,
    /// As the manifest asks for it: `>=2,<3`, `^19.0.0`; empty is any.
    pub version: String,
    /// The manifest.
    pub file: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModifiedDependency {
    pub name: String,
    pub before: String,
    pub after: String,
    pub file: String,
}

/// By language and name: the same package may be asked for in another manifest.
type Wanted = BTreeMap<(Language, String), Dependency>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Language {
    Python,
    Node,
    Go,
    Rust,
}

pub fn changes(before: &FileSet, after: &FileSet) -> DependencyChanges {
    let mut earlier = wanted(before);
    let mut changes = DependencyChanges::default();
    for (key, dependency) in wanted(after) {
        match earlier.remove(&key) {
            None => changes.added.push(dependency),
            Some(old) if old.version != dependency.version => {
                let Dependency { name, version: after, file } = dependency;
                changes.modified.push(ModifiedDependency { name, before: old.version, after, file });
            }
            Some(_) => {}
        }
    }
    changes.removed = earlier.into_values().collect();
    changes
}

fn wanted(files: &FileSet) -> Wanted {
    let mut all = Wanted::new();
    for (path, file) in files.iter() {
        if file.content.len() > MAX_BYTES || is_skipped(path.as_str()) {
            continue;
        }
        let Ok(text) = std::str::from_utf8(&file.content) else { continue };
        let (language, found) = match path.name() {
            "package.json" => (Language::Node, package_json(text)),
            "pyproject.toml" => (Language::Python, pyproject(text)),
            "Pipfile" => (Language::Python, tables(text, &["packages"])),
            "go.mod" => (Language::Go, go_mod(text)),
            "Cargo.toml" => (Language::Rust, tables(text, &["dependencies"])),
            name if name.starts_with("requirements") && name.ends_with(".txt") => {
                (Language::Python, text.lines().filter_map(requirement).collect())
            }
            _ => continue,
        };
        for (name, version) in found {
            let dependency = Dependency { name: name.clone(), version, file: path.as_str().to_owned() };
            all.entry((language, name)).or_insert(dependency);
        }
    }
    all
}

/// `fastapi[standard]>=0.1,<1 ; python_version > "3.8"  # why` to its name and `>=0.1,<1`.
fn requirement(line: &str) -> Option<(String, String)> {
    let line = line.split(" #").next().unwrap_or(line).split(';').next().unwrap_or(line).trim();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.trim_start();
    let version = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(_, rest)| rest);
    let version: String = version.split_whitespace().collect();
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    Some((name, version.trim_matches(['(', ')']).to_owned()))
}

fn package_json(text: &str) -> Vec<(String, String)> {
    let Ok(json) = serde_json::from_str::<Json>(text) else { return Vec::new() };
    let mut all = Vec::new();
    for section in ["dependencies", "devDependencies", "optionalDependencies"] {
        let listed = json.get(section).and_then(Json::as_object).into_iter().flatten();
        all.extend(
            listed.map(|(name, version)| (name.clone(), version.as_str().unwrap_or_default().to_owned())),
        );
    }
    all
}

/// `[project]` and its extras, and Poetry's own tables.
fn pyproject(text: &str) -> Vec<(String, String)> {
    let Ok(document) = text.parse::<toml::Table>() else { return Vec::new() };
    let mut all = Vec::new();
    let project = document.get("project");
    let listed = project.and_then(|project| project.get("dependencies")).and_then(toml::Value::as_array);
    let extras =
        project.and_then(|project| project.get("optional-dependencies")).and_then(toml::Value::as_table);
    let extras = extras.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_array);
    for list in listed.into_iter().chain(extras) {
        all.extend(list.iter().filter_map(|one| requirement(one.as_str()?)));
    }
    let poetry = document
        .get("tool")
        .and_then(|tool| tool.get("poetry"))
        .and_then(|poetry| poetry.get("dependencies"));
    all.extend(
        versions(poetry.and_then(toml::Value::as_table)).into_iter().filter(|(name, _)| name != "python"),
    );
    all
}

/// Tables of names and versions at the top of a TOML document.
fn tables(text: &str, names: &[&str]) -> Vec<(String, String)> {
    let Ok(document) = text.parse::<toml::Table>() else { return Vec::new() };
    let tables = names.iter().filter_map(|name| document.get(*name));
    tables.flat_map(|table| versions(table.as_table())).collect()
}

/// `name = "^1"`, `name = { version = "^1" }`.
fn versions(table: Option<&toml::Table>) -> Vec<(String, String)> {
    let entries = table.into_iter().flatten();
    let version = |value: &toml::Value| match value {
        toml::Value::String(version) => version.clone(),
        value => value.get("version").and_then(toml::Value::as_str).unwrap_or_default().to_owned(),
    };
    entries.map(|(name, value)| (name.to_ascii_lowercase().replace('_', "-"), version(value))).collect()
}

/// `require example.com/x v1.2.3`, alone or in brackets; what is marked as indirect follows.
fn go_mod(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        let entry = match line.strip_prefix("require") {
            Some(rest) if rest.trim() == "(" => {
                inside = true;
                continue;
            }
            Some(rest) => rest.trim(),
            None if line.starts_with(')') => {
                inside = false;
                continue;
            }
            None if inside => line,
            None => continue,
        };
        let mut words = entry.split_whitespace();
        if let (Some(name), Some(version), false) =
            (words.next(), words.next(), entry.contains("// indirect"))
        {
            all.push((name.to_owned(), version.to_owned()));
        }
    }
    all
}
