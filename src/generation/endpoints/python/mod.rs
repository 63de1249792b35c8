//! Python: which files matter, where imports lead, and which framework a name belongs to.

pub mod aiohttp;
pub mod django;
mod django_views;
pub mod fastapi;
pub mod flask;
mod flask_restful;
mod lower;
mod signature;
mod starlette;

pub use lower::lower;

use super::interpreter::{Interpreter, Invocation, Resolved, Value};
use super::routes::Framework;
use super::sources::Sources;
use super::syntax::holds_any;

/// Words without which a file makes no router and registers nothing, decorators left out.
const WORDS: &[&str] = &[
    "FastAPI",
    "APIRouter",
    "Starlette",
    "Flask(",
    "Sanic(",
    "Blueprint",
    "Route(",
    "Mount(",
    "Router(",
    "include_router",
    "api_route",
    "add_route",
    "register_blueprint",
    "add_url_rule",
    ".mount(",
    "add_resource",
    "urlpatterns",
    "ROOT_URLCONF",
    "NinjaAPI",
    "NinjaExtraAPI",
    "InferringRouter",
    "web.Application",
    "RouteTableDef",
    "add_routes",
    "router.add_",
    "add_subapp",
];
const DECORATORS: &[&str] =
    &["get", "post", "put", "patch", "delete", "options", "head", "trace", "route", "api_route"];

/// Whether a file may register routes.
pub fn may_register(text: &str) -> bool {
    holds_any(text, WORDS) || decorates_a_route(text)
}

/// Looks for `@name.get(` and its like.
fn decorates_a_route(text: &str) -> bool {
    text.split('@').skip(1).any(|after| {
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(after.len());
        let (name, rest) = after.split_at(end);
        rest.starts_with('(') && name.rsplit_once('.').is_some_and(|(_, method)| DECORATORS.contains(&method))
    })
}

/// Whether a name of another package makes routers or routes.
pub fn knows(path: &str) -> bool {
    framework_of(path).is_some() || starlette::knows(path) || django::hands_on(path)
}

/// What calling a name of another package makes, if that is of one of the frameworks.
pub fn construct(interpreter: &mut Interpreter, path: &str, call: &Invocation) -> Option<Value> {
    match framework_of(path)? {
        Framework::Flask if flask_restful::knows(path) => flask_restful::construct(interpreter, path, call),
        Framework::Flask => flask::construct(interpreter, path, call),
        Framework::Django => django::construct(interpreter, path, call),
        Framework::Aiohttp => aiohttp::construct(interpreter, path, call),
        Framework::Ninja | Framework::FastApi => fastapi::construct(interpreter, path, call),
        _ => starlette::construct(interpreter, path, call),
    }
}

fn framework_of(path: &str) -> Option<Framework> {
    let (root, last) = (path.split('.').next()?, path.rsplit('.').next()?);
    match (root, last) {
        (_, "FastAPI" | "APIRouter" | "InferringRouter") => Some(Framework::FastApi),
        ("ninja" | "ninja_extra", "NinjaAPI" | "NinjaExtraAPI" | "Router") => Some(Framework::Ninja),
        ("flask_restful" | "flask_restx" | "flask_restplus" | "flask_smorest", _)
            if flask_restful::knows(path) =>
        {
            Some(Framework::Flask)
        }
        ("django" | "rest_framework" | "rest_framework_nested", _) if django::knows(path) => {
            Some(Framework::Django)
        }
        ("aiohttp", _) if aiohttp::knows(path) => Some(Framework::Aiohttp),
        ("flask" | "quart" | "sanic", "Flask" | "Blueprint" | "Quart" | "Sanic") => Some(Framework::Flask),
        ("fastapi" | "starlette" | "a2wsgi" | "asgiref", _) if starlette::knows(path) => {
            Some(Framework::Starlette)
        }
        _ => None,
    }
}

/// Where `import from` leads in the file `importer`.
pub fn resolve(sources: &Sources, importer: &str, from: &str) -> Resolved {
    let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let dots = from.len() - from.trim_start_matches('.').len();
    let tail = from[dots..].replace('.', "/");
    if dots > 0 {
        let mut base = folder;
        for _ in 1..dots {
            base = base.rsplit_once('/').map_or("", |(up, _)| up);
        }
        return module_at(sources, base, &tail).unwrap_or_else(|| Resolved::External(from.to_owned()));
    }
    let found = import_roots(sources, folder).into_iter().find_map(|root| module_at(sources, root, &tail));
    found.unwrap_or_else(|| Resolved::External(from.to_owned()))
}

/// The path that a relative import names, without `.py`.
pub fn meant(importer: &str, from: &str) -> Option<String> {
    let dots = from.len() - from.trim_start_matches('.').len();
    let mut folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
    for _ in 1..dots {
        folder = match folder {
            "" => return None,
            folder => folder.rsplit_once('/').map_or("", |(up, _)| up),
        };
    }
    Some(within(folder, &from[dots..].replace('.', "/")))
}

/// Folders that modules may be imported from, the likeliest first: those around the file that are
/// no package themselves, then the packages, nearest first.
fn import_roots<'f>(sources: &Sources, folder: &'f str) -> Vec<&'f str> {
    let mut around = vec![folder];
    while let Some(last) = around.last().copied().filter(|last| !last.is_empty()) {
        around.push(last.rsplit_once('/').map_or("", |(up, _)| up));
    }
    let (packages, mut roots): (Vec<_>, Vec<_>) =
        around.into_iter().partition(|folder| sources.path(&within(folder, "__init__.py")).is_some());
    roots.push("src");
    roots.extend(packages);
    roots
}

fn module_at(sources: &Sources, base: &str, tail: &str) -> Option<Resolved> {
    let path = within(base, tail);
    let files = [format!("{path}.py"), within(&path, "__init__.py")];
    let file = files.into_iter().find(|file| sources.path(file).is_some());
    let folder = || sources.folder(&path).map(|folder| Resolved::Folder(folder.to_owned()));
    file.map(Resolved::File).or_else(folder)
}

/// The module `name` inside the package whose file or folder is `path`.
pub fn submodule(sources: &Sources, path: &str, name: &str) -> Option<Resolved> {
    let folder = match path.strip_suffix("__init__.py") {
        Some(folder) => folder.trim_end_matches('/'),
        None if path.ends_with(".py") => return None,
        None => path,
    };
    module_at(sources, folder, name)
}

fn within(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}
