//! Of several package.json files: which one is what a visitor is to see, and which stands beside it.

use super::package::Package;
use crate::generation::project::{Project, join, name_of};
use crate::generation::quoting::split_words;

/// What a package is for, as far as a preview cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Pages and a server of their own in one: Next.js, Nuxt and their kin.
    Whole,
    /// It answers requests.
    Server,
    /// Pages a build makes, for a browser alone.
    Pages,
    /// A library, a tool, the top of a workspace.
    Other,
}

const WHOLE: [&str; 12] = [
    "next",
    "nuxt",
    "@sveltejs/kit",
    "@remix-run/react",
    "@react-router/dev",
    "astro",
    "@solidjs/start",
    "@tanstack/react-start",
    "gatsby",
    "@docusaurus/core",
    "vitepress",
    "@11ty/eleventy",
];

pub const SERVERS: [&str; 20] = [
    "@nestjs/core",
    "fastify",
    "koa",
    "hono",
    "express",
    "@hapi/hapi",
    "@adonisjs/core",
    "@feathersjs/feathers",
    "@apollo/server",
    "apollo-server",
    "graphql-yoga",
    "polka",
    "restify",
    "elysia",
    "socket.io",
    "ws",
    "json-server",
    "micro",
    "sails",
    "@strapi/strapi",
];

const PAGES: [&str; 8] = [
    "vite",
    "react-scripts",
    "@angular/core",
    "@vue/cli-service",
    "parcel",
    "webpack-dev-server",
    "@rsbuild/core",
    "preact-cli",
];

pub fn of(project: &Project<'_>, package: &Package) -> Role {
    let lists = |names: &[&str]| names.iter().any(|name| package.lists(name));
    if lists(&WHOLE) {
        return Role::Whole;
    }
    if lists(&SERVERS) && (!lists(&PAGES) || starts_a_program(project, package)) {
        return Role::Server;
    }
    if lists(&PAGES) {
        return Role::Pages;
    }
    if runs_node(package, "start") { Role::Server } else { Role::Other }
}

/// Sorted by what is to be served: a server before the pages beside it, the likelier names first.
pub fn sort(project: &Project<'_>, mut packages: Vec<Package>) -> Vec<Package> {
    packages.sort_by_cached_key(|package| {
        let aside = is_aside(package.folder());
        (
            aside,
            of(project, package),
            package.path.matches('/').count(),
            rank(package.folder()),
            package.path.clone(),
        )
    });
    packages
}

/// The start or dev script runs a file of the tree, or one listens.
fn starts_a_program(project: &Project<'_>, package: &Package) -> bool {
    if ["start", "dev", "server", "dev:server"].iter().any(|script| runs_node(package, script)) {
        return true;
    }
    let mains =
        ["server.js", "server.ts", "server/index.js", "server/index.ts", "src/server.ts", "src/server.js"];
    mains.iter().any(|name| project.contains(&join(package.folder(), name)))
}

/// `NODE_ENV=production node dist/index.js`, `tsx server.ts`.
fn runs_node(package: &Package, script: &str) -> bool {
    let Some(words) = package.scripts.get(script).and_then(|text| split_words(text)) else { return false };
    let program = words.iter().find(|word| !word.contains('=') && *word != "cross-env");
    program.is_some_and(|program| {
        matches!(
            program.as_str(),
            "node" | "tsx" | "ts-node" | "ts-node-dev" | "nodemon" | "bun" | "nest" | "deno"
        )
    })
}

/// Documentation, tests and phones are not what a visitor is to see.
pub fn is_aside(folder: &str) -> bool {
    const ASIDE: [&str; 16] = [
        "docs",
        "doc",
        "documentation",
        "storybook",
        "e2e",
        "examples",
        "example",
        "mobile",
        "electron",
        "desktop",
        "extension",
        "tests",
        "test",
        "scripts",
        "tools",
        "cypress",
    ];
    folder.split('/').any(|part| ASIDE.contains(&part))
}

fn rank(folder: &str) -> usize {
    const NAMES: [&str; 12] = [
        "web", "frontend", "front", "client", "webapp", "app", "ui", "site", "www", "backend", "server",
        "api",
    ];
    NAMES.iter().position(|name| *name == name_of(folder)).unwrap_or(NAMES.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    fn roles(files: &[(&str, &str)]) -> Vec<(String, Role)> {
        project_of(&tree(files), |project| {
            project
                .packages()
                .iter()
                .map(|package| (package.folder().to_owned(), of(project, package)))
                .collect()
        })
    }

    #[test]
    fn what_a_visitor_sees_comes_first() {
        let vite = r#"{"devDependencies":{"vite":"5"}}"#;
        let express = r#"{"dependencies":{"express":"4"},"scripts":{"start":"node i.js"}}"#;
        let next = r#"{"dependencies":{"next":"15"}}"#;
        assert_eq!(
            roles(&[("client/package.json", vite), ("server/package.json", express)]),
            [("server".to_owned(), Role::Server), ("client".to_owned(), Role::Pages)]
        );
        let found = roles(&[
            ("package.json", r#"{"workspaces":["apps/*"]}"#),
            ("apps/api/package.json", express),
            ("apps/docs/package.json", next),
            ("apps/web/package.json", next),
        ]);
        assert_eq!(found[0], ("apps/web".to_owned(), Role::Whole));
        let both = r#"{"dependencies":{"express":"4","vite":"5"},"scripts":{"dev":"tsx server/index.ts"}}"#;
        assert_eq!(roles(&[("package.json", both)])[0].1, Role::Server);
        let proxy =
            r#"{"dependencies":{"express":"4"},"devDependencies":{"vite":"5"},"scripts":{"dev":"vite"}}"#;
        assert_eq!(roles(&[("package.json", proxy)])[0].1, Role::Pages);
    }
}
