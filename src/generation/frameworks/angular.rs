//! Angular: pages, or the server its build makes when it renders there.

use serde_json::Value;

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use crate::generation::node::Role;
use crate::generation::plan::Notes;

pub static ANGULAR: NodeFramework = NodeFramework {
    name: "angular",
    also_called: &["ng"],
    packages: &["@angular/core", "@angular/cli"],
    looks_for: "@angular/core among the dependencies of package.json",
    role: Role::Whole,
    port: 4200,
    build: &["ng", "build"],
    run,
    dev,
    environment: &[("NG_CLI_ANALYTICS", "false")],
};

fn run(app: &App<'_, '_>) -> Serve {
    let (name, output, renders) = project(app).unwrap_or_default();
    let output = output.unwrap_or_else(|| format!("dist/{name}"));
    if renders {
        return Serve::Command(
            words(&["node", &format!("{output}/server/server.mjs")]),
            "the server that the build makes, because angular.json asks for server rendering",
        );
    }
    Serve::Pages(
        Built::single_page(&["dist"]).first(Some(output.clone())).first(Some(format!("{output}/browser"))),
    )
}

fn dev(app: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    let any_host = match app.package.major_of("@angular/core") {
        Some(..=18) => "--disable-host-check",
        _ => "--allowed-hosts=true",
    };
    Some(words(&["ng", "serve", "--host", "0.0.0.0", "--port", &app.port_text(), any_host]))
}

/// The first project of angular.json: its name, its output folder, whether it renders on a server.
fn project(app: &App<'_, '_>) -> Option<(String, Option<String>, bool)> {
    let json: Value = serde_json::from_str(app.config("angular")?).ok()?;
    let projects = json.get("projects")?.as_object()?;
    let is_app = |project: &Value| project.get("projectType").and_then(Value::as_str) != Some("library");
    let (name, project) = projects.iter().find(|(_, project)| is_app(project))?;
    let options =
        project.pointer("/architect/build/options").or_else(|| project.pointer("/targets/build/options"));
    let output = options.and_then(|options| options.get("outputPath"));
    let output = output.and_then(|output| output.as_str().or_else(|| output.get("base")?.as_str()));
    let renders = options.is_some_and(|options| {
        options.get("ssr").is_some_and(|ssr| ssr != &Value::Bool(false))
            && options.get("outputMode").and_then(Value::as_str) != Some("static")
    });
    Some((name.clone(), output.map(|output| output.trim_end_matches('/').to_owned()), renders))
}
