//! Builders of pages that differ in nothing but their names and folders.

use super::node_framework::{App, NodeFramework, Serve, by_script};
use super::node_site::Built;
use crate::generation::node::Role;

/// A builder of pages where every page is a file.
macro_rules! builder {
    ($constant:ident, $role:ident, $name:literal, [$($package:literal),+], $build:expr, $run:expr) => {
        pub static $constant: NodeFramework = NodeFramework {
            name: $name,
            also_called: &[],
            packages: &[$($package),+],
            looks_for: concat!($name, " among the dependencies of package.json"),
            role: Role::$role,
            port: 3000,
            build: $build,
            run: $run,
            dev: by_script,
            environment: &[],
        };
    };
}

builder!(GATSBY, Whole, "gatsby", ["gatsby"], &["gatsby", "build"], |_| pages(&["public"]));
builder!(DOCUSAURUS, Whole, "docusaurus", ["@docusaurus/core"], &["docusaurus", "build"], |_| pages(&[
    "build"
]));
builder!(ELEVENTY, Whole, "eleventy", ["@11ty/eleventy"], &["eleventy"], |_| pages(&[
    "_site", "dist", "public"
]));
builder!(VITEPRESS, Whole, "vitepress", ["vitepress"], &["vitepress", "build"], |_| pages(&[
    ".vitepress/dist",
    "docs/.vitepress/dist",
    "src/.vitepress/dist",
]));
builder!(VUE_CLI, Pages, "vue-cli", ["@vue/cli-service"], &["vue-cli-service", "build"], |_| single(&[
    "dist"
]));
builder!(PARCEL, Pages, "parcel", ["parcel"], &["parcel", "build"], |_| single(&["dist"]));
builder!(RSBUILD, Pages, "rsbuild", ["@rsbuild/core"], &["rsbuild", "build"], |_| single(&["dist"]));
builder!(
    NITRO,
    Whole,
    "nitro",
    ["@solidjs/start", "@tanstack/react-start", "vinxi"],
    &["vinxi", "build"],
    server
);

fn pages(folders: &[&str]) -> Serve {
    Serve::Pages(Built::pages(folders))
}

fn single(folders: &[&str]) -> Serve {
    Serve::Pages(Built::single_page(folders))
}

fn server(_: &App<'_, '_>) -> Serve {
    let argv = super::node_framework::words(&["node", ".output/server/index.mjs"]);
    Serve::Command(argv, "the server its build makes; it reads PORT")
}
