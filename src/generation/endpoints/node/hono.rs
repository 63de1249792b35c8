//! Hono: chained routes, `route('/prefix', app)` and `basePath`.

use super::super::interpreter::{Interpreter, Invocation, Value};
use super::super::routes::{Framework, Role, Router, RouterId};
use super::{add_route, mount, verbs};

/// A method of an app, which gives the app again.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    let arguments = call.positional();
    match (name, &arguments[..]) {
        ("route", [prefix, app, ..]) => {
            let prefix = interpreter.text(prefix);
            mount(interpreter, id, prefix, app);
        }
        ("basePath", [prefix, ..]) => {
            let inner = interpreter.routers.add(Router::new(Framework::Hono, Role::Part));
            let prefix = interpreter.text(prefix);
            mount(interpreter, id, prefix, &Value::Router(inner));
            return Value::Router(inner);
        }
        ("on", [methods, paths, _, ..]) => {
            let methods: Vec<String> = interpreter.texts(methods);
            let methods: Vec<String> =
                methods.iter().filter_map(|method| verbs(&method.to_lowercase())).flatten().collect();
            let paths = interpreter.texts(paths);
            add_route(interpreter, id, &methods, &paths, call);
        }
        (_, [path, _, ..]) => {
            if let Some(methods) = verbs(name) {
                let paths = interpreter.texts(path);
                add_route(interpreter, id, &methods, &paths, call);
            }
        }
        _ => {}
    }
    Value::Router(id)
}
