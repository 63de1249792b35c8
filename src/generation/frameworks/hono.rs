//! Hono: a server the app starts by itself, or one that is written for Cloudflare's Workers.

use super::node_framework::{App, NodeFramework, Serve, by_script, words};
use crate::generation::node::Role;

pub static HONO: NodeFramework = NodeFramework {
    name: "hono",
    also_called: &[],
    packages: &["hono"],
    looks_for: "hono among the dependencies of package.json, or imported",
    role: Role::Server,
    port: 3000,
    build: &[],
    run: |app| match worker(app) {
        Some(argv) => {
            Serve::Tool(argv, "it is written for Workers, which wrangler runs here as it would there")
        }
        None => Serve::Itself,
    },
    dev: |app, notes| worker(app).or_else(|| by_script(app, notes)),
    environment: &[],
};

/// What runs an app that exports itself and listens nowhere.
fn worker(app: &App<'_, '_>) -> Option<Vec<String>> {
    const RUNS: &str = "wrangler dev";
    if !app.lists("wrangler") || app.project.node().iter().any(|file| !file.listens.is_empty()) {
        return None;
    }
    let scripts = ["dev", "start"].iter().filter_map(|name| app.package.scripts.get(*name));
    let given = scripts.filter_map(|script| script.strip_prefix(RUNS)).next().unwrap_or_default();
    let file = given.split_whitespace().take_while(|word| !word.starts_with('-'));
    let mut argv = words(&["wrangler", "dev"]);
    argv.extend(file.map(str::to_owned));
    argv.extend(words(&["--ip", "0.0.0.0", "--port", &app.port_text()]));
    Some(argv)
}
