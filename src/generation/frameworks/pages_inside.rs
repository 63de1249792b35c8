//! Pages and a server in one package.json: `vite build` makes the pages, and nothing of the server
//! hands them out, because in development the builder's own server does.

use super::PAGE_BUILDERS;
use super::node_framework::{App, NodeFramework, Serve};
use super::node_site::Built;
use crate::domain::Mode;
use crate::generation::node::{self, Package, Role};
use crate::generation::project::{Project, is_under, join};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::NodeRecipe;

/// What hands out files, or the pages themselves, in the code of a server.
const HANDS_OUT: [&str; 10] = [
    "express.static",
    "sendFile",
    "sendfile",
    "serveStatic",
    "serve-static",
    "@fastify/static",
    "koa-static",
    "koa-send",
    "middlewareMode",
    "vite-express",
];

/// The pages of the package whose server is started, where nobody hands them out.
pub fn find<'p>(
    project: &'p Project<'_>,
    package: &'p Package,
) -> Option<(&'p Package, &'static NodeFramework, Built)> {
    if project.mode() == Mode::Dev || node::role_of(project, package) != Role::Server {
        return None;
    }
    let listed = |builder: &&&NodeFramework| {
        builder.role == Role::Pages && builder.packages.iter().any(|name| package.lists(name))
    };
    let framework: &'static NodeFramework = PAGE_BUILDERS.iter().find(listed)?;
    if !is_plain_path(package.folder()) || !is_built(project, package, framework) {
        return None;
    }
    let Serve::Pages(built) = (framework.run)(&App { project, package, port: 0 }) else { return None };
    (!is_handed_out(project, package, &built)).then_some((package, framework, built))
}

/// Where builders find the page that they start from.
const PAGES: [&str; 7] = [
    "index.html",
    "client/index.html",
    "frontend/index.html",
    "web/index.html",
    "src/index.html",
    "src/client/index.html",
    "client/src/index.html",
];

/// A page to start from, and a script that does: a builder may be there for tests alone.
fn is_built(project: &Project<'_>, package: &Package, builder: &NodeFramework) -> bool {
    let has_page = |name: &&str| project.contains(&join(package.folder(), name));
    let build = package.scripts.get("build").map_or("", String::as_str);
    let runs = |name: &&str| build.split_whitespace().any(|word| word == *name);
    PAGES.iter().any(has_page) && builder.packages.iter().any(runs)
}

fn is_handed_out(project: &Project<'_>, package: &Package, built: &Built) -> bool {
    let mut names: Vec<&str> = built.folders.iter().flat_map(|folder| folder.split('/')).collect();
    names.push("index.html");
    project.node().iter().filter(|file| is_under(&file.path, package.folder())).any(|file| {
        let text = project.text(&file.path).unwrap_or_default();
        let says = |mark: &str| text.contains(mark);
        HANDS_OUT.iter().any(|mark| says(mark))
            && (names.iter().any(|name| says(name)) || says("middlewareMode") || says("vite-express"))
    })
}

/// Leaves the build of the pages out of what is made for the server, when what is started lies in
/// the tree as it is.
pub fn without_their_build(
    project: &Project<'_>,
    package: &Package,
    start: &[String],
    server: &mut NodeRecipe,
) {
    let script = start.last().filter(|_| start[0] == "npm").and_then(|name| package.scripts.get(name));
    let words = script.map_or_else(|| start.join(" "), String::clone);
    let in_tree = |word: &str| project.contains(&join(package.folder(), word.trim_start_matches("./")));
    if !words.split_whitespace().any(in_tree) {
        return;
    }
    server.build.retain(|command| command.first().is_some_and(|program| program != "npm"));
    server.build_otherwise.clear();
    if server.build.is_empty() && server.prune {
        (server.prune, server.dev_dependencies) = (false, false);
    }
}
