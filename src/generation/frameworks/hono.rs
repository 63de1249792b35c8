//! Hono: a server the app starts by itself.

use super::node_framework::{NodeFramework, Serve, by_script};
use crate::generation::node::Role;

pub static HONO: NodeFramework = NodeFramework {
    name: "hono",
    also_called: &[],
    packages: &["hono"],
    looks_for: "hono among the dependencies of package.json, or imported",
    role: Role::Server,
    port: 3000,
    build: &[],
    run: |_| Serve::Itself,
    dev: by_script,
    environment: &[],
};
