//! A server and the pages that belong to it, behind one port.
//!
//! The pages are built and served as files by nginx, which passes the server's paths on to it, in
//! the same container: so pages and server have one origin, as they would in production, and no
//! address has to be known when the pages are built. Two containers would need two ports, and the
//! development server of the pages would be one more thing that can fail.

use super::node_framework::{App, NodeFramework, Serve};
use super::node_site::{self, Built};
use super::{Outline, PAGE_BUILDERS, node_start, own_addresses, pages_inside};
use crate::domain::FileSet;
use crate::generation::bases::Runtime;
use crate::generation::endpoints;
use crate::generation::node::{self, Package, Role};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{BothRecipe, BuiltPages, Recipe};

/// Folders of plain pages beside a server that does not name them.
const PLAIN: [&str; 6] = ["frontend", "client", "web", "www", "ui", "webapp"];

/// First parts of paths that are the server's even when a browser asks for a page.
const SERVERS: [&str; 22] = [
    "api",
    "v1",
    "v2",
    "v3",
    "graphql",
    "docs",
    "redoc",
    "openapi.json",
    "swagger",
    "admin",
    "auth",
    "oauth",
    "accounts",
    "ws",
    "socket.io",
    "rest",
    "rpc",
    "health",
    "healthz",
    "metrics",
    "webhook",
    "webhooks",
];

/// The pages that belong beside a server.
enum Beside<'p> {
    Built { package: &'p Package, framework: &'static NodeFramework, built: Built },
    Plain { folder: &'static str },
}

/// The server alone, or with the pages that stand beside it.
pub fn combine(project: &Project<'_>, files: &FileSet, server: Outline, notes: &mut Notes) -> Outline {
    let is_server =
        matches!(server.recipe, Recipe::Python(_) | Recipe::Node(_) | Recipe::Go(_) | Recipe::Ruby(_));
    if !is_server || project.entry.is_some() {
        return server;
    }
    let Some(pages) = beside(project, &server).or_else(|| inside(project, &server)) else { return server };
    if let Some(framework) = &project.metadata.framework {
        let message =
            format!("pages are beside the server, but the metadata's framework is {framework} alone");
        notes.warn(message, pages.place());
        return server;
    }
    together(project, files, server, pages, notes)
}

/// In the very package the server is started from.
fn inside<'p>(project: &'p Project<'_>, server: &Outline) -> Option<Beside<'p>> {
    let package = project.package().filter(|_| matches!(server.recipe, Recipe::Node(_)))?;
    let (package, framework, built) = pages_inside::find(project, package)?;
    Some(Beside::Built { package, framework, built })
}

fn beside<'p>(project: &'p Project<'_>, server: &Outline) -> Option<Beside<'p>> {
    let started = matches!(server.recipe, Recipe::Node(_)).then(|| project.package()).flatten();
    let other = |package: &&Package| started.is_none_or(|started| started.path != package.path);
    let built = project.packages().iter().filter(other).find_map(|package| {
        if !is_plain_path(package.folder()) || node::is_aside(package.folder()) {
            return None;
        }
        let listed = |builder: &&&NodeFramework| builder.packages.iter().any(|name| package.lists(name));
        let framework: &'static NodeFramework = PAGE_BUILDERS.iter().find(listed)?;
        let role = node::role_of(project, package);
        let app = App { project, package, port: 0 };
        match (role, (framework.run)(&app)) {
            (Role::Pages | Role::Whole, Serve::Pages(built)) => {
                Some(Beside::Built { package, framework, built })
            }
            _ => None,
        }
    });
    built.or_else(|| plain(project, server))
}

/// `frontend/index.html` without anything to build, that no source of the server serves itself.
fn plain<'p>(project: &'p Project<'_>, server: &Outline) -> Option<Beside<'p>> {
    if matches!(server.recipe, Recipe::Node(_)) {
        return None;
    }
    let folder = PLAIN.iter().copied().find(|folder| project.contains(&join(folder, "index.html")))?;
    let sources = project.python().iter().map(|file| file.path.as_str());
    let mut sources = sources.chain(project.go().iter().map(|file| file.path.as_str()));
    let served = sources.any(|path| {
        let text = project.text(path).unwrap_or_default();
        text.lines().any(|line| line.contains(['"', '\'']) && line.contains(folder))
    });
    (!served).then_some(Beside::Plain { folder })
}

impl Beside<'_> {
    fn place(&self) -> Option<Place> {
        match self {
            Self::Built { package, .. } => Place::file(&package.path),
            Self::Plain { folder } => Place::file(&join(folder, "index.html")),
        }
    }

    fn folder(&self) -> &str {
        match self {
            Self::Built { package, .. } => package.folder(),
            Self::Plain { folder } => folder,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Built { framework, .. } => framework.name,
            Self::Plain { .. } => "static",
        }
    }
}

fn together(
    project: &Project<'_>,
    files: &FileSet,
    mut server: Outline,
    pages: Beside<'_>,
    notes: &mut Notes,
) -> Outline {
    let port = if server.port == 8080 { 8081 } else { 8080 };
    let at = pages.place().map(|place| place.file);
    notes.warnings.retain(|warning| warning.file != at || !warning.message.starts_with("also looks like"));
    let reason = format!(
        "pages made by {} belong to it: nginx serves them at / and passes the server's paths on, so that both have one address",
        pages.name()
    );
    let framework = format!("{}+{}", server.framework, pages.name());
    notes.decide("pages and server", &framework, Source::Detected, reason, pages.place());
    let reason = format!("nginx listens here; the server listens on {} behind it", server.port);
    notes.decide("port", port.to_string(), Source::Default, reason, None);
    let prefixes = prefixes(files, &server, notes);
    let mut own_addresses = Vec::new();
    let pages_folder = pages.folder().to_owned();
    let (node, built) = match pages {
        Beside::Built { package, framework, built } => {
            let app = App { project, package, port };
            let (mut node, built) = node_site::recipe(&app, framework, built, notes);
            own_addresses = own_addresses::find(project, package.folder(), notes);
            own_addresses::give_bases(project, package.folder(), "", &mut node, notes);
            (Some(node), built)
        }
        Beside::Plain { .. } => (None, BuiltPages { single_page: true, ..BuiltPages::default() }),
    };
    if let (Recipe::Node(recipe), Some(package), Some(start)) =
        (&mut server.recipe, project.package(), &server.start)
        && at.as_ref() == Some(&package.path)
    {
        pages_inside::without_their_build(project, package, start, recipe);
    }
    if let (Recipe::Node(server), Some(pages)) = (&mut server.recipe, &node) {
        server.join(pages);
        notes.forget_what_was_said_before();
    }
    notes.warnings.retain(|warning| !warning.message.contains(node_start::UNREACHED));
    let mut environment = server.environment.clone();
    environment.insert("SERVER_PORT".to_owned(), server.port.to_string());
    let server_start = server.start.clone().unwrap_or_default();
    let mut start = vec!["bash".to_owned(), "/etc/previewd/both.sh".to_owned()];
    start.extend(server_start.iter().cloned());
    notes.decide(
        "start",
        start.join(" "),
        Source::Default,
        "starts nginx and the server, and ends when either does",
        None,
    );
    let version = project.bases.default_node().to_owned();
    Outline {
        framework,
        start: Some(start),
        port,
        bind: "0.0.0.0 and ::, by nginx's configuration".to_owned(),
        environment,
        health: Some("/"),
        recipe: Recipe::Both(BothRecipe {
            server: Box::new(server.recipe),
            server_port: server.port,
            server_start,
            prefixes,
            pages_folder,
            node,
            pages: built,
            pages_server: None,
            own_addresses,
            node_image: project.bases.image(&Runtime::Node { version }),
            static_image: project.bases.image(&Runtime::Static),
        }),
        ..server
    }
}

/// Paths that are the server's: those it has, of the kinds that are no pages. Whatever else is
/// neither a file nor asked for as a page reaches it too.
fn prefixes(files: &FileSet, server: &Outline, notes: &mut Notes) -> Vec<String> {
    let mut found: Vec<String> = vec!["/api".to_owned()];
    let mut place = None;
    for endpoint in endpoints::endpoints(files) {
        let first = endpoint.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let prefix = format!("/{first}");
        if SERVERS.contains(&first) && !found.contains(&prefix) {
            place = place.or_else(|| Place::file(&endpoint.file));
            found.push(prefix);
        }
    }
    let usual: &[&str] = match server.framework.as_str() {
        "fastapi" => &["/docs", "/redoc", "/openapi.json"],
        "django" => &["/admin"],
        _ => &[],
    };
    found.extend(
        usual
            .iter()
            .filter(|path| !found.iter().any(|known| known == *path))
            .map(|path| (*path).to_owned())
            .collect::<Vec<_>>(),
    );
    found.sort();
    let reason =
        "these paths are always the server's; so is whatever is neither a file nor asked for as a page";
    notes.decide("paths of the server", found.join(" "), Source::Detected, reason, place);
    found
}
