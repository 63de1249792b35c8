//! From package.json and lockfiles to how an image gets its `node_modules`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::package::Package;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, folder_of, join};
use crate::generation::recipe::{DependencyFile, NodeRecipe, PackageManager};

/// What the start command needs of the installation.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Packages besides those package.json names.
    pub packages: Vec<String>,
    /// The start command uses development dependencies.
    pub dev: bool,
    /// The script of package.json that builds.
    pub build_script: Option<String>,
}

pub fn recipe(project: &Project<'_>, needs: Needs, notes: &mut Notes) -> NodeRecipe {
    let Some(package) = project.package() else { return without_package(project, needs, notes) };
    let (manager, lockfile) = manager(project, package, notes);
    let names = package.dependencies.len() + package.dev_dependencies.len() + needs.packages.len();
    let install = names > 0 || !package.workspaces.is_empty();
    let install_scripts = install && has_install_scripts(project, lockfile.as_deref());
    let in_place = install && (package.has_local || !package.workspaces.is_empty());
    if in_place {
        let reason = "packages lie among the source, so a change of source installs again";
        notes.decide(
            "node_modules",
            "beside the source",
            Source::Detected,
            reason,
            Place::file(&package.path),
        );
    }
    let npm = matches!(manager, PackageManager::Npm | PackageManager::NpmLocked);
    let prune = npm && needs.build_script.is_some() && !needs.dev && needs.packages.is_empty() && !in_place;
    NodeRecipe {
        dependency_files: dependency_files(project, package, lockfile.as_deref()),
        manager,
        prune: prune && !package.dev_dependencies.is_empty(),
        in_place,
        install_scripts,
        install,
        dev_dependencies: needs.dev || needs.build_script.is_some(),
        packages: needs.packages,
        build_script: needs.build_script,
    }
}

/// No package.json: what is imported is what is installed.
fn without_package(project: &Project<'_>, needs: Needs, notes: &mut Notes) -> NodeRecipe {
    let mut packages: BTreeSet<String> = needs.packages.into_iter().collect();
    for file in project.node() {
        for (module, line) in &file.imports {
            if let Some(package) = package_of(module)
                && packages.insert(package.clone())
            {
                let reason = "imported here, and there is no package.json";
                notes.decide("package", package, Source::Detected, reason, Place::line(&file.path, *line));
            }
        }
    }
    NodeRecipe {
        dependency_files: BTreeMap::new(),
        manager: PackageManager::Npm,
        install: !packages.is_empty(),
        packages: packages.into_iter().collect(),
        dev_dependencies: false,
        install_scripts: true,
        prune: false,
        in_place: false,
        build_script: None,
    }
}

/// The package an import comes from; `None` for files of the tree and modules of Node.
pub fn package_of(module: &str) -> Option<String> {
    let parts = if module.starts_with('@') { 2 } else { 1 };
    let name: Vec<&str> = module.split('/').take(parts).collect();
    let name = name.join("/");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._@/".contains(c);
    let ok = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '@' || c.is_ascii_digit())
        && name.chars().all(plain)
        && name.split('/').count() == parts
        && !module.contains(':')
        && !BUILT_IN.contains(&name.as_str());
    ok.then_some(name)
}

const BUILT_IN: [&str; 37] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "stream",
    "string_decoder",
    "timers",
    "tls",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "zlib",
];

/// The package manager and its lockfile: by lockfile, else by `packageManager`, else npm.
fn manager(project: &Project<'_>, package: &Package, notes: &mut Notes) -> (PackageManager, Option<String>) {
    let folder = package.folder();
    let lock = |name: &str| Some(join(folder, name)).filter(|path| project.contains(path));
    let asked = |name: &str| {
        let version = package.manager.as_deref()?.strip_prefix(name)?.strip_prefix('@')?;
        let version = version.split('+').next().unwrap_or_default();
        let ok = !version.is_empty()
            && version.len() <= 20
            && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
        ok.then(|| version.to_owned())
    };
    let (manager, path, reason) = if let Some(path) =
        lock("package-lock.json").or(lock("npm-shrinkwrap.json"))
    {
        (PackageManager::NpmLocked, Some(path), "its lockfile is there: exactly what it names is installed")
    } else if let Some(path) = lock("pnpm-lock.yaml") {
        let version = asked("pnpm").unwrap_or_else(|| pnpm_version(project.text(&path)));
        (
            PackageManager::Pnpm(version),
            Some(path),
            "its lockfile is there; it is fetched from the package registry itself",
        )
    } else if let Some(path) = lock("yarn.lock") {
        let modern = project.text(&path).is_some_and(|text| text.contains("__metadata:"));
        let version = asked("yarn").unwrap_or_else(|| if modern { "4.9.2" } else { "1.22.22" }.to_owned());
        (
            PackageManager::Yarn(version),
            Some(path),
            "its lockfile is there; it is fetched from the package registry itself",
        )
    } else {
        (
            PackageManager::Npm,
            None,
            "no lockfile is there: the newest versions package.json allows are installed",
        )
    };
    let name = match &manager {
        PackageManager::NpmLocked | PackageManager::Npm => "npm".to_owned(),
        PackageManager::Pnpm(version) => format!("pnpm {version}"),
        PackageManager::Yarn(version) => format!("yarn {version}"),
    };
    let place = Place::file(path.as_deref().unwrap_or(&package.path));
    notes.decide("package manager", name, Source::Detected, reason, place);
    (manager, path)
}

/// The newest pnpm that reads this version of its lockfile.
fn pnpm_version(lockfile: Option<&str>) -> String {
    let first = lockfile.and_then(|text| text.lines().find_map(|line| line.strip_prefix("lockfileVersion:")));
    let version = first.unwrap_or_default().trim().trim_matches(['\'', '"']);
    match version.split('.').next() {
        Some("5") => "7.33.7",
        Some("6") => "8.15.9",
        _ => "9.15.9",
    }
    .to_owned()
}

/// Everything the installation reads: manifests, lockfile, settings, workspaces.
fn dependency_files(
    project: &Project<'_>,
    package: &Package,
    lockfile: Option<&str>,
) -> BTreeMap<String, DependencyFile> {
    let folder = package.folder();
    let settings = [".npmrc", "pnpm-workspace.yaml"].map(|name| join(folder, name));
    let mut paths: Vec<&str> = vec![&package.path];
    paths.extend(lockfile);
    paths.extend(settings.iter().map(String::as_str).filter(|path| project.contains(path)));
    paths.extend(package.workspaces.iter().map(String::as_str));
    let inside = |path: &str| path.strip_prefix(&format!("{folder}/")).unwrap_or(path).to_owned();
    paths.into_iter().map(|path| (inside(path), DependencyFile::Copied(path.to_owned()))).collect()
}

/// A lockfile of npm says whether any package wants to run something when installed.
fn has_install_scripts(project: &Project<'_>, lockfile: Option<&str>) -> bool {
    let Some(path) = lockfile.filter(|path| folder_of(path).len() < path.len() && path.ends_with(".json"))
    else {
        return true;
    };
    let Some(Ok(json)) = project.text(path).map(serde_json::from_str::<Value>) else { return true };
    match json.get("packages").and_then(Value::as_object) {
        Some(packages) => {
            packages.values().any(|package| package.get("hasInstallScript") == Some(&Value::Bool(true)))
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_mapped_to_packages() {
        assert_eq!(package_of("express").as_deref(), Some("express"));
        assert_eq!(package_of("@scope/a/b").as_deref(), Some("@scope/a"));
        assert_eq!(package_of("lodash/get").as_deref(), Some("lodash"));
        for none in ["./a", "../b", "node:fs", "fs", "fs/promises", "@scope", "http://x", "a b", "", "$(id)"]
        {
            assert_eq!(package_of(none), None, "{none}");
        }
    }
}
