//! Express and what works the same way (Polka, Restify): `app.get`, `router.use`, `route('/x')`.

use super::super::interpreter::{Interpreter, Invocation, Value};
use super::super::routes::RouterId;
use super::{add_route, mount, nest, verbs};

/// A method of an app or router.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "use" => {
            mount_handlers(interpreter, id, call);
            Value::Router(id)
        }
        "setGlobalPrefix" => {
            nest::set_prefix(interpreter, call);
            Value::Router(id)
        }
        "route" => match call.at(0).and_then(|path| interpreter.text(path)) {
            Some(path) => Value::RouteAt(id, path.into()),
            None => Value::Unknown,
        },
        _ => {
            if let Some(methods) = verbs(name)
                && let [path, _, ..] = &call.positional()[..]
            {
                let paths = interpreter.texts(path);
                add_route(interpreter, id, &methods, &paths, call);
            }
            Value::Router(id)
        }
    }
}

/// A method of what `route(path)` gives, which gives it again.
pub fn method_of_route(
    interpreter: &mut Interpreter,
    id: RouterId,
    path: &str,
    name: &str,
    call: &Invocation,
) -> Value {
    if let Some(methods) = verbs(name) {
        add_route(interpreter, id, &methods, &[path.to_owned()], call);
    }
    Value::RouteAt(id, path.into())
}

/// `use(handlers…)`, `use(path, handlers…)`, `use([paths], handlers…)`.
pub fn mount_handlers(interpreter: &mut Interpreter, id: RouterId, call: &Invocation) {
    let mut handlers = call.positional();
    let mut prefixes = Vec::new();
    if handlers.len() > 1 {
        prefixes = interpreter.texts(&handlers[0]);
        if !prefixes.is_empty() {
            handlers.remove(0);
        }
    }
    let prefixes: Vec<Option<String>> = match prefixes.is_empty() {
        true => vec![None],
        false => prefixes.into_iter().map(Some).collect(),
    };
    for handler in handlers {
        let inner = interpreter.elements(&handler);
        let inner = if inner.is_empty() { vec![handler] } else { inner };
        for (prefix, handler) in prefixes.iter().flat_map(|prefix| inner.iter().map(move |one| (prefix, one)))
        {
            mount(interpreter, id, prefix.clone(), handler);
        }
    }
}
