//! What is done with Go's routers. Their packages agree so far that one set of rules does: a
//! method is named `GET` or `Get`, `Group` and `Route` make a router under a prefix, `Handle` and
//! `HandleFunc` take a pattern.

use super::super::interpreter::{Interpreter, Invocation, Value};
use super::super::jsdoc;
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Route, Router, RouterId};
use super::super::verbs::known;

/// Names that make a router: the package's path without a version, and the function.
const MAKERS: &[(&str, &[&str])] = &[
    ("github.com/go-chi/chi", &["NewRouter", "NewMux"]),
    ("github.com/gin-gonic/gin", &["New", "Default"]),
    ("github.com/labstack/echo", &["New"]),
    ("github.com/gofiber/fiber", &["New"]),
    ("github.com/gorilla/mux", &["NewRouter"]),
    ("github.com/julienschmidt/httprouter", &["New"]),
    ("net/http", &["NewServeMux"]),
];
const HTTP: &str = "net/http";
/// Packages for whose routers `/items/` is not `/items`.
pub const STRICT: &[&str] = &["gin-gonic/gin", "labstack/echo", "gorilla/mux", "julienschmidt/httprouter"];

/// Whether a name of another package makes routers, registers routes, or hands on a handler.
pub fn knows(path: &str) -> bool {
    let Some((package, name)) = path.rsplit_once('.') else { return false };
    makes(package, name) || package == HTTP
}

fn makes(package: &str, name: &str) -> bool {
    let package = without_version(package);
    MAKERS.iter().any(|(known, names)| *known == package && names.contains(&name))
}

/// `github.com/go-chi/chi/v5` without its `/v5`.
fn without_version(package: &str) -> &str {
    match package.rsplit_once("/v") {
        Some((before, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => before,
        _ => package,
    }
}

/// What calling a name of another package makes.
pub fn construct(interpreter: &mut Interpreter, path: &str, call: &Invocation) -> Option<Value> {
    let (package, name) = path.rsplit_once('.')?;
    if makes(package, name) {
        let strict = STRICT.iter().any(|name| package.contains(name));
        let framework = if strict { Framework::Gin } else { Framework::Go };
        return Some(Value::Router(interpreter.routers.add(Router::new(framework, Role::App))));
    }
    if package != HTTP {
        return None;
    }
    match name {
        "HandleFunc" | "Handle" => {
            let id = default_mux(interpreter);
            Some(method(interpreter, id, name, call))
        }
        "StripPrefix" => Some(under_prefix(interpreter, call)),
        // A handler in a coat.
        "HandlerFunc" | "TimeoutHandler" | "MaxBytesHandler" => {
            call.at(0).map(|handler| interpreter.look_up(handler))
        }
        _ => None,
    }
}

/// What `http.HandleFunc` registers on.
fn default_mux(interpreter: &mut Interpreter) -> RouterId {
    if let Some(known) = interpreter.shared.default_mux {
        return known;
    }
    let id = interpreter.routers.add(Router::new(Framework::Go, Role::App));
    interpreter.shared.default_mux = Some(id);
    id
}

/// `http.StripPrefix("/api", mux)`: the mux's own paths do not hold the prefix.
fn under_prefix(interpreter: &mut Interpreter, call: &Invocation) -> Value {
    let prefix = call.at(0).and_then(|prefix| interpreter.text(prefix));
    let handler = call.at(1).cloned().unwrap_or(Value::Unknown);
    match interpreter.look_up(&handler) {
        Value::Router(target) => {
            let id = interpreter.routers.add(Router::new(Framework::Go, Role::Part));
            interpreter.add_mount(id, Mount { target: Some(target), prefix, ..Mount::default() });
            Value::Router(id)
        }
        other => other,
    }
}

/// A method of a router.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    let arguments = call.positional();
    match name {
        "Group" | "Route" => return group(interpreter, id, call),
        "PathPrefix" | "Path" => {
            return match call.at(0).and_then(|path| interpreter.text(path)) {
                Some(path) => Value::RouteAt(id, path.into()),
                None => Value::Unknown,
            };
        }
        "Mount" => {
            if let [prefix, handler, ..] = &arguments[..] {
                let prefix = interpreter.text(prefix);
                mount(interpreter, id, prefix, handler);
            }
        }
        "Handle" | "HandleFunc" | "Method" | "MethodFunc" | "Add" | "Match" | "Any" | "All"
        | "HandlerFunc" => {
            return handle(interpreter, id, &arguments, call);
        }
        _ => {
            if let (Some(verb), [path, .., handler]) = (verb(name), &arguments[..])
                && let Some(path) = interpreter.text(path)
            {
                add_route(interpreter, id, vec![verb], &path, handler, call);
            }
        }
    }
    Value::Router(id)
}

/// `"GET"`, `http.MethodGet`, or a list of those.
fn methods_named(interpreter: &mut Interpreter, value: &Value) -> Vec<String> {
    let all = match interpreter.look_up(value) {
        list @ Value::List(_) => interpreter.elements(&list),
        one => vec![one],
    };
    let named = |value: &Value| match value {
        Value::Text(text) => known(text),
        Value::External(name) => {
            let last = name.rsplit('.').next().unwrap_or(name);
            known(last.strip_prefix("Method").unwrap_or(last))
        }
        _ => None,
    };
    all.iter().filter_map(named).collect()
}

/// `GET` or `Get`.
fn verb(name: &str) -> Option<String> {
    let verb = known(name)?;
    let title = format!("{}{}", &verb[..1], verb[1..].to_ascii_lowercase());
    (name == verb || name == title).then_some(verb)
}

/// `Group("/api")` gives a router under the prefix; `Route("/api", func(r) { … })` and
/// `Group(func(r) { … })` call a function with it.
fn group(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) -> Value {
    let prefix = call.at(0).and_then(|prefix| interpreter.text(prefix));
    let inner = part_of(interpreter, id);
    let prefix = prefix.map(|prefix| notation(&prefix));
    interpreter.add_mount(id, Mount { target: Some(inner), prefix, ..Mount::default() });
    for argument in call.positional() {
        let takes_router = match interpreter.look_up(&argument) {
            Value::Function(function) | Value::Bound(function, _) => {
                let written = interpreter.written(function);
                let typed = |parameter: &super::super::syntax::Parameter| {
                    parameter.annotation.as_deref().is_some_and(super::is_router_type)
                };
                written.parameters.len() == 1 && written.parameters.iter().all(typed)
            }
            _ => false,
        };
        if takes_router {
            interpreter.call(&argument, &call.with(vec![Value::Router(inner)]));
        }
    }
    Value::Router(inner)
}

/// A router of the same kind as the one it is a part of.
fn part_of(interpreter: &mut Interpreter, id: RouterId) -> RouterId {
    let framework = interpreter.routers.get(id).map_or(Framework::Go, |router| router.framework);
    interpreter.routers.add(Router::new(framework, Role::Part))
}

fn mount(interpreter: &mut Interpreter, id: RouterId, prefix: Option<String>, handler: &Value) {
    if let Value::Router(target) = interpreter.look_up(handler) {
        let prefix = prefix.map(|prefix| notation(prefix.trim_end_matches('/')));
        interpreter.add_mount(id, Mount { target: Some(target), prefix, ..Mount::default() });
    }
}

/// `Handle(pattern, handler)` of net/http, chi and mux; `Handle(method, path, handler)` of gin,
/// chi's `Method` and echo's `Add`; `Any(path, handler)`.
fn handle(interpreter: &mut Interpreter, id: RouterId, arguments: &[Value], call: &Invocation) -> Value {
    let [first, .., handler] = arguments else { return Value::Router(id) };
    let named = methods_named(interpreter, first);
    if !named.is_empty() && arguments.len() > 2 {
        if let Some(path) = interpreter.text(&arguments[1]) {
            add_route(interpreter, id, named, &path, handler, call);
        }
        return Value::Router(id);
    }
    let Some(pattern) = interpreter.text(first) else { return Value::Router(id) };
    let (method, path) = match pattern.split_once(' ') {
        Some((method, path)) => (known(method), path.trim()),
        None => (None, pattern.as_str()),
    };
    // A pattern may begin with a host.
    let path = path.find('/').map_or(path, |at| &path[at..]);
    match interpreter.look_up(handler) {
        // A mux under a pattern sees the whole path.
        Value::Router(target) => {
            interpreter.add_mount(id, Mount { target: Some(target), ..Mount::default() });
        }
        // Files, and other people's handlers.
        Value::External(name)
            if name.contains("FileServer") || method.is_none() && path.ends_with('/') && path != "/" => {}
        _ => add_route(interpreter, id, method.into_iter().collect(), path, handler, call),
    }
    Value::RouteAt(id, path.into())
}

/// What mux's routes are asked after their path: `Methods`, `Subrouter`, a handler.
pub fn method_of_route(
    interpreter: &mut Interpreter,
    id: RouterId,
    path: &str,
    name: &str,
    call: &Invocation,
) -> Value {
    match name {
        "Methods" => {
            let methods: Vec<String> =
                call.positional().iter().flat_map(|value| methods_named(interpreter, value)).collect();
            let wanted = notation(path);
            let route = interpreter
                .routers
                .get_mut(id)
                .and_then(|router| router.routes.iter_mut().rev().find(|route| route.path == wanted));
            match route {
                Some(route) if !methods.is_empty() => route.methods = methods,
                Some(_) => {}
                None => {
                    let site = call.site.clone();
                    interpreter.add_route(id, Route { methods, path: wanted, site, ..Route::default() });
                }
            }
        }
        "Subrouter" => {
            let inner = part_of(interpreter, id);
            let prefix = Some(notation(path));
            interpreter.add_mount(id, Mount { target: Some(inner), prefix, ..Mount::default() });
            return Value::Router(inner);
        }
        "HandlerFunc" | "Handler" => {
            if let Some(handler) = call.at(0).cloned() {
                finish_route(interpreter, id, path, &handler, call);
            }
        }
        _ => {}
    }
    Value::RouteAt(id, path.into())
}

/// `Path("/x").Methods("GET").HandlerFunc(f)`: the route is there already when it has methods.
fn finish_route(interpreter: &mut Interpreter, id: RouterId, path: &str, handler: &Value, call: &Invocation) {
    let wanted = notation(path);
    let there = interpreter
        .routers
        .get(id)
        .is_some_and(|router| router.routes.iter().any(|route| route.path == wanted));
    if !there && !matches!(interpreter.look_up(handler), Value::External(_)) {
        add_route(interpreter, id, Vec::new(), path, handler, call);
    }
}

fn add_route(
    interpreter: &mut Interpreter,
    id: RouterId,
    mut methods: Vec<String>,
    path: &str,
    handler: &Value,
    call: &Invocation,
) {
    let handler = interpreter.look_up(handler);
    let mut body = None;
    if let Value::Function(function) | Value::Bound(function, _) = &handler {
        let written = interpreter.written(*function);
        if methods.is_empty() {
            methods = written.verbs.clone();
        }
        body.clone_from(&written.reads);
    }
    if methods.is_empty() {
        methods.push("GET".to_owned());
    }
    let doc = interpreter.described(&handler).and_then(|(_, doc)| doc);
    let described = doc.map(|doc| jsdoc::read(&doc, "")).unwrap_or_default();
    let route = Route {
        methods,
        path: notation(path),
        summary: described.summary,
        description: described.description,
        tags: described.tags,
        body,
        site: call.site.clone(),
        ..Route::default()
    };
    interpreter.add_route(id, route);
}

/// `{id:[0-9]+}`, `{rest...}`, `{$}`, `:id` and `*rest`.
fn notation(text: &str) -> String {
    if !text.contains('{') {
        return path::from_express(text);
    }
    path::from_starlette(text).replace("{$}", "").replace("...}", "}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_routers_notation() {
        assert_eq!(notation("/items/{id:[0-9]+}/{rest...}"), "/items/{id}/{rest}");
        assert_eq!(notation("/{$}"), "/");
        assert_eq!(notation("/u/:id/*path"), "/u/{id}/{path}");
        assert_eq!(without_version("github.com/go-chi/chi/v5"), "github.com/go-chi/chi");
        assert_eq!(without_version("github.com/gorilla/mux"), "github.com/gorilla/mux");
        assert_eq!(verb("Get").as_deref(), Some("GET"));
        assert_eq!(verb("get"), None);
    }
}
