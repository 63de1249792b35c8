//! Ruby: Bundler fills `/opt/bundle` in a stage of its own.

use super::Dialect;
use super::writer::{USER, Writer};
use crate::generation::plan::Plan;
use crate::generation::quoting::env_value;
use crate::generation::recipe::RubyRecipe;

pub fn write(plan: &Plan, recipe: &RubyRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base(plan);
    stages(&mut out, plan, recipe, &base);
    out.finish(plan)
}

/// Everything but the last lines.
pub fn stages(out: &mut Writer, plan: &Plan, recipe: &RubyRecipe, base: &str) {
    if recipe.installs {
        out.root_stage(base, "deps");
        out.run(&[format!("install -d -o {0} -g {0} /opt/ruby /opt/bundle", owner())]);
        out.line(&format!("COPY --chown={USER} deps/ /opt/ruby/"));
        out.line("WORKDIR /opt/ruby");
        out.settings();
        out.line(&format!("ENV BUNDLE_PATH=/opt/bundle BUNDLE_WITHOUT={}", env_value(&recipe.without)));
        // A Gemfile is a program, and gems have some to run when they are installed: so as the
        // app's user, and without a cache that others share.
        out.line(&format!("USER {USER}"));
        let settings = "export HOME=/tmp BUNDLE_JOBS=4 BUNDLE_RETRY=3 BUNDLE_SILENCE_ROOT_WARNING=1";
        out.run_outside(&[], &[settings.to_owned(), "bundle install".to_owned()]);
    }
    out.stage(base, "");
    out.env(&plan.environment, "");
    if recipe.installs {
        out.line("COPY --from=deps /opt/bundle /opt/bundle");
        out.line("COPY --from=deps /opt/ruby /opt/ruby");
    }
    // The copy comes before WORKDIR, so that /app itself belongs to the user too.
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.prepare(plan, &recipe.prepare);
}

/// The user's number alone.
fn owner() -> &'static str {
    USER.split(':').next().unwrap_or(USER)
}
