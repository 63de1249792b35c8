//! Koa: routers of `@koa/router`, handed on as `router.routes()`.

use super::super::interpreter::{Interpreter, Invocation, Value};
use super::super::path;
use super::super::routes::{Framework, Role, Router, RouterId};
use super::{add_route, express, mount as mount_router, verbs};

/// The package whose function mounts an app under a path.
pub const MOUNT: &str = "koa-mount";

/// `mount('/admin', app)`.
pub fn mount(interpreter: &mut Interpreter, call: &Invocation) -> Value {
    let id = interpreter.routers.add(Router::new(Framework::Koa, Role::Part));
    let arguments = call.positional();
    if let Some(app) = arguments.last() {
        let prefix = arguments.first().and_then(|prefix| interpreter.text(prefix));
        mount_router(interpreter, id, prefix, app);
    }
    Value::Router(id)
}

/// A method of an app or router.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "use" => express::mount_handlers(interpreter, id, call),
        // The handlers that answer 405: nothing to mount, and nothing unknown.
        "allowedMethods" => return Value::External("koa".into()),
        "prefix" => {
            let prefix = call.at(0).and_then(|prefix| interpreter.text(prefix));
            if let (Some(prefix), Some(router)) = (prefix, interpreter.routers.get_mut(id)) {
                router.prefix = path::from_express(&prefix);
            }
        }
        _ => {
            if let Some(methods) = verbs(name) {
                let paths = paths(interpreter, call);
                add_route(interpreter, id, &methods, &paths, call);
            }
        }
    }
    Value::Router(id)
}

/// The paths of `get(path, handlers…)` or `get(name, path, handlers…)`.
fn paths(interpreter: &mut Interpreter, call: &Invocation) -> Vec<String> {
    match &call.positional()[..] {
        [name, path, _, ..] if interpreter.text(name).is_some() && interpreter.text(path).is_some() => {
            interpreter.texts(path)
        }
        [path, _, ..] => interpreter.texts(path),
        _ => Vec::new(),
    }
}
