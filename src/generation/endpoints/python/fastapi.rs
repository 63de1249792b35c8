//! FastAPI: apps, `APIRouter`s, the decorators on them, `include_router` and `mount`. The methods
//! of Starlette's own apps are a part of these.

use std::rc::Rc;

use super::super::interpreter::{Interpreter, Invocation, PendingRoute, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Route, Router, RouterId};
use super::{signature, starlette};

/// Methods that are also decorators.
pub const VERBS: &[&str] = &["get", "post", "put", "patch", "delete", "options", "head", "trace"];

/// `FastAPI(…)`, `APIRouter(prefix=…, tags=…)`.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    let role = match name.rsplit('.').next()? {
        "FastAPI" => Role::App,
        "APIRouter" | "InferringRouter" | "Router" => Role::Router,
        // Mounted by Django's own patterns.
        "NinjaAPI" | "NinjaExtraAPI" => Role::Part,
        _ => return None,
    };
    let framework = if name.starts_with("ninja") { Framework::Ninja } else { Framework::FastApi };
    let mut router = Router::new(framework, role);
    if role == Role::Router {
        router.prefix =
            text(interpreter, call, "prefix").map(|text| path::from_starlette(&text)).unwrap_or_default();
        router.tags = texts(interpreter, call, "tags");
        router.hidden = is_hidden(call);
    }
    let id = interpreter.routers.add(router);
    if let Some(routes) = call.named("routes") {
        starlette::mount_all(interpreter, id, routes);
    }
    Some(Value::Router(id))
}

/// A method of an app or router.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "api_route" | "route" => decorator(interpreter, id, name, call),
        "add_api_route" | "add_route" => {
            let endpoint =
                call.get(1, "endpoint").or_else(|| call.named("route")).cloned().unwrap_or(Value::Unknown);
            let pending = pending(interpreter, id, name, call);
            if let Some(pending) = pending {
                let endpoint = interpreter.look_up_if(&endpoint, &["def ", "class "]);
                complete(interpreter, &pending, &endpoint);
            }
            Value::Unknown
        }
        "include_router" => include_router(interpreter, id, call),
        "add_router" => add_router(interpreter, id, call),
        "api_operation" => {
            let methods = call.at(0).map(|methods| interpreter.texts(methods)).unwrap_or_default();
            let rest = call.with(call.positional().into_iter().skip(1).collect());
            let mut pending = pending(interpreter, id, "get", &rest);
            if let Some(pending) = &mut pending {
                pending.route.methods =
                    methods.iter().filter_map(|one| starlette::known_method(one)).collect();
            }
            pending.map_or(Value::Unknown, |pending| Value::Pending(Rc::new(pending)))
        }
        "mount" => {
            if let (Some(prefix), Some(app)) = (call.get(0, "path").cloned(), call.get(1, "app").cloned()) {
                starlette::mount_at(interpreter, id, &prefix, &app);
            }
            Value::Unknown
        }
        verb if VERBS.contains(&verb) => decorator(interpreter, id, name, call),
        _ => Value::Unknown,
    }
}

/// Hangs the route of a decorator on its router, now that its function is known.
pub fn complete(interpreter: &mut Interpreter, pending: &PendingRoute, function: &Value) {
    let mut route = pending.route.clone();
    if let Value::Class(class) = function {
        route.methods = starlette::methods_of(interpreter, *class);
    }
    if let Some((name, doc)) = interpreter.described(function) {
        if pending.summarised_by_name && route.summary.is_none() {
            route.summary = Some(in_words(&name));
        }
        // What follows a form feed is kept out of the documentation.
        let doc = doc.map(|doc| doc.split('\u{c}').next().unwrap_or_default().to_owned());
        route.description = route.description.or(doc);
    }
    if let Value::Function(function) | Value::Bound(function, _) = function {
        let signature = signature::of(interpreter, *function, &route.path);
        route.parameters = signature.parameters;
        route.body = signature.body;
        route.response = route.response.or(signature.response);
    }
    interpreter.add_route(pending.router, route);
}

fn decorator(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match pending(interpreter, id, name, call) {
        Some(pending) => Value::Pending(Rc::new(pending)),
        None => Value::Unknown,
    }
}

/// The route that a call of `name` on a router describes.
fn pending(
    interpreter: &mut Interpreter,
    id: RouterId,
    name: &str,
    call: &Invocation,
) -> Option<PendingRoute> {
    let path = call.get(0, "path").and_then(|path| interpreter.text(path))?;
    if is_hidden(call) {
        return None;
    }
    let methods = match VERBS.contains(&name) {
        true => vec![name.to_uppercase()],
        false => starlette::methods(interpreter, call, "methods"),
    };
    let summarised_by_name = !matches!(name, "route" | "add_route");
    let named = text(interpreter, call, "name").filter(|_| summarised_by_name).map(|name| in_words(&name));
    let is_ninja = interpreter.routers.get(id).is_some_and(|router| router.framework == Framework::Ninja);
    let route = Route {
        methods,
        // Ninja writes types as Django does: `{int:id}`.
        path: if is_ninja {
            path::from_flask(&path.replace('{', "<").replace('}', ">"))
        } else {
            path::from_starlette(&path)
        },
        summary: text(interpreter, call, "summary").or(named),
        description: text(interpreter, call, "description"),
        tags: texts(interpreter, call, "tags"),
        response: text(interpreter, call, "response_model").or_else(|| text(interpreter, call, "response")),
        site: call.site.clone(),
        ..Route::default()
    };
    Some(PendingRoute { router: id, route, summarised_by_name })
}

fn include_router(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) -> Value {
    let Some(target) = call.get(0, "router") else { return Value::Unknown };
    let Some(target) = starlette::target(interpreter, target) else { return Value::Unknown };
    let mount = Mount {
        target,
        prefix: text(interpreter, call, "prefix").map(|prefix| path::from_starlette(&prefix)),
        replaces_prefix: false,
        tags: texts(interpreter, call, "tags"),
        hidden: is_hidden(call),
    };
    interpreter.add_mount(id, mount);
    Value::Unknown
}

/// Django Ninja's `add_router("/items", router)`, where the router may also be a dotted name.
fn add_router(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) -> Value {
    let prefix = call.get(0, "prefix").and_then(|prefix| interpreter.text(prefix));
    let mut router = call.get(1, "router").map_or(Value::Unknown, |router| interpreter.look_up(router));
    if let Value::Text(name) = &router {
        router = interpreter.named_object(call, name);
    }
    if let Value::Router(target) = router {
        let tags = texts(interpreter, call, "tags");
        interpreter.add_mount(id, Mount { target: Some(target), prefix, tags, ..Mount::default() });
    }
    Value::Unknown
}

/// `include_in_schema=False`: its author keeps it out of the app's own list, so we do.
fn is_hidden(call: &Invocation) -> bool {
    matches!(call.named("include_in_schema"), Some(Value::Text(text)) if &**text == "False")
}

fn text(interpreter: &mut Interpreter, call: &Invocation, name: &str) -> Option<String> {
    call.named(name).and_then(|value| interpreter.text(value))
}

fn texts(interpreter: &mut Interpreter, call: &Invocation, name: &str) -> Vec<String> {
    call.named(name).map(|value| interpreter.texts(value)).unwrap_or_default()
}

/// `read_item` to `Read Item`, as FastAPI does: Python's `title()` of the words.
pub fn in_words(name: &str) -> String {
    let mut inside_word = false;
    let mut out = String::with_capacity(name.len());
    for c in name.replace('_', " ").chars() {
        match (c.is_alphabetic(), inside_word) {
            (true, true) => out.extend(c.to_lowercase()),
            (true, false) => out.extend(c.to_uppercase()),
            (false, _) => out.push(c),
        }
        inside_word = c.is_alphabetic();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn names_become_titles_as_python_makes_them() {
        assert_eq!(in_words("read_item"), "Read Item");
        assert_eq!(in_words("get_v2items_ID"), "Get V2Items Id");
        assert_eq!(in_words("readItem"), "Readitem");
        assert_eq!(in_words("_x"), " X");
    }
}
