//! aiohttp: `app.router.add_get`, lists of `web.get`, tables of decorators, class views and apps
//! in apps.

use std::rc::Rc;

use super::super::interpreter::{Interpreter, Invocation, PendingRoute, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Route, Router, RouterId};
use super::fastapi::VERBS;
use super::starlette;

const WEB: &str = "aiohttp.web.";

/// Whether a name of the package makes an app, a table of routes or a route.
pub fn knows(path: &str) -> bool {
    path.strip_prefix(WEB).is_some_and(|name| {
        matches!(name, "Application" | "RouteTableDef" | "route" | "view") || VERBS.contains(&name)
    })
}

/// `web.Application()`, `web.RouteTableDef()`, `web.get("/", handler)`.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    let name = name.strip_prefix(WEB)?;
    let role = if name == "Application" { Role::App } else { Role::Part };
    let id = interpreter.routers.add(Router::new(Framework::Aiohttp, role));
    if !matches!(name, "Application" | "RouteTableDef") {
        add(interpreter, id, name, call);
    }
    Some(Value::Router(id))
}

/// A method of an app, of its router, or of a table.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "add_routes" => match call.at(0).map(|routes| interpreter.look_up(routes)) {
            Some(Value::Router(table)) => {
                interpreter.add_mount(id, Mount { target: Some(table), ..Mount::default() });
            }
            Some(routes) => starlette::mount_all(interpreter, id, &routes),
            None => {}
        },
        "add_subapp" => {
            if let (Some(prefix), Some(app)) = (call.at(0).cloned(), call.at(1).cloned()) {
                starlette::mount_at(interpreter, id, &prefix, &app);
            }
        }
        // Handlers follow as decorated functions.
        _ if VERBS.contains(&name) || matches!(name, "route" | "view") => {
            let route = route(interpreter, name, call);
            let pending = |route| PendingRoute { router: id, route, summarised_by_name: false };
            return route.map_or(Value::Unknown, |route| Value::Pending(Rc::new(pending(route))));
        }
        _ => match name.strip_prefix("add_") {
            Some(verb) if VERBS.contains(&verb) || matches!(verb, "route" | "view") => {
                add(interpreter, id, verb, call);
            }
            _ => {}
        },
    }
    Value::Unknown
}

/// Hangs the route of a decorator on its table, now that its function or class is known.
pub fn complete(interpreter: &mut Interpreter, pending: &PendingRoute, handler: &Value) {
    hang(interpreter, pending.router, pending.route.clone(), handler);
}

/// A route with its handler among the arguments.
fn add(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) {
    let Some(route) = route(interpreter, name, call) else { return };
    let at = if name == "route" { 2 } else { 1 };
    let handler = call.get(at, "handler").cloned().unwrap_or(Value::Unknown);
    let handler = interpreter.look_up_if(&handler, &["def ", "class "]);
    hang(interpreter, id, route, &handler);
}

fn hang(interpreter: &mut Interpreter, id: RouterId, mut route: Route, handler: &Value) {
    if let Value::Class(class) = handler {
        route.methods = starlette::methods_of(interpreter, *class);
    }
    if route.methods.is_empty() {
        route.methods.push("GET".to_owned());
    }
    route.description = interpreter.described(handler).and_then(|(_, doc)| doc);
    interpreter.add_route(id, route);
}

/// `route("GET", "/items", …)`, `view("/items", …)`, `get("/items", …)`; the methods of a view are
/// its class's.
fn route(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Route> {
    let first = |interpreter: &mut Interpreter| call.at(0).and_then(|method| interpreter.text(method));
    let (methods, written) = match name {
        "route" => {
            let method = first(interpreter).and_then(|method| starlette::known_method(&method));
            (method.into_iter().collect(), call.get(1, "path"))
        }
        "view" => (Vec::new(), call.get(0, "path")),
        verb => (vec![verb.to_uppercase()], call.get(0, "path")),
    };
    let written = written.cloned().and_then(|path| interpreter.text(&path))?;
    let path = path::from_starlette(&written);
    Some(Route { methods, path, site: call.site.clone(), ..Route::default() })
}
