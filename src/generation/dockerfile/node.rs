//! Node: packages in a stage of their own, then the build, then what is run or served.
//!
//! Without a build, packages are installed in `/opt/node`, which the source's `node_modules` links
//! to. A build finds them as a real folder beside the source, because some builders accept no
//! link; what it leaves is moved away from them, so that the last stage copies little.

use super::writer::{USER, Writer};
use super::{Dialect, ENVIRONMENT, node_install};
use crate::generation::OUR_CACHES;
use crate::generation::container;
use crate::generation::plan::Plan;
use crate::generation::project::join;
use crate::generation::quoting::run_word;
use crate::generation::recipe::{BothRecipe, BuiltPages, NodeRecipe, PackageManager, SUPPORT, SiteRecipe};

const CACHE: &str = "/var/cache/previewd/npm";
/// Where packages lie in the image that is run.
pub const MODULES: &str = "/opt/node/node_modules";
/// Where those of a server for pages lie, beside the server's own.
pub const PAGES_MODULES: &str = "/opt/pages/node_modules";
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
        built_in_place(out, plan, recipe, base);
        return;
    }
    if !recipe.builds() {
        environment(out, recipe, base);
        source_onto(out, plan, recipe, ENVIRONMENT);
        return;
    }
    built(out, recipe, &place, MODULES);
    prune(out, recipe);
    out.stage(base, "");
    out.env(&plan.environment, &path);
    if recipe.install {
        let from = if recipe.prune { "production" } else { "deps" };
        out.line(&format!("COPY --from={from} {}/node_modules {MODULES}", plan.working_dir));
    }
    out.line(&format!("COPY --from=build --chown={USER} {BUILT}/app/ /app/"));
}

/// A server and pages of one workspace: installed once, built one after the other among the source.
pub fn workspace(out: &mut Writer, plan: &Plan, server: &NodeRecipe, pages: &BothRecipe, base: &str) {
    let place = |dir| Place { base, prefix: "", deps: "deps", dir };
    in_place(out, server, &place(&plan.working_dir));
    build_in(out, server, &place(&plan.working_dir), None);
    if let Some(node) = &pages.node {
        let dir = pages.pages_dir();
        if server.builds() && plan.working_dir != server.install_dir() {
            out.line(&format!("WORKDIR {}", server.install_dir()));
        }
        let found = match pages.pages_server {
            Some(_) => pages_ask_the_preview("/app", &dir, &pages.own_addresses).into_iter().collect(),
            None => found_pages(&pages.pages, &pages.own_addresses),
        };
        build_in(out, node, &place(&dir), Some(found));
    }
    built_in_place(out, plan, server, base);
}

/// The last stage of what was built among the source.
fn built_in_place(out: &mut Writer, plan: &Plan, recipe: &NodeRecipe, base: &str) {
    out.stage(base, "");
    out.env(&plan.environment, &path(recipe, &plan.working_dir));
    out.line(&format!("COPY --from=build --chown={USER} /app/ /app/"));
}

/// All that does not depend on the source, where nothing is built of it.
pub fn environment(out: &mut Writer, recipe: &NodeRecipe, base: &str) {
    if recipe.install {
        // The folder of the source is of no account here.
        let place = Place { base, prefix: "", deps: "deps", dir: "/app" };
        installed(out, recipe, &place, "/opt/node");
    }
    prune(out, recipe);
    out.stage(base, ENVIRONMENT);
    if recipe.install {
        let from = if recipe.prune { "production" } else { "deps" };
        out.line(&format!("COPY --from={from} {MODULES} {MODULES}"));
    }
    out.place_for_source();
}

/// The source onto the environment: a stage or an image.
pub fn source_onto(out: &mut Writer, plan: &Plan, recipe: &NodeRecipe, environment: &str) {
    out.stage(environment, "");
    out.env(&plan.environment, &path(recipe, &plan.working_dir));
    // The copy comes before WORKDIR, so that /app itself belongs to the user too.
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    if recipe.writes_beside_packages() {
        out.line(&format!("USER {USER}"));
        out.run(&link_packages(MODULES, &format!("{}/node_modules", plan.working_dir), MODULES));
    }
}

/// The link to the packages, where the source cannot bring it.
pub fn link(out: &mut Writer, dir: &str) {
    out.line(&format!("USER {USER}"));
    out.run(&[format!("ln -s {MODULES} {dir}/node_modules")]);
}

fn prune(out: &mut Writer, recipe: &NodeRecipe) {
    if recipe.prune {
        out.stage("deps", "production");
        let prune = "npm prune --omit=dev --ignore-scripts --no-audit --no-fund --offline";
        // What cannot be pruned, such as packages installed in spite of their peers, may stay.
        let prune = format!("{{ {prune} || {prune} --legacy-peer-deps || true; }}");
        out.run(&["export HOME=/tmp".to_owned(), prune]);
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

/// The stages that build among the source, which stays where it is.
pub fn build_only(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>) {
    if recipe.in_place {
        in_place(out, recipe, place);
        build_in(out, recipe, place, None);
        return;
    }
    if recipe.install {
        installed(out, recipe, place, place.dir);
    }
    source(out, recipe, place);
    out.run_outside(&[], &build_commands(recipe, place.dir));
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

/// The stages of pages that are made on a server of their own: packages, the build in
/// `/tmp/built/app` or among the source, and Node itself in `/runtime`, with the libraries an image
/// without it may lack.
pub fn pages_server(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>, own: &[String]) {
    if recipe.in_place {
        in_place(out, recipe, place);
        build_in(out, recipe, place, None);
        run_some(out, pages_ask_the_preview("/app", place.dir, own));
    } else {
        built(out, recipe, place, PAGES_MODULES);
        run_some(out, pages_ask_the_preview(&format!("{BUILT}/app"), place.dir, own));
    }
    out.root_stage(place.base, &format!("{}runtime", place.prefix));
    out.run(&[
        "program=$(command -v node)".to_owned(),
        "mkdir -p /runtime/bin /runtime/lib".to_owned(),
        "cp -L \"$program\" /runtime/bin/node".to_owned(),
        "for library in $(ldd \"$program\" | grep -o '/[^ )]*' | grep -E 'stdc|gcc_s|atomic'); do cp -L \"$library\" /runtime/lib/; done".to_owned(),
    ]);
}

/// Expressions of sed that take these addresses out.
fn without(own: &[String]) -> String {
    let expressions = own.iter().map(|address| format!("-e {}", run_word(&format!("s#{address}##g"))));
    expressions.collect::<Vec<_>>().join(" ")
}

fn run_some(out: &mut Writer, command: Option<String>) {
    if let Some(command) = command {
        out.run(&[command]);
    }
}

/// Makes calls of the developer's own server, in what a build under `top` left for browsers, calls
/// of the preview; nothing where there are none.
fn pages_ask_the_preview(top: &str, dir: &str, own: &[String]) -> Option<String> {
    let folders =
        [".next/static", "build/client", ".output/public", "dist/client", ".svelte-kit/output/client"];
    let at = match container::folder(dir) {
        "" => top.to_owned(),
        inside => join(top, inside),
    };
    (!own.is_empty()).then(|| {
        format!(
            "for folder in {}; do if [ -d {at}/$folder ]; then find {at}/$folder -type f -name '*.js' -exec sed -i {} '{{}}' +; fi; done",
            folders.join(" "),
            without(own)
        )
    })
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

/// Packages, then the source beside them, then the build, whose result goes to `/tmp/built/app`;
/// its packages will lie in `modules`.
fn built(out: &mut Writer, recipe: &NodeRecipe, place: &Place<'_>, modules: &str) {
    if recipe.install {
        installed(out, recipe, place, place.dir);
    }
    source(out, recipe, place);
    let mut commands = build_commands(recipe, place.dir);
    let inside = container::folder(place.dir);
    let to = format!("{BUILT}/app");
    let link = if inside.is_empty() { to.clone() } else { format!("{to}/{inside}") };
    commands.push(format!("mkdir -p {to}"));
    commands.push(format!("tar -C /app --exclude=./{}node_modules -c . | tar -C {to} -x", slash(inside)));
    if recipe.install {
        commands.extend(link_packages("node_modules", &format!("{link}/node_modules"), modules));
    }
    out.run_outside(&[], &commands);
}

/// A folder that holds a link for each package, because development servers, and what loads their
/// configuration, write beside packages, where the image cannot be written to.
fn link_packages(from: &str, to: &str, modules: &str) -> [String; 2] {
    let kept = "'(' ! -name '.*' -o -name .bin -o -name .pnpm -o -name .prisma ')'";
    [
        format!("mkdir -p {to}"),
        format!(
            "find {from} -mindepth 1 -maxdepth 1 {kept} -printf '{modules}/%f\\0' | xargs -0 -r ln -sf -t {to}"
        ),
    ]
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
        commands.push(format!(
            "find {BUILT}/pages -type f '(' -name '*.js' -o -name '*.html' ')' -exec sed -i {} '{{}}' +",
            without(own)
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
    commands.extend(node_install::commands(recipe));
    commands.push(format!("mkdir -p {folder}/node_modules"));
    commands.push(format!("chown -R {USER} {folder}"));
    out.run_outside(&caches, &commands);
    out.line(&format!("USER {USER}"));
    let mut after = Vec::new();
    if recipe.install_scripts {
        after.push(match &recipe.manager {
            PackageManager::Pnpm(_) => {
                format!("{} pnpm rebuild --store-dir /tmp/pnpm", node_install::PNPM_ITSELF)
            }
            _ => "npm rebuild --no-audit --no-fund".to_owned(),
        });
    }
    after.extend(recipe.prepare.iter().map(|command| words(command)));
    if !recipe.support.is_empty() {
        out.line(&format!("COPY support/ {SUPPORT}"));
    }
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
