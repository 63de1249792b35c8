//! Koa: a server the app starts by itself.

use super::node_framework::{NodeFramework, Serve, by_script};
use crate::generation::node::Role;

pub static KOA: NodeFramework = NodeFramework {
    name: "koa",
    also_called: &[],
    packages: &["koa"],
    looks_for: "koa among the dependencies of package.json, or imported",
    role: Role::Server,
    port: 3000,
    build: &[],
    run: |_| Serve::Itself,
    dev: by_script,
    environment: &[],
};
