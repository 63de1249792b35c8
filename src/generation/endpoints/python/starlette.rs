//! Starlette: lists of `Route` and `Mount`, and endpoints that are classes.

use super::super::interpreter::{ClassId, Interpreter, Invocation, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Route, Router, RouterId};
use super::fastapi::{self, VERBS};

/// Whether a name of the package makes an app, a router or a route.
pub fn knows(path: &str) -> bool {
    matches!(
        path.rsplit('.').next(),
        Some(
            "Starlette"
                | "Route"
                | "Mount"
                | "Router"
                | "APIRoute"
                | "WSGIMiddleware"
                | "WsgiToAsgi"
                | "ASGIMiddleware"
        )
    ) && path.contains('.')
}

/// `Starlette(routes=[…])`, `Mount("/api", routes=[…])`, `Route("/", endpoint)`.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    match name.rsplit('.').next()? {
        "Starlette" => Some(with_routes(interpreter, Role::App, call.named("routes").or_else(|| call.at(1)))),
        "Router" => Some(with_routes(interpreter, Role::Router, call.get(0, "routes"))),
        "Mount" => Some(mount(interpreter, call)),
        last @ ("Route" | "APIRoute") => Some(route(interpreter, call, last == "APIRoute")),
        // An app of another kind in a wrapper.
        _ => call.at(0).cloned().or_else(|| call.named("app").cloned()).map(|app| interpreter.look_up(&app)),
    }
}

fn with_routes(interpreter: &mut Interpreter, role: Role, routes: Option<&Value>) -> Value {
    let id = interpreter.routers.add(Router::new(Framework::Starlette, role));
    if let Some(routes) = routes {
        mount_all(interpreter, id, routes);
    }
    Value::Router(id)
}

fn mount(interpreter: &mut Interpreter, call: &Invocation) -> Value {
    let id = interpreter.routers.add(Router::new(Framework::Starlette, Role::Part));
    let prefix = call.get(0, "path").cloned().unwrap_or(Value::Unknown);
    if let Some(app) = call.get(1, "app").cloned() {
        mount_at(interpreter, id, &prefix, &app);
    }
    if let Some(routes) = call.named("routes").cloned() {
        let inner = with_routes(interpreter, Role::Part, Some(&routes));
        mount_at(interpreter, id, &prefix, &inner);
    }
    Value::Router(id)
}

fn route(interpreter: &mut Interpreter, call: &Invocation, of_fastapi: bool) -> Value {
    let id = interpreter.routers.add(Router::new(Framework::Starlette, Role::Part));
    let Some(path) = call.get(0, "path").and_then(|path| interpreter.text(path)) else {
        return Value::Router(id);
    };
    let endpoint = call.get(1, "endpoint").cloned().unwrap_or(Value::Unknown);
    let endpoint = interpreter.look_up_if(&endpoint, &["def ", "class "]);
    let described = interpreter.described(&endpoint);
    let methods = match endpoint {
        Value::Class(class) => methods_of(interpreter, class),
        _ => methods(interpreter, call, "methods"),
    };
    let (name, doc) = described.map_or((None, None), |(name, doc)| (Some(name), doc));
    let route = Route {
        methods,
        parameters: path::converters(&path),
        path: path::from_starlette(&path),
        summary: name.filter(|_| of_fastapi).map(|name| fastapi::in_words(&name)),
        description: doc,
        tags: Vec::new(),
        site: call.site.clone(),
        ..Route::default()
    };
    interpreter.add_route(id, route);
    Value::Router(id)
}

/// Mounts every element of a list of routes.
pub fn mount_all(interpreter: &mut Interpreter, id: RouterId, routes: &Value) {
    for route in interpreter.elements(routes) {
        if let Some(target) = target(interpreter, &route) {
            interpreter.add_mount(id, Mount { target, ..Mount::default() });
        }
    }
}

/// Mounts an app under a path, which a slash at the end changes nothing of.
pub fn mount_at(interpreter: &mut Interpreter, id: RouterId, prefix: &Value, app: &Value) {
    let Some(target) = target(interpreter, app) else { return };
    let prefix = interpreter.text(prefix).map(|prefix| path::from_starlette(prefix.trim_end_matches('/')));
    interpreter.add_mount(id, Mount { target, prefix, ..Mount::default() });
}

/// What is mounted: `None` when it is nothing of the project's, `Some(None)` when it cannot be told.
pub fn target(interpreter: &mut Interpreter, value: &Value) -> Option<Option<RouterId>> {
    match interpreter.look_up(value) {
        Value::Router(id) => Some(Some(id)),
        Value::Unknown => Some(None),
        _ => None,
    }
}

/// The methods of a call's argument `name`; GET when it has none.
pub fn methods(interpreter: &mut Interpreter, call: &Invocation, name: &str) -> Vec<String> {
    let given = call.named(name).map(|methods| interpreter.texts(methods)).unwrap_or_default();
    let methods: Vec<String> = given.into_iter().filter_map(|method| known_method(&method)).collect();
    if methods.is_empty() { vec!["GET".to_owned()] } else { methods }
}

/// The methods a class answers: those it has functions for.
pub fn methods_of(interpreter: &mut Interpreter, class: ClassId) -> Vec<String> {
    let functions = interpreter.methods(class);
    functions.keys().filter(|name| VERBS.contains(&name.as_str())).map(|name| name.to_uppercase()).collect()
}

/// A method of HTTP, in capitals.
pub fn known_method(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    VERBS.contains(&lower.as_str()).then(|| text.to_uppercase())
}
