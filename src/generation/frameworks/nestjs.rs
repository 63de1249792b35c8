//! NestJS: compiled, then run by Node.

use super::node_framework::{App, NodeFramework, Serve, words};
use crate::generation::node::Role;
use crate::generation::plan::Notes;

pub static NESTJS: NodeFramework = NodeFramework {
    name: "nestjs",
    also_called: &["nest"],
    packages: &["@nestjs/core"],
    looks_for: "@nestjs/core among the dependencies of package.json",
    role: Role::Server,
    port: 3000,
    build: &["nest", "build"],
    run,
    dev,
    environment: &[],
};

fn run(app: &App<'_, '_>) -> Serve {
    // `nest start` compiles again, with packages production does not have.
    let script = app.package.scripts.get("start:prod");
    let file = script.and_then(|script| script.split_whitespace().find(|word| word.starts_with("dist/")));
    let usual = match app.config_says("nest-cli", &["\"monorepo\":true"]) {
        true => return Serve::Itself,
        false => "dist/main",
    };
    Serve::Command(words(&["node", file.unwrap_or(usual)]), "what nest build makes")
}

fn dev(_: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    Some(words(&["nest", "start", "--watch"]))
}
