//! Next.js: its own server, or files when it exports them.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use crate::generation::node::Role;

pub static NEXT: NodeFramework = NodeFramework {
    name: "next",
    also_called: &["nextjs"],
    packages: &["next"],
    looks_for: "next among the dependencies of package.json",
    role: Role::Whole,
    port: 3000,
    build: &["next", "build"],
    run,
    dev,
    environment: &[("NEXT_TELEMETRY_DISABLED", "1")],
};

fn run(app: &App<'_, '_>) -> Serve {
    if app.config_says("next.config", &["output:'export'", "output:\"export\""]) {
        return Serve::Pages(Built::pages(&["out"]));
    }
    Serve::Command(listening(app, "start"), "the production server of Next.js, on every address")
}

fn dev(app: &App<'_, '_>) -> Option<Vec<String>> {
    let mut argv = listening(app, "dev");
    // Its other bundler accepts no node_modules that are a link; from 16 on it is the usual one.
    argv.extend(
        (app.package.major_of("next").is_none_or(|major| major >= 16)).then(|| "--webpack".to_owned()),
    );
    Some(argv)
}

fn listening(app: &App<'_, '_>, command: &str) -> Vec<String> {
    words(&["next", command, "-H", "0.0.0.0", "-p", &app.port_text()])
}
