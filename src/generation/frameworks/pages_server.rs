//! Pages that are made on a server of their own (Next.js and its kin), beside a server of another
//! language or package, behind one port: three programs in one container, nginx in front of the other two.

use std::collections::BTreeSet;

use super::node_framework::{App, NodeFramework, Serve};
use super::{Outline, PAGE_BUILDERS, node_build, node_start, own_addresses};
use crate::domain::{FileSet, Mode};
use crate::generation::bases::Runtime;
use crate::generation::endpoints;
use crate::generation::node::{self, Needs, Role};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, is_under};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{BothRecipe, BuiltPages, PagesServer, Recipe};

/// The server with the pages in front of it; `None` where they do not fit into one image.
pub fn combine(
    project: &Project<'_>,
    files: &FileSet,
    mut server: Outline,
    pages: &str,
    notes: &mut Notes,
) -> Option<Outline> {
    let framework: &'static NodeFramework = PAGE_BUILDERS.iter().find(|builder| builder.name == pages)?;
    let package = project.package().filter(|package| is_plain_path(package.folder()))?;
    let fits = matches!(server.recipe, Recipe::Python(_) | Recipe::Node(_) | Recipe::Go(_) | Recipe::Ruby(_));
    if !fits || project.mode() == Mode::Dev || node::role_of(project, package) == Role::Server {
        return None;
    }
    let pages_port = if server.port == framework.port { framework.port + 1 } else { framework.port };
    let app = App { project, package, port: pages_port };
    let (Serve::Command(start, reason) | Serve::Tool(start, reason)) = (framework.run)(&app) else {
        return None;
    };
    framework.warn_of_base(&app, notes);
    let build = node_build::commands(project, package, framework.build, notes);
    let needs = Needs { dev: true, build: build.commands, ..Needs::default() };
    let mut node = node::recipe_of(project, package, needs, notes);
    node.build_otherwise = build.otherwise;
    node.build_environment = node_build::environment(project, package, notes);
    if let Recipe::Node(server) = &mut server.recipe {
        server.join(&node);
        notes.forget_what_was_said_before();
    }
    // On the server side the pages find it where the developer's own was.
    let address = format!("http://localhost:{}", server.port);
    let mut own_addresses = own_addresses::find(project, package.folder(), notes);
    own_addresses::give_bases(project, package.folder(), &address, &mut node, notes);
    if !own_addresses.contains(&address) {
        own_addresses.push(address);
    }
    let place = Place::file(&package.path);
    let name = format!("{}+{}", server.framework, framework.name);
    let why = "pages made on a server of their own belong to it: nginx stands in front of both, so that they have one address";
    notes.decide("pages and server", &name, Source::Detected, why, place.clone());
    notes.decide("start of the pages", start.join(" "), Source::Default, reason, place);
    let taken = [server.port, pages_port];
    let port = [8080, 8081, 8082].into_iter().find(|port| !taken.contains(port))?;
    let reason =
        format!("nginx listens here, the server on {} and the pages on {pages_port} behind it", server.port);
    notes.decide("port", port.to_string(), Source::Default, reason, None);
    let prefixes = prefixes(files, package.folder(), &server, notes);
    notes.warnings.retain(|warning| !warning.message.contains(node_start::UNREACHED));
    let mut environment = server.environment.clone();
    environment.insert("SERVER_PORT".to_owned(), server.port.to_string());
    environment.insert("PAGES_PORT".to_owned(), pages_port.to_string());
    let server_start = server.start.clone()?;
    let mut both = vec!["bash".to_owned(), "/etc/previewd/both.sh".to_owned()];
    both.extend(server_start.iter().cloned());
    let version = project.bases.default_node().to_owned();
    Some(Outline {
        framework: name,
        start: Some(both),
        port,
        bind: "0.0.0.0 and ::, by nginx's configuration".to_owned(),
        environment,
        health: Some("/"),
        recipe: Recipe::Both(BothRecipe {
            server: Box::new(server.recipe),
            server_port: server.port,
            server_start,
            prefixes,
            pages_folder: package.folder().to_owned(),
            node: Some(node),
            pages: BuiltPages::default(),
            pages_server: Some(PagesServer {
                start,
                port: pages_port,
                environment: framework.variables(Mode::Run),
            }),
            own_addresses,
            node_image: project.bases.image(&Runtime::Node { version }),
            static_image: project.bases.image(&Runtime::Static),
        }),
        ..server
    })
}

/// First parts of the server's paths. Where the pages' own server knows a path of the same
/// beginning it stays with them, for they may ask the server for it.
fn prefixes(files: &FileSet, pages: &str, server: &Outline, notes: &mut Notes) -> Vec<String> {
    let on_node = matches!(server.recipe, Recipe::Node(_));
    // The deeper of the two folders has what lies in both.
    let of_server = |file: &str| {
        on_node
            && is_under(file, &server.folder)
            && (server.folder.len() > pages.len() || !is_under(file, pages))
    };
    let first = |path: &str| path.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    let plain = |part: &String| !part.is_empty() && is_plain_path(part);
    let is_page =
        |file: &str| [".ts", ".tsx", ".js", ".jsx", ".vue", ".svelte"].iter().any(|end| file.ends_with(end));
    let (mut own, mut servers) = (BTreeSet::new(), BTreeSet::new());
    let mut place = None;
    for endpoint in endpoints::endpoints(files) {
        if is_under(&endpoint.file, pages) && is_page(&endpoint.file) && !of_server(&endpoint.file) {
            own.insert(first(&endpoint.path));
        } else {
            place = place.or_else(|| Place::file(&endpoint.file));
            servers.insert(first(&endpoint.path));
        }
    }
    let described = place.is_some() && !on_node;
    servers.extend(["docs", "redoc", "openapi.json"].map(str::to_owned).into_iter().filter(|_| described));
    let found: Vec<String> =
        servers.difference(&own).filter(|part| plain(part)).map(|part| format!("/{part}")).collect();
    let reason = "the code of the server answers them; everything else is the pages'";
    notes.decide("paths of the server", found.join(" "), Source::Detected, reason, place);
    found
}
