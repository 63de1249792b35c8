//! Next.js: its own server, or files when it exports them.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use crate::generation::node::Role;
use crate::generation::plan::Notes;

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
        return Serve::Pages(Built::pages(&["out"]).under(app.base("next.config", "basePath")));
    }
    Serve::Command(listening(app, "start"), "the production server of Next.js, on every address")
}

/// What its compiler takes while pages are compiled is more than the standard tier gives.
const HUNGRY: &str = "the development server of Next.js takes more than 512 MB while it compiles: \
                      launch it with resourceTier pro, or with mode run";

fn dev(app: &App<'_, '_>, notes: &mut Notes) -> Option<Vec<String>> {
    notes.warn(HUNGRY, Some(app.package.place_of(app.project, "next")));
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
