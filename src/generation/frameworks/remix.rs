//! React Router and Remix: the server that comes with them, or one page without a server.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use super::vite;
use crate::generation::node::Role;

pub static REACT_ROUTER: NodeFramework = NodeFramework {
    name: "react-router",
    also_called: &["reactrouter", "remix-router"],
    packages: &["@react-router/dev"],
    looks_for: "@react-router/dev among the dependencies of package.json",
    role: Role::Whole,
    port: 3000,
    build: &["react-router", "build"],
    run: react_router,
    dev: vite::develop,
    environment: &[("HOST", "0.0.0.0")],
};

pub static REMIX: NodeFramework = NodeFramework {
    name: "remix",
    also_called: &[],
    packages: &["@remix-run/react", "@remix-run/dev"],
    looks_for: "@remix-run/react among the dependencies of package.json",
    role: Role::Whole,
    port: 3000,
    build: &["remix", "vite:build"],
    run: remix,
    dev: vite::develop,
    environment: &[("HOST", "0.0.0.0")],
};

fn react_router(app: &App<'_, '_>) -> Serve {
    if app.config_says("react-router.config", &["ssr:false"]) {
        return Serve::Pages(Built::single_page(&["build/client"]));
    }
    Serve::Command(words(&["react-router-serve", "./build/server/index.js"]), "React Router's own server")
}

fn remix(app: &App<'_, '_>) -> Serve {
    if app.config_says("vite.config", &["ssr:false"]) {
        return Serve::Pages(Built::single_page(&["build/client"]));
    }
    let built =
        if app.config("vite.config").is_some() { "./build/server/index.js" } else { "./build/index.js" };
    Serve::Command(words(&["remix-serve", built]), "Remix's own server")
}
