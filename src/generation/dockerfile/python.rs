//! Python: uv fills `/opt/venv` in a stage of its own.

use super::writer::{USER, Writer};
use super::{Dialect, ENVIRONMENT};
use crate::generation::OUR_CACHES;
use crate::generation::plan::Plan;
use crate::generation::quoting::run_word;
use crate::generation::recipe::{PythonRecipe, SUPPORT};

const INSTALL: &str = "uv pip install --python /opt/venv/bin/python";
const CACHE: &str = "/var/cache/previewd/uv";

pub fn write(plan: &Plan, recipe: &PythonRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base(plan);
    stages(&mut out, plan, recipe, &base, dialect);
    out.finish(plan)
}

/// Everything but the last lines.
pub fn stages(out: &mut Writer, plan: &Plan, recipe: &PythonRecipe, base: &str, dialect: Dialect) {
    environment(out, recipe, base, dialect);
    source(out, plan, recipe, ENVIRONMENT);
}

/// All that does not depend on the source.
pub fn environment(out: &mut Writer, recipe: &PythonRecipe, base: &str, dialect: Dialect) {
    if recipe.installs() {
        dependencies(out, base, recipe, dialect);
    }
    out.stage(base, ENVIRONMENT);
    if recipe.installs() {
        out.line("COPY --from=deps /opt/venv /opt/venv");
    }
    if !recipe.support.is_empty() {
        out.line(&format!("COPY support/ {SUPPORT}"));
    }
    out.place_for_source();
}

/// The source and what is made of it, onto the environment: a stage or an image.
pub fn source(out: &mut Writer, plan: &Plan, recipe: &PythonRecipe, environment: &str) {
    if recipe.compile_source {
        out.stage(environment, "source");
        out.line(&format!("COPY --chown={USER} app/ /app/"));
        out.line(&format!("USER {USER}"));
        // Hashes, not times, say whether the bytecode is current: files may be replaced in place.
        // A file that does not compile is no failure here; it may never be imported.
        let compile = "{ python3 -m compileall -q -j 0 --invalidation-mode checked-hash /app || true; }";
        out.run(&[compile.to_owned()]);
    }
    out.stage(environment, "");
    out.env(&plan.environment, path(recipe));
    // The copy comes before WORKDIR, so that /app itself belongs to the user too.
    match recipe.compile_source {
        true => out.line(&format!("COPY --from=source --chown={USER} /app/ /app/")),
        false => out.line(&format!("COPY --chown={USER} app/ /app/")),
    }
    out.prepare(plan, &recipe.prepare);
}

/// `PATH` in front of the usual.
pub fn path(recipe: &PythonRecipe) -> &'static str {
    if recipe.installs() { "/opt/venv/bin" } else { "" }
}

fn dependencies(out: &mut Writer, base: &str, recipe: &PythonRecipe, dialect: Dialect) {
    out.root_stage(base, "deps");
    out.line("ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1");
    out.line("COPY deps/ /deps/");
    out.line("WORKDIR /deps");
    out.settings();
    let what = arguments(recipe);
    let cache = format!("id={OUR_CACHES}-uv,target={CACHE}");
    let mut first = vec!["uv venv -q --no-project /opt/venv".to_owned()];
    if dialect == Dialect::BuildKit {
        first.insert(0, format!("export UV_CACHE_DIR={CACHE}"));
    }
    if recipe.locked {
        let export = "uv export -q --frozen --no-dev --no-emit-project --output-file /deps/locked.txt";
        first.push(export.to_owned());
    }
    // Packages that come built run nothing when installed, so they may use the shared cache.
    first.push(format!("{{ {INSTALL} --no-build{what} || touch /deps/.build; }}"));
    first.push(format!("chown -R {USER} /opt/venv"));
    out.run_outside(&[&cache], &first);
    out.line(&format!("USER {USER}"));
    let build = format!("if [ -e /deps/.build ]; then {INSTALL} --no-cache{what}; fi");
    let compile =
        "{ python3 -I -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib || true; }";
    out.run_outside(&[], &["export HOME=/tmp".to_owned(), build, compile.to_owned()]);
}

fn arguments(recipe: &PythonRecipe) -> String {
    let mut words = Vec::new();
    if recipe.locked {
        words.push("-r locked.txt".to_owned());
    }
    words.extend(recipe.requirements.iter().map(|file| format!("-r {}", run_word(file))));
    words.extend(recipe.packages.iter().map(|package| run_word(package)));
    words.iter().map(|word| format!(" {word}")).collect()
}
