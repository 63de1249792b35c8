//! Fastify: a server the app starts by itself, or its command line given a plugin.

use super::node_framework::{NodeFramework, Serve, by_script};
use crate::generation::node::Role;

pub static FASTIFY: NodeFramework = NodeFramework {
    name: "fastify",
    also_called: &[],
    packages: &["fastify"],
    looks_for: "fastify among the dependencies of package.json, or imported",
    role: Role::Server,
    port: 3000,
    build: &[],
    run: |_| Serve::Itself,
    dev: by_script,
    // Its command line listens on the loopback address alone unless told otherwise.
    environment: &[("FASTIFY_ADDRESS", "0.0.0.0")],
};
