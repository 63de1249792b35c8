//! Dependencies named by projects and lockfiles: PEP 621, Poetry, PDM and Pipenv.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::requirements::{is_requirement, names_in};

/// What a pyproject.toml says of dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Project {
    /// `[project] dependencies`: the installer reads them itself.
    Standard { requirements: Vec<String> },
    /// `[tool.poetry.dependencies]`, rewritten as requirements.
    Poetry { requirements: Vec<String> },
}

/// `None` when it is no TOML or names no dependencies (a file with tool settings only).
pub fn read_project(text: &str) -> Option<Project> {
    let table: Table = text.parse().ok()?;
    if let Some(listed) = table.get("project").and_then(|project| project.get("dependencies")) {
        let requirements = listed.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        return Some(Project::Standard { requirements });
    }
    let poetry = table.get("tool")?.get("poetry")?.get("dependencies")?.as_table()?;
    let requirements = poetry.iter().filter_map(|(name, value)| poetry_requirement(name, value));
    Some(Project::Poetry { requirements: requirements.filter(|text| is_requirement(text)).collect() })
}

/// Every package a pyproject.toml or a Pipfile names for running, normalised, with extras.
pub fn named(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<Table>() else { return Vec::new() };
    let mut names = Vec::new();
    let standard = table.get("project").and_then(|project| project.get("dependencies"));
    for requirement in standard.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        names.extend(names_in(requirement));
    }
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies"));
    for packages in [poetry, table.get("packages")].into_iter().flatten().filter_map(Value::as_table) {
        let requirements = packages.iter().filter_map(|(name, value)| poetry_requirement(name, value));
        requirements.for_each(|requirement| names.extend(names_in(&requirement)));
    }
    names
}

/// `requires-python`, or Poetry's `python`.
pub fn python_wanted(text: &str) -> Option<String> {
    let table: Table = text.parse().ok()?;
    let standard = table.get("project").and_then(|project| project.get("requires-python"));
    let poetry = || table.get("tool")?.get("poetry")?.get("dependencies")?.get("python");
    standard.or_else(poetry)?.as_str().map(str::to_owned)
}

/// `[packages]` of a Pipfile.
pub fn read_pipfile(text: &str) -> Option<Vec<String>> {
    let table: Table = text.parse().ok()?;
    let packages = table.get("packages")?.as_table()?;
    let requirements = packages.iter().filter_map(|(name, value)| poetry_requirement(name, value));
    Some(requirements.filter(|text| is_requirement(text)).collect())
}

/// What a Pipfile.lock pins for running; `None` when something in it is no plain package.
pub fn read_pipfile_lock(text: &str) -> Option<Vec<String>> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut pinned = Vec::new();
    for (name, package) in json.get("default")?.as_object()? {
        let version = package.get("version")?.as_str()?;
        let extras: Vec<&str> = package
            .get("extras")
            .and_then(serde_json::Value::as_array)
            .map(|extras| extras.iter().filter_map(serde_json::Value::as_str).collect())
            .unwrap_or_default();
        let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
        let marker = package.get("markers").and_then(serde_json::Value::as_str);
        let marker = marker.map(|marker| format!(" ; {marker}")).unwrap_or_default();
        pinned.push(format!("{name}{extras}{version}{marker}"));
    }
    pinned.iter().all(|text| is_requirement(text)).then_some(pinned)
}

/// Pinned requirements for everything in a poetry.lock or pdm.lock that is not for development alone.
/// `None` when something in it is not a plain package of an index.
pub fn read_poetry_lock(text: &str) -> Option<Vec<String>> {
    let table: Table = text.parse().ok()?;
    let mut pinned = BTreeMap::new();
    for package in table.get("package")?.as_array()? {
        let (name, version) = (package.get("name")?.as_str()?, package.get("version")?.as_str()?);
        if package.get("source").is_some() {
            return None;
        }
        let optional = package.get("optional").and_then(Value::as_bool).unwrap_or(false);
        let category = package.get("category").and_then(Value::as_str).unwrap_or("main");
        let groups = package.get("groups").and_then(Value::as_array);
        let main = groups.is_none_or(|groups| {
            groups.iter().any(|group| matches!(group.as_str(), Some("main" | "default")))
        });
        if optional || category != "main" || !main {
            continue;
        }
        let marker = package.get("markers").or_else(|| package.get("marker")).and_then(Value::as_str);
        let marker = marker.map(|marker| format!(" ; {marker}")).unwrap_or_default();
        let requirement = format!("{name}=={version}{marker}");
        if !is_requirement(&requirement) {
            return None;
        }
        pinned.insert(name.to_owned(), requirement);
    }
    Some(pinned.into_values().collect())
}

fn poetry_requirement(name: &str, value: &Value) -> Option<String> {
    if name == "python" {
        return None;
    }
    let optional = value.get("optional").and_then(Value::as_bool).unwrap_or(false);
    let version = value.as_str().or_else(|| value.get("version")?.as_str())?;
    let extras: Vec<&str> = value
        .get("extras")
        .and_then(Value::as_array)
        .map(|extras| extras.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    (!optional).then(|| format!("{name}{extras}{}", version_range(version)))
}

/// Poetry's `^1.2` and `~1.2` as ordinary ranges.
fn version_range(text: &str) -> String {
    let ranges: Vec<String> = text.split(',').filter_map(|part| one_range(part.trim())).collect();
    ranges.join(",")
}

fn one_range(text: &str) -> Option<String> {
    if text == "*" || text.is_empty() {
        return None;
    }
    if let Some(version) = text.strip_prefix('^') {
        let parts = numbers(version);
        // The first number that is not zero may not grow.
        let fixed = parts.iter().position(|number| *number > 0).unwrap_or(parts.len().saturating_sub(1));
        return Some(format!(">={version},<{}", next_after(&parts, fixed)));
    }
    if let Some(version) = text.strip_prefix('~').filter(|version| !version.starts_with('=')) {
        let parts = numbers(version);
        return Some(format!(">={version},<{}", next_after(&parts, usize::from(parts.len() > 1))));
    }
    let starts_bare = text.starts_with(|c: char| c.is_ascii_digit());
    Some(if starts_bare { format!("=={text}") } else { text.to_owned() })
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

fn next_after(parts: &[u64], fixed: usize) -> String {
    let kept = parts.iter().take(fixed).copied();
    let grown = parts.get(fixed).copied().unwrap_or(0).saturating_add(1);
    let numbers: Vec<String> = kept.chain([grown]).map(|number| number.to_string()).collect();
    numbers.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poetry_ranges_become_ordinary_ones() {
        assert_eq!(version_range("^1.2.3"), ">=1.2.3,<2");
        assert_eq!(version_range("^0.115"), ">=0.115,<0.116");
        assert_eq!(version_range("~1.2"), ">=1.2,<1.3");
        assert_eq!(version_range("*"), "");
        assert_eq!(version_range("1.5"), "==1.5");
        assert_eq!(version_range(">=1,<2"), ">=1,<2");
        assert_eq!(version_range("^x"), ">=x,<1");
    }

    #[test]
    fn projects_and_locks_are_read() {
        let standard = read_project("[project]\ndependencies = ['fastapi>=0.1']\n");
        assert_eq!(standard, Some(Project::Standard { requirements: vec!["fastapi>=0.1".into()] }));
        let poetry = "[tool.poetry.dependencies]\npython = '^3.11'\nflask = '^3.0'\nuvicorn = {version='*', extras=['standard']}\n";
        assert_eq!(
            read_project(poetry),
            Some(Project::Poetry { requirements: vec!["flask>=3.0,<4".into(), "uvicorn[standard]".into()] })
        );
        assert_eq!(python_wanted(poetry).as_deref(), Some("^3.11"));
        assert_eq!(read_project("[tool.black]\n"), None);
        assert_eq!(read_project("[["), None);
        let lock = "[[package]]\nname='a'\nversion='1'\ngroups=['main']\n[[package]]\nname='b'\nversion='2'\ngroups=['dev']\n";
        assert_eq!(read_poetry_lock(lock), Some(vec!["a==1".into()]));
        let pdm = "[[package]]\nname='a'\nversion='1'\ngroups=['default']\nmarker='python_version>\"3\"'\n[[package]]\nname='b'\nversion='2'\ngroups=['dev']\n";
        assert_eq!(read_poetry_lock(pdm), Some(vec!["a==1 ; python_version>\"3\"".into()]));
        let pipfile = "[packages]\nflask = '*'\nuvicorn = {extras=['standard'], version='>=0.1'}\n";
        assert_eq!(read_pipfile(pipfile), Some(vec!["flask".into(), "uvicorn[standard]>=0.1".into()]));
        let lock =
            r#"{"default":{"flask":{"version":"==3.0.0","markers":"python_version >= '3.8'"}},"develop":{}}"#;
        assert_eq!(read_pipfile_lock(lock), Some(vec!["flask==3.0.0 ; python_version >= '3.8'".into()]));
    }
}
