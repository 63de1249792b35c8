//! JavaScript and TypeScript on Node: which files matter, where imports lead, and which framework
//! a name belongs to.

pub mod express;
pub mod fastify;
pub mod files;
pub mod hono;
pub mod koa;
mod lower;
pub mod nest;
mod typed;

pub use lower::lower;

use super::interpreter::{Interpreter, Invocation, Resolved, Value};
use super::jsdoc;
use super::path;
use super::routes::{Framework, Mount, Role, Route, Router, RouterId};
use super::sources::Sources;
use super::syntax::holds_any;
use crate::generation::project::seen_from;

/// Names of routers, of which a file that registers routes holds one…
const NAMES: &[&str] = &[
    "express",
    "Router(",
    "outer.",
    "app.",
    "App.",
    "application.",
    "server.",
    "api.",
    "astify",
    "Hono",
    "polka",
    "restify",
];
/// …and what is done with them, of which it also holds one.
const CALLS: &[&str] = &[
    ".get(",
    ".post(",
    ".put(",
    ".patch(",
    ".delete(",
    ".del(",
    ".all(",
    ".use(",
    ".route(",
    ".register(",
    "express(",
    "Router(",
];
const EXTENSIONS: &[&str] = &["js", "ts", "mjs", "cjs", "mts", "cts", "jsx", "tsx"];
/// Methods for which `all` stands.
const ALL: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Whether a file may register routes.
pub fn may_register(text: &str) -> bool {
    (holds_any(text, NAMES) && holds_any(text, CALLS)) || holds_any(text, nest::WORDS)
}

/// Whether a name of another package makes routers.
pub fn knows(path: &str) -> bool {
    role_of(path).is_some() || koa::MOUNT == path || fastify::is_wrapper(path) || nest::knows(path)
}

/// What calling a name of another package makes, if that is of one of the frameworks.
pub fn construct(interpreter: &mut Interpreter, path: &str, call: &Invocation) -> Option<Value> {
    if path == koa::MOUNT {
        return Some(koa::mount(interpreter, call));
    }
    if fastify::is_wrapper(path) {
        return call.at(0).map(|plugin| interpreter.look_up(plugin));
    }
    if nest::knows(path) {
        return nest::construct(interpreter, path, call);
    }
    let (framework, role) = role_of(path)?;
    let mut router = Router::new(framework, role);
    if framework == Framework::Koa
        && let Some(prefix) = call.at(0).and_then(|options| interpreter.field(options, "prefix"))
    {
        router.prefix =
            interpreter.text(&prefix).map(|prefix| path::from_express(&prefix)).unwrap_or_default();
    }
    Some(Value::Router(interpreter.routers.add(router)))
}

fn role_of(path: &str) -> Option<(Framework, Role)> {
    Some(match path {
        "express" | "polka" | "restify.createServer" | "ultimate-express" | "hyper-express.Server" => {
            (Framework::Express, Role::App)
        }
        "express.Router" | "express-promise-router" | "router" | "restify-router.Router" => {
            (Framework::Express, Role::Router)
        }
        "koa" => (Framework::Koa, Role::App),
        "@koa/router" | "koa-router" | "@koa/router.Router" | "koa-router.Router" => {
            (Framework::Koa, Role::Router)
        }
        "fastify" | "fastify.fastify" => (Framework::Fastify, Role::App),
        "hono.Hono" | "hono/quick.Hono" | "hono/tiny.Hono" | "@hono/zod-openapi.OpenAPIHono" => {
            (Framework::Hono, Role::App)
        }
        _ => return None,
    })
}

/// The methods that a router's method of this name is for.
pub fn verbs(name: &str) -> Option<Vec<String>> {
    match name {
        "get" | "post" | "put" | "patch" | "delete" | "head" | "options" => Some(vec![name.to_uppercase()]),
        "del" => Some(vec!["DELETE".to_owned()]),
        "all" => Some(ALL.iter().map(|method| (*method).to_owned()).collect()),
        _ => None,
    }
}

/// Hangs a route on a router for each of the paths, described by the comment above it, else by
/// the one above its handler.
pub fn add_route(
    interpreter: &mut Interpreter,
    id: RouterId,
    methods: &[String],
    paths: &[String],
    call: &Invocation,
) {
    let handler = call.positional().pop();
    let handler = handler.map(|handler| interpreter.look_up_if(&handler, &["/**", "Request"]));
    let described = handler.as_ref().and_then(|handler| interpreter.described(handler));
    let doc = call.doc.clone().or_else(|| described.and_then(|(_, doc)| doc));
    let (body, response) = handler.map(|handler| typed::bodies(interpreter, &handler)).unwrap_or_default();
    for path in paths {
        // `all('*')` is how an app says "not found", `options('*')` how it allows other origins.
        if path.ends_with('*') && (methods.len() > 1 || methods == ["OPTIONS"]) {
            continue;
        }
        for method in methods {
            let described = doc.as_deref().map(|doc| jsdoc::read(doc, method)).unwrap_or_default();
            let route = Route {
                methods: vec![method.clone()],
                path: path::from_express(path),
                summary: described.summary,
                description: described.description,
                tags: described.tags,
                body: body.clone(),
                response: response.clone(),
                site: call.site.clone(),
                ..Route::default()
            };
            interpreter.add_route(id, route);
        }
    }
}

/// Mounts what a value is, if it is a router or might be one.
pub fn mount(interpreter: &mut Interpreter, id: RouterId, prefix: Option<String>, value: &Value) {
    let value = interpreter.look_up(value);
    // `require` of a module written with `export default`.
    let value = interpreter.field(&value, "default").unwrap_or(value);
    let target = match interpreter.look_up(&value) {
        Value::Router(target) => Some(target),
        Value::Unknown => None,
        _ => return,
    };
    let prefix = prefix.map(|prefix| path::from_express(&prefix));
    interpreter.add_mount(id, Mount { target, prefix, ..Mount::default() });
}

/// Where `import from` leads in the file `importer`.
pub fn resolve(sources: &Sources, importer: &str, from: &str) -> Resolved {
    let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let candidates = match from.starts_with('.') {
        true => vec![seen_from(folder, from)],
        false => alias_candidates(folder, from),
    };
    let found = candidates.into_iter().flatten().find_map(|path| file_at(sources, &path));
    found.map_or_else(|| Resolved::External(external_name(from).to_owned()), Resolved::File)
}

/// The path that a relative import names, its extension aside.
pub fn meant(importer: &str, from: &str) -> Option<String> {
    let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = seen_from(folder, from)?;
    let stem = ["js", "mjs", "cjs", "jsx"].iter().find_map(|end| path.strip_suffix(end)?.strip_suffix('.'));
    Some(stem.map(str::to_owned).unwrap_or(path))
}

/// `@/routes/x`, `~/routes/x`, `src/routes/x`: from the folders around the file and their `src`.
fn alias_candidates(folder: &str, from: &str) -> Vec<Option<String>> {
    let tail = from.strip_prefix("@/").or_else(|| from.strip_prefix("~/")).unwrap_or(from);
    if tail == from && !from.contains('/') {
        return Vec::new();
    }
    let mut candidates = Vec::new();
    let mut around = Some(folder);
    while let Some(at) = around {
        candidates.push(seen_from(at, &format!("src/{tail}")));
        candidates.push(seen_from(at, tail));
        around = (!at.is_empty()).then(|| at.rsplit_once('/').map_or("", |(up, _)| up));
    }
    candidates
}

/// The file a path without regard to its extension names.
fn file_at(sources: &Sources, path: &str) -> Option<String> {
    let exact = sources.path(path).map(str::to_owned);
    let stem = ["js", "mjs", "cjs", "jsx"].iter().find_map(|end| path.strip_suffix(end)?.strip_suffix('.'));
    let with = |base: String| {
        EXTENSIONS.iter().map(move |end| format!("{base}.{end}")).find(|path| sources.path(path).is_some())
    };
    let index = if path.is_empty() { "index".to_owned() } else { format!("{path}/index") };
    exact.or_else(|| with(path.to_owned())).or_else(|| with(stem?.to_owned())).or_else(|| with(index))
}

fn external_name(from: &str) -> &str {
    from.strip_prefix("node:").or_else(|| from.strip_prefix("npm:")).unwrap_or(from)
}
