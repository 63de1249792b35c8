//! Vite alone: React, Vue, Svelte, Solid or plain pages.

use super::node_framework::{App, NodeFramework, Serve};
use super::node_site::Built;
use crate::generation::node::Role;
use crate::generation::plan::Notes;

pub static VITE: NodeFramework = NodeFramework {
    name: "vite",
    also_called: &[
        "react",
        "vue",
        "svelte",
        "vite-react",
        "vite-vue",
        "react-vite",
        "preact",
        "solid",
        "lit",
    ],
    packages: &["vite"],
    looks_for: "vite among the dependencies of package.json",
    role: Role::Pages,
    port: 5173,
    build: &["vite", "build"],
    run,
    dev: develop,
    environment: &[],
};

fn run(app: &App<'_, '_>) -> Serve {
    let root = app.setting("vite.config", "root").filter(|root| !root.is_empty() && root != ".");
    let folder = app.setting("vite.config", "outDir");
    let built = Built::single_page(&["dist", "build"]).under(app.base("vite.config", "base"));
    Serve::Pages(match (root, folder) {
        (Some(root), None) => built.first(Some(format!("{root}/dist"))),
        (_, folder) => built.first(folder),
    })
}

/// Vite by its own interface, because its command line cannot be told that every host may ask and
/// that its cache lies elsewhere than beside the packages. What the app's configuration says
/// otherwise holds.
pub fn develop(_: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    Some(by_interface(
        "import { createServer } from 'vite'; const port = Number(process.env.PORT); const server = await createServer({ cacheDir: '/tmp/vite', server: { host: '0.0.0.0', port, strictPort: true, allowedHosts: true, fs: { strict: false } } }); await server.listen(); server.printUrls();",
    ))
}

/// The server Vite has for looking at what was built.
pub fn previewing() -> Vec<String> {
    by_interface(
        "import { preview } from 'vite'; const port = Number(process.env.PORT); const server = await preview({ preview: { host: '0.0.0.0', port, strictPort: true, allowedHosts: true } }); server.printUrls();",
    )
}

fn by_interface(script: &str) -> Vec<String> {
    ["node", "--input-type=module", "-e", script].map(str::to_owned).to_vec()
}
