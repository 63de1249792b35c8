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
    // It and its command line listen on the loopback address alone unless told otherwise. HOST is
    // what code that asks the environment mostly calls it.
    environment: &[("FASTIFY_ADDRESS", "0.0.0.0"), ("HOST", "0.0.0.0")],
};
