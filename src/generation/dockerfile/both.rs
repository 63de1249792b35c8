//! A server and pages behind one port.
//!
//! nginx listens on the preview's port, serves the pages itself and passes the server's paths on to
//! the loopback address; a small program starts both and ends when either does.

use super::node::{self, Place};
use super::writer::{USER, Writer};
use super::{Dialect, gateway, go, python, ruby};
use crate::generation::plan::Plan;
use crate::generation::recipe::{BothRecipe, NodeRecipe, Recipe};

pub fn write(plan: &Plan, recipe: &BothRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    gateway::stage(&mut out, &recipe.static_image);
    let is_one = recipe.is_one_workspace();
    if let Some(pages) = recipe.node.as_ref().filter(|_| !is_one) {
        let dir = recipe.pages_dir();
        let place = Place { base: &recipe.node_image, prefix: "pages-", deps: "pages-deps", dir: &dir };
        match recipe.pages_server {
            Some(_) => node::pages_server(&mut out, pages, &place, &recipe.own_addresses),
            None => node::pages(&mut out, pages, &recipe.pages, &place, &recipe.own_addresses),
        }
    }
    let base = out.base(plan);
    match recipe.server.as_ref() {
        Recipe::Node(server) if is_one => node::workspace(&mut out, plan, server, recipe, &base),
        Recipe::Python(server) => python::stages(&mut out, plan, server, &base, dialect),
        Recipe::Node(server) => {
            node::stages(&mut out, plan, server, &base);
            if server.links_packages() && recipe.makes_pages_in(&plan.working_dir) {
                node::link(&mut out, &plan.working_dir);
            }
        }
        Recipe::Go(server) => go::stages(&mut out, plan, server, &base),
        Recipe::Ruby(server) => ruby::stages(&mut out, plan, server, &base),
        // Nothing else is ever put behind pages.
        _ => {
            out.stage(&base, "");
            out.line(&format!("COPY --chown={USER} app/ /app/"));
        }
    }
    gateway::copy(&mut out);
    out.line("COPY nginx.conf both.sh /etc/previewd/");
    match &recipe.node {
        Some(pages) if recipe.pages_server.is_some() => {
            out.line("COPY pages.sh /etc/previewd/");
            if !is_one {
                copy_pages_server(&mut out, recipe, pages);
            }
        }
        Some(_) => {
            let from = if is_one { "build" } else { "pages-build" };
            out.line(&format!("COPY --from={from} --chown={USER} /tmp/built/pages/ /srv/pages/"));
        }
        None => {}
    }
    out.finish(plan)
}

/// The pages' own server beside another that knows nothing of it.
fn copy_pages_server(out: &mut Writer, recipe: &BothRecipe, pages: &NodeRecipe) {
    out.line("COPY --from=pages-runtime /runtime/ /opt/pages/");
    if pages.in_place {
        let all = pages.install_dir();
        out.line(&format!("COPY --from=pages-build --chown={USER} {all}/ {all}/"));
        return;
    }
    let folder =
        if recipe.pages_folder.is_empty() { String::new() } else { format!("{}/", recipe.pages_folder) };
    let modules = node::PAGES_MODULES;
    out.line(&format!("COPY --from=pages-deps /app/{folder}node_modules {modules}"));
    out.line(&format!("COPY --from=pages-build --chown={USER} /tmp/built/app/{folder} /app/{folder}"));
}
