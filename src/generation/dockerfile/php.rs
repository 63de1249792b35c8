//! PHP: Composer's packages in a stage of their own, styles and scripts by Node in another, nginx
//! in front of PHP's FastCGI server.

use super::node::{self, Place};
use super::writer::{USER, Writer};
use super::{Dialect, gateway};
use crate::generation::OUR_CACHES;
use crate::generation::plan::Plan;
use crate::generation::quoting::run_word;
use crate::generation::recipe::PhpRecipe;

const CACHE: &str = "/var/cache/previewd/composer";

pub fn write(plan: &Plan, recipe: &PhpRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    gateway::stage(&mut out, &recipe.static_image);
    let dir = plan.working_dir.as_str();
    if let Some(assets) = &recipe.assets {
        let place = Place { base: &assets.node_image, prefix: "pages-", deps: "pages-deps", dir };
        node::build_only(&mut out, &assets.node, &place);
    }
    let base = out.base(plan);
    if recipe.installs {
        packages(&mut out, recipe, &base);
    }
    out.stage(&base, "");
    out.env(&plan.environment, "");
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    if recipe.installs {
        out.line(&format!("COPY --from=deps --chown={USER} /deps/vendor/ {dir}/vendor/"));
    }
    if let Some(assets) = &recipe.assets {
        let folder = &assets.folder;
        out.line(&format!("COPY --from=pages-build --chown={USER} {dir}/{folder}/ {dir}/{folder}/"));
    }
    gateway::copy(&mut out);
    out.line("COPY nginx.conf both.sh php-fpm.conf /etc/previewd/");
    after(&mut out, recipe, dir);
    out.finish(plan)
}

/// Packages alone: what makes them findable has to see the source too.
fn packages(out: &mut Writer, recipe: &PhpRecipe, base: &str) {
    out.root_stage(base, "deps");
    out.line("COPY deps/ /deps/");
    out.line("WORKDIR /deps");
    out.settings();
    let dev = if recipe.dev_packages { "" } else { " --no-dev" };
    // Neither scripts nor plugins: nothing of the generation runs beside the shared cache.
    let install = format!(
        "composer install{dev} --no-interaction --no-progress --no-scripts --no-plugins --no-autoloader --prefer-dist"
    );
    let settings = format!("export HOME=/tmp COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_CACHE_DIR={CACHE}");
    let cache = format!("id={OUR_CACHES}-composer,target={CACHE}");
    out.run_outside(&[&cache], &[settings, install, "mkdir -p vendor".to_owned()]);
}

/// What needs the source and the packages.
fn after(out: &mut Writer, recipe: &PhpRecipe, dir: &str) {
    let mut commands = Vec::new();
    if recipe.installs {
        let dev = if recipe.dev_packages { "" } else { " --no-dev" };
        commands.push(format!("composer dump-autoload{dev} --no-interaction --no-scripts --optimize"));
    }
    // What fails here, for want of a database or a key, may still run.
    commands.extend(recipe.prepare.iter().map(|command| {
        let words: Vec<String> = command.iter().map(|word| run_word(word)).collect();
        format!("{{ {} || true; }}", words.join(" "))
    }));
    if commands.is_empty() {
        return;
    }
    out.line(&format!("WORKDIR {dir}"));
    out.line(&format!("USER {USER}"));
    commands.insert(0, "export HOME=/tmp".to_owned());
    out.run(&commands);
}
