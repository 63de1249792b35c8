//! From package.json and lockfiles to how an image gets its `node_modules`.

use std::collections::{BTreeMap, BTreeSet};

use super::lock::Lock;
use super::missing::Missing;
use super::package::Package;
use super::{lock, missing, neon, prisma};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{DependencyFile, NodeRecipe, PackageManager};

/// What building and starting need of the installation.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Packages besides those package.json names.
    pub packages: Vec<String>,
    /// The start command uses development dependencies.
    pub dev: bool,
    /// Commands that build, in order; empty when nothing is built.
    pub build: Vec<Vec<String>>,
    /// Nothing of `node_modules` is needed once it is built.
    pub only_pages: bool,
}

pub fn recipe(project: &Project<'_>, needs: Needs, notes: &mut Notes) -> NodeRecipe {
    let Some(package) = project.package() else { return without_package(project, needs, notes) };
    recipe_of(project, package, needs, notes)
}

/// The recipe for one package of the tree.
pub fn recipe_of(
    project: &Project<'_>,
    package: &Package,
    mut needs: Needs,
    notes: &mut Notes,
) -> NodeRecipe {
    let root = workspace_root(project, package);
    let lock = lock::choose(project, root, notes);
    add_missing(project, package, &lock, &mut needs, notes);
    let is_workspace = package.has_local || root.has_local || !root.workspaces.is_empty();
    let neon = neon::stand_in(project, package, is_workspace, &mut needs, notes);
    let names = package.dependencies.len() + package.dev_dependencies.len() + needs.packages.len();
    let install = names > 0 || !root.workspaces.is_empty();
    let in_place = install && is_workspace;
    if in_place {
        let reason = "packages lie among the source, so a change of source installs again";
        let place = Place::file(&root.path);
        notes.decide("node_modules", "beside the source", Source::Detected, reason, place);
    }
    let npm = matches!(lock.manager, PackageManager::Npm | PackageManager::NpmLocked);
    let builds = !needs.build.is_empty();
    let prune = npm && builds && !needs.dev && needs.packages.is_empty() && !in_place && !needs.only_pages;
    let mut files = dependency_files(project, root, lock.file.as_deref());
    let mut prepare = prisma::prepare(project, package, in_place, &mut files, notes);
    let mut support = BTreeMap::new();
    let runs_tools = !prepare.is_empty();
    if let Some(neon) = neon {
        prepare.push(neon.command);
        support = neon.support;
    }
    NodeRecipe {
        dependency_files: files,
        manager: lock.manager,
        lock_is_current: lock.is_current,
        prune: prune && !package.dev_dependencies.is_empty(),
        in_place,
        install_scripts: install && lock.install_scripts,
        install,
        dev_dependencies: needs.dev || builds || runs_tools,
        packages: needs.packages,
        install_folder: plain(root.folder()),
        prepare,
        support,
        build: needs.build,
        build_otherwise: Vec::new(),
        build_environment: BTreeMap::new(),
    }
}

/// What package.json forgot: installed where it is well known and no lock says exactly what is,
/// else said.
fn add_missing(project: &Project<'_>, package: &Package, lock: &Lock, needs: &mut Needs, notes: &mut Notes) {
    let root = workspace_root(project, package);
    let missing = missing::find(project, package, root, lock.file.as_deref());
    let missing = missing.into_iter().filter(|missing| !needs.packages.contains(&missing.package));
    for Missing { package: name, place } in missing.take(20).collect::<Vec<_>>() {
        if lock.manager == PackageManager::Npm && missing::is_well_known(&name) {
            let reason = format!("imported here, and {} does not name it", package.path);
            notes.decide("package", &name, Source::Detected, reason, place);
            needs.packages.push(name);
        } else {
            notes.warn(format!("needs {name}, which {} does not name", package.path), place);
        }
    }
}

/// The package whose workspaces this one is of, else itself.
pub fn workspace_root<'p>(project: &'p Project<'_>, package: &'p Package) -> &'p Package {
    let member = |root: &&Package| root.workspaces.contains(&package.path);
    project.packages().iter().find(member).unwrap_or(package)
}

/// Odd names of folders cannot stand in a Dockerfile.
fn plain(folder: &str) -> String {
    if is_plain_path(folder) { folder.to_owned() } else { String::new() }
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
        lock_is_current: true,
        install: !packages.is_empty(),
        packages: packages.into_iter().collect(),
        dev_dependencies: false,
        install_scripts: true,
        prune: false,
        in_place: false,
        install_folder: String::new(),
        prepare: Vec::new(),
        support: BTreeMap::new(),
        build: needs.build,
        build_otherwise: Vec::new(),
        build_environment: BTreeMap::new(),
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
        && !BUILT_IN.contains(&name.as_str())
        // Names that builders give to folders of the tree.
        && !name.starts_with("@/")
        && name != "bun";
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
