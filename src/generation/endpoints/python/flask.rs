//! Flask, Quart and Sanic, which works the same way: apps, blueprints, the route decorators, `add_url_rule` and class views.

use std::rc::Rc;

use super::super::interpreter::{ClassId, Interpreter, Invocation, PendingRoute, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Route, Router, RouterId, Site};
use super::{flask_restful, starlette};

/// `Flask(__name__)`, `Blueprint("items", __name__, url_prefix="/items")`.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    let role = match name.rsplit('.').next()? {
        "Flask" | "Quart" | "Sanic" => Role::App,
        "Blueprint" => Role::Router,
        _ => return None,
    };
    let mut router = Router::new(Framework::Flask, role);
    if role == Role::Router {
        router.prefix = prefix(interpreter, call).unwrap_or_default();
        // Flask groups endpoints by the blueprint's name.
        router.tags = call.get(0, "name").and_then(|name| interpreter.text(name)).into_iter().collect();
    }
    Some(Value::Router(interpreter.routers.add(router)))
}

/// A method of an app or blueprint.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "route" => {
            let methods = starlette::methods(interpreter, call, "methods");
            decorator(interpreter, id, methods, call)
        }
        "get" | "post" | "put" | "patch" | "delete" => {
            decorator(interpreter, id, vec![name.to_uppercase()], call)
        }
        "add_url_rule" => add_url_rule(interpreter, id, call),
        "register_blueprint" | "blueprint" => register_blueprint(interpreter, id, call),
        _ => flask_restful::method(interpreter, id, name, call).unwrap_or(Value::Unknown),
    }
}

/// Hangs the route of a decorator on its router, now that its function is known.
pub fn complete(interpreter: &mut Interpreter, pending: &PendingRoute, function: &Value) {
    let mut route = pending.route.clone();
    // `@ns.route("/x")` above a class.
    if let Value::Class(class) = function {
        return add_view(interpreter, pending.router, *class, &route, false);
    }
    route.description = interpreter.described(function).and_then(|(_, doc)| doc);
    interpreter.add_route(pending.router, route);
}

fn decorator(interpreter: &mut Interpreter, id: RouterId, methods: Vec<String>, call: &Invocation) -> Value {
    match route(interpreter, methods, call) {
        Some(route) => Value::Pending(Rc::new(PendingRoute { router: id, route, summarised_by_name: false })),
        None => Value::Unknown,
    }
}

fn route(interpreter: &mut Interpreter, methods: Vec<String>, call: &Invocation) -> Option<Route> {
    let rule = call.get(0, "rule").and_then(|rule| interpreter.text(rule))?;
    let (path, parameters) = (path::from_flask(&rule), path::converters(&rule));
    Some(Route { methods, path, parameters, site: call.site.clone(), ..Route::default() })
}

/// A class that answers under a rule.
pub fn add_class(interpreter: &mut Interpreter, id: RouterId, class: ClassId, rule: &str, site: &Site) {
    let (path, parameters) = (path::from_flask(rule), path::converters(rule));
    let route = Route { path, parameters, site: site.clone(), ..Route::default() };
    add_view(interpreter, id, class, &route, false);
}

/// `add_url_rule(rule, endpoint, view_func, methods=…)`.
fn add_url_rule(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) -> Value {
    let methods = starlette::methods(interpreter, call, "methods");
    let Some(mut route) = route(interpreter, methods, call) else { return Value::Unknown };
    let view = call.get(2, "view_func").cloned().unwrap_or(Value::Unknown);
    let view = interpreter.look_up_if(&view, &["def ", "class "]);
    if let Value::View(class, _) = view {
        add_view(interpreter, id, class, &route, call.named("methods").is_some());
    } else {
        route.description = interpreter.described(&view).and_then(|(_, doc)| doc);
        interpreter.add_route(id, route);
    }
    Value::Unknown
}

/// A class view: a route for every method it answers, or for those the rule names.
fn add_view(interpreter: &mut Interpreter, id: RouterId, class: ClassId, route: &Route, limited: bool) {
    let listed = interpreter.class_member(class, "methods").map(|methods| interpreter.texts(&methods));
    let class_doc = interpreter.described(&Value::Class(class)).and_then(|(_, doc)| doc);
    let functions = interpreter.methods(class);
    let mut answered: Vec<String> = starlette::methods_of(interpreter, class);
    if answered.is_empty() {
        answered =
            listed.unwrap_or_default().iter().filter_map(|method| starlette::known_method(method)).collect();
    }
    if answered.is_empty() {
        answered.push("GET".to_owned());
    }
    for method in answered.into_iter().filter(|method| !limited || route.methods.contains(method)) {
        let doc = functions.get(&method.to_lowercase()).cloned().flatten();
        let description = doc.or_else(|| class_doc.clone());
        interpreter.add_route(id, Route { methods: vec![method], description, ..route.clone() });
    }
}

/// The prefix given here stands in for the blueprint's own.
fn register_blueprint(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) -> Value {
    let Some(blueprint) = call.get(0, "blueprint") else { return Value::Unknown };
    let Some(target) = starlette::target(interpreter, blueprint) else { return Value::Unknown };
    let prefix = prefix(interpreter, call);
    interpreter.add_mount(id, Mount { target, prefix, replaces_prefix: true, ..Mount::default() });
    Value::Unknown
}

fn prefix(interpreter: &mut Interpreter, call: &Invocation) -> Option<String> {
    let prefix = call.named("url_prefix").and_then(|prefix| interpreter.text(prefix))?;
    Some(path::from_flask(&prefix))
}
