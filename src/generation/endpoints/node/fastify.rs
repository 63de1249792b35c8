//! Fastify: shorthand routes, `route({…})`, and plugins, which are given an app of their own.

use super::super::interpreter::{Interpreter, Invocation, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Role, Route, Router, RouterId};
use super::{add_route, verbs};

/// Packages whose function gives back the plugin it is handed.
pub fn is_wrapper(path: &str) -> bool {
    matches!(path, "fastify-plugin" | "fastify-plugin.fastifyPlugin")
}

/// A method of an app, or of what stands for it in a plugin.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "register" => register(interpreter, id, call),
        "route" => {
            if let Some(options) = call.at(0).cloned() {
                route(interpreter, id, &options, call);
            }
        }
        "withTypeProvider" | "after" | "ready" => {}
        _ => match verbs(name) {
            Some(methods) => shorthand(interpreter, id, &methods, call),
            None => return Value::Unknown,
        },
    }
    Value::Router(id)
}

/// `get(path, options?, handler)`.
fn shorthand(interpreter: &mut Interpreter, id: RouterId, methods: &[String], call: &Invocation) {
    let arguments = call.positional();
    let Some(path) = arguments.first().and_then(|path| interpreter.text(path)) else { return };
    let schema = arguments.get(1).and_then(|options| interpreter.field(options, "schema"));
    match schema {
        Some(schema) => add_with_schema(interpreter, id, methods, &path, &schema, call),
        None => add_route(interpreter, id, methods, &[path], call),
    }
}

/// `route({ method, url, schema, handler })`.
fn route(interpreter: &mut Interpreter, id: RouterId, options: &Value, call: &Invocation) {
    let url = interpreter.field(options, "url").or_else(|| interpreter.field(options, "path"));
    let Some(url) = url.and_then(|url| interpreter.text(&url)) else { return };
    let methods =
        interpreter.field(options, "method").map(|methods| interpreter.texts(&methods)).unwrap_or_default();
    let methods: Vec<String> =
        methods.iter().filter_map(|method| verbs(&method.to_lowercase())).flatten().collect();
    let schema = interpreter.field(options, "schema").unwrap_or(Value::Unknown);
    add_with_schema(interpreter, id, &methods, &url, &schema, call);
}

fn add_with_schema(
    interpreter: &mut Interpreter,
    id: RouterId,
    methods: &[String],
    path: &str,
    schema: &Value,
    call: &Invocation,
) {
    let mut text = |name| interpreter.field(schema, name).and_then(|value| interpreter.text(&value));
    let (summary, description) = (text("summary"), text("description"));
    let tags = interpreter.field(schema, "tags").map(|tags| interpreter.texts(&tags)).unwrap_or_default();
    let path = path::from_express(path);
    let site = call.site.clone();
    let methods = methods.to_vec();
    interpreter.add_route(id, Route { methods, path, summary, description, tags, site, ..Route::default() });
}

/// `register(plugin, { prefix })`: the plugin's routes are those of an app under the prefix.
fn register(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) {
    let Some(plugin) = call.at(0) else { return };
    let plugin = interpreter.look_up(plugin);
    let plugin = interpreter.field(&plugin, "default").unwrap_or(plugin);
    let options = call.at(1).cloned().unwrap_or(Value::Unknown);
    let prefix = interpreter.field(&options, "prefix").and_then(|prefix| interpreter.text(&prefix));
    let prefix = prefix.map(|prefix| path::from_express(&prefix));
    let target = match plugin {
        Value::Function(_) | Value::Bound(..) => {
            let inner = interpreter.routers.add(Router::new(Framework::Fastify, Role::Part));
            interpreter.call(&plugin, &call.with(vec![Value::Router(inner), options]));
            Some(inner)
        }
        Value::Unknown => None,
        _ => return,
    };
    interpreter.add_mount(id, Mount { target, prefix, ..Mount::default() });
}
