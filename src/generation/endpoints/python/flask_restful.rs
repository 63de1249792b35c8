//! What stands on Flask for APIs: Flask-RESTful's `add_resource`, namespaces of Flask-RESTX, and
//! the blueprints of flask-smorest.

use super::super::interpreter::{Interpreter, Invocation, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Router, RouterId};
use super::flask;

/// Whether a name of one of these packages makes routers.
pub fn knows(path: &str) -> bool {
    let root = path.split('.').next();
    matches!(root, Some("flask_restful" | "flask_restx" | "flask_restplus" | "flask_smorest"))
        && matches!(path.rsplit('.').next(), Some("Api" | "Namespace" | "Blueprint"))
}

/// `Api(app, prefix="/api")`, `Namespace("items", path="/items")`.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    if name.ends_with(".Blueprint") {
        return flask::construct(interpreter, name, call);
    }
    let mut router = Router::new(Framework::Flask, Role::Router);
    if name.ends_with(".Namespace") {
        let name = call.get(0, "name").and_then(|name| interpreter.text(name));
        let own = call.named("path").and_then(|path| interpreter.text(path));
        router.prefix = own.or_else(|| name.as_ref().map(|name| format!("/{name}"))).unwrap_or_default();
        router.tags = name.into_iter().collect();
        return Some(Value::Router(interpreter.routers.add(router)));
    }
    let prefix = call.named("prefix").and_then(|prefix| interpreter.text(prefix));
    router.prefix = prefix.map(|prefix| path::from_flask(&prefix)).unwrap_or_default();
    let id = interpreter.routers.add(router);
    if let Some(app) = call.get(0, "app") {
        init_app(interpreter, id, app);
    }
    Some(Value::Router(id))
}

/// A method that only these have; `None` for those of Flask's own.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Option<Value> {
    match name {
        "add_resource" => {
            let resource = call.at(0).cloned().unwrap_or(Value::Unknown);
            if let Value::Class(class) = interpreter.look_up(&resource) {
                for rule in call.positional().into_iter().skip(1) {
                    if let Some(rule) = interpreter.text(&rule) {
                        flask::add_class(interpreter, id, class, &rule, &call.site);
                    }
                }
            }
        }
        "add_namespace" => {
            let namespace = call.at(0).cloned().unwrap_or(Value::Unknown);
            if let Value::Router(target) = interpreter.look_up(&namespace) {
                let prefix = call.get(1, "path").and_then(|path| interpreter.text(path));
                let prefix = prefix.map(|prefix| path::from_flask(&prefix));
                let mount = Mount { target: Some(target), prefix, replaces_prefix: true, ..Mount::default() };
                interpreter.add_mount(id, mount);
            }
        }
        "namespace" => {
            let value = construct(interpreter, "flask_restx.Namespace", call)?;
            if let Value::Router(target) = value {
                interpreter.add_mount(id, Mount { target: Some(target), ..Mount::default() });
            }
            return Some(value);
        }
        "init_app" => {
            if let Some(app) = call.get(0, "app") {
                init_app(interpreter, id, app);
            }
        }
        _ => return None,
    }
    Some(Value::Router(id))
}

fn init_app(interpreter: &mut Interpreter, id: RouterId, app: &Value) {
    if let Value::Router(app) = interpreter.look_up(app) {
        interpreter.add_mount(app, Mount { target: Some(id), ..Mount::default() });
    }
}
