//! How each package manager of Node is told to install, and nothing else: no code of the packages
//! is run yet.

use crate::generation::quoting::run_word;
use crate::generation::recipe::{NodeRecipe, PackageManager};

/// Else pnpm would fetch and run the version package.json names.
pub const PNPM_ITSELF: &str =
    "npm_config_manage_package_manager_versions=false npm_config_package_manager_strict=false";

pub fn commands(recipe: &NodeRecipe) -> Vec<String> {
    let quiet = "--ignore-scripts --no-audit --no-fund";
    let dev = recipe.dev_dependencies;
    let npm_dev = if dev { "--include=dev" } else { "--omit=dev" };
    let packages: String = recipe.packages.iter().map(|package| format!(" {}", run_word(package))).collect();
    let global = "npm install --global --no-audit --no-fund";
    let mut commands = match &recipe.manager {
        PackageManager::Npm => return vec![lenient(&format!("npm install {quiet} {npm_dev}{packages}"))],
        // A lockfile that lacks something is refused as a whole, though the rest of it is good.
        PackageManager::NpmLocked => vec![format!(
            "{{ npm ci {quiet} {npm_dev} || npm install {quiet} {npm_dev} --legacy-peer-deps; }}"
        )],
        PackageManager::Pnpm(version) => {
            let only = if dev { "" } else { " --prod" };
            let store = "--store-dir /tmp/pnpm --package-import-method copy";
            let install = format!("CI=1 {PNPM_ITSELF} pnpm install");
            let how = format!("--ignore-scripts --ignore-pnpmfile {store}{only}");
            let frozen = frozen(recipe, &install, "--frozen-lockfile", "--no-frozen-lockfile", &how);
            vec![format!("{global} --ignore-scripts {}", run_word(&format!("pnpm@{version}"))), frozen]
        }
        PackageManager::Yarn(version) if version.starts_with("0.") || version.starts_with("1.") => {
            let only = if dev { "--production=false" } else { "--production=true" };
            let how = format!("--ignore-scripts --non-interactive --cache-folder /tmp/yarn {only}");
            let frozen = frozen(recipe, "yarn install", "--frozen-lockfile", "", &how);
            vec![format!("{global} --ignore-scripts {}", run_word(&format!("yarn@{version}"))), frozen]
        }
        PackageManager::Yarn(version) => {
            let settings = "YARN_NODE_LINKER=node-modules YARN_ENABLE_SCRIPTS=false YARN_ENABLE_TELEMETRY=0";
            let install = format!("{settings} YARN_IGNORE_PATH=1 YARN_GLOBAL_FOLDER=/tmp/berry yarn install");
            let frozen = frozen(recipe, &install, "--immutable", "--no-immutable", "");
            let program = run_word(&format!("@yarnpkg/cli-dist@{version}"));
            vec![format!("{global} --ignore-scripts {program}"), frozen]
        }
        PackageManager::Bun(version) => {
            let only = if dev { "" } else { " --production" };
            let how = format!("--ignore-scripts --cache-dir /tmp/bun{only}");
            let frozen = frozen(recipe, "bun install", "--frozen-lockfile", "", &how);
            // Its own install script puts the program of this machine in place.
            vec![format!("{global} {}", run_word(&format!("bun@{version}"))), frozen]
        }
    };
    if !packages.is_empty() {
        // Apart, because another manager's folder, or what a lock names, is not to be changed.
        commands.push(format!("npm install --prefix node_modules/.tools --no-audit --no-fund{packages}"));
    }
    commands
}

/// A lockfile that says what package.json says is taken at its word. Where the manager thinks
/// otherwise, because the lock was written by another version of it or lacks something, the
/// rest of the lock is still good.
fn frozen(recipe: &NodeRecipe, install: &str, frozen: &str, thawed: &str, how: &str) -> String {
    let line = |lock: &str| {
        let words: Vec<&str> = [install, lock, how].into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    };
    match recipe.lock_is_current {
        true => format!("{{ {} || {}; }}", line(frozen), line(thawed)),
        false => line(thawed),
    }
}

/// Peers that contradict each other stop npm, not the app: a second try passes over them.
fn lenient(command: &str) -> String {
    format!("{{ {command} || {command} --legacy-peer-deps; }}")
}
