//! Node: packages in `/opt/node`, which the source's `node_modules` links to.

use super::Dialect;
use super::writer::{USER, Writer};
use crate::generation::OUR_CACHES;
use crate::generation::plan::Plan;
use crate::generation::quoting::run_word;
use crate::generation::recipe::{NodeRecipe, PackageManager};

const CACHE: &str = "/var/cache/previewd/npm";

pub fn write(plan: &Plan, recipe: &NodeRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base(plan);
    if recipe.in_place {
        return in_place(plan, recipe, out, &base);
    }
    if recipe.install {
        out.root_stage(&base, "deps");
        out.line("COPY deps/ /opt/node/");
        out.line("WORKDIR /opt/node");
        install(&mut out, recipe, "/opt/node");
    }
    let installed = if recipe.install { "deps" } else { base.as_str() };
    if let Some(script) = &recipe.build_script {
        out.stage(installed, "build");
        out.line(&format!("COPY --chown={USER} app/ /app/"));
        out.line(&format!("WORKDIR {}", plan.working_dir));
        out.line(&format!("USER {USER}"));
        if !recipe.install {
            out.settings();
        }
        build(&mut out, script);
    }
    if recipe.prune {
        out.stage("deps", "production");
        let prune = "npm prune --omit=dev --ignore-scripts --no-audit --no-fund --offline";
        out.run(&["export HOME=/tmp".to_owned(), prune.to_owned()]);
    }
    out.stage(&base, "");
    out.env(&plan.environment, "");
    if recipe.install {
        let from = if recipe.prune { "production" } else { "deps" };
        out.line(&format!("COPY --from={from} /opt/node/node_modules /opt/node/node_modules"));
    }
    // The copy comes before WORKDIR, so that /app itself belongs to the user too.
    match recipe.build_script {
        Some(_) => out.line(&format!("COPY --from=build --chown={USER} /app/ /app/")),
        None => out.line(&format!("COPY --chown={USER} app/ /app/")),
    }
    out.finish(plan)
}

/// Packages that lie among the source: everything in one stage.
fn in_place(plan: &Plan, recipe: &NodeRecipe, mut out: Writer, base: &str) -> String {
    out.root_stage(base, "build");
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.line(&format!("WORKDIR {}", plan.working_dir));
    install(&mut out, recipe, &plan.working_dir);
    if let Some(script) = &recipe.build_script {
        build(&mut out, script);
    }
    out.stage(base, "");
    out.env(&plan.environment, "");
    out.line(&format!("COPY --from=build --chown={USER} /app/ /app/"));
    out.finish(plan)
}

fn install(out: &mut Writer, recipe: &NodeRecipe, folder: &str) {
    out.settings();
    let shared = shares_cache(recipe);
    let cache = if shared { CACHE } else { "/tmp/npm" };
    let caches = [format!("id={OUR_CACHES}-npm,target={CACHE}")];
    let caches: Vec<&str> = caches.iter().filter(|_| shared).map(String::as_str).collect();
    let mut commands = vec![format!("export npm_config_cache={cache} npm_config_update_notifier=false")];
    commands.extend(install_commands(recipe));
    commands.push(format!("mkdir -p {folder}/node_modules"));
    commands.push(format!("chown -R {USER} {folder}"));
    out.run_outside(&caches, &commands);
    out.line(&format!("USER {USER}"));
    if recipe.install_scripts {
        let rebuild = match &recipe.manager {
            PackageManager::Pnpm(version) => {
                format!("npx --yes {} rebuild", run_word(&format!("pnpm@{version}")))
            }
            _ => "npm rebuild --no-audit --no-fund".to_owned(),
        };
        out.run_outside(&[], &["export HOME=/tmp npm_config_cache=/tmp/npm".to_owned(), rebuild]);
    }
}

/// The cache is shared by all builds, so only installations that run nothing of the generation
/// may write to it. npm's do; other managers, and those among the whole source, can be told by
/// files of the generation to load code.
fn shares_cache(recipe: &NodeRecipe) -> bool {
    !recipe.in_place && matches!(recipe.manager, PackageManager::Npm | PackageManager::NpmLocked)
}

/// Nothing of the packages is run yet.
fn install_commands(recipe: &NodeRecipe) -> Vec<String> {
    let quiet = "--ignore-scripts --no-audit --no-fund";
    let dev = recipe.dev_dependencies;
    let npm_dev = if dev { "--include=dev" } else { "--omit=dev" };
    let packages: String = recipe.packages.iter().map(|package| format!(" {}", run_word(package))).collect();
    let mut commands = match &recipe.manager {
        PackageManager::Npm => return vec![format!("npm install {quiet} {npm_dev}{packages}")],
        PackageManager::NpmLocked => vec![format!("npm ci {quiet} {npm_dev}")],
        PackageManager::Pnpm(version) => {
            let pnpm = run_word(&format!("pnpm@{version}"));
            let only = if dev { "" } else { " --prod" };
            let store = "--store-dir /tmp/pnpm --package-import-method copy";
            vec![format!(
                "CI=1 npx --yes {pnpm} install --frozen-lockfile --ignore-scripts --ignore-pnpmfile {store}{only}"
            )]
        }
        PackageManager::Yarn(version) if version.starts_with("0.") || version.starts_with("1.") => {
            let yarn = run_word(&format!("yarn@{version}"));
            let only = if dev { "--production=false" } else { "--production=true" };
            vec![format!(
                "npx --yes {yarn} install --frozen-lockfile --ignore-scripts --non-interactive --cache-folder /tmp/yarn {only}"
            )]
        }
        PackageManager::Yarn(version) => {
            let yarn = run_word(&format!("@yarnpkg/cli-dist@{version}"));
            let settings = "YARN_NODE_LINKER=node-modules YARN_ENABLE_SCRIPTS=false YARN_ENABLE_TELEMETRY=0";
            vec![format!("{settings} YARN_GLOBAL_FOLDER=/tmp/berry npx --yes {yarn} install --immutable")]
        }
    };
    if !packages.is_empty() {
        commands.push(format!("npm install --no-save {quiet}{packages}"));
    }
    commands
}

fn build(out: &mut Writer, script: &str) {
    let run = format!("npm run {}", run_word(script));
    out.run_outside(&[], &["export HOME=/tmp npm_config_cache=/tmp/npm".to_owned(), run]);
}
