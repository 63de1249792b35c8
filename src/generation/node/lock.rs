//! The package manager: by lockfile, else by `packageManager`, else npm; and whether the lockfile
//! still says what package.json says.

use serde_json::Value;

use super::package::Package;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};
use crate::generation::recipe::PackageManager;

pub struct Lock {
    pub manager: PackageManager,
    pub file: Option<String>,
    /// It names what package.json names, so nothing else may be installed.
    pub is_current: bool,
    /// Some package may want to run something when installed.
    pub install_scripts: bool,
}

const FETCHED: &str = "its lockfile is there; it is fetched from the package registry itself";
/// Those that are run when nothing says which.
const PNPM: &str = "9.15.9";
const PNPM_10: &str = "10.34.9";
const YARN: &str = "1.22.22";
const BERRY: &str = "4.9.2";
const BUN: &str = "1.2.23";

pub fn choose(project: &Project<'_>, package: &Package, notes: &mut Notes) -> Lock {
    let folder = package.folder();
    let there = |name: &str| Some(join(folder, name)).filter(|path| project.contains(path));
    let first = |names: &[&str]| names.iter().find_map(|name| there(name));
    let (manager, file, reason) = if let Some(file) = first(&["package-lock.json", "npm-shrinkwrap.json"]) {
        (PackageManager::NpmLocked, Some(file), "its lockfile is there: exactly what it names is installed")
    } else if let Some(file) = there("pnpm-lock.yaml") {
        let version = asked(package, "pnpm").unwrap_or_else(|| pnpm_version(project.text(&file)));
        (PackageManager::Pnpm(version), Some(file), FETCHED)
    } else if let Some(file) = there("yarn.lock") {
        let modern = project.text(&file).is_some_and(|text| text.contains("__metadata:"));
        let version = asked(package, "yarn").unwrap_or_else(|| if modern { BERRY } else { YARN }.to_owned());
        (PackageManager::Yarn(version), Some(file), FETCHED)
    } else if let Some(file) = first(&["bun.lock", "bun.lockb"]) {
        let version = asked(package, "bun").unwrap_or_else(|| BUN.to_owned());
        (PackageManager::Bun(version), Some(file), FETCHED)
    } else if let Some((manager, reason)) = by_name(project, package) {
        (manager, None, reason)
    } else {
        let reason = "no lockfile is there: the newest versions package.json allows are installed";
        (PackageManager::Npm, None, reason)
    };
    let manager = fitting(project, manager, package, notes);
    let place = Place::file(file.as_deref().unwrap_or(&package.path));
    notes.decide("package manager", name_of(&manager), Source::Detected, reason, place);
    checked(project, package, manager, file, notes)
}

/// pnpm from 11 on needs a newer Node than most base images have; 10 reads the same lockfiles.
fn fitting(
    project: &Project<'_>,
    manager: PackageManager,
    package: &Package,
    notes: &mut Notes,
) -> PackageManager {
    let node = project.bases.default_node().parse::<u32>().unwrap_or(u32::MAX);
    match manager {
        PackageManager::Pnpm(version)
            if node < 22
                && version.split('.').next().and_then(|major| major.parse::<u32>().ok()) > Some(10) =>
        {
            let message =
                format!("pnpm {version} is asked for, which does not run on Node {node}; {PNPM_10} is used");
            notes.warn(message, Place::file(&package.path));
            PackageManager::Pnpm(PNPM_10.to_owned())
        }
        manager => manager,
    }
}

fn name_of(manager: &PackageManager) -> String {
    match manager {
        PackageManager::NpmLocked | PackageManager::Npm => "npm".to_owned(),
        PackageManager::Pnpm(version) => format!("pnpm {version}"),
        PackageManager::Yarn(version) => format!("yarn {version}"),
        PackageManager::Bun(version) => format!("bun {version}"),
    }
}

/// No lockfile: `packageManager` names it, or a workspace only pnpm understands.
fn by_name(project: &Project<'_>, package: &Package) -> Option<(PackageManager, &'static str)> {
    const SAID: &str = "packageManager names it; no lockfile is there";
    if let Some(version) = asked(package, "pnpm") {
        return Some((PackageManager::Pnpm(version), SAID));
    }
    if let Some(version) = asked(package, "yarn") {
        return Some((PackageManager::Yarn(version), SAID));
    }
    if let Some(version) = asked(package, "bun") {
        return Some((PackageManager::Bun(version), SAID));
    }
    let workspace = join(package.folder(), "pnpm-workspace.yaml");
    project
        .contains(&workspace)
        .then(|| (PackageManager::Pnpm(PNPM.to_owned()), "pnpm-workspace.yaml is only understood by it"))
}

/// The version `packageManager` asks of this manager.
fn asked(package: &Package, name: &str) -> Option<String> {
    let version = package.manager.as_deref()?.strip_prefix(name)?.strip_prefix('@')?;
    let version = version.split('+').next().unwrap_or_default();
    let ok = !version.is_empty()
        && version.len() <= 20
        && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    ok.then(|| version.to_owned())
}

/// The newest pnpm that reads this version of its lockfile.
fn pnpm_version(lockfile: Option<&str>) -> String {
    let first = lockfile.and_then(|text| text.lines().find_map(|line| line.strip_prefix("lockfileVersion:")));
    let version = first.unwrap_or_default().trim().trim_matches(['\'', '"']);
    match version.split('.').next() {
        Some("5") => "7.33.7",
        Some("6") => "8.15.9",
        _ => PNPM,
    }
    .to_owned()
}

/// A lockfile that does not say what package.json says would be refused by its own manager.
fn checked(
    project: &Project<'_>,
    package: &Package,
    manager: PackageManager,
    file: Option<String>,
    notes: &mut Notes,
) -> Lock {
    let Some(path) = file else {
        return Lock { manager, file: None, is_current: false, install_scripts: true };
    };
    if manager != PackageManager::NpmLocked {
        let missing = project.text(&path).and_then(|text| {
            let names = package.dependencies.keys().chain(package.dev_dependencies.keys());
            names.into_iter().find(|name| !text.contains(name.as_str()))
        });
        if let Some(name) = missing {
            let message = format!("does not name {name}, which package.json does; it is brought up to date");
            notes.warn(message, Place::file(&path));
        }
        let is_current = missing.is_none();
        return Lock { manager, file: Some(path), is_current, install_scripts: true };
    }
    let Some(Ok(json)) = project.text(&path).map(serde_json::from_str::<Value>) else {
        notes.warn("not used: it is no JSON", Place::file(&path));
        return Lock { manager: PackageManager::Npm, file: None, is_current: false, install_scripts: true };
    };
    let install_scripts = has_install_scripts(&json);
    match out_of_date(&json, package) {
        Some(name) => {
            let message = format!("names another {name} than package.json; it is brought up to date");
            notes.warn(message, Place::file(&path));
            let manager = PackageManager::Npm;
            Lock { manager, file: Some(path), is_current: false, install_scripts: true }
        }
        None => Lock { manager, file: Some(path), is_current: true, install_scripts },
    }
}

/// A package whose range differs between the two.
fn out_of_date(lock: &Value, package: &Package) -> Option<String> {
    let top = lock.get("packages")?.get("")?.as_object()?;
    for (key, listed) in
        [("dependencies", &package.dependencies), ("devDependencies", &package.dev_dependencies)]
    {
        for (name, range) in listed {
            let locked = top.get(key).and_then(|names| names.get(name));
            let locked = locked.or_else(|| top.get("optionalDependencies")?.get(name));
            if locked.and_then(Value::as_str) != Some(range) {
                return Some(name.clone());
            }
        }
    }
    None
}

/// A lockfile of npm says whether any package wants to run something when installed.
fn has_install_scripts(lock: &Value) -> bool {
    match lock.get("packages").and_then(Value::as_object) {
        Some(packages) => {
            packages.values().any(|package| package.get("hasInstallScript") == Some(&Value::Bool(true)))
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    fn chosen(files: &[(&str, &str)]) -> (PackageManager, bool, usize) {
        project_of(&tree(files), |project| {
            let mut notes = Notes::default();
            let lock = choose(project, project.package().expect("a package"), &mut notes);
            (lock.manager, lock.is_current, notes.warnings.len())
        })
    }

    #[test]
    fn lockfile_then_name_then_npm() {
        let package =
            ("package.json", r#"{"dependencies":{"a":"^1"},"packageManager":"pnpm@8.1.0+sha512.x"}"#);
        let pnpm = PackageManager::Pnpm("8.1.0".into());
        assert_eq!(chosen(&[package]), (pnpm.clone(), false, 0));
        assert_eq!(chosen(&[package, ("pnpm-lock.yaml", "a:")]), (pnpm.clone(), true, 0));
        assert_eq!(chosen(&[package, ("pnpm-lock.yaml", "b:")]), (pnpm, false, 1));
        let newest = ("package.json", r#"{"packageManager":"pnpm@11.8.0"}"#);
        assert_eq!(chosen(&[newest]), (PackageManager::Pnpm(PNPM_10.into()), false, 1));
        let plain = ("package.json", r#"{"dependencies":{"a":"^1"}}"#);
        assert_eq!(chosen(&[plain]), (PackageManager::Npm, false, 0));
        assert_eq!(chosen(&[plain, ("yarn.lock", "__metadata:\n a@")]).0, PackageManager::Yarn(BERRY.into()));
        assert_eq!(chosen(&[plain, ("bun.lock", "\"a\"")]).0, PackageManager::Bun(BUN.into()));
    }

    #[test]
    fn an_npm_lock_that_says_another_thing_is_brought_up_to_date() {
        let plain = ("package.json", r#"{"dependencies":{"a":"^1"}}"#);
        let good = r#"{"packages":{"":{"dependencies":{"a":"^1"}}}}"#;
        let other = r#"{"packages":{"":{"dependencies":{"a":"^2"}}}}"#;
        assert_eq!(chosen(&[plain, ("package-lock.json", good)]), (PackageManager::NpmLocked, true, 0));
        assert_eq!(chosen(&[plain, ("package-lock.json", other)]), (PackageManager::Npm, false, 1));
        assert_eq!(chosen(&[plain, ("package-lock.json", "{")]), (PackageManager::Npm, false, 1));
    }
}
