//! Node: packages in a stage of their own, then the build, then what is run or served.
//!
//! Without a build, packages are installed in `/opt/node`, which the source's `node_modules` links
//! to. A build finds them as a real folder beside the source, because some builders accept no
//! link; what it leaves is moved away from them, so that the last stage copies little.

use super::Dialect;
use super::writer::{USER, Writer};
use crate::generation::OUR_CACHES;
use crate::generation::plan::Plan;
use crate::generation::quoting::run_word;
use crate::generation::recipe::{BuiltPages, NodeRecipe, PackageManager, SiteRecipe};

const CACHE: &str = "/var/cache/previewd/npm";
/// Where packages lie in the image that is run.
const MODULES: &str = "/opt/node/node_modules";
/// Where a build leaves what the last stage copies.
const BUILT: &str = "/tmp/built";

/// Names of the stages and folders of one Node build within a Dockerfile.
pub struct Place<'a> {
    pub base: &'a str,
    /// In front of the stages' names: empty, or `pages-` beside a server.
    pub prefix: &'static str,
    /// The folder of the context with what the dependency layer depends on.
    pub deps: &'static str,
    /// The package's folder in the container.
    pub dir: &'a str,
}

pub fn write(plan: &Plan, recipe: &NodeRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base(plan);
    stages(&mut out, plan, recipe, &base);
    out.finish(plan)
}

/// Everything but the last lines.
pub fn stages(out: &mut Writer, plan: &Plan, recipe: &NodeRecipe, base: &str) {
    let place = Place { base, prefix: "", deps: "deps", dir: &plan.working_dir };
    let path = path(recipe, &plan.working_dir);
    if recipe.in_place {
        in_place(out, recipe, &place);
        build_in(out, recipe, &place, None);
        out.stage(base, "");
        out.env(&plan.environment, &path);
        out.line(&format!("COPY --from=build --chown={USER} /app/ /app/"));
        return;
    }
    if recipe.builds() {
        built(out, recipe, &place, &format!("{BUILT}/app"));
    } else if recipe.install {
        installed(out, recipe, &place, "/opt/node");
    }
    if recipe.prune {
        out.stage("deps", "production");
        let prune = "npm prune --omit=dev --ignore-scripts --no-audit --no-fund --offline";
        out.run(&["export HOME=/tmp".to_owned(), prune.to_owned()]);
    }
    out.stage(base, "");
    out.env(&plan.environment, &path);
    if recipe.install {
        let from = if recipe.prune { "production" } else { "deps" };
        let modules = match recipe.builds() {
            true => format!("{}/node_modules", plan.working_dir),
            false => MODULES.to_owned(),
        };
        out.line(&format!("COPY --from={from} {modules} {MODULES}"));
    }
    // The copy comes before WORKDIR, so that /app itself belongs to the user too.
    match recipe.builds() {
        true => out.line(&format!("COPY --from=build --chown={USER} {BUILT}/app/ /app/")),
        false => out.line(&format!("COPY --chown={USER} app/ /app/")),
    }
}

/// Pages that Node builds, served by nginx.
pub fn site(plan: &Plan, recipe: &SiteRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base_on(&recipe.node_image, &plan.system_packages);
    let dir = plan.working_dir.clone();
    let place = Place { base: &base, prefix: "", deps: "deps", dir: &dir };
    pages(&mut out, &recipe.node, &recipe.pages, &place, &[]);
    out.stage(&plan.base_image, "");
    out.line("COPY nginx.conf /etc/previewd/nginx.conf");
    out.line(&format!("COPY --from=build --chown={USER} {BUILT}/pages/ /srv/pages/"));
    out.line("WORKDIR /srv/pages");
    out.end(plan)
}

/// The stages that leave pages in `/tmp/built/pages` of the stage `build`.
pub fn pages(out: &mut Writer, recipe: &NodeRecipe, pages: &BuiltPages, place: &Place<'_>, own: &[String]) {
    let found = found_pages(pages, own);
    if recipe.in_place {
        in_place(out, recipe, place);
        build_in(out, recipe, place, Some(found));
        return;
    }
    if recipe.install {
        installed(out, recipe, place, place.dir);
    }
    source(out, recipe, place);
    let mut commands = build_commands(recipe, place.dir);
    commands.extend(found);
    out.run_outside(&[], &commands);
}

/// `PATH` in front of the usual: programs of the packages.
pub fn path(recipe: &NodeRecipe, dir: &str) -> String {
    let tools = !recipe.packages.is_empty() && recipe.manager != PackageManager::Npm;
    let mut folders = Vec::new();
    match (recipe.install, recipe.in_place) {
        (false, _) => {}
        (true, true) => {
            folders.push(format!("{dir}/node_modules"));
            folders.push(format!("{}/node_modules", recipe.install_dir()));
            folders.dedup();
        }
        (true, false) => folders.push(MODULES.to_owned()),
    }
    let tools = folders.iter().filter(|_| tools).map(|folder| format!("{folder}/.tools/node_modules/.bin"));
    let mut all: Vec<String> = tools.collect();
    all.extend(folders.iter().map(|folder| format!("{folder}/.bin")));
    all.join(":")
}

/// The stage with nothing but packages.
fn installed(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>, dir: &str) {
    out.root_stage(place.base, &format!("{}deps", place.prefix));
    out.line(&format!("COPY {}/ {dir}/", place.deps));
    out.line(&format!("WORKDIR {dir}"));
    install(out, recipe, dir);
}

/// Packages, then the source beside them, then the build, whose result goes to `to`.
fn built(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>, to: &str) {
    if recipe.install {
        installed(out, recipe, place, place.dir);
    }
    source(out, recipe, place);
    let mut commands = build_commands(recipe, place.dir);
    let inside = place.dir.trim_start_matches("/app").trim_start_matches('/');
    let link = if inside.is_empty() { to.to_owned() } else { format!("{to}/{inside}") };
    commands.push(format!("mkdir -p {to}"));
    commands.push(format!("tar -C /app --exclude=./{}node_modules -c . | tar -C {to} -x", slash(inside)));
    if recipe.install {
        commands.push(format!("ln -s {MODULES} {link}/node_modules"));
    }
    out.run_outside(&[], &commands);
}

fn slash(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

/// The build stage up to its commands.
fn source(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>) {
    let deps = format!("{}deps", place.prefix);
    let from = if recipe.install { deps.as_str() } else { place.base };
    out.stage(from, &format!("{}build", place.prefix));
    if !recipe.install {
        out.settings();
    }
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.line(&format!("WORKDIR {}", place.dir));
    out.line(&format!("USER {USER}"));
    out.env(&recipe.build_environment, "");
}

/// Packages that lie among the source: everything in one stage.
fn in_place(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>) {
    out.root_stage(place.base, &format!("{}build", place.prefix));
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.line(&format!("WORKDIR {}", recipe.install_dir()));
    install(out, recipe, &recipe.install_dir());
}

fn build_in(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>, then: Option<Vec<String>>) {
    if place.dir != recipe.install_dir() && (recipe.builds() || then.is_some()) {
        out.line(&format!("WORKDIR {}", place.dir));
    }
    out.env(&recipe.build_environment, "");
    let mut commands = if recipe.builds() { build_commands(recipe, place.dir) } else { Vec::new() };
    commands.extend(then.unwrap_or_default());
    if !commands.is_empty() {
        out.run_outside(&[], &commands);
    }
}

/// Copies the folder with the pages away, and makes calls of the developer's own server calls of
/// the preview.
fn found_pages(pages: &BuiltPages, own: &[String]) -> Vec<String> {
    let folders: Vec<String> = pages.folders.iter().map(|folder| run_word(folder)).collect();
    let folders = folders.join(" ");
    let mut commands = vec![
        format!(
            "found= && for folder in {folders}; do if [ -e \"$folder/index.html\" ]; then found=$folder; break; fi; done"
        ),
        format!(
            "{{ [ -n \"$found\" ] || {{ echo \"the build left no index.html in\" {folders} >&2; exit 1; }}; }}"
        ),
        format!("mkdir -p {BUILT}"),
        format!("cp -r \"$found\" {BUILT}/pages"),
    ];
    if !own.is_empty() {
        let expressions: Vec<String> =
            own.iter().map(|address| format!("-e {}", run_word(&format!("s#{address}##g")))).collect();
        commands.push(format!(
            "find {BUILT}/pages -type f '(' -name '*.js' -o -name '*.html' ')' -exec sed -i {} '{{}}' +",
            expressions.join(" ")
        ));
    }
    commands
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
    let mut after = Vec::new();
    if recipe.install_scripts {
        after.push(match &recipe.manager {
            PackageManager::Pnpm(_) => "pnpm rebuild --store-dir /tmp/pnpm".to_owned(),
            _ => "npm rebuild --no-audit --no-fund".to_owned(),
        });
    }
    after.extend(recipe.prepare.iter().map(|command| words(command)));
    if !after.is_empty() {
        let settings = "export HOME=/tmp npm_config_cache=/tmp/npm";
        let path = format!("PATH={folder}/node_modules/.bin:$PATH");
        after.insert(
            0,
            if recipe.prepare.is_empty() { settings.to_owned() } else { format!("{settings} {path}") },
        );
        out.run_outside(&[], &after);
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
    let global = "npm install --global --no-audit --no-fund";
    let mut commands = match &recipe.manager {
        PackageManager::Npm => return vec![lenient(&format!("npm install {quiet} {npm_dev}{packages}"))],
        // A lockfile that lacks something is refused as a whole, though the rest of it is good.
        PackageManager::NpmLocked => vec![format!(
            "{{ npm ci {quiet} {npm_dev} || npm install {quiet} {npm_dev} --legacy-peer-deps; }}"
        )],
        PackageManager::Pnpm(version) => {
            let only = if dev { "" } else { " --prod" };
            let frozen = if recipe.lock_is_current { "--frozen-lockfile" } else { "--no-frozen-lockfile" };
            // It would fetch and run the version package.json names instead of itself.
            let own =
                "npm_config_manage_package_manager_versions=false npm_config_package_manager_strict=false";
            let store = "--store-dir /tmp/pnpm --package-import-method copy";
            vec![
                format!("{global} --ignore-scripts {}", run_word(&format!("pnpm@{version}"))),
                format!("CI=1 {own} pnpm install {frozen} --ignore-scripts --ignore-pnpmfile {store}{only}"),
            ]
        }
        PackageManager::Yarn(version) if version.starts_with("0.") || version.starts_with("1.") => {
            let only = if dev { "--production=false" } else { "--production=true" };
            let frozen = if recipe.lock_is_current { " --frozen-lockfile" } else { "" };
            vec![
                format!("{global} --ignore-scripts {}", run_word(&format!("yarn@{version}"))),
                format!(
                    "yarn install{frozen} --ignore-scripts --non-interactive --cache-folder /tmp/yarn {only}"
                ),
            ]
        }
        PackageManager::Yarn(version) => {
            let settings = "YARN_NODE_LINKER=node-modules YARN_ENABLE_SCRIPTS=false YARN_ENABLE_TELEMETRY=0";
            let frozen = if recipe.lock_is_current { "--immutable" } else { "--no-immutable" };
            vec![
                format!("{global} --ignore-scripts {}", run_word(&format!("@yarnpkg/cli-dist@{version}"))),
                format!("{settings} YARN_IGNORE_PATH=1 YARN_GLOBAL_FOLDER=/tmp/berry yarn install {frozen}"),
            ]
        }
        PackageManager::Bun(version) => {
            let only = if dev { "" } else { " --production" };
            let frozen = if recipe.lock_is_current { " --frozen-lockfile" } else { "" };
            vec![
                // Its own install script puts the program of this machine in place.
                format!("{global} {}", run_word(&format!("bun@{version}"))),
                format!("bun install{frozen} --ignore-scripts --cache-dir /tmp/bun{only}"),
            ]
        }
    };
    if !packages.is_empty() {
        // Apart, because another manager's folder, or what a lock names, is not to be changed.
        commands.push(format!("npm install --prefix node_modules/.tools --no-audit --no-fund{packages}"));
    }
    commands
}

/// Peers that contradict each other stop npm, not the app: a second try passes over them.
fn lenient(command: &str) -> String {
    format!("{{ {command} || {command} --legacy-peer-deps; }}")
}

fn build_commands(recipe: &NodeRecipe, dir: &str) -> Vec<String> {
    let mut path = format!("{dir}/node_modules/.bin");
    if recipe.in_place && recipe.install_dir() != dir {
        path.push_str(&format!(":{}/node_modules/.bin", recipe.install_dir()));
    }
    let settings = format!("export HOME=/tmp npm_config_cache=/tmp/npm PATH={path}:$PATH");
    let mut commands = vec![settings];
    commands.extend(recipe.build.iter().map(|command| words(command)));
    if let Some(last) = commands.last_mut().filter(|_| !recipe.build_otherwise.is_empty()) {
        *last = format!("{{ {last} || {}; }}", words(&recipe.build_otherwise));
    }
    commands
}

fn words(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| run_word(word)).collect();
    words.join(" ")
}
