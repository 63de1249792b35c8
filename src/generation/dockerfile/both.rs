//! A server and pages behind one port.
//!
//! nginx comes from the static base with the libraries it was linked to, so that it runs in any
//! image, whatever its distribution, and nothing has to be fetched. It listens on the preview's
//! port, serves the pages itself and passes the server's paths on to the loopback address; a small
//! program starts both and ends when either does.

use super::node::{self, Place};
use super::writer::{USER, Writer};
use super::{Dialect, go, python};
use crate::generation::plan::Plan;
use crate::generation::recipe::{BothRecipe, Recipe};

pub fn write(plan: &Plan, recipe: &BothRecipe, dialect: Dialect) -> String {
    let mut out = Writer::new(dialect);
    gateway(&mut out, recipe);
    if let Some(pages) = &recipe.node {
        let dir = match recipe.pages_folder.as_str() {
            "" => "/app".to_owned(),
            folder => format!("/app/{folder}"),
        };
        let place = Place { base: &recipe.node_image, prefix: "pages-", deps: "pages-deps", dir: &dir };
        node::pages(&mut out, pages, &recipe.pages, &place, &recipe.own_addresses);
    }
    let base = out.base(plan);
    match recipe.server.as_ref() {
        Recipe::Python(server) => python::stages(&mut out, plan, server, &base, dialect),
        Recipe::Node(server) => node::stages(&mut out, plan, server, &base),
        Recipe::Go(server) => go::stages(&mut out, plan, server, &base),
        // Nothing else is ever put behind pages.
        _ => {
            out.stage(&base, "");
            out.line(&format!("COPY --chown={USER} app/ /app/"));
        }
    }
    out.line("COPY --from=gateway /gateway/ /opt/gateway/");
    out.line("COPY nginx.conf both.sh /etc/previewd/");
    if recipe.node.is_some() {
        out.line(&format!("COPY --from=pages-build --chown={USER} /tmp/built/pages/ /srv/pages/"));
    }
    out.finish(plan)
}

/// nginx, its libraries and the loader that finds them.
fn gateway(out: &mut Writer, recipe: &BothRecipe) {
    out.root_stage(&recipe.static_image, "gateway");
    out.run(&[
        "program=$(command -v nginx)".to_owned(),
        "libraries=$(ldd \"$program\" | grep -o '/[^ )]*')".to_owned(),
        "mkdir -p /gateway/lib".to_owned(),
        "cp -L \"$program\" /gateway/nginx".to_owned(),
        "for library in $libraries; do cp -L \"$library\" /gateway/lib/; done".to_owned(),
        "cp /etc/nginx/mime.types /gateway/mime.types".to_owned(),
        "cp -L \"$(ldd \"$program\" | grep -o '/[^ ]*ld-[^ ]*')\" /gateway/loader".to_owned(),
    ]);
}
