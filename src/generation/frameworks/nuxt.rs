//! Nuxt: the server its build makes, or files when it generates them.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use crate::generation::node::Role;
use crate::generation::plan::Notes;

pub static NUXT: NodeFramework = NodeFramework {
    name: "nuxt",
    also_called: &["nuxt3"],
    packages: &["nuxt"],
    looks_for: "nuxt among the dependencies of package.json",
    role: Role::Whole,
    port: 3000,
    build: &["nuxt", "build"],
    run,
    dev,
    environment: &[("HOST", "0.0.0.0"), ("NUXT_TELEMETRY_DISABLED", "1")],
};

fn run(app: &App<'_, '_>) -> Serve {
    if app.package.scripts.get("build").is_some_and(|script| script.contains("generate")) {
        return Serve::Pages(Built::pages(&[".output/public", "dist"]));
    }
    Serve::Command(
        words(&["node", ".output/server/index.mjs"]),
        "the server that nuxt build makes; it reads HOST and PORT",
    )
}

fn dev(app: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    Some(words(&["nuxt", "dev", "--host", "0.0.0.0", "--port", &app.port_text()]))
}
