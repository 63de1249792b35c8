//! Express: a server the app starts by itself.

use super::node_framework::{NodeFramework, Serve, by_script};
use crate::generation::node::Role;

pub static EXPRESS: NodeFramework = NodeFramework {
    name: "express",
    also_called: &[],
    packages: &["express"],
    looks_for: "express among the dependencies of package.json, or imported",
    role: Role::Server,
    port: 3000,
    build: &[],
    run: |_| Serve::Itself,
    dev: by_script,
    environment: &[],
};
