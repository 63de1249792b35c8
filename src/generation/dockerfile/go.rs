//! Go: modules in a layer of their own, one static program, a last stage with little besides.

use super::Dialect;
use super::writer::{USER, Writer};
use crate::generation::OUR_CACHES;
use crate::generation::plan::Plan;
use crate::generation::quoting::run_word;
use crate::generation::recipe::GoRecipe;

const CACHE: &str = "/var/cache/previewd/go";

/// Where the program lies, in the stages and in the image.
pub const PROGRAM: &str = "/opt/go/program";

pub fn write(plan: &Plan, recipe: &GoRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base(plan);
    stages(&mut out, plan, recipe, &base);
    out.finish(plan)
}

/// Everything but the last lines.
pub fn stages(out: &mut Writer, plan: &Plan, recipe: &GoRecipe, base: &str) {
    out.root_stage(&recipe.builder, "modules");
    out.line(&format!("COPY deps/ {}/", plan.working_dir));
    out.line(&format!("WORKDIR {}", plan.working_dir));
    out.settings();
    let mut commands = vec!["export GOPATH=/opt/go/path GOFLAGS=-mod=mod".to_owned()];
    if !recipe.vendored {
        commands.push("if [ -e go.mod ]; then go mod download; fi".to_owned());
    }
    commands.push(format!("mkdir -p /opt/go/path {}", plan.working_dir));
    commands.push(format!("chown -R {USER} /opt/go /app"));
    out.run_outside(&[], &commands);
    out.stage("modules", "build");
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    let flags = if recipe.vendored { "-mod=vendor" } else { "-mod=mod" };
    let tidy = "if [ ! -e go.mod ]; then go mod init app; fi && { [ -e go.sum ] || go mod tidy; }";
    let build = format!(
        "go build -trimpath -buildvcs=false -ldflags='-s -w' -o {PROGRAM} {}",
        run_word(&recipe.package)
    );
    let settings = format!("export HOME=/tmp GOPATH=/opt/go/path GOFLAGS={flags}");
    let mut commands = match recipe.cgo {
        // A C compiler does what source tells it: without the cache, and not as root.
        true => {
            out.line(&format!("USER {USER}"));
            vec![format!("{settings} CGO_ENABLED=1 GOCACHE=/tmp/go-build")]
        }
        false => vec![format!("{settings} CGO_ENABLED=0 GOCACHE={CACHE}")],
    };
    commands.extend((!recipe.vendored).then(|| tidy.to_owned()));
    commands.push(build);
    let cache = format!("id={OUR_CACHES}-go,target={CACHE}");
    let caches: Vec<&str> = if recipe.cgo { Vec::new() } else { vec![&cache] };
    out.run_outside(&caches, &commands);
    out.stage(base, "");
    out.env(&plan.environment, "");
    out.line(&format!("COPY --from=build {PROGRAM} {PROGRAM}"));
    // Templates and files beside the source are read at run time.
    out.line(&format!("COPY --chown={USER} app/ /app/"));
}
