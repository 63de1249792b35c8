//! SvelteKit: what its adapter makes.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use super::vite;
use crate::generation::node::Role;

pub static SVELTEKIT: NodeFramework = NodeFramework {
    name: "sveltekit",
    also_called: &["svelte-kit"],
    packages: &["@sveltejs/kit"],
    looks_for: "@sveltejs/kit among the dependencies of package.json",
    role: Role::Whole,
    port: 3000,
    build: &["vite", "build"],
    run,
    dev: vite::develop,
    // The proxy in front says under which name and scheme the visitor came.
    environment: &[
        ("HOST", "0.0.0.0"),
        ("PROTOCOL_HEADER", "x-forwarded-proto"),
        ("HOST_HEADER", "x-forwarded-host"),
    ],
};

fn run(app: &App<'_, '_>) -> Serve {
    if app.lists("@sveltejs/adapter-static") {
        return Serve::Pages(Built::single_page(&["build"]).under(app.base("svelte.config", "base")));
    }
    if app.lists("@sveltejs/adapter-node") {
        return Serve::Command(words(&["node", "build"]), "the server that @sveltejs/adapter-node makes");
    }
    Serve::Tool(vite::previewing(), "the adapter makes nothing that runs here; Vite serves the same build")
}
