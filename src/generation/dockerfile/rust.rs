//! Rust: one program by cargo, a last stage with little besides.

use super::Dialect;
use super::writer::{USER, Writer};
use crate::generation::plan::Plan;
use crate::generation::quoting::run_word;
use crate::generation::recipe::RustRecipe;

/// Where the program lies in the image.
pub const PROGRAM: &str = "/opt/rust/program";

pub fn write(plan: &Plan, recipe: &RustRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    let base = out.base(plan);
    out.root_stage(&recipe.builder, "build");
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.line(&format!("WORKDIR {}", plan.working_dir));
    out.settings();
    out.line(&format!("USER {USER}"));
    let locked = if recipe.locked { " --locked" } else { "" };
    let binary = run_word(&recipe.binary);
    let commands = [
        "export HOME=/tmp CARGO_HOME=/tmp/cargo CARGO_TARGET_DIR=/tmp/target".to_owned(),
        format!("cargo build --release{locked} --bin {binary}"),
        format!("cp /tmp/target/release/{binary} /tmp/program"),
    ];
    out.run_outside(&[], &commands);
    out.stage(&base, "");
    out.env(&plan.environment, "");
    out.line(&format!("COPY --from=build /tmp/program {PROGRAM}"));
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.finish(plan)
}
