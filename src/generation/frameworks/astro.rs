//! Astro: files, or the server of its Node adapter.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use crate::generation::node::Role;
use crate::generation::plan::Notes;

pub static ASTRO: NodeFramework = NodeFramework {
    name: "astro",
    also_called: &["astrojs"],
    packages: &["astro"],
    looks_for: "astro among the dependencies of package.json",
    role: Role::Whole,
    port: 4321,
    build: &["astro", "build"],
    run,
    dev,
    environment: &[("HOST", "0.0.0.0"), ("ASTRO_TELEMETRY_DISABLED", "1")],
};

fn run(app: &App<'_, '_>) -> Serve {
    let serves = app.config_says(
        "astro.config",
        &["output:'server'", "output:\"server\"", "output:'hybrid'", "output:\"hybrid\""],
    );
    if app.lists("@astrojs/node") && (serves || app.config_says("astro.config", &["adapter:"])) {
        return Serve::Command(
            words(&["node", "./dist/server/entry.mjs"]),
            "the server of @astrojs/node; it reads HOST and PORT",
        );
    }
    let built = Built::pages(&["dist"]).under(app.base("astro.config", "base"));
    Serve::Pages(built.first(app.setting("astro.config", "outDir")))
}

fn dev(app: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    let mut argv = words(&["astro", "dev", "--host", "0.0.0.0", "--port", &app.port_text()]);
    if app.package.major_of("astro").is_none_or(|major| major > 5) {
        argv.push("--allowed-hosts=true".to_owned());
    }
    Some(argv)
}
